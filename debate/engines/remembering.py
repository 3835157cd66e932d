"""Engines that keep what prompts begin with, and can be told to forget it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Remembering(Protocol):
    """An engine with a prefix cache."""

    async def forget_prefixes(self) -> None:
        """Empty the prefix cache. Nothing is under way."""


async def forget(engine: object) -> bool:
    """Empty the engine's prefix cache, if it has one; whether it has."""
    if not isinstance(engine, Remembering):
        return False
    await engine.forget_prefixes()
    return True
