"""Waiting for what an author's critics say: all of them, a quorum, or as long as an edge allows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard, TypeVar, cast

from debate.orchestrator.calls import Calls
from debate.orchestrator.promise import Promise, all_kept
from debate.orchestrator.quorum import enough
from debate.orchestrator.reach import Reach
from debate.topologies.edges import Edge
from debate.types import AgentId, Turn, turn_ref

if TYPE_CHECKING:
    from debate.orchestrator.debate import Debate

T = TypeVar("T")

LATE: Final = object()
"""Stands for a critic that was not waited for."""

Source = Callable[[AgentId, AgentId, int], Awaitable[Turn | None]]
"""What an author hears from a critic in a round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What an author hears in one round, and which critics it did not wait for."""

    turns: tuple[Turn, ...] = ()
    late: tuple[str, ...] = ()


class Hearing:
    """How authors of one debate hear their critics.

    The debate is handed in with each call and not kept: it holds this, and what holds each other
    stays in memory until the collector looks.
    """

    def __init__(self, reach: Reach, calls: Calls, *, quorum: int | None) -> None:
        self._reach = reach
        self._calls = calls
        self._quorum = quorum

    async def hear(self, debate: Debate, author: AgentId, round: int, source: Source) -> Heard:
        """What the author hears; a turn on record heard whom it heard."""
        ref = turn_ref(round=round, kind="revision", agent=author)
        before = self._calls.recorded(debate.key, ref)
        was_late = before.late if before else ()

        def is_heard(turn: object) -> TypeGuard[Turn]:
            return isinstance(turn, Turn) and self._reach.is_heard(turn, author)

        critics = [c for c in self._reach.heard_critics(author, round) if c not in was_late]
        voices = [self._voice(debate, critic, author, round, source) for critic in critics]
        if before or self._quorum is None or self._quorum >= len(voices):
            said = await _all(voices)
        else:
            said = await enough(voices, self._quorum, counts=is_heard, late=LATE)
        late = [critic for critic, turn in zip(critics, said, strict=True) if turn is LATE]
        return Heard(turns=tuple([t for t in said if is_heard(t)]), late=(*was_late, *late))

    def _voice(
        self, debate: Debate, critic: AgentId, author: AgentId, round: int, source: Source
    ) -> Awaitable[Turn | object | None]:
        by = self._reach.edge(critic, author, round)
        if by.when == "always" and by.timeout_s is None:
            return source(critic, author, round)
        return _in_time(debate, by, critic, author, round, source)


async def _in_time(
    debate: Debate, by: Edge, critic: AgentId, author: AgentId, round: int, source: Source
) -> Turn | object | None:
    if by.when == "disagreement" and await _agree(debate, critic, author, round):
        return None
    if by.timeout_s is None:
        return await source(critic, author, round)
    speaking = asyncio.ensure_future(source(critic, author, round))
    try:
        return await asyncio.wait_for(asyncio.shield(speaking), by.timeout_s)
    except TimeoutError:
        return LATE


async def _agree(debate: Debate, critic: AgentId, author: AgentId, round: int) -> bool:
    theirs = debate.opinion(await debate.answer_of(critic, author, round))
    own = debate.opinion(await debate.turn(author, round - 1))
    return theirs is not None and theirs == own


async def _all(awaitables: Sequence[Awaitable[T]]) -> Sequence[T]:
    """Await all of them at once. What is promised is under way by itself and needs no task."""
    if all(isinstance(each, Promise) for each in awaitables):
        return await all_kept(cast("Sequence[Promise[T]]", awaitables))
    return await asyncio.gather(*awaitables)
