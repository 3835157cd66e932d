"""The connection to Ray: made where it is missing, ended only where it was made."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from debate.cluster.resources import Node, resources
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.errors import ClusterError, ConfigError, boundary

OBJECT_STORE_BYTES = 256 * 2**20
"""Room for results on their way, which are small; Ray's default would be a third of the memory."""


SILENCE = ("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
"""Drops what Ray prints about lost workers and nodes, which the client counts and reports itself.

Read when ray is imported.
"""


@contextmanager
def connect(cluster: ClusterSpec, models: Mapping[str, ModelSpec] | None = None) -> Iterator[None]:
    """Connect to the cluster, or start a local one with room for `models`.

    A process that is connected already stays as it is. Raises ClusterError where no cluster
    answers at the address.
    """
    if cluster.quiet:
        os.environ.setdefault(*SILENCE)
    import ray

    if ray.is_initialized():
        yield
        return
    place = f"ray: {cluster.address or 'local cluster'}"
    with boundary(ClusterError, place), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start_or_join(init_arguments(cluster, models or {}))
    try:
        yield
    finally:
        ray.shutdown()


def start_or_join(arguments: Mapping[str, Any]) -> None:
    """`ray.init`, up to three times: Ray gives its own processes 30 s to come up, which on a
    machine at full load can be too few."""
    import ray

    for attempts_left in (2, 1, 0):
        try:
            ray.init(**arguments)
            return
        except Exception as error:
            ray.shutdown()
            if "timed out during startup" not in str(error) or not attempts_left:
                raise


def init_arguments(cluster: ClusterSpec, models: Mapping[str, ModelSpec]) -> dict[str, Any]:
    """Arguments of `ray.init`; inside `ray job submit` the job's own cluster is the address."""
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    shared: dict[str, Any] = {
        "namespace": cluster.namespace,
        "log_to_driver": not cluster.quiet,
        "logging_level": logging.ERROR if cluster.quiet else logging.INFO,
        "ignore_reinit_error": True,
    }
    if cluster.runtime_env:
        shared["runtime_env"] = dict(cluster.runtime_env)
    if address is not None:
        return {**shared, "address": address}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    there = resources(models, cluster)
    return {
        **shared,
        "address": "local",
        "include_dashboard": False,
        "num_cpus": math.ceil(there.cpus_there or 1),
        "num_gpus": cluster.num_gpus,
        "object_store_memory": OBJECT_STORE_BYTES,
    }


def actor_environment(cluster: ClusterSpec) -> dict[str, str]:
    """The actors' environment variables. Raises ConfigError for one that is to be copied and unset.

    >>> actor_environment(ClusterSpec(env={"HF_HUB_OFFLINE": "1"}))
    {'HF_HUB_OFFLINE': '1'}
    """
    for name, value in cluster.env.items():
        if value is None and name not in os.environ:
            raise ConfigError(f"cluster.env.{name} is to be copied from here, and is not set here")
    return {
        name: os.environ[name] if value is None else value for name, value in cluster.env.items()
    }


def live_nodes() -> list[Node]:
    """The nodes of the connected cluster that answer."""
    import ray

    return [
        Node(
            id=node["NodeID"],
            name=node["NodeManagerHostname"],
            gpus=node["Resources"].get("GPU", 0),
            cpus=node["Resources"].get("CPU", 0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
