"""Completions that every engine makes alike: refusals, failures, and replies known at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from debate.engines.base import Capabilities, Completion, Request
from debate.errors import BoundaryError, EngineError, boundary
from debate.types import Failure

Reply = Callable[[Request], Completion]

_AT_ONCE = 256
"""Replies made before the event loop gets a turn."""


def failed(request: Request, place: str, message: str) -> Completion:
    """The completion of a request that failed at `place`.

    >>> failed(Request(id="1", messages=()), "adder", "out of memory").failure.message
    'out of memory'
    """
    return Completion(id=request.id, failure=Failure(boundary=place, message=message))


def refusal(request: Request, capabilities: Capabilities, place: str) -> Completion | None:
    """A failed completion where the request asks for what the engine cannot do, else None."""
    if request.candidates and not capabilities.scores:
        return failed(request, place, "this engine cannot score candidates")
    if request.guided is not None and not capabilities.guided:
        return failed(request, place, "this engine cannot constrain what it generates")
    if capabilities.needs_scene and request.scene is None:
        return failed(request, place, "this engine needs the scene, and the request has none")
    return None


async def reply_at_once(
    requests: Sequence[Request],
    reply: Reply,
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
    for start in range(0, len(requests), _AT_ONCE):
        yield [
            refusal(request, capabilities, place) or _guarded(request, reply, place)
            for request in requests[start : start + _AT_ONCE]
        ]
        await asyncio.sleep(0)


def _guarded(request: Request, reply: Reply, place: str) -> Completion:
    try:
        with boundary(EngineError, place):
            return reply(request)
    except BoundaryError as error:
        return failed(request, error.boundary or place, str(error))
