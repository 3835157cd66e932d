"""Models spread over the nodes of a cluster; a node is taken away in mid-run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

import debate
from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, ScriptedModel
from tests.cluster.engines import request
from tests.support import simulated

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [pytest.mark.ray, pytest.mark.system]


@pytest.fixture
def two_nodes() -> Iterator[Any]:
    import ray
    from ray.cluster_utils import Cluster

    noticing = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 3,
    }
    store = 80 * 2**20
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 4,
            "num_gpus": 2,
            "object_store_memory": store,
            "include_dashboard": False,
            "_system_config": noticing,
        },
    )
    cluster.add_node(num_cpus=4, num_gpus=2, object_store_memory=store)
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_a_debate_goes_on_when_a_node_is_lost(two_nodes: Any, tmp_path: Path) -> None:
    def seat(name: str, competence: float) -> dict[str, Any]:
        model = {"host": "actor", "gpus": 1, "competence": competence, "latency_s": 0.05}
        return simulated(name, max_in_flight=16, **model)

    config = {
        "agents": [seat("a", 0.7), seat("b", 0.5)],
        "topology": "pairwise",
        "task": {"generator": "arithmetic", "n": 200},
        "rounds": 2,
        "max_debates": 32,
        "cluster": {"address": two_nodes.address},
    }
    turns = tmp_path / "run" / "turns" / "0.jsonl"
    with ThreadPoolExecutor(1) as other:
        running = other.submit(debate.run, config, out=tmp_path / "run", quiet=True)
        while not running.done() and (not turns.exists() or turns.read_bytes().count(b"\n") < 200):
            wait([running], timeout=0.05)
        assert not running.done()
        two_nodes.remove_node(next(iter(two_nodes.worker_nodes)), False)
        run = running.result(timeout=120)
    assert run.verdicts().filter(final=True).height == 200
    assert run.turns().height == 200 * 2 * 3
    assert not run.turns()["failed"].any()


async def test_a_run_survives_the_loss_of_a_node(two_nodes: Any) -> None:
    def model() -> ModelSpec:
        return ScriptedModel(
            engine="scripted", replies="Answer: 4", host="actor", gpus=1, latency_s=0.3
        )

    spec = ClusterSpec(address=two_nodes.address)
    async with launch_models({"a": model(), "b": model()}, spec, run="nodes") as models:
        homes = {name: client.placements[0] for name, client in models.items()}
        nodes = {home.node for home in homes.values() if home is not None}
        assert len(nodes) == 2
        asking = asyncio.gather(
            *(client.complete(request(n)) for client in models.values() for n in range(900))
        )
        doomed = next(iter(two_nodes.worker_nodes))
        await asyncio.to_thread(two_nodes.remove_node, doomed, False)
        replies = await asking
        restarts = {name: client.metrics().restarts for name, client in models.items()}
        after = {client.placements[0].node for client in models.values() if client.placements[0]}
    assert [reply.failure for reply in replies] == [None] * 1800
    assert sorted(restarts.values()) == [0, 1]
    assert len(after) == 1
