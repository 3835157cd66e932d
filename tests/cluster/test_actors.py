"""Models in actors of a real local Ray cluster with four logical GPUs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence

import pytest

from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, ScriptedModel, TransformersModel
from debate.engines.base import Completion
from debate.engines.client import ModelClient
from debate.engines.replica import Placement
from debate.errors import ClusterError, EngineError
from tests.cluster.engines import request

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.ray

CLUSTER = ClusterSpec(num_cpus=8, num_gpus=4)


def script(**fields: object) -> ScriptedModel:
    return ScriptedModel(engine="scripted", replies="Answer: 4", host="actor", **fields)


async def ask(client: ModelClient, num_requests: int) -> Sequence[Completion]:
    return await asyncio.gather(*(client.complete(request(n)) for n in range(num_requests)))


def placement(client: ModelClient, replica: int = 0) -> Placement:
    found = client.placements[replica]
    assert found is not None
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterSpec]:
    from debate.cluster.connection import connect

    with connect(CLUSTER):
        yield CLUSTER


async def test_models_sit_in_processes_and_on_gpus_of_their_own(cluster: ClusterSpec) -> None:
    specs: dict[str, ModelSpec] = {"a": script(gpus=1, replicas=2), "b": script(gpus=2)}
    async with launch_models(specs, cluster, run="own") as models:
        replies = [*await ask(models["a"], 200), *await ask(models["b"], 50)]
        places = [placement(models["a"]), placement(models["a"], 1), placement(models["b"])]
    assert {reply.text for reply in replies} == {"Answer: 4"}
    assert len({place.pid for place in places} | {os.getpid()}) == 4
    assert sorted(gpu for place in places for gpu in place.gpus) == ["0", "1", "2", "3"]
    assert len(places[2].gpus) == 2


async def test_a_killed_actor_is_started_again_and_nothing_is_lost(cluster: ClusterSpec) -> None:
    async with launch_models({"a": script(latency_s=0.5)}, cluster, run="kill") as models:
        victim = placement(models["a"]).pid
        asking = asyncio.create_task(ask(models["a"], 300))
        os.kill(victim, signal.SIGKILL)
        replies = await asking
        metrics = models["a"].metrics()
    assert [reply.failure for reply in replies] == [None] * 300
    assert (metrics.restarts, metrics.done, metrics.failed) == (1, 300, 0)
    assert metrics.replicas[0].placement is not None
    assert metrics.replicas[0].placement.pid != victim


async def test_past_the_limit_a_lost_actor_is_a_failure(cluster: ClusterSpec) -> None:
    spec = script(latency_s=0.5, max_restarts=0)
    async with launch_models({"a": spec}, cluster, run="limit") as models:
        asking = asyncio.create_task(ask(models["a"], 3))
        os.kill(placement(models["a"]).pid, signal.SIGKILL)
        replies = await asking
    assert all(reply.failure and reply.failure.boundary == "a: actor" for reply in replies)


async def test_what_no_node_has_is_refused_at_once(cluster: ClusterSpec) -> None:
    with pytest.raises(ClusterError, match=r'model "llama" wants 5 GPUs.*has 4 GPUs'):
        async with launch_models({"llama": script(gpus=5)}, cluster):
            pass


async def test_an_engines_own_reason_for_not_starting_is_shown(cluster: ClusterSpec) -> None:
    spec = TransformersModel(engine="transformers", path="/nowhere/organism")
    with pytest.raises(EngineError, match=r"ghost.*: the folder /nowhere/organism does not exist"):
        async with launch_models({"ghost": spec}, cluster, run="ghost"):
            pass


async def test_a_request_given_up_leaves_the_actor(cluster: ClusterSpec) -> None:
    spec = script(latency_s=60, timeout_s=1, max_in_flight=1)
    async with launch_models({"a": spec}, cluster, run="late") as models:
        (late,) = await ask(models["a"], 1)
        metrics = models["a"].metrics()
    assert late.failure is not None
    assert late.failure.boundary == "a: time-out"
    assert (metrics.in_flight, metrics.restarts) == (0, 0)
