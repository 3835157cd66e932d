"""Failures in a row: a pause, an end in order, trials after growing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from debate.engines.base import Completion, Request, fail_request
from debate.engines.breaker import (
    MAX_TRIALS,
    CircuitBreaker,
    OrderlyEnd,
    fail_ended,
    raise_if_ended,
    spend_all_of,
)
from debate.errors import BudgetSpent, RunEnded
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
    keep_going = end is None
    end = end or OrderlyEnd()
    return CircuitBreaker("m", limit=limit, pause_s=0.0, end=end, keep_going=keep_going)


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

    async def make_slow() -> Completion:
        return await slow

    async def make_call(name: str) -> None:
        make = make_slow if name == "slow" else model.make
        await end.call(lambda: circuit.call(request(), make))
        told.append(name)

    begun = asyncio.create_task(make_call("slow"))
    await asyncio.sleep(0)
    for _ in range(3):
        await make_call("failing")
    late = asyncio.create_task(make_call("late"))
    asyncio.get_running_loop().call_soon(slow.set_result, Completion(id="r", text="4"))
    with pytest.raises(RunEnded, match="paused after 3 failures in a row: 3 × HTTP 500"):
        await late
    await begun
    assert told == ["failing"] * 3 + ["slow"]


async def test_a_call_that_finds_the_budget_spent_ends_the_run_for_all() -> None:
    end, model = OrderlyEnd(), Model(True)

    async def refuse() -> Completion:
        raise spend_all_of("calls")

    with pytest.raises(BudgetSpent, match="the budget is spent: calls"):
        await end.call(refuse)
    end.begin(RunEnded("too late"))
    with pytest.raises(BudgetSpent) as raised:
        await end.call(model.make)
    assert (raised.value.cap, model.num_calls) == ("calls", 0)


async def test_the_end_takes_back_the_calls_that_wait_for_a_paused_model() -> None:
    end, model = OrderlyEnd(), Model(False)
    circuit = CircuitBreaker("m", limit=1, pause_s=1e9, end=end, keep_going=True)
    await circuit.call(request(), model.make)
    waiting = [
        asyncio.create_task(end.call(lambda: circuit.call(request(), model.make))) for _ in range(3)
    ]
    await asyncio.sleep(0)
    end.begin(spend_all_of("hours"))
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in found] == [BudgetSpent] * 3
    assert model.num_calls == 1


@pytest.mark.parametrize("error", [spend_all_of("tokens"), RunEnded("model m is paused")])
def test_an_end_reaches_other_processes_as_it_is(error: RunEnded) -> None:
    with pytest.raises(type(error), match=str(error)):
        raise_if_ended(fail_ended(request(), error))
