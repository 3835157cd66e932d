"""Failures in a row: a pause, an end in order, trials after growing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from debate.engines.base import Completion, Request, fail_request
from debate.engines.breaker import MAX_TRIALS, CircuitBreaker, OrderlyEnd, run_until_ended
from debate.errors import RunEnded
from tests.engines.builders import request


class Model:
    """Answers where its script says so, by the number of the call; the last word holds on."""

    def __init__(self, *script: bool, message: str = "HTTP 500: lost") -> None:
        self._script = script
        self._message = message
        self.num_calls = 0

    async def make(self) -> Completion:
        """Answer, or fail."""
        does_answer = self._script[min(self.num_calls, len(self._script) - 1)]
        self.num_calls += 1
        return Completion(id="r", text="4") if does_answer else self.fail()

    def fail(self) -> Completion:
        return fail_request(request(), "m", self._message)


def breaker(limit: int | None = 3, end: OrderlyEnd | None = None) -> CircuitBreaker:
    return CircuitBreaker("m", limit=limit, pause_s=0.0, end=end)


async def ask(
    circuit: CircuitBreaker, model: Model, num: int, asked: Request | None = None
) -> Sequence[Completion]:
    return [await circuit.call(asked or request(), model.make) for _ in range(num)]


async def test_failures_that_a_reply_interrupts_pause_nothing() -> None:
    circuit, model = breaker(), Model(False, False, True, False, False, True, False)
    await ask(circuit, model, 7)
    assert not circuit.is_open


async def test_without_a_limit_nothing_is_paused() -> None:
    circuit = breaker(limit=None)
    await ask(circuit, Model(False), 50)
    assert not circuit.is_open


@pytest.mark.parametrize(
    "message",
    [
        "HTTP 400: This model's maximum context length is 8192 tokens",
        "HTTP 400: prompt is too long: 210000 tokens > 200000 maximum",
        "HTTP 400: The response was filtered (content_filter)",
    ],
)
async def test_failures_of_the_request_itself_pause_nothing(message: str) -> None:
    circuit = breaker()
    await ask(circuit, Model(False, message=message), 9)
    assert not circuit.is_open


async def test_scores_that_a_server_does_not_give_pause_nothing() -> None:
    circuit = breaker()
    await ask(circuit, Model(False), 9, request("2+2", candidates=("4",)))
    assert not circuit.is_open


async def test_a_paused_model_goes_on_after_a_trial_that_is_answered() -> None:
    circuit, model = breaker(), Model(False, False, False, False, True)
    found = await ask(circuit, model, 6)
    assert [each.failure is None for each in found] == [False] * 4 + [True] * 2
    assert model.num_calls == 6
    assert not circuit.is_open


async def test_of_many_calls_one_at_a_time_tries_a_paused_model_until_it_is_given_up() -> None:
    circuit, model = breaker(), Model(False)
    await ask(circuit, model, 3)
    found = await asyncio.gather(*(circuit.call(request(), model.make) for _ in range(40)))
    assert model.num_calls == 3 + MAX_TRIALS
    given_up = [each.failure.message for each in found if each.failure]
    assert len(given_up) == 40
    assert "model m is paused after 9 failures in a row: 9 × HTTP 500: lost" in given_up[-1]


async def test_the_end_waits_for_calls_under_way_and_lets_no_other_begin() -> None:
    end, told = OrderlyEnd(), []
    circuit, model = breaker(end=end), Model(False)
    slow: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()

    async def other() -> Completion:
        return await slow

    async def make_call(name: str, circuit: CircuitBreaker, model: Model) -> None:
        await end.enter()
        try:
            await circuit.call(request(), other if name == "slow" else model.make)
        finally:
            end.leave()
        told.append(name)

    async def work() -> None:
        begun = asyncio.create_task(make_call("slow", breaker(), model))
        await asyncio.sleep(0)
        for _ in range(3):
            await make_call("failing", circuit, model)
        asyncio.get_running_loop().call_soon(slow.set_result, Completion(id="r", text="4"))
        await make_call("late", circuit, model)
        await begun

    with pytest.raises(RunEnded, match="paused after 3 failures in a row: 3 × HTTP 500"):
        await run_until_ended(end, work())
    assert told == ["failing"] * 3 + ["slow"]


async def test_work_that_is_done_in_time_is_done_and_its_error_is_its_own() -> None:
    async def fail() -> None:
        raise ValueError("own")

    await run_until_ended(OrderlyEnd(), asyncio.sleep(0))
    with pytest.raises(ValueError, match="own"):
        await run_until_ended(OrderlyEnd(), fail())
