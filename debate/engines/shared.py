"""One replica that serves several models: each asks for its own adapter and shares all the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Protocol, cast

from debate.engines.base import Completion, Request
from debate.engines.replica import Placement, Replica, ReplicaLost


class AdaptedReplica(Replica, Protocol):
    """A replica whose engine holds adapters."""

    def complete(
        self, requests: Sequence[Request], adapter: str | None = None
    ) -> AsyncIterator[Sequence[Completion]]:
        """The same, by the adapter in this folder; without one, by the bare model."""


class SharedReplica:
    """A replica that several models start, lose, put to sleep and close, and that does each once.

    A start, and the wake after a sleep, is made for the first model that asks; the others find it
    done. What is running has a number, its `generation`, so that a model that lost one is given
    the next without another start. The replica ends with the last model that closes it.
    """

    def __init__(self, replica: AdaptedReplica) -> None:
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
        """See that a generation later than `lost` runs.

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
        """Put it to sleep, unless it is. Nothing is under way for any of its models."""
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
        """One model less; with the last one the replica is closed, a start under way with it."""
        self._users.discard(user)
        if not self._users:
            self._is_up = False
            await self.replica.close()


class AdapterReplica:
    """What one model sees of a shared replica: a replica that answers by the model's adapter.

    Without an adapter it answers as the bare base.
    """

    def __init__(self, shared: SharedReplica, adapter: str | None) -> None:
        self._shared = shared
        self._adapter = adapter
        self._lost = 0

    @property
    def placement(self) -> Placement | None:
        """Where the shared replica lives."""
        return self._shared.replica.placement

    async def start(self) -> None:
        """Load the model, or join the others for whom it was loaded since this one lost it."""
        await self._shared.start(self, lost=self._lost)

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """The shared replica's stream. Raises ReplicaLost also while it is being replaced."""
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
        """Have the shared replica sleep; all its models leave the device together."""
        await self._shared.sleep()

    async def wake(self) -> None:
        """Have it wake. What did not wake is as good as lost: `start` replaces it."""
        generation = self._shared.generation
        try:
            await self._shared.wake()
        except Exception:
            self._lost = generation
            raise

    async def forget_prefixes(self) -> bool:
        """Empty the one prefix cache, in which each adapter has blocks of its own."""
        return await self._shared.replica.forget_prefixes()

    async def close(self) -> None:
        """Leave the shared replica; the last one closes it."""
        await self._shared.close(self)
