"""Shared futures: many may wait, cancelling one harms nobody, and an exception reaches all."""

from __future__ import annotations

import asyncio

import pytest

from debate.orchestrator.shared_future import SharedFuture, gather_futures


async def test_everybody_who_waits_gets_the_value_and_so_does_who_comes_later() -> None:
    future: SharedFuture[int] = SharedFuture()

    async def wait() -> int:
        return await future

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    future.set_result(7)
    assert await asyncio.gather(*waiting) == [7, 7, 7]
    assert await future == 7


async def test_whoever_gives_up_waiting_leaves_the_value_to_the_others() -> None:
    future: SharedFuture[int] = SharedFuture()

    async def wait() -> int:
        return await future

    patient, impatient = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    future.set_result(7)
    assert await patient == 7
    assert impatient.cancelled()


async def test_an_exception_is_raised_wherever_the_future_is_awaited() -> None:
    future: SharedFuture[int] = SharedFuture()
    future.set_exception(ValueError("no"))
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await future


async def test_all_futures_are_waited_for_in_their_order() -> None:
    first, second = SharedFuture[int](), SharedFuture[int]()
    together = asyncio.create_task(gather_futures([first, second, SharedFuture.from_result(3)]))
    await asyncio.sleep(0)
    second.set_result(2)
    first.set_result(1)
    assert await together == [1, 2, 3]
    assert await gather_futures([first, second]) == [1, 2]


async def test_the_first_exception_among_many_is_raised_without_waiting_for_the_rest() -> None:
    never, failing = SharedFuture[int](), SharedFuture[int]()
    together = asyncio.create_task(gather_futures([never, failing]))
    await asyncio.sleep(0)
    failing.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await together
    with pytest.raises(ValueError, match="no"):
        await gather_futures([SharedFuture[int](), failing])
