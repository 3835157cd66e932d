"""What a cluster is and has, asked by a connected process, or by one of its own within a limit."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from debate.cluster.resources import (
    Node,
    describe_amount,
    is_elsewhere,
    list_resource_requests,
)
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.errors import ClusterError

LIMIT_S = 60.0
"""Seconds in which a cluster must have answered; importing Ray and joining take most of them."""

CONNECT_LIMIT_S = 5.0
"""Seconds in which the port of an address must have been opened."""

MAX_NAMED_NODES = 4
"""Nodes with equal resources that are named; of more, only the number is told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterState:
    """A cluster at one moment.

    `owner` is the user to whom Ray's processes on this machine belong, None where it is not known;
    `free_gpus` and `free_cpus` are what nobody uses.
    """

    address: str
    owner: str | None
    ray: str
    python: str
    nodes: tuple[Node, ...]
    free_gpus: float
    free_cpus: float


def require_answer(address: str) -> None:
    """Raise ClusterError where nothing listens at `host:port`; Ray would wait for minutes.

    `auto` is what `RAY_ADDRESS` says; where it says nothing, what Ray finds, and left to it.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_LIMIT_S).close()
    except (OSError, OverflowError) as cause:
        told = getattr(cause, "strerror", None) or cause
        raise ClusterError(f"no cluster answers at {address}: {told}", boundary="ray") from cause


def read_state(folder: Path | None = None) -> ClusterState:
    """Return the state of the cluster that this process is connected to.

    `folder` is Ray's own on this machine, which tells the owner.
    """
    import ray

    owner = None
    with suppress(OSError, KeyError):
        owner = folder.owner() if folder else None
    free = ray.available_resources()
    return ClusterState(
        address=ray.get_runtime_context().gcs_address,
        owner=owner,
        ray=ray.__version__,
        python=platform.python_version(),
        nodes=tuple(list_live_nodes()),
        free_gpus=free.get("GPU", 0),
        free_cpus=free.get("CPU", 0),
    )


def list_live_nodes() -> list[Node]:
    """Return the nodes of the connected cluster that answer."""
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


def ask_cluster(cluster: ClusterSpec, *, limit_s: float = LIMIT_S) -> ClusterState:
    """Join the cluster in another process, and return its state.

    Raises ClusterError in a line where it has not answered within `limit_s`, or refuses.
    """
    asked = json.dumps({"spec": cluster.model_dump(mode="json"), "path": sys.path})
    program = [sys.executable, "-c", _PROGRAM]
    try:
        done = subprocess.run(
            program, input=asked, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as cause:
        raise ClusterError(f"no answer within {limit_s:g} s", boundary="ray") from cause
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ClusterError(lines[-1], boundary="ray")
    fields = json.loads(done.stdout.splitlines()[-1])
    return ClusterState(**{**fields, "nodes": tuple(Node(**each) for each in fields["nodes"])})


def try_to_ask(models: Mapping[str, ModelSpec], cluster: ClusterSpec) -> ClusterState | str | None:
    """Return the state of the cluster that these models join, or why it could not be asked.

    None where they join none.
    """
    needs_ray = list_resource_requests(models) or cluster.orchestrators > 1
    if not needs_ray or not is_elsewhere(cluster):
        return None
    try:
        return ask_cluster(cluster)
    except ClusterError as error:
        return str(error)


_PROGRAM = """
import json, sys
asked = json.load(sys.stdin)
sys.path[:] = asked["path"]
from debate.cluster.inquiry import answer
answer(asked["spec"])
"""


def answer(spec: dict[str, object]) -> None:
    """Print the state of the cluster of a spec as JSON; or end with the reason in one line."""
    import ray

    from debate.cluster.connection import make_init_arguments, start_or_join

    asked = ClusterSpec.model_validate({**spec, "runtime_env": {}, "quiet": True})
    try:
        arguments = make_init_arguments(asked, {})
        require_answer(arguments["address"])
        print(json.dumps(asdict(read_state(start_or_join(arguments)))))
        ray.shutdown()
    except Exception as error:
        sys.exit(" ".join(str(error).split()))


def describe_state(state: ClusterState) -> str:
    """Return in a line which cluster it is, and what it has.

    >>> nodes = tuple(Node(name=name, gpus=4, cpus=64) for name in ("n1", "n2"))
    >>> print(describe_state(ClusterState(address="10.0.0.1:6379", owner="ada", ray="2.60.0",
    ...     python="3.12.1", nodes=nodes, free_gpus=3, free_cpus=128)))
    10.0.0.1:6379 (of user ada; Ray 2.60.0, Python 3.12.1): n1, n2 (4 GPUs and 64 CPUs each); \
free now: 3 GPUs and 128 CPUs
    """
    whose = f"of user {state.owner}; " if state.owner else ""
    free = describe_amount(state.free_gpus, state.free_cpus, zeros=True)
    return (
        f"{state.address} ({whose}Ray {state.ray}, Python {state.python}): "
        f"{describe_nodes(state.nodes)}; free now: {free}"
    )


def describe_nodes(nodes: Sequence[Node]) -> str:
    """Return the nodes in words, those with equal resources together.

    >>> describe_nodes([Node(name=f"n{n}", gpus=1, cpus=8) for n in range(9)])
    '9 nodes (1 GPU and 8 CPUs each)'
    """
    alike: dict[str, list[str]] = {}
    for node in nodes:
        alike.setdefault(describe_amount(node.gpus, node.cpus), []).append(node.name)
    told = []
    for amount, names in alike.items():
        named = ", ".join(names) if len(names) <= MAX_NAMED_NODES else f"{len(names)} nodes"
        told.append(f"{named} ({amount}{' each' if len(names) > 1 else ''})")
    return "; ".join(told)
