"""Engines that serve one base with several adapters: which adapter answers is said per call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, cast, runtime_checkable

from debate.engines.base import Completion, Engine, Request


@runtime_checkable
class Adapting(Protocol):
    """An engine that holds adapters of its model side by side."""

    def complete_with(
        self, adapter: str, requests: Sequence[Request]
    ) -> AsyncIterator[Sequence[Completion]]:
        """The same as `complete`, by the adapter in this folder."""


def answers(
    engine: Engine, requests: Sequence[Request], adapter: str | None
) -> AsyncIterator[Sequence[Completion]]:
    """The engine's stream by an adapter; without one, by the model that it was built as."""
    if adapter is None:
        return engine.complete(requests)
    return cast("Adapting", engine).complete_with(adapter, requests)
