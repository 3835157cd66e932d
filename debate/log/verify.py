"""Whether a run directory holds together: every damage named, with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from debate.errors import InputError, LogError, TaskError
from debate.log.identity import read_questions
from debate.log.index import Index, K, TurnKey, VerdictKey, build_index, superseded
from debate.log.invariants import Expected, debate_problems
from debate.log.layout import (
    LOCK,
    MANIFEST,
    QUESTIONS,
    TURNS,
    VERDICTS,
    Problem,
    place,
    shard_files,
)
from debate.log.lines import read_lines
from debate.log.lock import is_held
from debate.log.manifest import Manifest, read_manifest
from debate.log.records import Records
from debate.log.totals import run_totals
from debate.types import DebateKey, Question, Turn, Verdict

Audit = Callable[[DebateKey, Sequence[Turn], Sequence[Verdict]], Iterable[Problem]]
"""A further look at one debate, by somebody who knows what the run was to be."""


def verify(directory: Path | str, *, audit: Audit | None = None) -> list[Problem]:
    """Everything that is wrong in a run directory; an empty list for a sound one.

    Changes nothing, and may run while the run is being written. Memory grows by about 50 bytes a
    turn. `audit` is shown each debate. Raises InputError where there is no such directory.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(f"{directory} is not a run directory: there is no such folder")
    return list(_problems(directory, audit or _no_audit))


def _no_audit(
    debate: DebateKey, turns: Sequence[Turn], verdicts: Sequence[Verdict]
) -> Iterable[Problem]:
    return ()


def _problems(directory: Path, audit: Audit) -> Iterator[Problem]:
    is_live = any(map(is_held, (directory / LOCK, *directory.glob(f"{LOCK}.*"))))
    manifest, manifest_problems = _manifest(directory)
    questions, question_problems = _questions(directory)
    yield from chain(manifest_problems, question_problems)
    turns = build_index(shard_files(directory, TURNS), TurnKey)
    verdicts = build_index(shard_files(directory, VERDICTS), VerdictKey)
    yield from _line_problems(turns, TurnKey, is_live=is_live)
    yield from _line_problems(verdicts, VerdictKey, is_live=is_live)
    expected = _expected(manifest, questions)
    with closing(Records(turns)) as made, closing(Records(verdicts)) as decided:
        yield from _debate_problems(made, decided, expected, audit)
    if manifest and not is_live and not (turns.damaged or verdicts.damaged):
        yield from _total_problems(directory, manifest)


def _manifest(directory: Path) -> tuple[Manifest | None, list[Problem]]:
    try:
        return read_manifest(directory), []
    except InputError as error:
        return None, [Problem(place=MANIFEST, what=str(error))]


def _questions(directory: Path) -> tuple[tuple[Question, ...], list[Problem]]:
    try:
        questions = read_questions(directory)
    except (TaskError, LogError) as error:
        return (), [Problem(place=QUESTIONS, what=str(error))]
    times = Counter(question.id for question in questions)
    return questions, [
        Problem(place=QUESTIONS, what=f'question id "{id}" occurs {count} times')
        for id, count in times.items()
        if count > 1
    ]


def _expected(manifest: Manifest | None, questions: Iterable[Question]) -> Expected:
    return Expected(
        questions=frozenset(question.id for question in questions),
        agents=frozenset(manifest.agents or _agents(manifest.spec)) if manifest else (),
        seeds=frozenset(manifest.seeds) if manifest else (),
    )


def _agents(spec: Mapping[str, Any]) -> list[str]:
    """Agent ids in a resolved spec: a list of ids, of mappings with an `id`, or a mapping by id."""
    agents = spec.get("agents")
    if isinstance(agents, Mapping):
        return list(agents)
    ids = [each.get("id") if isinstance(each, Mapping) else each for each in agents or ()]
    return [id for id in ids if isinstance(id, str)] if None not in ids else []


def _line_problems(index: Index, kind: type[K], *, is_live: bool) -> Iterator[Problem]:
    for damaged in index.damaged:
        if not (is_live and damaged.line.is_torn):
            yield damaged.problem
    for path, offsets in superseded(index.files, index.keys, kind).items():
        for line in read_lines(path):
            if line.offset in offsets and not is_live:
                what = "its key is recorded again further on, where it counts"
                yield Problem(place=place(path, line.number), what=what)


def _debate_problems(
    turns: Records, verdicts: Records, expected: Expected, audit: Audit
) -> Iterator[Problem]:
    with_turns = set()
    for debate, made in turns.by_debate(Turn):
        with_turns.add(hash(debate))
        distinct = tuple({turn.ref: turn for turn in made}.values())
        decided = tuple({(v.round, v.method): v for v in verdicts.of(debate, Verdict)}.values())
        yield from debate_problems(debate, distinct, decided, expected)
        yield from audit(debate, distinct, decided)
    for debate, decided_alone in verdicts.by_debate(Verdict):
        if hash(debate) not in with_turns:
            yield from debate_problems(debate, (), decided_alone, expected)
    yield from chain(turns.problems, verdicts.problems)


def _total_problems(directory: Path, manifest: Manifest) -> Iterator[Problem]:
    """Totals are noted when a run is complete, and stay until it is resumed."""
    if manifest.totals is None or manifest.status != "complete":
        return
    noted, found = asdict(manifest.totals), asdict(run_totals(directory))
    for name, number in noted.items():
        if number != found[name]:
            what = f"totals.{name} is {number}, but the log adds up to {found[name]}"
            yield Problem(place=MANIFEST, what=what)
