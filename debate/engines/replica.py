"""One copy of a model as a client sees it, in this process or another, shared or not."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, cast

from debate.engines.base import (
    Completion,
    Engine,
    Request,
    SupportsSleep,
    complete_with_adapter,
    describe_engine,
    try_reset_prefix_cache,
)
from debate.engines.human.reply_form import WaitingTurn, list_waiting
from debate.errors import ClusterError


class ReplicaLost(ClusterError):
    """A replica is dead; what it had not finished can be sent again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """The process of a replica, on which host, and the ids of the GPUs that it was given.

    `facts` are what its engine says of itself, by name: versions, kernels, types of numbers.
    """

    host: str
    pid: int
    node: str = ""
    gpus: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, eq=False)
class Pulse:
    """When an engine last replied, to whichever of its models; by the event loop, in seconds."""

    at: float = 0.0


class Replica(Protocol):
    """One copy of a model, in this process or in another."""

    @property
    def placement(self) -> Placement | None:
        """The placement of the replica; None before it has started."""

    async def start(self) -> None:
        """Load the model; after a loss, load it anew. Raises BoundaryError with the cause."""

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield lists of finished completions. Raises ReplicaLost when the replica is dead.

        Several calls may be in progress at once; closing the iterator gives up its requests.
        """

    async def sleep(self) -> None:
        """Free the device for another model; no request is in flight. Raises BoundaryError."""

    async def wake(self) -> None:
        """Take the device again after a sleep. Raises BoundaryError, after which `start` helps."""

    async def reset_prefix_cache(self) -> bool:
        """Empty the engine's prefix cache, if it has one; no request is in flight.

        Returns whether it has one.
        """

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
        facts = describe_engine(self._engine)
        self._placement = Placement(host=platform.node(), pid=os.getpid(), facts=facts)

    def complete(
        self, requests: Sequence[Request], adapter: str | None = None
    ) -> AsyncIterator[Sequence[Completion]]:
        """Stream the engine's own completions."""
        return complete_with_adapter(self._engine, requests, adapter)

    async def sleep(self) -> None:
        """Put the engine to sleep, or close it if it cannot; it must be able to start again."""
        if isinstance(self._engine, SupportsSleep):
            await self._engine.sleep()
        else:
            await self._engine.close()

    async def wake(self) -> None:
        """Wake the engine, or start it again."""
        if isinstance(self._engine, SupportsSleep):
            await self._engine.wake()
        else:
            await self._engine.start()

    def list_waiting(self) -> Sequence[WaitingTurn]:
        """List the turns that wait for the person behind the engine, if there is one."""
        return list_waiting(self._engine)

    async def reset_prefix_cache(self) -> bool:
        """Empty the engine's prefix cache, if it has one. Returns whether it has."""
        return await try_reset_prefix_cache(self._engine)

    async def close(self) -> None:
        """Close the engine."""
        self._placement = None
        await self._engine.close()


class EngineHost:
    """An engine that is built, started, put to sleep and woken where it lives.

    One that cannot sleep, or must not because `reload` asks so, is closed and later built anew.
    """

    def __init__(self, build: Callable[[], Engine], *, reload: bool = False) -> None:
        self._build = build
        self._reload = reload
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine. It is there between start and close, unless it sleeps by being closed."""
        assert self._engine is not None, "the engine is not loaded"
        return self._engine

    async def start(self) -> None:
        """Build and start the engine. Raises EngineError with the cause in words."""
        engine = self._build()
        await engine.start()
        self._engine = engine

    async def sleep(self) -> None:
        """Free the device."""
        if isinstance(self.engine, SupportsSleep) and not self._reload:
            await self.engine.sleep()
        else:
            await self.close()

    async def wake(self) -> None:
        """Take the device again. Raises EngineError where the engine cannot be loaded any more."""
        if self._engine is None:
            await self.start()
        elif isinstance(self._engine, SupportsSleep):
            await self._engine.wake()

    async def close(self) -> None:
        """Close the engine, if one is there."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()


class MultiAdapterReplica(Replica, Protocol):
    """A replica whose engine holds adapters."""

    def complete(
        self, requests: Sequence[Request], adapter: str | None = None
    ) -> AsyncIterator[Sequence[Completion]]:
        """Do the same by the adapter in this folder; without one, by the bare model."""


class SharedReplica:
    """A replica that several models start, lose, put to sleep and close; each is done once.

    A start, and the wake after a sleep, is made for the first model that asks; the others find it
    done. Each start that succeeds has a number, its `generation`, so that a model that lost one is
    given the next without another start. The replica ends with the last model that closes it.
    """

    def __init__(self, replica: MultiAdapterReplica) -> None:
        self.replica = replica
        self.generation = 0
        self._users: set[AdapterReplica] = set()
        self._changing = asyncio.Lock()
        self._is_up = False
        self._num_failed = 0
        self._error: Exception | None = None

    @property
    def is_up(self) -> bool:
        """Whether requests can be sent: it runs, is awake, and is not about to be replaced."""
        return self._is_up

    async def start(self, user: AdapterReplica, *, lost: int) -> None:
        """Start the replica, unless a generation later than `lost` runs already.

        Raises the start's error, also to those who waited for a start that failed.
        """
        self._users.add(user)
        seen = self._num_failed
        async with self._changing:
            if self.generation > lost:
                return
            if self._error is not None and self._num_failed > seen:
                raise self._error
            await self._start()

    async def _start(self) -> None:
        self._is_up = False
        try:
            await self.replica.start()
        except Exception as error:
            self._num_failed += 1
            self._error = error
            raise
        self._error = None
        self.generation += 1
        self._is_up = True

    async def sleep(self) -> None:
        """Put it to sleep, unless it sleeps. No request of any of its models is in flight."""
        async with self._changing:
            if self._is_up:
                self._is_up = False
                await self.replica.sleep()

    async def wake(self) -> None:
        """Wake it, unless it is awake."""
        async with self._changing:
            if not self._is_up:
                await self.replica.wake()
                self._is_up = True

    async def close(self, user: AdapterReplica) -> None:
        """Remove one model; with the last one close the replica, even while it starts."""
        self._users.discard(user)
        if not self._users:
            self._is_up = False
            await self.replica.close()


class AdapterReplica:
    """A shared replica as one of its models sees it: it answers by the model's adapter.

    Without an adapter it answers as the bare base.
    """

    def __init__(self, shared: SharedReplica, adapter: str | None) -> None:
        self._shared = shared
        self._adapter = adapter
        self._lost = 0

    @property
    def placement(self) -> Placement | None:
        """The placement of the shared replica."""
        return self._shared.replica.placement

    async def start(self) -> None:
        """Load the model, or join the others for whom it was loaded since this one lost it."""
        await self._shared.start(self, lost=self._lost)

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Stream the shared replica's completions. Raises ReplicaLost also while it is replaced."""
        generation = self._shared.generation
        try:
            if not self._shared.is_up:
                raise ReplicaLost("the engine that it shares is being started again")
            lists = self._shared.replica.complete(requests, self._adapter)
            async with aclosing(cast("AsyncGenerator[Sequence[Completion], None]", lists)):
                async for completions in lists:
                    yield completions
        except ReplicaLost:
            self._lost = generation
            raise

    async def sleep(self) -> None:
        """Put the shared replica to sleep; all its models leave the device together."""
        await self._shared.sleep()

    async def wake(self) -> None:
        """Wake the shared replica. One that does not wake is lost, and `start` replaces it."""
        generation = self._shared.generation
        try:
            await self._shared.wake()
        except Exception:
            self._lost = generation
            raise

    async def reset_prefix_cache(self) -> bool:
        """Empty the one prefix cache, in which each adapter has blocks of its own."""
        return await self._shared.replica.reset_prefix_cache()

    async def close(self) -> None:
        """Leave the shared replica; the last one closes it."""
        await self._shared.close(self)
