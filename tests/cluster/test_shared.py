"""One replica that several models share: started, lost, restarted, put to sleep and closed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from debate.cluster.time_sharing import ServedModel, SharedDevice, TimeSharedReplica
from debate.config.cluster import SlotsSpec
from debate.engines.base import Completion, Request
from debate.engines.client import ModelClient
from debate.engines.replica import AdapterReplica, LocalReplica, ReplicaLost, SharedReplica
from debate.errors import EngineError
from tests.cluster.engines import EchoEngine, GatedEngine, request

ADAPTERS = {"base": None, "a": "/adapters/a", "b": "/adapters/b"}


class AdapterEngine(EchoEngine):
    """Answers with the adapter's name; sleeps; dies with all it has in hand when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[str] = []
        self.num_refused_starts = 0
        self.dies = asyncio.Event()
        self.is_held = False
        self.holds = asyncio.Event()

    async def start(self) -> None:
        self.history.append("start")
        await asyncio.sleep(0)
        if self.num_refused_starts:
            self.num_refused_starts -= 1
            raise EngineError("no room")
        self.dies.clear()
        await super().start()

    async def sleep(self) -> None:
        self.history.append("sleep")

    async def wake(self) -> None:
        self.history.append("wake")

    async def close(self) -> None:
        self.history.append("close")
        await super().close()

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        return self.complete_with("base", requests)

    async def complete_with(
        self, adapter: str, requests: Sequence[Request]
    ) -> AsyncIterator[Sequence[Completion]]:
        if self.is_held:
            self.is_held = False
            self.holds.set()
            await self.dies.wait()
        if self.dies.is_set():
            raise ReplicaLost("the process was killed")
        yield [Completion(id=each.id, text=adapter) for each in requests]


def take_turns(*clients: ModelClient) -> TimeSharedReplica:
    return TimeSharedReplica(
        *(ServedModel(client=c, replica_queue=c.replica_queues[0]) for c in clients)
    )


@asynccontextmanager
async def team(
    engine: EchoEngine, *, beside: EchoEngine | None = None, max_restarts: int = 2
) -> AsyncIterator[dict[str, ModelClient]]:
    """Three models on one engine; with another engine beside, they take turns with its model."""
    shared = SharedReplica(LocalReplica(engine))
    replicas = {name: AdapterReplica(shared, adapter) for name, adapter in ADAPTERS.items()}
    clients = {
        name: ModelClient(name, [replica], max_restarts=max_restarts)
        for name, replica in replicas.items()
    }
    device = None
    if beside is not None:
        other = ModelClient("other", [LocalReplica(beside)])
        replicas = [take_turns(*clients.values()), take_turns(other)]
        clients["other"] = other
        device = SharedDevice(replicas, SlotsSpec())
    try:
        starts = [client.start() for client in clients.values()]
        await asyncio.gather(*starts, *([device.start()] if device else []))
        yield clients
    finally:
        if device:
            await device.close()
        for client in clients.values():
            await client.close()


async def ask(models: dict[str, ModelClient], num: int = 2) -> dict[str, list[Completion]]:
    async def one(client: ModelClient) -> list[Completion]:
        return await asyncio.gather(*(client.complete(request(n)) for n in range(num)))

    found = await asyncio.gather(*map(one, models.values()))
    return dict(zip(models, found, strict=True))


async def heard(models: dict[str, ModelClient]) -> dict[str, set[str]]:
    return {name: {each.text for each in own} for name, own in (await ask(models)).items()}


OWN = {"base": {"base"}, "a": {"/adapters/a"}, "b": {"/adapters/b"}}


async def test_each_model_is_answered_by_its_own_adapter_and_counts_its_own_calls() -> None:
    engine = AdapterEngine()
    async with team(engine) as models:
        assert await heard(models) == OWN
        assert await heard({"a": models["a"]}) == {"a": OWN["a"]}
        done = {name: client.metrics().done for name, client in models.items()}
    assert done == {"base": 2, "a": 4, "b": 2}
    assert engine.history == ["start", "close"]


async def test_a_lost_engine_is_started_once_for_all_that_lost_it() -> None:
    engine = AdapterEngine()
    async with team(engine) as models:
        engine.dies.set()
        assert await heard(models) == OWN
        restarts = [client.metrics().restarts for client in models.values()]
    assert engine.history == ["start", "close", "start", "close"]
    assert restarts == [1, 1, 1]


async def test_who_learns_of_the_loss_late_joins_what_was_started_meanwhile() -> None:
    engine = AdapterEngine()
    async with team(engine) as models:
        engine.dies.set()
        assert await heard({"a": models["a"]}) == {"a": OWN["a"]}
        assert await heard(models) == OWN
        engine.dies.set()
        assert await heard({"b": models["b"]}) == {"b": OWN["b"]}
    assert engine.history.count("start") == 3


async def test_a_restart_that_fails_is_not_repeated_by_each_model() -> None:
    engine = AdapterEngine()
    async with team(engine, max_restarts=2) as models:
        engine.num_refused_starts = 2
        engine.dies.set()
        replies = await ask(models)
    failures = {
        str(each.failure and each.failure.message) for own in replies.values() for each in own
    }
    assert failures == {"no room"}
    assert engine.history.count("start") == 3


async def test_an_engine_that_cannot_start_is_tried_once() -> None:
    engine = AdapterEngine()
    engine.num_refused_starts = 1
    with pytest.raises(EngineError, match="no room"):
        async with team(engine):
            pass
    assert engine.history.count("start") == 1


async def test_the_engine_runs_until_its_last_model_is_closed() -> None:
    engine = AdapterEngine()
    async with team(engine) as models:
        await models["base"].close()
        await models["a"].close()
        assert engine.is_open
        assert await heard({"b": models["b"]}) == {"b": OWN["b"]}
        await models["b"].close()
        assert not engine.is_open


async def test_models_of_one_engine_leave_and_come_back_together() -> None:
    engine = AdapterEngine()
    async with team(engine, beside=EchoEngine()) as models:
        other = {"other": models.pop("other")}
        assert await heard(models) == OWN
        await ask(other)
        assert {client.metrics().replicas[0].state for client in models.values()} == {"asleep"}
        assert await heard({"b": models["b"]}) == {"b": OWN["b"]}
        assert {client.metrics().replicas[0].state for client in models.values()} == {"ready"}
    assert engine.history == ["start", "sleep", "wake", "sleep", "wake", "close"]


async def test_a_slot_is_kept_while_any_model_of_the_engine_has_work() -> None:
    engine, gated = AdapterEngine(), GatedEngine()
    gated.open(0, 1)
    engine.is_held = True
    async with team(engine, beside=gated) as models:
        other = {"other": models.pop("other")}
        busy = asyncio.create_task(ask({"a": models["a"]}))
        await engine.holds.wait()
        waiting = asyncio.create_task(ask(other))
        assert await heard({"b": models["b"]}) == {"b": OWN["b"]}
        assert not waiting.done()
        engine.dies.set()
        assert {each.text for each in (await busy)["a"]} == OWN["a"]
        assert [each.failure for each in (await waiting)["other"]] == [None, None]
    assert engine.history.count("start") == 2
