"""`debate verify`: a run debated once more from its own log, and every difference named.

Nothing is asked of any model. Each turn that the debate comes to is looked up in the log and
compared with what the run's configuration makes of the turns before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from debate.agents.agent import read_reply
from debate.agents.final_line import lacks_final_line, may_ask_final_line
from debate.agents.tool_use import find_false_steps
from debate.config.registry import find_changed_code
from debate.engines.base import Completion
from debate.errors import DebateError
from debate.interrupts import run_to_end
from debate.log import LogProblem, check_log, read_questions
from debate.log.frames import IsRight, upgrade_verdict
from debate.log.manifest import Manifest, read_manifest
from debate.orchestrator.call_store import CallStore, PendingTurn
from debate.orchestrator.condition import Condition
from debate.orchestrator.question import debate_question
from debate.runner.cells import RebuiltCells, rebuild_cells
from debate.runner.offline import NullLog
from debate.tasks.parsing import find_answer
from debate.types import CONSTRAINED, DebateKey, Question, Turn, Verdict

MAX_CHANGED_PROMPTS = 3
"""Changed prompts of a model that are kept until one of its prompts is found to be as recorded."""
TURN_FIELDS = (
    "round",
    "kind",
    "agent",
    "about",
    "model",
    "heard",
    "late",
    "heard_as",
    "dropped",
    "sampling_seed",
    "simulated",
)
"""Fields of a turn that follow from the configuration and the turns before it."""
VERDICT_FIELDS = (
    "value",
    "outcome",
    "tally",
    "tied",
    "score",
    "confidence",
    "num_failed",
    "final",
    "stopped_by",
)
"""Fields of a verdict that follow from the turns."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The problems of a run directory, and sentences on what could not be looked at."""

    problems: tuple[LogProblem, ...]
    unchecked: tuple[str, ...]


def verify_run(directory: Path | str, *, custom_code: bool = False) -> Verification:
    """Find everything that `verify` finds, and every turn and verdict that is not as it should be.

    Custom code is imported only with `custom_code`. Raises InputError where there is no such
    directory.
    """
    directory = Path(directory)
    found = _read_contents(directory, custom_code=custom_code)
    if isinstance(found, str):
        told = f"who heard whom, and the verdicts, were not recomputed: {found}"
        return Verification(problems=tuple(check_log(directory)), unchecked=(told,))
    verifier = RunVerifier(found)
    contradictions = found.rebuilt.find_contradictions(found.manifest)
    problems = [LogProblem(place="manifest.json", what=what) for what in contradictions]
    problems += check_log(directory, audit=verifier.find_problems)
    problems += verifier.find_run_problems()
    unchecked = (*found.rebuilt.unchecked, *verifier.list_unchecked())
    if custom_code:
        unchecked = (*unchecked, *_list_changed_code(found.manifest))
    return Verification(problems=tuple(problems), unchecked=unchecked)


def _list_changed_code(manifest: Manifest) -> list[str]:
    code = manifest.starts[-1].code if manifest.starts else {}
    return [
        f"the code of {what} is not what the run was made by" for what in find_changed_code(code)
    ]


@dataclass(frozen=True, kw_only=True)
class RunContents:
    """A run as its directory describes it."""

    manifest: Manifest
    rebuilt: RebuiltCells
    questions: Mapping[str, Question]


def _read_contents(directory: Path, *, custom_code: bool) -> RunContents | str:
    """The run by its manifest; in words, why that cannot be read."""
    try:
        manifest = read_manifest(directory)
        questions = {question.id: question for question in read_questions(directory)}
        rebuilt = rebuild_cells(manifest.spec, custom_code=custom_code)
    except DebateError as error:
        return str(error)
    return RunContents(manifest=manifest, rebuilt=rebuilt, questions=questions)


@dataclass
class _PromptCounts:
    """The number of a model's prompts that are the recorded ones, and the places of others."""

    num_same: int = 0
    changed: list[LogProblem] = field(default_factory=list)


class RunVerifier:
    """Debates again, one debate at a time, from the turns that are recorded of it."""

    def __init__(self, run: RunContents) -> None:
        self._run = run
        self._seen: set[DebateKey] = set()
        self._prompts: dict[str, _PromptCounts] = {}
        self._tells_forms = False
        self._misread: list[LogProblem] = []

    def find_problems(
        self, debate: DebateKey, turns: Sequence[Turn], verdicts: Sequence[Verdict]
    ) -> Iterator[LogProblem]:
        """Yield the problems of one debate."""
        self._seen.add(debate)
        where = f'cell "{debate.cell}", question "{debate.question}", seed {debate.seed}'
        question = self._run.questions.get(debate.question)
        if debate.cell not in self._run.rebuilt.names:
            yield LogProblem(place=where, what=f'the configuration has no cell "{debate.cell}"')
        cell = self._run.rebuilt.cells.get(debate.cell)
        if cell is None or question is None:
            return
        found = replay_debate(cell, question, debate, turns, verdicts)
        self._tells_forms |= any(turn.answer and turn.answer.form for turn in turns)
        for place, what, is_reading in found.mismatches:
            problem = LogProblem(place=f"{where}, {place}", what=what)
            if is_reading:
                self._misread.append(problem)
            else:
                yield problem
        models = {turn.ref: turn.model for turn in turns}
        for ref, is_same in found.has_same_prompt.items():
            self._count_prompt(models[ref], f"{where}, turn {ref}", is_same=is_same)

    def find_run_problems(self) -> Iterator[LogProblem]:
        """Yield debates that a complete run lacks, and prompts that are not the recorded ones."""
        if self._run.manifest.status == "complete":
            for key in self._list_debates():
                if key not in self._seen:
                    what = f'question "{key.question}", seed {key.seed}: no turn, though complete'
                    yield LogProblem(place=f'cell "{key.cell}"', what=what)
        for prompts in self._prompts.values():
            yield from prompts.changed if prompts.num_same else ()
        if self._tells_forms:
            yield from self._misread

    def list_unchecked(self) -> list[str]:
        """Name what was not compared: old readings, and prompts none of which is as recorded."""
        unread = (
            f"{len(self._misread)} readings differ from what the texts say now: the log is from "
            "before answers told their form, when fewer forms were read"
        )
        earlier = [unread] if self._misread and not self._tells_forms else []
        return earlier + [
            f"prompts of model {model} were not compared: its weights, its settings or the "
            "prompt set are not what they were"
            for model, prompts in self._prompts.items()
            if prompts.changed and not prompts.num_same
        ]

    def _count_prompt(self, model: str, where: str, *, is_same: bool) -> None:
        prompts = self._prompts.setdefault(model, _PromptCounts())
        if is_same:
            prompts.num_same += 1
        elif len(prompts.changed) < MAX_CHANGED_PROMPTS or prompts.num_same:
            what = "its prompt, by its hash, is not what the debate before it makes"
            prompts.changed.append(LogProblem(place=where, what=what))

    def _list_debates(self) -> Iterator[DebateKey]:
        for cell in self._run.rebuilt.cells:
            for seed in self._run.manifest.seeds:
                for question in self._run.questions:
                    yield DebateKey(cell=cell, question=question, seed=seed)


class Mismatch(NamedTuple):
    """A turn or verdict that the debate makes otherwise, and in what."""

    place: str
    what: str
    is_reading: bool = False
    """Whether it is about what was read out of a reply's text."""


class ReplayResult(NamedTuple):
    """The mismatches of a replay, and whether each turn reached, by ref, has its recorded prompt.

    `has_same_prompt` leaves out probes: theirs must be the same, so that another is a mismatch.
    """

    mismatches: Sequence[Mismatch]
    has_same_prompt: Mapping[str, bool]


def replay_debate(
    cell: Condition,
    question: Question,
    debate: DebateKey,
    turns: Sequence[Turn],
    verdicts: Sequence[Verdict],
) -> ReplayResult:
    """Debate to the end, or as far as the log goes, with recorded turns in place of calls."""
    log = _ReplayLog(turns, verdicts, lambda answer, _: cell.score(answer, question))
    calls = _ReplayCalls(cell, question, log)
    try:
        run_to_end(debate_question(question, [cell], calls, seed=debate.seed))
    except _MissingTurn as missing:
        if log.is_over:
            log.add_mismatch(f"turn {missing}", "is missing, though the debate is over")
    return ReplayResult(log.mismatches, calls.has_same_prompt)


class _MissingTurn(Exception):
    """The debate came to a turn that is not recorded."""


class _ReplayLog(NullLog):
    """The log and the watcher of a replay: it compares what the debate makes with its records."""

    def __init__(
        self, turns: Sequence[Turn], verdicts: Sequence[Verdict], is_right: IsRight
    ) -> None:
        super().__init__({turn.ref: turn for turn in turns if turn.failure is None})
        self._is_right = is_right
        self.turns = {turn.ref: turn for turn in turns}
        self.is_over = any(verdict.final for verdict in verdicts)
        self.mismatches: list[Mismatch] = []
        self._verdicts = {(verdict.round, verdict.method): verdict for verdict in verdicts}

    def add_mismatch(self, place: str, what: str, *, is_reading: bool = False) -> None:
        """Note a mismatch."""
        self.mismatches.append(Mismatch(place, what, is_reading))

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Compare what the turns decide with what the log says."""
        for verdict in verdicts:
            self._compare(verdict)

    def prune(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Note the turns and verdicts that the debate never came to."""
        for ref in self.turns:
            if ref not in turns:
                self.add_mismatch(f"turn {ref}", "the debate never comes to this turn")
        for round, method in self._verdicts:
            place = f"{method} verdict on round {round}"
            self.add_mismatch(place, "the debate never comes to this verdict")

    def _compare(self, verdict: Verdict) -> None:
        place = f"{verdict.method} verdict on round {verdict.round}"
        old = self._verdicts.pop((verdict.round, verdict.method), None)
        if old is None:
            if self.is_over:
                self.add_mismatch(place, "is missing, though the debate is over")
            return
        told = upgrade_verdict(old, self._is_right)
        for name in VERDICT_FIELDS:
            noted, wanted = getattr(told, name), getattr(verdict, name)
            if noted != wanted and not (name in ("final", "stopped_by") and not self.is_over):
                self.add_mismatch(place, f"{name} is {noted!r}, but the turns make it {wanted!r}")


class _ReplayCalls(CallStore):
    """Takes the recorded turns, and compares each with what the debate makes of its place."""

    def __init__(self, cell: Condition, question: Question, log: _ReplayLog) -> None:
        super().__init__(clients={}, log=log, watcher=log)
        self._records = log
        self._cell = cell
        self._question = question
        self.has_same_prompt: dict[str, bool] = {}

    async def get_or_compute(self, draft: PendingTurn) -> Turn:
        """Return the recorded turn. Raises _MissingTurn where there is none."""
        turn = self._records.turns.get(draft.turn.ref)
        if turn is None:
            raise _MissingTurn(draft.turn.ref)
        self.note_reached(draft)
        for what in self._compare(turn, draft):
            self._records.add_mismatch(f"turn {turn.ref}", what)
        for what in _compare_reading(turn, self._cell, self._question):
            self._records.add_mismatch(f"turn {turn.ref}", what, is_reading=True)
        return turn

    def _compare(self, turn: Turn, draft: PendingTurn) -> Iterator[str]:
        yield from _compare_fields(turn, draft.turn)
        yield from _compare_scoring(turn, self._cell, self._question)
        is_same = turn.prompt_hash == draft.turn.prompt_hash
        if turn.kind != "probe":
            self.has_same_prompt[turn.ref] = is_same
        elif not is_same:
            yield "it is not a probe of what the turn says"


def _compare_fields(turn: Turn, begun: Turn) -> Iterator[str]:
    """Yield what the log says of a turn that the debate before it does not make."""
    for name in TURN_FIELDS:
        noted, wanted = getattr(turn, name), getattr(begun, name)
        if noted != wanted:
            yield f"{name} is {_format(noted)}, but it should be {_format(wanted)}"


def _format(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else repr(value)


def _compare_reading(turn: Turn, cell: Condition, question: Question) -> Iterator[str]:
    """Yield where the recorded answer or verdict is not what its text says."""
    agent = cell.agents.get(turn.agent)
    if agent is None or turn.kind == "probe" or turn.failure is not None:
        return
    reply = Completion(
        id="",
        text=turn.text,
        finish_reason=turn.finish_reason,
        is_reasoning_open=turn.reasoning is not None
        and (turn.is_cut or turn.final_line is not None),
    )
    yield from find_false_steps(agent, question, turn)
    said = read_reply(agent, question, turn.kind, reply)
    if turn.final_line is not None:
        if not (may_ask_final_line(agent, turn.kind) and lacks_final_line(said)):
            yield "final_line is there, but nothing asks for it"
            return
        found = find_answer(turn.final_line, question, agent.prompts.format).answer
        matched = turn.answer.matched if turn.answer else ()
        said = replace(said, answer=replace(found, matched=matched), is_cut=False)
    is_stated = turn.answer is not None and turn.answer.form == CONSTRAINED
    if is_stated != (turn.final_line is not None):
        yield "answer.form and final_line do not say the same of where the answer stands"
    for name, noted, wanted in (
        ("answer", turn.answer, said.answer),
        ("accepts", turn.accepts, said.accepts),
        ("is_cut", turn.is_cut, said.is_cut),
    ):
        if noted != wanted:
            yield f"{name} is {noted!r}, but its text says {wanted!r}"


def _compare_scoring(turn: Turn, cell: Condition, question: Question) -> Iterator[str]:
    """Yield where the recorded answer is scored otherwise. No program is run again."""
    if question.kind == "code":
        return
    if turn.answer is not None and turn.kind != "probe" and turn.failure is None:
        correct = cell.score(turn.answer.value, question)
        if turn.correct != correct:
            yield f"correct is {turn.correct}, but its answer is scored {correct}"
