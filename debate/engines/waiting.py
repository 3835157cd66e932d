"""Requests on their way: who waits for each, and which batch it travels in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from debate.engines.base import Completion, Request
from debate.errors import BoundaryError, DebateError
from debate.types import Failure


@dataclass(eq=False, slots=True)
class Waiting:
    """A request and whoever waits for it. `losses` counts the replicas that died with it."""

    request: Request
    future: asyncio.Future[Completion]
    queued_at: float
    losses: int = 0
    call: Call | None = None


@dataclass(eq=False, slots=True)
class Call:
    """One batch handed to a replica. `wanted` counts the callers that still wait."""

    outstanding: dict[str, Waiting]
    generation: int
    sent_at: float
    wanted: int
    task: asyncio.Task[None] | None = None


def settle(waiting: Waiting, completion: Completion) -> None:
    """Answer a caller that has not left."""
    if not waiting.future.done():
        waiting.future.set_result(completion)


def abandon(waiting: Waiting) -> None:
    """A caller has left; a call that nobody waits for any more is given up."""
    call = waiting.call
    if call is None:
        return
    call.wanted -= 1
    if call.wanted <= 0 and call.task is not None:
        call.task.cancel()


def timed(completion: Completion, queued_s: float, running_s: float) -> Completion:
    """The completion with the client's own times."""
    usage = replace(completion.usage, queued_s=queued_s, running_s=running_s)
    return replace(completion, usage=usage)


def failure_of(error: DebateError, place: str) -> Failure:
    """An error as data for a turn."""
    if isinstance(error, BoundaryError) and error.boundary:
        return error.failure
    return Failure(boundary=place, message=str(error))
