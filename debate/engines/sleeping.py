"""Engines that give up their device for a while: asleep if they can, closed if they cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from debate.engines.base import Engine


@runtime_checkable
class Sleeper(Protocol):
    """An engine that can free its device and keep what makes coming back quick."""

    async def sleep(self) -> None:
        """Free the device. Nothing is under way, and nothing comes until `wake`."""

    async def wake(self) -> None:
        """Take the device again."""


class Hosted:
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
        if isinstance(self.engine, Sleeper) and not self._reload:
            await self.engine.sleep()
        else:
            await self.close()

    async def wake(self) -> None:
        """Take the device again. Raises EngineError where the engine cannot be loaded any more."""
        if self._engine is None:
            await self.start()
        elif isinstance(self._engine, Sleeper):
            await self._engine.wake()

    async def close(self) -> None:
        """Close the engine, if one is there."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()
