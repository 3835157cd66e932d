"""Check a run directory for damage and contradictions, each named with its place."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from debate.errors import InputError, LogError, TaskError
from debate.log.codec import CorruptLine, decode_line
from debate.log.false_numbers import drop_false_numbers, find_false_sample
from debate.log.files import (
    MANIFEST,
    QUESTIONS,
    TURNS,
    VERDICTS,
    LogProblem,
    format_place,
    list_shards,
    read_lines,
)
from debate.log.identity import read_questions
from debate.log.index import (
    DebateRecords,
    K,
    LineIndex,
    TurnKey,
    VerdictKey,
    build_index,
    find_superseded,
)
from debate.log.manifest import Manifest, compute_totals, read_manifest
from debate.log.ownership import is_in_use
from debate.log.utilisation import UTILISATION, UtilisationSample
from debate.types import DebateKey, Question, Turn, Verdict

DebateAudit = Callable[[DebateKey, Sequence[Turn], Sequence[Verdict]], Iterable[LogProblem]]
"""Takes one debate with its turns and verdicts; returns further problems with it."""


def check_log(directory: Path | str, *, audit: DebateAudit | None = None) -> list[LogProblem]:
    """Return everything that is wrong in a run directory; an empty list for a sound one.

    Changes nothing, and may be called while the run is being written. Memory grows by about 50
    bytes per turn. `audit` is called with each debate. Raises InputError where the directory does
    not exist.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(f"{directory} is not a run directory: there is no such folder")
    return list(_find_problems(directory, audit or _skip_audit))


def _skip_audit(
    debate: DebateKey, turns: Sequence[Turn], verdicts: Sequence[Verdict]
) -> Iterable[LogProblem]:
    return ()


def _find_problems(directory: Path, audit: DebateAudit) -> Iterator[LogProblem]:
    is_live = is_in_use(directory)
    manifest, manifest_problems = _check_manifest(directory)
    questions, question_problems = _check_questions(directory)
    yield from chain(manifest_problems, question_problems)
    turns = build_index(list_shards(directory, TURNS), TurnKey)
    verdicts = build_index(list_shards(directory, VERDICTS), VerdictKey)
    yield from _find_line_problems(turns, TurnKey, is_live=is_live)
    yield from _find_line_problems(verdicts, VerdictKey, is_live=is_live)
    expected = _make_expected(manifest, questions)
    made, decided = (DebateRecords(index, as_written=True) for index in (turns, verdicts))
    with closing(made), closing(decided):
        yield from _find_problems_by_debate(made, decided, expected, audit)
    yield from _find_false_samples(directory)
    if manifest and not is_live and not (turns.damaged or verdicts.damaged):
        yield from _find_total_problems(directory, manifest)


def _check_manifest(directory: Path) -> tuple[Manifest | None, list[LogProblem]]:
    try:
        return read_manifest(directory), []
    except InputError as error:
        return None, [LogProblem(place=MANIFEST, what=str(error))]


def _check_questions(directory: Path) -> tuple[tuple[Question, ...], list[LogProblem]]:
    try:
        questions = read_questions(directory)
    except (TaskError, LogError) as error:
        return (), [LogProblem(place=QUESTIONS, what=str(error))]
    times = Counter(question.id for question in questions)
    return questions, [
        LogProblem(place=QUESTIONS, what=f'question id "{id}" occurs {count} times')
        for id, count in times.items()
        if count > 1
    ]


def _make_expected(manifest: Manifest | None, questions: Iterable[Question]) -> ExpectedIds:
    return ExpectedIds(
        questions=frozenset(question.id for question in questions),
        agents=frozenset(manifest.agents or _list_agents(manifest.spec)) if manifest else (),
        seeds=frozenset(manifest.seeds) if manifest else (),
    )


def _list_agents(spec: Mapping[str, Any]) -> list[str]:
    """Return the agents of a spec: a list of ids, of mappings with an `id`, or a mapping by id."""
    agents = spec.get("agents")
    if isinstance(agents, Mapping):
        return list(agents)
    ids = [each.get("id") if isinstance(each, Mapping) else each for each in agents or ()]
    return [id for id in ids if isinstance(id, str)] if None not in ids else []


def _find_line_problems(index: LineIndex, kind: type[K], *, is_live: bool) -> Iterator[LogProblem]:
    for damaged in index.damaged:
        if not (is_live and damaged.line.is_torn):
            yield damaged.problem
    for path, offsets in find_superseded(index.files, index.keys, kind).items():
        for line in read_lines(path):
            if line.offset in offsets and not is_live:
                what = "its key is recorded again further on, where it counts"
                yield LogProblem(place=format_place(path, line.number), what=what)


def _find_problems_by_debate(
    turns: DebateRecords, verdicts: DebateRecords, expected: ExpectedIds, audit: DebateAudit
) -> Iterator[LogProblem]:
    with_turns = set()
    for debate, made in turns.iter_debates(Turn):
        with_turns.add(hash(debate))
        distinct = tuple({turn.ref: turn for turn in made}.values())
        recorded = verdicts.read_debate(debate, Verdict)
        decided = tuple({(v.round, v.method): v for v in recorded}.values())
        yield from find_debate_problems(debate, distinct, decided, expected)
        sound = [drop_false_numbers(turn).value for turn in distinct]
        yield from audit(debate, sound, [drop_false_numbers(each).value for each in decided])
    for debate, decided_alone in verdicts.iter_debates(Verdict):
        if hash(debate) not in with_turns:
            yield from find_debate_problems(debate, (), decided_alone, expected)
    yield from chain(turns.problems, verdicts.problems)


def _find_false_samples(directory: Path) -> Iterator[LogProblem]:
    """Find the samples of utilisation with a number that is none."""
    path = directory / UTILISATION
    for line in read_lines(path) if path.exists() else ():
        with suppress(CorruptLine):
            if wrong := find_false_sample(decode_line(line.raw, UtilisationSample)):
                yield LogProblem(place=f"{UTILISATION}:{line.number}", what=wrong)


def _find_total_problems(directory: Path, manifest: Manifest) -> Iterator[LogProblem]:
    """Compare the totals in the manifest, if the run is complete, with those of the log."""
    if manifest.totals is None or manifest.status != "complete":
        return
    noted, found = asdict(manifest.totals), asdict(compute_totals(directory))
    for name, number in noted.items():
        if number != found[name]:
            what = f"totals.{name} is {number}, but the log adds up to {found[name]}"
            yield LogProblem(place=MANIFEST, what=what)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedIds:
    """The ids that a run may contain; an empty collection means that any may occur."""

    questions: Collection[str] = ()
    agents: Collection[str] = ()
    seeds: Collection[int] = ()


def find_debate_problems(
    debate: DebateKey, turns: Sequence[Turn], verdicts: Sequence[Verdict], expected: ExpectedIds
) -> Iterator[LogProblem]:
    """Yield everything wrong with one debate; `turns` and `verdicts` have distinct keys."""
    where = f'cell "{debate.cell}", question "{debate.question}", seed {debate.seed}'
    by_ref = {turn.ref: turn for turn in turns}
    for what in _find_unknown_ids(debate, expected):
        yield LogProblem(place=where, what=what)
    for ref, turn in by_ref.items():
        for what in _find_turn_problems(turn, by_ref, expected):
            yield LogProblem(place=f"{where}, turn {ref}", what=what)
    for what in _find_verdict_problems(turns, verdicts):
        yield LogProblem(place=where, what=what)


def _find_unknown_ids(debate: DebateKey, expected: ExpectedIds) -> Iterator[str]:
    if expected.questions and debate.question not in expected.questions:
        yield f'question "{debate.question}" is not among the run\'s questions'
    if expected.seeds and debate.seed not in expected.seeds:
        yield f"seed {debate.seed} is not among the manifest's seeds"


def _find_turn_problems(
    turn: Turn, by_ref: Mapping[str, Turn], expected: ExpectedIds
) -> Iterator[str]:
    about = None if turn.kind == "probe" else turn.about  # a probe is about its estimator
    for agent in filter(None, (turn.agent, about)):
        if expected.agents and agent not in expected.agents:
            yield f'agent "{agent}" is not among the manifest\'s agents'
    yield from _find_round_problems(turn)
    yield from _find_hearing_problems(turn, by_ref)
    yield from _find_number_problems(turn)


def _find_round_problems(turn: Turn) -> Iterator[str]:
    if turn.round < 0:
        yield f"round {turn.round} is negative"
    if turn.kind == "opening" and turn.round != 0:
        yield f"an opening in round {turn.round}; openings are round 0"
    if turn.kind == "opening" and turn.heard:
        yield f"an opening heard {', '.join(turn.heard)}; openings are independent"


def _find_hearing_problems(turn: Turn, by_ref: Mapping[str, Turn]) -> Iterator[str]:
    for ref, times in Counter(turn.heard).items():
        heard = by_ref.get(ref)
        if times > 1:
            yield f"heard {ref} {times} times"
        if heard is None:
            yield f"heard {ref}, which does not exist"
        elif ref == turn.ref:
            yield "heard itself"
        elif heard.round > turn.round:
            yield f"heard {ref}, which is from a later round"
        elif heard.kind == "probe":
            yield f"heard {ref}, which is a probe; probes are heard by nobody"
        elif heard.failure is not None:
            yield f"heard {ref}, which failed"
        elif turn.ref in heard.heard:
            yield f"heard {ref}, which heard this turn"


def _find_number_problems(turn: Turn) -> Iterator[str]:
    yield from drop_false_numbers(turn).faults
    usage = turn.usage
    if (usage.cached_tokens or 0) > (usage.prompt_tokens or math.inf):
        yield f"cached_tokens {usage.cached_tokens} exceed prompt_tokens {usage.prompt_tokens}"
    if turn.correct and turn.value is None:
        yield "counted as correct without an answer"
    if turn.is_cut and turn.finish_reason != "length":
        yield f"cut at a token limit, but its reply ended with {turn.finish_reason}"
    if turn.is_cut and turn.value is not None and turn.kind != "critique":
        yield f"cut before its answer was closed, but the answer is {turn.value!r}"


def _find_verdict_problems(turns: Sequence[Turn], verdicts: Sequence[Verdict]) -> Iterator[str]:
    rounds = {turn.round for turn in turns}
    decided = {(verdict.method, verdict.round) for verdict in verdicts}
    for verdict in verdicts:
        for fault in drop_false_numbers(verdict).faults:
            yield f"{verdict.method} verdict on round {verdict.round}: {fault}"
        # In a round in which nobody has anything to hear nobody speaks, and the answers stand.
        stands = (verdict.method, verdict.round - 1) in decided
        if verdict.round not in rounds and not stands:
            yield f"{verdict.method} verdict on round {verdict.round}, which has no turns"
        if verdict.outcome == "correct" and verdict.value is None:
            yield f"{verdict.method} verdict on round {verdict.round} is correct without an answer"
    finals = Counter(verdict.method for verdict in verdicts if verdict.final)
    for method, count in finals.items():
        if count > 1:
            yield f"{count} final {method} verdicts"
