"""One debate held again with its recorded turns in place of calls: what differs is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from debate.agents.reading import read
from debate.engines.base import Completion
from debate.log.verdict_frame import IsRight, as_written_now
from debate.orchestrator.calls import Calls, Draft
from debate.orchestrator.cell import Cell
from debate.orchestrator.question import debate_question
from debate.types import DebateKey, Question, Turn, Verdict

DERIVED = (
    "round", "kind", "agent", "about", "model", "heard", "late", "dropped", "sampling_seed",
    "simulated",
)  # fmt: skip
"""What follows of a turn from the configuration and the turns before it."""
DECIDED = (
    "value", "outcome", "tally", "tied", "score", "confidence", "num_failed", "final", "stopped_by",
)  # fmt: skip
"""What follows of a verdict from the turns."""


class Difference(NamedTuple):
    """What the log says otherwise, and of which turn or verdict."""

    place: str
    what: str


class Replayed(NamedTuple):
    """What a replay has shown; `has_same_prompt` tells it of every turn that was reached, by ref.

    Probes are left out: theirs must be the same, so that one that is not is a difference.
    """

    differences: Sequence[Difference]
    has_same_prompt: Mapping[str, bool]


def replay(
    cell: Cell,
    question: Question,
    debate: DebateKey,
    turns: Sequence[Turn],
    verdicts: Sequence[Verdict],
) -> Replayed:
    """Debate to the end, or as far as the log goes."""
    noted = _Noted(turns, verdicts, lambda answer, _: cell.score(answer, question))
    calls = _Replay(cell, question, noted)
    try:
        asyncio.run(debate_question(question, [cell], calls, seed=debate.seed))
    except _Missing as missing:
        if noted.is_over:
            noted.differ(f"turn {missing}", "is missing, though the debate is over")
    return Replayed(noted.differences, calls.has_same_prompt)


class _Missing(Exception):
    """The debate came to a turn that is not recorded."""


class _Noted:
    """The log and the watcher of a replay: told what the debate makes, it notes what differs."""

    def __init__(
        self, turns: Sequence[Turn], verdicts: Sequence[Verdict], is_right: IsRight
    ) -> None:
        self._is_right = is_right
        self.made = {turn.ref: turn for turn in turns}
        self.is_over = any(verdict.final for verdict in verdicts)
        self.differences: list[Difference] = []
        self._decided = {(verdict.round, verdict.method): verdict for verdict in verdicts}

    def differ(self, place: str, what: str) -> None:
        """Note a difference."""
        self.differences.append(Difference(place, what))

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """The turns that have not failed, by their ref."""
        return {ref: turn for ref, turn in self.made.items() if turn.failure is None}

    def queue(self, turn: Turn) -> None:
        """Nothing is written."""

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Compare what the turns decide with what the log says."""
        for verdict in verdicts:
            self._compare(verdict)

    def settle(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Note the turns and verdicts that the debate never came to."""
        for ref in self.made:
            if ref not in turns:
                self.differ(f"turn {ref}", "the debate never comes to this turn")
        for round, method in self._decided:
            place = f"{method} verdict on round {round}"
            self.differ(place, "the debate never comes to this verdict")

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """Nobody is told."""

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Nobody is told."""

    def _compare(self, verdict: Verdict) -> None:
        place = f"{verdict.method} verdict on round {verdict.round}"
        old = self._decided.pop((verdict.round, verdict.method), None)
        if old is None:
            if self.is_over:
                self.differ(place, "is missing, though the debate is over")
            return
        told = as_written_now(old, self._is_right)
        for name in DECIDED:
            noted, wanted = getattr(told, name), getattr(verdict, name)
            if noted != wanted and not (name in ("final", "stopped_by") and not self.is_over):
                self.differ(place, f"{name} is {noted!r}, but the turns make it {wanted!r}")


class _Replay(Calls):
    """Takes the recorded turns, and compares each with what the debate makes of its place."""

    def __init__(self, cell: Cell, question: Question, noted: _Noted) -> None:
        super().__init__(clients={}, log=noted, watcher=noted)
        self._noted = noted
        self._cell = cell
        self._question = question
        self.has_same_prompt: dict[str, bool] = {}

    async def take(self, draft: Draft) -> Turn:
        """The recorded turn."""
        turn = self._noted.made.get(draft.turn.ref)
        if turn is None:
            raise _Missing(draft.turn.ref)
        self.note(draft)
        for what in self._wrong(turn, draft):
            self._noted.differ(f"turn {turn.ref}", what)
        return turn

    def _wrong(self, turn: Turn, draft: Draft) -> Iterator[str]:
        yield from _otherwise(turn, draft.turn)
        yield from _misread(turn, self._cell, self._question)
        is_same = turn.prompt_hash == draft.turn.prompt_hash
        if turn.kind != "probe":
            self.has_same_prompt[turn.ref] = is_same
        elif not is_same:
            yield "it is not a probe of what the turn says"


def _otherwise(turn: Turn, begun: Turn) -> Iterator[str]:
    """What the log says of a turn that the debate before it does not make."""
    for name in DERIVED:
        noted, wanted = getattr(turn, name), getattr(begun, name)
        if noted != wanted:
            yield f"{name} is {_said(noted)}, but it should be {_said(wanted)}"


def _said(value: Any) -> str:
    return f"({', '.join(value)})" if isinstance(value, tuple) else repr(value)


def _misread(turn: Turn, cell: Cell, question: Question) -> Iterator[str]:
    """Whether the recorded answer is what the recorded text says, and scored as it should be."""
    agent = cell.agents.get(turn.agent)
    if agent is None or turn.kind == "probe" or turn.failure is not None:
        return
    reply = Completion(id="", text=turn.text, finish_reason=turn.finish_reason)
    said = read(agent, question, turn.kind, reply)
    for name, noted, wanted in (
        ("answer", turn.answer, said.answer),
        ("accepts", turn.accepts, said.accepts),
        ("is_cut", turn.is_cut, said.is_cut),
    ):
        if noted != wanted:
            yield f"{name} is {noted!r}, but its text says {wanted!r}"
    if turn.answer is not None:
        correct = cell.score(turn.answer.value, question)
        if turn.correct != correct:
            yield f"correct is {turn.correct}, but its answer is scored {correct}"
