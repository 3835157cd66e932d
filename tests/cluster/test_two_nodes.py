"""Models spread over the nodes of a cluster; a node is taken away in mid-run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from debate.cluster.models import running_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, ScriptedModel
from tests.cluster.engines import request

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.ray


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


async def test_a_run_survives_the_loss_of_a_node(two_nodes: Any) -> None:
    def model() -> ModelSpec:
        return ScriptedModel(
            engine="scripted", replies="Answer: 4", host="actor", gpus=1, latency_s=0.3
        )

    spec = ClusterSpec(address=two_nodes.address)
    async with running_models({"a": model(), "b": model()}, spec, run="nodes") as models:
        homes = {name: client.placements[0] for name, client in models.items()}
        nodes = {home.node for home in homes.values() if home is not None}
        assert len(nodes) == 2
        asking = asyncio.gather(
            *(client.complete(request(n)) for client in models.values() for n in range(900))
        )
        doomed = next(iter(two_nodes.worker_nodes))
        await asyncio.to_thread(two_nodes.remove_node, doomed, False)
        replies = await asking
        restarts = {name: client.counters().restarts for name, client in models.items()}
        after = {client.placements[0].node for client in models.values() if client.placements[0]}
    assert [reply.failure for reply in replies] == [None] * 1800
    assert sorted(restarts.values()) == [0, 1]
    assert len(after) == 1
