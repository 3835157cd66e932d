"""Faults in a Ray cluster of one's own: processes killed there, and whatever disturbs a driver."""

from __future__ import annotations

import atexit
import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from debate.log.ownership import is_in_use
from tests.faults.debates import Config, Disturb
from tests.faults.driver import undisturbed
from tests.faults.processes import Attempt

Strike = Callable[[Any, random.Random], int]
STORE = 80 * 2**20
PATIENCE_S = 300.0
NOTICING = {"health_check_period_ms": 1000, "health_check_failure_threshold": 4}
STARTS = 3


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


@contextmanager
def nodes(num: int) -> Iterator[Any]:
    """A cluster of one's own on this machine, which may take several starts where that is busy."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for size in range(1, num + 1):
            _add_node(cluster, size)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def _add_node(cluster: Any, size: int) -> None:
    """One node more, until there are so many."""
    settings = {} if size > 1 else {"_system_config": NOTICING, "include_dashboard": False}
    for start in range(STARTS):
        try:
            cluster.add_node(num_cpus=6, object_store_memory=STORE, **settings)
            return
        except Exception:  # Ray raises nothing more special for a node that is slow to start
            if start == STARTS - 1:
                raise


def by_ray(strike: Strike, *, in_shards: bool = False) -> Disturb:
    """Run on two nodes, and strike once some of the turns are on disk."""

    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        with nodes(2) as cluster, ThreadPoolExecutor(1) as other:
            spread = on_cluster(config, cluster.address, in_shards=in_shards)
            running = other.submit(undisturbed, spread, directory)
            await_bytes(directory, rng.randrange(1, 20_000), running)
            num_struck = 0 if running.done() else strike(cluster, rng)
            running.result(PATIENCE_S)
        return num_struck

    return disturb


def kill_driver(config: Config, directory: Path, rng: random.Random) -> int:
    """SIGKILL whoever started the run, with or without shards; run it again on the same cluster.

    Until the cluster has ended what the dead one left running, the second run may be refused.
    """
    with nodes(2) as cluster:
        spread = on_cluster(config, cluster.address, in_shards=rng.random() < 0.5)
        was_alive = Attempt(spread, directory).kill_at(rng.randrange(1, 20_000))
        deadline = time.monotonic() + PATIENCE_S
        while (told := Attempt(spread, directory).outcome()).how == "RunConflict":
            assert time.monotonic() < deadline, told
        assert told.how == "done", told
    return int(was_alive)


@cache
def shared_address() -> str:
    """The address of one node, which lives as long as this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    address: str = stack.enter_context(nodes(1)).address
    return address


def by_orchestrators(disturb: Disturb) -> Disturb:
    """The same disturbance of a run in shards; what a dead driver leaves running ends by itself."""

    def disturb_shards(config: Config, directory: Path, rng: random.Random) -> int:
        shared = on_cluster(config, shared_address(), in_shards=True)
        num_struck = disturb(shared, directory, rng)
        deadline = time.monotonic() + PATIENCE_S
        while is_in_use(directory):
            assert time.monotonic() < deadline, f"{directory} is still in use"
            time.sleep(0.05)
        return num_struck

    return disturb_shards


RAY_FAULTS: dict[str, Disturb] = {
    "actor killed": by_ray(kill_actor(":m:")),
    "orchestrator shard killed": by_ray(kill_actor(":orchestrator:"), in_shards=True),
    "raylet killed": by_ray(kill_raylet),
    "driver of a cluster killed": kill_driver,
}


def on_cluster(config: Config, address: str, *, in_shards: bool) -> dict[str, Any]:
    """The same run with a model in actors; where it runs is no part of what it is."""
    spread: dict[str, Any] = json.loads(json.dumps(config))
    spread["cluster"] = {"address": address, "orchestrators": 2 if in_shards else 1}
    for model in spread.get("models", {}).values():
        model |= {"host": "actor", "replicas": 2, "cpus": 1}
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
