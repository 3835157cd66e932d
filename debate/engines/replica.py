"""One copy of a model as a client sees it: started, asked, and started again if it dies."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from debate.engines.adapters import answers
from debate.engines.base import Completion, Engine, Request
from debate.engines.remembering import forget
from debate.engines.sleeping import Sleeper
from debate.errors import ClusterError


class ReplicaLost(ClusterError):
    """A replica is dead; what it had not finished can be sent again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where a replica lives. `gpus` are the ids of the GPUs that it was given."""

    host: str
    pid: int
    node: str = ""
    gpus: tuple[str, ...] = ()


class Replica(Protocol):
    """One copy of a model, in this process or in another."""

    @property
    def placement(self) -> Placement | None:
        """Where it lives; None before it has started."""

    async def start(self) -> None:
        """Load the model; after a loss, load it anew. Raises BoundaryError with the cause."""

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield lists of finished completions. Raises ReplicaLost when the replica is dead.

        Several calls may be under way at once; closing the iterator gives up its requests.
        """

    async def sleep(self) -> None:
        """Free the device for another model; nothing is under way. Raises BoundaryError."""

    async def wake(self) -> None:
        """Take the device again after a sleep. Raises BoundaryError, after which `start` helps."""

    async def forget_prefixes(self) -> bool:
        """Empty the engine's prefix cache, if it has one; whether it has. Nothing is under way."""

    async def close(self) -> None:
        """Free what the replica holds."""


class LocalReplica:
    """An engine in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._placement: Placement | None = None

    @property
    def placement(self) -> Placement | None:
        """This process, once the engine has started."""
        return self._placement

    async def start(self) -> None:
        """Start the engine; after a loss, close what is left of it first."""
        if self._placement is not None:
            await self.close()
        await self._engine.start()
        self._placement = Placement(host=platform.node(), pid=os.getpid())

    def complete(
        self, requests: Sequence[Request], adapter: str | None = None
    ) -> AsyncIterator[Sequence[Completion]]:
        """The engine's own stream."""
        return answers(self._engine, requests, adapter)

    async def sleep(self) -> None:
        """Put the engine to sleep, or close it if it cannot; it must be able to start again."""
        if isinstance(self._engine, Sleeper):
            await self._engine.sleep()
        else:
            await self._engine.close()

    async def wake(self) -> None:
        """Wake the engine, or start it again."""
        if isinstance(self._engine, Sleeper):
            await self._engine.wake()
        else:
            await self._engine.start()

    async def forget_prefixes(self) -> bool:
        """Have the engine forget, if it remembers."""
        return await forget(self._engine)

    async def close(self) -> None:
        """Close the engine."""
        self._placement = None
        await self._engine.close()
