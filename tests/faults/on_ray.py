"""SIGKILL in a Ray cluster of one's own: of a model's actor, an orchestrator's, a node's raylet."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from tests.faults.driver import undisturbed

Config = Mapping[str, Any]
Strike = Callable[[Any, random.Random], int]
STORE = 80 * 2**20
PATIENCE_S = 300.0
NOTICING = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
}


def kill_actor(kind: str) -> Strike:
    """SIGKILL the process of an actor whose name has this in it."""

    def strike(cluster: Any, rng: random.Random) -> int:
        from ray._private import state

        alive = [a for a in state.actors().values() if a["State"] == "ALIVE" and kind in a["Name"]]
        if alive:
            os.kill(rng.choice(alive)["Pid"], signal.SIGKILL)
        return bool(alive)

    return strike


def kill_raylet(cluster: Any, rng: random.Random) -> int:
    """SIGKILL everything on the second node."""
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    return 1


STRIKES: dict[str, Strike] = {
    "actor killed": kill_actor(":m:"),
    "orchestrator shard killed": kill_actor(":orchestrator:"),
    "raylet killed": kill_raylet,
}


def by_ray(fault: str) -> Callable[[Config, Path, random.Random], int]:
    """Run on two nodes, and strike once some of the turns are on disk."""

    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        import ray
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 6, "object_store_memory": STORE, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args={**head, "_system_config": NOTICING})
        cluster.add_node(num_cpus=6, object_store_memory=STORE)
        try:
            spread = on_cluster(config, cluster.address, in_shards="shard" in fault)
            with ThreadPoolExecutor(1) as other:
                running = other.submit(undisturbed, spread, directory)
                await_bytes(directory, rng.randrange(1, 20_000), running)
                num_struck = 0 if running.done() else STRIKES[fault](cluster, rng)
                running.result(PATIENCE_S)
            return num_struck
        finally:
            ray.shutdown()
            cluster.shutdown()

    return disturb


def on_cluster(config: Config, address: str, *, in_shards: bool) -> dict[str, Any]:
    """The same run with a model in actors; where it runs is no part of what it is."""
    spread: dict[str, Any] = json.loads(json.dumps(config))
    spread["cluster"] = {"address": address, "orchestrators": 2 if in_shards else 1}
    for model in spread["models"].values():
        model |= {"host": "actor", "replicas": 2, "cpus": 1, "latency_s": 0.0}
    return spread


def one_model(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same debates, but for all seats having one model, named `m`, that takes its time."""
    model = {**config["agents"][0]["model"]}
    agents = [{**agent, "model": "m"} for agent in config["agents"]]
    return {**config, "agents": agents, "models": {"m": model}}


def await_bytes(directory: Path, size: int, running: Future[None]) -> None:
    """Wait until so many bytes of turns are on disk, or the run is over."""
    deadline = time.monotonic() + PATIENCE_S
    while not running.done() and time.monotonic() < deadline:
        found = sum(path.stat().st_size for path in (directory / "turns").glob("*.jsonl"))
        if found >= size:
            return
        wait([running], timeout=0.005)
