"""What has been said in one debate, in the order of rounds, kinds and seats."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import Final, TypeAlias, get_args

from debate.engines.base import Request, Scene
from debate.types import AgentId, DebateKey, Kind, Question, Transcript, Turn, speaks

KINDS: Final = {kind: number for number, kind in enumerate(get_args(Kind))}

Place: TypeAlias = tuple[int, int, int, str]
"""Round, kind, seat and whom it is about: no two turns of a debate have all in common."""


class Record:
    """The turns of one debate that have been taken so far, and the requests behind them."""

    def __init__(self, debate: DebateKey, seat_numbers: Mapping[AgentId, int]) -> None:
        self.debate = debate
        self._seat_numbers = seat_numbers
        self._turns: dict[str, Turn] = {}
        self._requests: dict[str, Request] = {}
        self._order: list[tuple[Place, Turn]] = []

    def note(self, ref: str, turn: Turn, request: Request) -> None:
        """Remember a turn that was taken."""
        self._turns[ref] = turn
        self._requests[ref] = request
        seat = self._seat_numbers[turn.agent]
        insort(self._order, ((turn.round, KINDS[turn.kind], seat, turn.about or ""), turn))

    def request(self, ref: str) -> Request:
        """The request that a turn replied to."""
        return self._requests[ref]

    def transcript(self, round: int) -> Transcript:
        """All turns up to and including the round, by round, kind and seat."""
        end = bisect_left(self._order, (round + 1, 0, 0, ""), key=_place)
        turns = tuple([turn for _, turn in self._order[:end]])
        return Transcript(debate=self.debate, round=round, turns=turns)

    def scene(
        self,
        question: Question,
        *,
        agent: AgentId,
        round: int,
        kind: Kind,
        about: AgentId | None,
        heard: tuple[str, ...],
    ) -> Scene:
        """What a simulated agent may know: its own turns, and all that it has heard."""
        before = round + 1 if kind == "probe" else round
        own = {
            ref: turn
            for ref, turn in self._turns.items()
            if turn.agent == agent and turn.round < before and speaks(turn)
        }
        known = {*own, *heard}.union(*(turn.heard for turn in own.values()))
        turns = [(self._turns[ref].round, ref) for ref in known]
        return Scene(
            question=question,
            seed=self.debate.seed,
            round=round,
            kind=kind,
            agent=agent,
            about=about,
            subject=self._turns[heard[0]] if kind == "critique" else None,
            heard=heard,
            turns=tuple([self._turns[ref] for _, ref in sorted(turns)]),
        )


def _place(noted: tuple[Place, Turn]) -> Place:
    return noted[0]
