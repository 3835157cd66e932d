"""Waiting for enough of several voices instead of for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
L = TypeVar("L")


async def enough(
    awaitables: Sequence[Awaitable[T]], quorum: int, *, counts: Callable[[T], bool], late: L
) -> list[T | L]:
    """The values in their order once `quorum` of them count; `late` stands for those not there.

    Who is not waited for is left to go on by itself, so what is awaited must survive a waiter that
    leaves. Raises the first error of those that are there.
    """
    tasks = [asyncio.ensure_future(_value(each)) for each in awaitables]
    pending = set(tasks)
    try:
        while pending and _count(tasks, counts) < quorum:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        return [task.result() if task.done() else late for task in tasks]
    finally:
        for task in tasks:
            task.cancel()


def _count(tasks: Sequence[asyncio.Task[T]], counts: Callable[[T], bool]) -> int:
    return sum(task.done() and counts(task.result()) for task in tasks)


async def _value(awaitable: Awaitable[T]) -> T:
    return await awaitable
