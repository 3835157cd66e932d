"""Models that share a device: who is awake, when it gives way, and what happens when it dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debate.cluster.time_sharing import ServedModel, SharedDevice, TimeSharedReplica
from debate.config.cluster import SlotsSpec
from debate.engines.base import Completion, Request
from debate.engines.client import ModelClient
from debate.engines.replica import LocalReplica
from debate.errors import EngineError
from tests.cluster.engines import EchoEngine, GatedEngine, MortalEngine, request


class Device:
    """Holds one engine at a time, and remembers which."""

    def __init__(self) -> None:
        self.held_by: str | None = None
        self.history: list[str] = []

    def take(self, name: str) -> None:
        assert self.held_by is None, f"{name} takes the device from {self.held_by}"
        self.held_by = name
        self.history.append(name)

    def free(self, name: str) -> None:
        assert self.held_by == name
        self.held_by = None


class SharedEcho(EchoEngine):
    """An engine that can sleep, on a device that it shares."""

    def __init__(self, name: str, device: Device) -> None:
        super().__init__()
        self.name = name
        self.device = device

    async def start(self) -> None:
        self.device.take(self.name)
        await super().start()

    async def sleep(self) -> None:
        self.device.free(self.name)

    async def wake(self) -> None:
        self.device.take(self.name)

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        assert self.device.held_by == self.name
        async for completions in super().complete(requests):
            yield completions


@asynccontextmanager
async def sharing(
    spec: SlotsSpec | None = None, **engines: EchoEngine
) -> AsyncIterator[dict[str, ModelClient]]:
    clients = {
        name: ModelClient(name, [LocalReplica(engine)], max_in_flight=4, max_restarts=2)
        for name, engine in engines.items()
    }
    replicas = [
        TimeSharedReplica(ServedModel(client=each, replica_queue=each.replica_queues[0]))
        for each in clients.values()
    ]
    device = SharedDevice(replicas, spec or SlotsSpec())
    try:
        await device.start()
        yield clients
    finally:
        await device.close()
        for client in clients.values():
            await client.close()


async def ask(client: ModelClient, numbers: Sequence[int]) -> list[Completion]:
    return await asyncio.gather(*(client.complete(request(number)) for number in numbers))


async def test_three_models_answer_on_one_device() -> None:
    device = Device()
    engines = {name: SharedEcho(name, device) for name in "abc"}
    async with sharing(**engines) as models:
        replies = await asyncio.gather(*(ask(model, range(20)) for model in models.values()))
        swaps = {name: model.metrics().swaps for name, model in models.items()}
    assert [reply.failure for batch in replies for reply in batch] == [None] * 60
    assert device.history == ["a", "b", "c", "a", "b"]
    assert swaps == {"a": 1, "b": 1, "c": 0}


async def test_the_model_with_the_most_waiting_is_next() -> None:
    device = Device()
    engines = {name: SharedEcho(name, device) for name in "abc"}
    async with sharing(**engines) as models:
        await asyncio.gather(ask(models["a"], range(3)), ask(models["b"], range(30)))
    assert device.history[3:] == ["b", "a"]


async def test_an_engine_that_cannot_sleep_is_closed_and_started_again() -> None:
    engines = {"a": EchoEngine(), "b": EchoEngine()}
    async with sharing(**engines) as models:
        await asyncio.gather(ask(models["a"], [1]), ask(models["b"], [2]))
        assert [engine.is_open for engine in engines.values()] == [True, False]
    assert engines["a"].num_starts == 2


async def test_a_model_that_has_work_keeps_the_slot_until_it_is_done() -> None:
    resident, other = GatedEngine(), EchoEngine()
    async with sharing(other=other, resident=resident) as models:
        first = [asyncio.create_task(ask(models["resident"], [number])) for number in range(9)]
        last = asyncio.create_task(ask(models["resident"], [9]))
        await resident.arrived.wait()
        waiting = asyncio.create_task(ask(models["other"], [0]))
        resident.open(*range(9))
        await asyncio.wait(first)
        assert not waiting.done()
        resident.open(9)
        await asyncio.gather(last, waiting)
    assert other.batches == [["0"]]


async def test_who_has_waited_too_long_comes_before_a_model_with_endless_work() -> None:
    spec = SlotsSpec(max_wait_s=0.05, min_residency_s=0)
    async with sharing(spec, patient=EchoEngine(), busy=EchoEngine()) as models:

        async def endless() -> None:
            number = 0
            while True:
                number += 1
                await models["busy"].complete(request(number))

        busy = [asyncio.create_task(endless()) for _ in range(4)]
        async with asyncio.timeout(30):
            reply = await models["patient"].complete(request(0))
        assert models["busy"].metrics().done > 0
        for each in busy:
            each.cancel()
        await asyncio.wait(busy)
    assert reply.failure is None


async def test_of_several_overdue_the_one_that_waited_longest_is_next() -> None:
    spec = SlotsSpec(max_wait_s=1e-9, min_residency_s=3600)
    device, resident = Device(), GatedEngine()
    engines = {name: SharedEcho(name, device) for name in "abc"}
    async with asyncio.timeout(30), sharing(spec, **engines, resident=resident) as models:
        staying = asyncio.create_task(ask(models["resident"], [0]))
        await resident.arrived.wait()
        waiting = [
            asyncio.create_task(ask(models[name], range(num)))
            for name, num in (("b", 1), ("c", 3), ("a", 2))
        ]
        await asyncio.sleep(0)
        resident.open(0)
        await asyncio.gather(staying, *waiting)
    assert device.history[3:] == ["b", "c", "a"]


async def test_models_that_sleep_together_have_waited_as_long_as_the_first_of_them() -> None:
    resident = GatedEngine()
    engines = {"a": EchoEngine(), "b": EchoEngine(), "c": EchoEngine(), "d": resident}
    models = {name: ModelClient(name, [LocalReplica(each)]) for name, each in engines.items()}
    served = {
        name: ServedModel(client=each, replica_queue=each.replica_queues[0])
        for name, each in models.items()
    }
    replicas = [TimeSharedReplica(*(served[name] for name in names)) for names in ("ab", "c", "d")]
    device = SharedDevice(replicas, SlotsSpec(max_wait_s=1e-9, min_residency_s=3600))
    answered: list[str] = []

    async def ask_one(name: str) -> None:
        await models[name].complete(request(0))
        answered.append(name)

    await device.start()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(ask_one("d"))
        await resident.arrived.wait()
        for name in "acb":
            group.create_task(ask_one(name))
        await asyncio.sleep(0)
        resident.open(0)
    await device.close()
    for client in models.values():
        await client.close()
    assert answered[0] == "d"
    assert answered[-1] == "c"


async def test_whoever_gets_the_slot_serves_a_batch_even_if_others_are_overdue() -> None:
    spec = SlotsSpec(max_wait_s=1e-9, min_residency_s=0)
    device = Device()
    engines = {name: SharedEcho(name, device) for name in "ab"}
    async with asyncio.timeout(30), sharing(spec, **engines) as models:
        await asyncio.gather(*(ask(model, range(20)) for model in models.values()))
        swaps = sum(model.metrics().swaps for model in models.values())
    assert swaps <= 2 * 20 / 4


async def test_a_resident_that_dies_keeps_its_slot_and_loses_nothing() -> None:
    mortal = MortalEngine(num_deaths=1)
    async with sharing(other=EchoEngine(), mortal=mortal) as models:
        replies = await asyncio.gather(ask(models["mortal"], range(4)), ask(models["other"], [9]))
        metrics = models["mortal"].metrics()
    assert [reply.failure for batch in replies for reply in batch] == [None] * 5
    assert (metrics.restarts, metrics.failed) == (1, 0)


class DeepSleeper(EchoEngine):
    """Does not wake, and starts again only `num_starts_left` times."""

    def __init__(self, num_starts_left: int) -> None:
        super().__init__()
        self.num_starts_left = num_starts_left

    async def start(self) -> None:
        if not self.num_starts_left:
            raise EngineError("out of memory", boundary="deep: start")
        self.num_starts_left -= 1
        await super().start()

    async def sleep(self) -> None:
        pass

    async def wake(self) -> None:
        raise RuntimeError("the device is gone")


async def test_a_model_that_does_not_wake_is_started_anew() -> None:
    async with sharing(deep=DeepSleeper(2), other=EchoEngine()) as models:
        reply = await models["deep"].complete(request(0))
        assert models["deep"].metrics().restarts == 1
    assert reply.failure is None


async def test_a_model_that_can_not_come_back_fails_alone_with_the_reason() -> None:
    async with sharing(deep=DeepSleeper(1), other=EchoEngine()) as models:
        lost, sound = await asyncio.gather(
            models["deep"].complete(request(0)), models["other"].complete(request(1))
        )
        again = await models["other"].complete(request(2))
    assert lost.failure is not None
    assert lost.failure.message == "out of memory"
    assert (sound.failure, again.failure) == (None, None)


async def test_a_start_that_fails_is_told_before_anything_begins() -> None:
    with pytest.raises(EngineError, match="out of memory"):
        async with sharing(sound=EchoEngine(), broken=DeepSleeper(0)):
            pass


async def test_the_counters_tell_sleep_from_work() -> None:
    async with sharing(a=EchoEngine(), b=EchoEngine()) as models:
        states = {name: model.metrics().replicas[0].state for name, model in models.items()}
        await models["a"].complete(request(0))
        asleep = models["b"].metrics().replicas[0]
        awake = models["a"].metrics().replicas[0]
    assert states == {"a": "asleep", "b": "ready"}
    assert (awake.state, awake.swaps, asleep.state) == ("ready", 1, "asleep")
    assert awake.asleep_s > 0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=40),
    st.integers(min_value=1, max_value=5),
)
def test_whatever_is_asked_in_whichever_order_everything_is_answered(
    asked: list[str], width: int
) -> None:
    async def run() -> list[Completion]:
        device = Device()
        engines = {name: SharedEcho(name, device) for name in "abc"}
        async with sharing(**engines) as models:

            async def debate(start: int) -> list[Completion]:
                numbers = range(start, len(asked), width)
                return [await models[asked[n]].complete(request(n)) for n in numbers]

            parts = await asyncio.gather(*(debate(start) for start in range(width)))
            return [reply for part in parts for reply in part]

    replies = asyncio.run(run())
    assert len(replies) == len(asked)
    assert all(reply.failure is None for reply in replies)
