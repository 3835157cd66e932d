"""Debates held without models: from recorded turns, or with stand-ins; nothing of them is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from debate.engines.base import Request
from debate.orchestrator.calls import Calls, Draft
from debate.orchestrator.cell import Cell
from debate.orchestrator.debate import Debate
from debate.orchestrator.rounds import run_debate
from debate.types import DebateKey, Failure, Question, Turn, Verdict, speaks

NOT_RECORDED = Failure(boundary="log", message="this turn is not recorded")


class Nowhere:
    """The log and the watcher of a debate of which nothing is kept."""

    def __init__(self, recorded: Mapping[str, Turn] | None = None) -> None:
        self._recorded = dict(recorded or {})

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """The turns that were given."""
        return self._recorded

    def queue(self, turn: Turn) -> None:
        """Nothing is written."""

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Nothing is written."""

    def settle(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """There is nothing to set aside."""

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """Nobody is told."""

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Nobody is told."""


class Stated(NamedTuple):
    """A recorded turn that states its agent's answer, and the request that it replied to."""

    turn: Turn
    request: Request


class Replayed(NamedTuple):
    """The turns of a debate that state answers, and how many have another prompt than recorded."""

    stated: Sequence[Stated]
    num_changed: int


async def replay_answers(
    cell: Cell, question: Question, seed: int, recorded: Mapping[str, Turn]
) -> Replayed:
    """Hold a debate again from its recorded turns, as far as they go, to know each one's request.

    A turn that is not recorded counts as failed, so that whatever would have heard it has another
    prompt than its record, if it has one.
    """
    calls = _Recorded(recorded)
    debate = Debate(question, cell, calls, seed=seed)
    last = [transcript async for transcript in run_debate(debate)][-1]
    spoken = [turn for turn in last.turns if speaks(turn) and turn.failure is None]
    stated = [Stated(t, debate.request(t.ref)) for t in spoken if t.ref not in calls.changed]
    return Replayed(stated, len(spoken) - len(stated))


class _Recorded(Calls):
    """Takes recorded turns in place of calls; `changed` names those of another prompt."""

    def __init__(self, recorded: Mapping[str, Turn]) -> None:
        nowhere = Nowhere(recorded)
        super().__init__(clients={}, log=nowhere, watcher=nowhere)
        self._by_ref = recorded
        self.changed: set[str] = set()

    async def take(self, draft: Draft) -> Turn:
        """The recorded turn, or a failed one."""
        turn = self._by_ref.get(draft.turn.ref)
        if turn is None:
            return replace(draft.turn, failure=NOT_RECORDED)
        if turn.prompt_hash != draft.turn.prompt_hash:
            self.changed.add(draft.turn.ref)
        return turn
