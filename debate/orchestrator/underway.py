"""What is under way in one debate: each thing begun once, as a task that keeps a promise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, TypeAlias

from debate.orchestrator.promise import Promise, keep_or_fail
from debate.types import AgentId, Turn

Spoken: TypeAlias = Promise[Turn | None]
"""A turn under way, or none."""

NOTHING: Spoken = Promise.kept(None)
"""The turn of whoever has none."""

Take = Callable[[AgentId, int], Awaitable[Turn | None]]
"""Takes an agent's turn of a round."""


class Underway:
    """The tasks of one debate and what they promise, by name."""

    def __init__(self) -> None:
        self._promised: dict[Hashable, Spoken] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def get(self, name: Hashable) -> Spoken | None:
        """What has been begun under this name."""
        return self._promised.get(name)

    def begin(self, name: Hashable, turn: Awaitable[Turn | None]) -> Spoken:
        """Begin a turn that nobody has begun."""
        promise = self._promised[name] = Promise()
        self._start(keep_or_fail(promise, turn))
        return promise

    def begin_all(self, agent: AgentId, rounds: Sequence[int], take: Take) -> None:
        """Begin an agent's turns, one after the other, in one task; each is `(agent, round)`."""
        promises: list[Spoken] = [Promise() for _ in rounds]
        self._promised.update(zip([(agent, round) for round in rounds], promises, strict=True))
        self._start(_keep_in_order(agent, rounds, promises, take))

    def abandon(self) -> None:
        """Stop whatever is still under way."""
        for task in self._tasks:
            task.cancel()
            task.add_done_callback(_noted)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(coroutine))


async def _keep_in_order(
    agent: AgentId, rounds: Sequence[int], promises: Sequence[Spoken], take: Take
) -> None:
    """If one turn fails, none that follow can be taken."""
    for place, round in enumerate(rounds):
        try:
            turn = await take(agent, round)
        except BaseException as error:
            for missing in promises[place:]:
                missing.fail(error)
            raise
        promises[place].keep(turn)


def _noted(task: asyncio.Task[None]) -> None:
    """Look at how a task ended, so that an error which others have told is not told again."""
    if not task.cancelled():
        task.exception()
