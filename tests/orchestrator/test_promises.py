"""Promises: many may wait, giving up harms nobody, and a failure reaches all."""

from __future__ import annotations

import asyncio

import pytest

from debate.orchestrator.promise import Promise, all_kept


async def test_everybody_who_waits_gets_the_value_and_so_does_who_comes_later() -> None:
    promise: Promise[int] = Promise()

    async def wait() -> int:
        return await promise

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    promise.keep(7)
    assert await asyncio.gather(*waiting) == [7, 7, 7]
    assert await promise == 7


async def test_whoever_gives_up_waiting_leaves_the_value_to_the_others() -> None:
    promise: Promise[int] = Promise()

    async def wait() -> int:
        return await promise

    patient, impatient = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    promise.keep(7)
    assert await patient == 7
    assert impatient.cancelled()


async def test_a_failure_is_raised_wherever_the_promise_is_awaited() -> None:
    promise: Promise[int] = Promise()
    promise.fail(ValueError("no"))
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await promise


async def test_all_promises_are_waited_for_in_their_order() -> None:
    first, second = Promise[int](), Promise[int]()
    together = asyncio.create_task(all_kept([first, second, Promise.kept(3)]))
    await asyncio.sleep(0)
    second.keep(2)
    first.keep(1)
    assert await together == [1, 2, 3]
    assert await all_kept([first, second]) == [1, 2]


async def test_the_first_failure_among_many_is_raised_without_waiting_for_the_rest() -> None:
    never, failing = Promise[int](), Promise[int]()
    together = asyncio.create_task(all_kept([never, failing]))
    await asyncio.sleep(0)
    failing.fail(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await together
    with pytest.raises(ValueError, match="no"):
        await all_kept([Promise[int](), failing])
