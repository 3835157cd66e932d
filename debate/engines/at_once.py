"""Engines whose replies are known at once: there is nothing to load and nothing to wait for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

from debate.config.models import CalculatorModel, ReplayModel, ScriptedModel, SimulatedModel
from debate.engines.base import Capabilities, Completion, Request
from debate.engines.outcomes import reply_at_once
from debate.engines.registry import capabilities

M = TypeVar("M", bound=CalculatorModel | ReplayModel | ScriptedModel | SimulatedModel)


class AtOnceEngine(ABC, Generic[M]):
    """What such engines share: all but the reply itself."""

    def __init__(self, spec: M) -> None:
        self.spec = spec

    @property
    def capabilities(self) -> Capabilities:
        """What an engine of this spec can do."""
        return capabilities(self.spec)

    @property
    def place(self) -> str:
        """What a failure is attributed to."""
        return self.spec.engine

    async def start(self) -> None:
        """There is nothing to load."""

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield the replies, after the spec's `latency_s` if it has one."""
        return reply_at_once(
            requests,
            self.reply,
            capabilities=self.capabilities,
            place=self.place,
            latency_s=getattr(self.spec, "latency_s", 0.0),
        )

    async def close(self) -> None:
        """There is nothing to free."""

    @abstractmethod
    def reply(self, request: Request) -> Completion:
        """The reply to one request. What it raises becomes a failure."""
