"""Connect to Ray: to a cluster, or to a local one started and ended here, by any number of runs."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from debate.cluster.inquiry import describe_state, read_state, require_answer
from debate.cluster.resources import is_elsewhere, summarize_resources
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.errors import ClusterError, ConfigError, boundary
from debate.interrupts import keep_signal_handlers

T = TypeVar("T")

OBJECT_STORE_BYTES = 256 * 2**20
"""Room for messages in transit, which are small; Ray's default is a third of the memory."""

_LOOPBACK_TIMEOUT_S = 5.0

LOG_FILTER = ("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
"""The environment variable that drops Ray's own lines about lost workers and nodes; the client
counts and reports these itself. Ray reads it when it is imported."""


LOOK_EVERY_S = 1.0
"""Seconds between two looks whether this process is still connected, while it waits for Ray."""

_lock = threading.Lock()
_num_users: dict[str, int] = {}
"""The runs of this process that use a connection which one of them made, by its session."""
_folders: dict[str, Path] = {}
"""The folder on this machine of the Ray that such a connection joined, by its session."""
_taken_names: set[str] = set()


@contextmanager
def connect(
    cluster: ClusterSpec,
    models: Mapping[str, ModelSpec] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Connect to the cluster, or start a local one with room for `models`.

    `tell` is told which cluster was joined, where that is one that was there. Runs of one process
    share a connection, which the last of them to leave ends; one that was made by somebody else is
    used and left alone. Raises ClusterError where no cluster answers at the address.
    """
    if cluster.quiet:
        os.environ.setdefault(*LOG_FILTER)
    with _lock:
        session = get_session()
        if session is None:
            session = _start(cluster, models or {})
            _num_users[session] = 0
        if session in _num_users:
            _num_users[session] += 1
    try:
        if tell and is_elsewhere(cluster):
            tell(f"joined the Ray cluster at {describe_state(read_state(_folders.get(session)))}")
        yield
    finally:
        with _lock:
            _leave(session)


def _start(cluster: ClusterSpec, models: Mapping[str, ModelSpec]) -> str:
    """Connect or start, and return the session."""
    place = f"ray: {cluster.address or 'local cluster'}"
    arguments = make_init_arguments(cluster, models)
    if is_elsewhere(cluster):
        require_answer(arguments["address"])
    with boundary(ClusterError, place), warnings.catch_warnings(), keep_signal_handlers():
        warnings.simplefilter("ignore")
        folder = start_or_join(arguments)
    session = get_session()
    assert session is not None
    _folders[session] = folder
    return session


def _leave(session: str) -> None:
    """End the connection with its last user, unless somebody else has ended it."""
    import ray

    if session not in _num_users:
        return
    _num_users[session] -= 1
    if not _num_users[session]:
        del _num_users[session], _folders[session]
        if get_session() == session:
            ray.shutdown()


def start_or_join(arguments: Mapping[str, Any]) -> Path:
    """Call `ray.init`, up to three times if it times out; return Ray's folder on this machine.

    Ray gives its own processes 30 s to come up, which is too few on a machine at full load.
    """
    import ray

    if arguments.get("address") == "local":
        require_loopback()
    for attempts_left in (2, 1, 0):
        try:
            return Path(ray.init(**arguments).address_info["session_dir"])
        except BaseException as error:
            ray.shutdown()
            if "timed out during startup" not in str(error) or not attempts_left:
                raise
    raise AssertionError("the last attempt returns or raises")


def get_session() -> str | None:
    """Return what tells this process's connection to Ray from any other; None without one."""
    import ray

    if not ray.is_initialized():
        return None
    return str(ray.get_runtime_context().get_worker_id())


def require_session(session: str | None, *, place: str) -> None:
    """Raise ClusterError where this process has lost the connection that it had.

    To be asked before calls to Ray, which would start a cluster of their own without one.
    """
    if session is None or get_session() != session:
        raise ClusterError("the connection to the Ray cluster was ended", boundary=place)


async def await_ray(owed: Awaitable[T], session: str | None, *, place: str) -> T:
    """Await what Ray owes. Raises ClusterError once the connection is gone: nothing will come."""
    loop = asyncio.get_running_loop()
    looking: asyncio.TimerHandle

    def look() -> None:
        nonlocal looking
        if get_session() == session:
            looking = loop.call_later(LOOK_EVERY_S, look)
        else:
            limit.reschedule(loop.time())

    looking = loop.call_later(LOOK_EVERY_S, look)
    try:
        async with asyncio.timeout(None) as limit:
            return await owed
    except TimeoutError:
        if limit.expired():
            require_session(session, place=place)
        raise
    finally:
        looking.cancel()


@contextmanager
def claim_name(name: str, namespace: str) -> Iterator[str]:
    """Yield the beginning of the names of a run's actors: `name`, or one like it if that is taken.

    Two runs of one name may go on at once, in this process or on this cluster.
    """
    from ray.util import list_named_actors

    with _lock:
        listed = list_named_actors(all_namespaces=True)
        there = [each["name"] for each in listed if each["namespace"] == namespace]
        claimed, number = name, 1
        while claimed in _taken_names or any(n.startswith(f"{claimed}:") for n in there):
            number += 1
            claimed = f"{name}~{number}"
        _taken_names.add(claimed)
    try:
        yield claimed
    finally:
        _taken_names.discard(claimed)


def require_loopback() -> None:
    """Raise ClusterError where a machine cannot reach itself: Ray's processes would wait for ever.

    So it is in a network namespace of its own (`unshare -n`, some sandboxes).
    """
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=_LOOPBACK_TIMEOUT_S),
        ):
            pass
    except OSError as cause:
        raise ClusterError(
            f"127.0.0.1 cannot be reached ({cause.strerror or cause}), through which Ray's "
            "processes speak to one another; bring it up (`ip link set lo up`), or put the models "
            "into this process by `host: driver`"
        ) from cause


def make_init_arguments(cluster: ClusterSpec, models: Mapping[str, ModelSpec]) -> dict[str, Any]:
    """Return the arguments of `ray.init`; inside a Ray job, its own cluster is the address."""
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
    summary = summarize_resources(models, cluster)
    return {
        **shared,
        "address": "local",
        "include_dashboard": False,
        "num_cpus": math.ceil(summary.total_cpus or 1),
        "num_gpus": cluster.num_gpus,
        "object_store_memory": OBJECT_STORE_BYTES,
    }


def read_actor_environment(cluster: ClusterSpec) -> dict[str, str]:
    """Return the actors' environment variables, those without a value copied from this process.

    Raises ConfigError for one that is to be copied and is not set.

    >>> read_actor_environment(ClusterSpec(env={"HF_HUB_OFFLINE": "1"}))
    {'HF_HUB_OFFLINE': '1'}
    """
    for name, value in cluster.env.items():
        if value is None and name not in os.environ:
            raise ConfigError(f"cluster.env.{name} is to be copied from here, and is not set here")
    return {
        name: os.environ[name] if value is None else value for name, value in cluster.env.items()
    }
