"""A run debated once more from its own log: whoever heard, said or decided otherwise is named.

Nothing is asked of any model. Each turn that the debate comes to is looked up in the log and
compared with what the run's configuration makes of the turns before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from debate.agents.reading import read
from debate.engines.base import Completion
from debate.log import Problem, read_questions, verify
from debate.log.manifest import Manifest, read_manifest
from debate.orchestrator.calls import Calls, Draft
from debate.orchestrator.cell import Cell
from debate.orchestrator.question import debate_question
from debate.types import DebateKey, Question, Turn, Verdict
from debate.wiring.audit_cells import Rebuilt, rebuild

DERIVED = (
    "round", "kind", "agent", "about", "model", "heard", "late", "dropped", "sampling_seed",
    "simulated",
)  # fmt: skip
"""What follows of a turn from the configuration and the turns before it."""
DECIDED = (
    "value", "outcome", "tally", "confidence", "num_failed", "final", "stopped_by",
)  # fmt: skip
MOST_STALE = 3


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What is wrong in a run directory, and what could not be looked at."""

    problems: tuple[Problem, ...]
    unchecked: tuple[str, ...]


def audit(directory: Path | str, *, custom_code: bool = False) -> Audit:
    """Everything that `verify` finds, and every turn and verdict that is not what it should be.

    A protocol of the user's own is imported only with `custom_code`. Raises InputError where there
    is no such directory.
    """
    directory = Path(directory)
    found = _rebuilt(directory, custom_code=custom_code)
    if isinstance(found, str):
        unchecked = (f"who heard whom, and the verdicts, were not recomputed: {found}",)
        return Audit(problems=tuple(verify(directory)), unchecked=unchecked)
    auditor = Auditor(found.manifest, found.cells, found.questions)
    problems = [*found.problems, *verify(directory, audit=auditor.problems_of)]
    problems += auditor.problems_of_the_whole()
    return Audit(problems=tuple(problems), unchecked=(*found.cells.unchecked, *auditor.unchecked()))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a directory says that its run was."""

    manifest: Manifest
    cells: Rebuilt
    questions: Mapping[str, Question]
    problems: tuple[Problem, ...]


def _rebuilt(directory: Path, *, custom_code: bool) -> _Found | str:
    """The run as its manifest tells it; in words, why it cannot be told."""
    from debate.errors import DebateError

    try:
        manifest = read_manifest(directory)
        questions = {question.id: question for question in read_questions(directory)}
        cells = rebuild(manifest.spec, custom_code=custom_code)
    except DebateError as error:
        return str(error)
    problems = tuple(Problem(place="manifest.json", what=what) for what in cells.against(manifest))
    return _Found(manifest=manifest, cells=cells, questions=questions, problems=problems)


@dataclass
class _Hashes:
    """How many of a model's prompts are the recorded ones, and where some are not."""

    same: int = 0
    other: list[Problem] = field(default_factory=list)


class Auditor:
    """Debates again, one debate at a time, from the turns that are recorded of it."""

    def __init__(
        self, manifest: Manifest, rebuilt: Rebuilt, questions: Mapping[str, Question]
    ) -> None:
        self._manifest = manifest
        self._rebuilt = rebuilt
        self._questions = questions
        self._seen: set[DebateKey] = set()
        self._hashes: dict[str, _Hashes] = {}

    def problems_of(
        self, debate: DebateKey, turns: Sequence[Turn], verdicts: Sequence[Verdict]
    ) -> Iterator[Problem]:
        """What is wrong with one debate."""
        self._seen.add(debate)
        where = f'cell "{debate.cell}", question "{debate.question}", seed {debate.seed}'
        question = self._questions.get(debate.question)
        if debate.cell not in self._rebuilt.known:
            yield Problem(place=where, what=f'the configuration has no cell "{debate.cell}"')
        cell = self._rebuilt.cells.get(debate.cell)
        if cell is None or question is None:
            return
        replay = _Replay(cell, question, debate, turns, verdicts)
        asyncio.run(replay.run())
        for ref, what in replay.found:
            yield Problem(place=f"{where}, {ref}" if ref else where, what=what)
        for turn, is_same in replay.hashes:
            hashes = self._hashes.setdefault(turn.model, _Hashes())
            if is_same:
                hashes.same += 1
            elif len(hashes.other) < MOST_STALE or hashes.same:
                what = "its prompt, by its hash, is not what the debate before it makes"
                hashes.other.append(Problem(place=f"{where}, turn {turn.ref}", what=what))

    def problems_of_the_whole(self) -> Iterator[Problem]:
        """Debates that a complete run lacks, and prompts that are not the recorded ones."""
        if self._manifest.status == "complete":
            for key in self._wanted():
                if key not in self._seen:
                    what = f'question "{key.question}", seed {key.seed}: no turn, though complete'
                    yield Problem(place=f'cell "{key.cell}"', what=what)
        for hashes in self._hashes.values():
            yield from hashes.other if hashes.same else ()

    def unchecked(self) -> list[str]:
        """Models none of whose prompts has the recorded hash."""
        return [
            f"prompts of model {model} were not compared: its weights, its settings or the "
            "prompt set are not what they were"
            for model, hashes in self._hashes.items()
            if hashes.other and not hashes.same
        ]

    def _wanted(self) -> Iterator[DebateKey]:
        for cell in self._rebuilt.cells:
            for seed in self._manifest.seeds:
                for question in self._questions:
                    yield DebateKey(cell=cell, question=question, seed=seed)


class _Missing(Exception):
    """The debate came to a turn that is not recorded."""


class _Noted:
    """The log and the watcher of a replay: told what the debate makes, it notes what differs."""

    def __init__(self, turns: Sequence[Turn], verdicts: Sequence[Verdict]) -> None:
        self.made = {turn.ref: turn for turn in turns}
        self.is_over = any(verdict.final for verdict in verdicts)
        self.found: list[tuple[str, str]] = []
        self._decided = {(verdict.round, verdict.method): verdict for verdict in verdicts}

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """The turns that have not failed, by their ref."""
        return {ref: turn for ref, turn in self.made.items() if turn.failure is None}

    async def append(self, turn: Turn) -> None:
        """Nothing is written."""

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Compare what the turns decide with what the log says."""
        for verdict in verdicts:
            self._compare(verdict)

    def settle(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Note the turns and verdicts that the debate never came to."""
        for ref in self.made:
            if ref not in turns:
                self.found.append((f"turn {ref}", "the debate never comes to this turn"))
        for round, method in self._decided:
            place = f"{method} verdict on round {round}"
            self.found.append((place, "the debate never comes to this verdict"))

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """Nobody is told."""

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Nobody is told."""

    def _compare(self, verdict: Verdict) -> None:
        place = f"{verdict.method} verdict on round {verdict.round}"
        old = self._decided.pop((verdict.round, verdict.method), None)
        if old is None:
            if self.is_over:
                self.found.append((place, "is missing, though the debate is over"))
            return
        for name in DECIDED:
            noted, wanted = getattr(old, name), getattr(verdict, name)
            if noted != wanted and not (name in ("final", "stopped_by") and not self.is_over):
                what = f"{name} is {noted!r}, but the turns make it {wanted!r}"
                self.found.append((place, what))


class _Replay(Calls):
    """One debate with its recorded turns in place of calls; what differs is `found`."""

    def __init__(
        self,
        cell: Cell,
        question: Question,
        debate: DebateKey,
        turns: Sequence[Turn],
        verdicts: Sequence[Verdict],
    ) -> None:
        self._noted = _Noted(turns, verdicts)
        super().__init__(clients={}, log=self._noted, watcher=self._noted)
        self._cell, self._question, self._debate = cell, question, debate
        self.found = self._noted.found
        self.hashes: list[tuple[Turn, bool]] = []

    async def run(self) -> None:
        """Debate to the end, or as far as the log goes."""
        try:
            await debate_question(self._question, [self._cell], self, seed=self._debate.seed)
        except _Missing as missing:
            if self._noted.is_over:
                self.found.append((f"turn {missing}", "is missing, though the debate is over"))

    async def take(self, draft: Draft) -> Turn:
        """The recorded turn, compared with what the debate before it makes of its place."""
        turn = self._noted.made.get(draft.ref)
        if turn is None:
            raise _Missing(draft.ref)
        self._taken.setdefault(draft.debate, set()).add(draft.ref)
        for what in _differences(turn, draft.fields):
            self.found.append((f"turn {turn.ref}", what))
        for what in _misread(turn, self._cell, self._question):
            self.found.append((f"turn {turn.ref}", what))
        is_same = turn.prompt_hash == draft.digest
        if turn.kind != "probe":
            self.hashes.append((turn, is_same))
        elif not is_same:
            self.found.append((f"turn {turn.ref}", "it is not a probe of what the turn says"))
        return turn


def _differences(turn: Turn, fields: Mapping[str, Any]) -> Iterator[str]:
    """What the log says of a turn that the debate before it does not make."""
    for name in DERIVED:
        if name in fields and getattr(turn, name) != fields[name]:
            yield f"{name} is {_said(getattr(turn, name))}, but it should be {_said(fields[name])}"


def _said(value: Any) -> str:
    return f"({', '.join(value)})" if isinstance(value, tuple) else repr(value)


def _misread(turn: Turn, cell: Cell, question: Question) -> Iterator[str]:
    """Whether the recorded answer is what the recorded text says, and scored as it should be."""
    agent = cell.agents.get(turn.agent)
    if agent is None or turn.kind == "probe" or turn.failure is not None:
        return
    said = read(agent, question, turn.kind, Completion(id="", text=turn.text))
    for name, noted, wanted in (
        ("answer", turn.answer, said.answer),
        ("accepts", turn.accepts, said.accepts),
    ):
        if noted != wanted:
            yield f"{name} is {noted!r}, but its text says {wanted!r}"
    if turn.answer is not None:
        correct = cell.score(turn.answer.value, question)
        if turn.correct != correct:
            yield f"correct is {turn.correct}, but its answer is scored {correct}"
