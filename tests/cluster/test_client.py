"""The client: batching, back-pressure, stragglers, time-outs, losses, routing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.engines.base import Completion, Engine, Request
from debate.engines.client import ModelClient
from debate.engines.replica import LocalReplica, Pulse
from debate.errors import EngineError
from tests.cluster.engines import EchoEngine, GatedEngine, MortalEngine, echo, request


@asynccontextmanager
async def served(*engines: Engine, **limits: float) -> AsyncIterator[ModelClient]:
    client = ModelClient("m", [LocalReplica(engine) for engine in engines], **limits)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def ask(client: ModelClient, numbers: Sequence[int]) -> list[Completion]:
    return await asyncio.gather(*(client.complete(request(number)) for number in numbers))


async def test_what_is_queued_in_one_tick_leaves_as_one_batch() -> None:
    engine = EchoEngine()
    async with served(engine) as client:
        completions = await ask(client, range(10))
    assert [len(batch) for batch in engine.batches] == [10]
    assert [completion.text for completion in completions] == [
        f"answer to question {number}" for number in range(10)
    ]


async def test_no_more_than_max_in_flight_are_handed_over() -> None:
    engine = GatedEngine()
    async with served(engine, max_in_flight=3) as client:
        asking = asyncio.create_task(ask(client, range(5)))
        await engine.arrived.wait()
        metrics = client.metrics()
        assert (metrics.in_flight, metrics.queued) == (3, 2)
        assert engine.batches == [["0", "1", "2"]]
        engine.open(0, 1, 2, 3, 4)
        await asking
    assert sum(map(len, engine.batches)) == 5


async def test_a_straggler_delays_nobody() -> None:
    engine = GatedEngine()
    engine.open(1, 2, 3)
    async with served(engine, max_in_flight=2) as client:
        straggler = asyncio.create_task(client.complete(request(0)))
        others = await ask(client, [1, 2, 3])
        assert all(other.failure is None for other in others)
        assert not straggler.done()
        engine.open(0)
        assert (await straggler).text == "answer to question 0"


async def test_a_request_that_takes_too_long_fails_and_frees_its_slot() -> None:
    engine = GatedEngine()
    async with served(engine, max_in_flight=1, timeout_s=0.02) as client:
        engine.open(1)
        late, punctual = await ask(client, [0, 1])
        assert late.failure is not None
        assert late.failure.boundary == "m: time-out"
        assert "0.02 s" in late.failure.message
        assert punctual.failure is None
        assert client.metrics().in_flight == 0
    assert engine.num_given_up == 1


async def test_a_request_waits_as_long_as_its_replica_replies_to_others() -> None:
    engine = GatedEngine()
    async with served(engine, timeout_s=1.0) as client:
        for number in range(3):
            asyncio.get_running_loop().call_later(0.4 * (1 + number), engine.open, number)
        completions = await ask(client, range(3))
    assert [completion.failure for completion in completions] == [None] * 3


async def test_a_request_waits_as_long_as_its_engine_replies_to_another_model() -> None:
    engine, pulse = GatedEngine(), Pulse()
    clients = [
        ModelClient(name, [LocalReplica(engine)], timeout_s=1.0, pulses=[pulse]) for name in "ab"
    ]
    await asyncio.gather(*(client.start() for client in clients))
    for number in range(3):
        asyncio.get_running_loop().call_later(0.4 * (1 + number), engine.open, number)
    found = await asyncio.gather(ask(clients[0], range(2)), ask(clients[1], [2]))
    await asyncio.gather(*(client.close() for client in clients))
    assert [completion.failure for each in found for completion in each] == [None] * 3


async def test_times_are_measured_by_the_client() -> None:
    async with served(EchoEngine()) as client:
        usage = (await client.complete(request())).usage
    assert usage.queued_s is not None
    assert usage.running_s is not None
    assert (usage.prompt_tokens, usage.generated_tokens) == (3, 2)


async def test_a_replica_is_busy_while_it_has_requests_and_no_longer() -> None:
    async with served(EchoEngine()) as client:
        for number in range(20):
            await client.complete(request(number))
            client.metrics()
        (replica,) = client.metrics().replicas
    assert replica.busy_s == pytest.approx(replica.running_s, rel=1e-6)


async def test_requests_of_a_lost_replica_are_sent_again() -> None:
    engine = MortalEngine(num_deaths=1)
    async with served(engine) as client:
        completions = await ask(client, range(6))
        metrics = client.metrics()
    assert [completion.failure for completion in completions] == [None] * 6
    assert (metrics.done, metrics.failed, metrics.restarts) == (6, 0, 1)
    assert engine.num_starts == 2
    assert sorted(engine.batches[1]) == ["3", "4", "5"]


async def test_past_the_limit_of_restarts_requests_fail_with_the_cause() -> None:
    engine = MortalEngine(num_deaths=9)
    async with served(engine, max_restarts=2) as client:
        completion = await client.complete(request(0))
        afterwards = await client.complete(request(1))
        metrics = client.metrics()
    for each in (completion, afterwards):
        assert each.failure is not None
        assert each.failure.message == "the process was killed"
    assert (metrics.restarts, metrics.failed) == (2, 2)
    assert metrics.replicas[0].state == "dead"


async def test_a_dead_replicas_work_goes_to_the_others() -> None:
    mortal, sound = MortalEngine(num_deaths=9), EchoEngine()
    async with served(mortal, sound, max_restarts=1) as client:
        completions = await ask(client, range(40))
        again = await ask(client, range(40, 60))
    assert [completion.failure for completion in (*completions, *again)] == [None] * 60


class RaisingEngine(EchoEngine):
    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        yield [echo(requests[0])]
        raise ZeroDivisionError("division by zero")


async def test_an_engine_that_raises_fails_what_it_left_and_nothing_else() -> None:
    async with served(RaisingEngine()) as client:
        first, second = await ask(client, [0, 1])
    assert first.failure is None
    assert second.failure is not None
    assert second.failure.message == "ZeroDivisionError: division by zero"


class CarelessEngine(EchoEngine):
    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        yield [echo(requests[0]), echo(requests[0]), Completion(id="nobody's", text="?")]


async def test_forgotten_repeated_and_foreign_completions_harm_nobody() -> None:
    async with served(CarelessEngine()) as client:
        first, second = await ask(client, [0, 1])
        metrics = client.metrics()
    assert first.text == "answer to question 0"
    assert second.failure is not None
    assert "no completion" in second.failure.message
    assert (metrics.in_flight, metrics.done, metrics.failed) == (0, 1, 1)


async def test_a_caller_that_leaves_gives_its_request_up() -> None:
    engine = GatedEngine()
    async with asyncio.timeout(30), served(engine, max_in_flight=1) as client:
        in_flight = asyncio.create_task(client.complete(request(0)))
        queued = asyncio.create_task(client.complete(request(1)))
        await engine.arrived.wait()
        in_flight.cancel()
        queued.cancel()
        await asyncio.wait([in_flight, queued])
        engine.open(2)
        assert (await client.complete(request(2))).failure is None
        assert client.metrics().in_flight == 0
    assert engine.batches == [["0"], ["2"]]
    assert engine.num_given_up == 1


async def test_two_requests_with_one_id_are_both_answered() -> None:
    async with served(EchoEngine()) as client:
        first, second = await asyncio.gather(
            client.complete(request(7)), client.complete(request(7))
        )
    assert first.text == second.text == "answer to question 7"


async def test_requests_with_one_prefix_go_to_one_replica() -> None:
    engines = [EchoEngine() for _ in range(4)]
    async with served(*engines) as client:
        for number in range(8):
            await client.complete(request(number, affinity="debate 1"))
        for number in range(100, 140):
            await client.complete(request(number, affinity=f"debate {number}"))
    homes = [engine for engine in engines if any(batch == ["0"] for batch in engine.batches)]
    assert len(homes) == 1
    assert all([str(number)] in homes[0].batches for number in range(8))
    assert all(engine.batches for engine in engines)


async def test_a_prefix_stays_at_home_until_home_owes_a_full_batch_more() -> None:
    engines = [GatedEngine(), GatedEngine()]
    async with served(*engines, max_in_flight=4) as client:
        asking = [
            asyncio.create_task(client.complete(request(number, affinity="one debate")))
            for number in range(6)
        ]
        await asyncio.gather(*(engine.arrived.wait() for engine in engines))
        for engine in engines:
            engine.open(*range(6))
        await asyncio.gather(*asking)
    taken = sorted((engine.batches[0] for engine in engines), key=len)
    assert taken == [["4"], ["0", "1", "2", "3"]]


async def test_a_replica_that_owes_much_more_passes_its_prefix_on() -> None:
    engines = [GatedEngine(), GatedEngine()]
    async with served(*engines, max_in_flight=4) as client:
        asking = [
            asyncio.create_task(client.complete(request(number, affinity="one debate")))
            for number in range(12)
        ]
        await asyncio.gather(*(engine.arrived.wait() for engine in engines))
        for engine in engines:
            engine.open(*range(12))
        completions = await asyncio.gather(*asking)
    assert all(completion.failure is None for completion in completions)
    assert min(sum(map(len, engine.batches)) for engine in engines) > 0


async def test_a_replica_that_has_become_idle_takes_half_of_what_waits_for_the_other() -> None:
    engines = [GatedEngine(), GatedEngine()]
    async with served(*engines, max_in_flight=2) as client:
        asking = [
            asyncio.create_task(client.complete(request(number, affinity="one debate")))
            for number in range(9)
        ]
        await asyncio.gather(*(engine.arrived.wait() for engine in engines))
        for engine in engines:
            engine.open(*range(2, 9))
        async with asyncio.timeout(10):
            await asyncio.gather(*(asking[number] for number in (2, 4, 5, 6, 7, 8)))
        assert not any(asking[number].done() for number in (0, 1, 3))
        engines[0].open(0, 1)
        engines[1].open(0, 1)
        await asyncio.gather(*asking)


class UnloadableEngine(EchoEngine):
    async def start(self) -> None:
        raise EngineError("out of memory", boundary="big: start")


async def test_an_engine_that_cannot_start_says_why_and_the_others_are_closed() -> None:
    sound = EchoEngine()
    client = ModelClient("m", [LocalReplica(sound), LocalReplica(UnloadableEngine())])
    with pytest.raises(EngineError, match="out of memory"):
        await client.start()
    assert not sound.is_open


async def test_closing_answers_whoever_still_waits() -> None:
    engine = GatedEngine()
    client = ModelClient("m", [LocalReplica(engine)], max_in_flight=1)
    await client.start()
    asking = asyncio.create_task(ask(client, [0, 1]))
    await engine.arrived.wait()
    await client.close()
    for completion in await asking:
        assert completion.failure is not None
        assert completion.failure.message == "the model was closed"
    assert not engine.is_open


@given(
    waves=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    max_in_flight=st.integers(1, 16),
    num_replicas=st.integers(1, 4),
    num_deaths=st.integers(0, 2),
)
def test_every_request_gets_its_own_answer(
    waves: list[int], max_in_flight: int, num_replicas: int, num_deaths: int
) -> None:
    async def run() -> None:
        engines = [MortalEngine(num_deaths) for _ in range(num_replicas)]
        async with served(*engines, max_in_flight=max_in_flight, max_restarts=9) as client:
            starts = [sum(waves[:wave]) for wave in range(len(waves))]
            answers = await asyncio.gather(
                *(ask(client, range(s, s + n)) for s, n in zip(starts, waves, strict=True))
            )
            metrics = client.metrics()
        texts = [completion.text for wave in answers for completion in wave]
        assert texts == [f"answer to question {number}" for number in range(sum(waves))]
        assert (metrics.done, metrics.in_flight, metrics.queued) == (sum(waves), 0, 0)

    asyncio.run(run())
