"""Completions in the order in which they finish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from debate.engines.base import Completion, Request
from debate.engines.outcomes import failed


async def as_finished(
    requests: Sequence[Request], complete_one: Callable[[Request], Awaitable[Completion]]
) -> AsyncIterator[list[Completion]]:
    """Complete every request in a task of its own; yield lists of those that have finished.

    An exception becomes a failed completion. Leaving early cancels what is under way.
    """
    finished: asyncio.Queue[Completion] = asyncio.Queue()

    async def run(request: Request) -> None:
        try:
            completion = await complete_one(request)
        except Exception as cause:
            completion = failed(request, "engine", f"{type(cause).__name__}: {cause}")
        finished.put_nowait(completion)

    tasks = [asyncio.create_task(run(request)) for request in requests]
    try:
        num_left = len(tasks)
        while num_left:
            batch = await drained(finished)
            num_left -= len(batch)
            yield batch
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def drained(finished: asyncio.Queue[Completion]) -> list[Completion]:
    """At least one completion, and all others that are there."""
    batch = [await finished.get()]
    while not finished.empty():
        batch.append(finished.get_nowait())
    return batch
