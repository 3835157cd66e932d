"""Engines whose replies need no waiting, and how they put an answer into words."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar

from debate.config.models import (
    CalculatorModel,
    CheckerModel,
    OracleModel,
    PythonModel,
    ReplayModel,
    ScriptedModel,
    SimulatedModel,
)
from debate.engines.base import (
    Capabilities,
    Completion,
    DebateState,
    Request,
    fail_request,
    refuse_unsupported,
)
from debate.engines.registry import get_capabilities
from debate.errors import BoundaryError, EngineError, boundary

ReplyFunction = Callable[[Request], Completion]

ANSWER_MARK = "Answer: "
"""The text before the answer in a reply."""

_REPLIES_PER_TICK = 256
"""Replies made before the event loop gets a turn."""

M = TypeVar(
    "M",
    bound=CalculatorModel
    | CheckerModel
    | OracleModel
    | PythonModel
    | ReplayModel
    | ScriptedModel
    | SimulatedModel,
)


class SyncEngine(ABC, Generic[M]):
    """An engine with nothing to load and to wait for; a subclass defines its replies."""

    def __init__(self, spec: M) -> None:
        self.spec = spec

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of an engine of this spec."""
        return get_capabilities(self.spec)

    @property
    def place(self) -> str:
        """The name that failures are attributed to."""
        return self.spec.engine

    async def start(self) -> None:
        """Do nothing: there is nothing to load."""

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield the replies, after the spec's `latency_s` if it has one."""
        return complete_immediately(
            requests,
            self.reply,
            capabilities=self.capabilities,
            place=self.place,
            latency_s=getattr(self.spec, "latency_s", 0.0),
        )

    async def close(self) -> None:
        """Do nothing: there is nothing to free."""

    @abstractmethod
    def reply(self, request: Request) -> Completion:
        """Reply to one request. An exception becomes a failure."""


async def complete_immediately(
    requests: Sequence[Request],
    reply: ReplyFunction,
    *,
    capabilities: Capabilities,
    place: str,
    latency_s: float = 0.0,
) -> AsyncIterator[list[Completion]]:
    """Complete requests whose replies need no waiting, `latency_s` seconds after the call.

    A reply that raises becomes a failed completion.
    """
    if latency_s and requests:
        await asyncio.sleep(latency_s)
    for start in range(0, len(requests), _REPLIES_PER_TICK):
        yield [
            refuse_unsupported(request, capabilities, place)
            or _reply_or_fail(request, reply, place)
            for request in requests[start : start + _REPLIES_PER_TICK]
        ]
        await asyncio.sleep(0)


def _reply_or_fail(request: Request, reply: ReplyFunction, place: str) -> Completion:
    try:
        with boundary(EngineError, place):
            return reply(request)
    except BoundaryError as error:
        return fail_request(request, error.boundary or place, str(error))


def format_reply(
    value: str, *, verdict: bool | None = None, confidence: float | None = None
) -> str:
    """Write a reply with one marked line for each thing that is said.

    >>> print(format_reply("611", verdict=False, confidence=0.826))
    Answer: 611
    Verdict: incorrect
    Confidence: 83%
    """
    lines = [ANSWER_MARK + value]
    if verdict is not None:
        lines.append(f"Verdict: {format_verdict(verdict)}")
    if confidence is not None:
        lines.append(f"Confidence: {round(100 * confidence)}%")
    return "\n".join(lines)


def format_verdict(accepts: bool) -> str:
    """Return the word that stands for a verdict."""
    return "correct" if accepts else "incorrect"


def judge_subject(state: DebateState, value: str) -> bool | None:
    """Say whether `value` agrees with the turn under critique; None where there is none."""
    return None if state.subject is None else state.subject.value == value
