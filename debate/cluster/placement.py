"""A place for each replica: a placement group of one bundle, awaited but never for ever."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from debate.cluster.connection import live_nodes
from debate.cluster.resources import Wanted, amount, misfits, shortage
from debate.config.cluster import ClusterSpec
from debate.errors import ClusterError

LOOK_AGAIN_S = 2
"""How long to wait for a place before asking again whether the cluster could ever have one."""


class Place(Protocol):
    """Where the actor of a replica may live."""

    async def enter(self) -> dict[str, Any]:
        """The actor's options. Raises ClusterError where there is no room."""

    async def gpus(self) -> tuple[str, ...] | None:
        """The GPUs to use, where Ray does not tell the actor itself."""

    def leave(self) -> None:
        """The actor has ended."""


class _Reservation:
    """What a place is reserved for, and the group that keeps it; `node` is where it best lies."""

    def __init__(
        self, want: Wanted, cluster: ClusterSpec, *, name: str, node: str | None = None
    ) -> None:
        self._want = want
        self._cluster = cluster
        self._name = name
        self._node = node
        self._group: PlacementGroup | None = None

    def remove(self) -> None:
        """Give the place back."""
        if self._group is not None:
            remove_placement_group(self._group)
            self._group = None


class OwnPlace(_Reservation):
    """A place for one replica, given back whenever its actor ends."""

    _num_entries = 0

    async def enter(self) -> dict[str, Any]:
        """Reserve anew; after the first time, on whichever node has room."""
        name = f"{self._name}:{self._num_entries}" if self._num_entries else self._name
        node = None if self._num_entries else self._node
        self._num_entries += 1
        self._group = await reserve(self._want, self._cluster, name=name, node=node)
        return {
            "num_cpus": self._want.cpus,
            "num_gpus": self._want.gpus,
            "max_restarts": 0,
            **inside(self._group),
        }

    async def gpus(self) -> tuple[str, ...] | None:
        """Unsaid: Ray gives the actor its GPUs."""
        return None

    def leave(self) -> None:
        """Give the place back."""
        self.remove()


class SharedPlace(_Reservation):
    """A place for several replicas that take turns in it. Ray lends it once; they see its GPUs."""

    async def enter(self) -> dict[str, Any]:
        """Reserve at the first time; after the loss of its node, Ray finds the place another."""
        if not self._want.bundle:
            return {"num_cpus": 0, "num_gpus": 0, "max_restarts": 0}
        if self._group is None:
            self._group = await reserve(self._want, self._cluster, name=self._name, node=self._node)
        else:
            await wait_for(self._group, self._want, self._cluster)
        return {"num_cpus": 0, "num_gpus": 0, "max_restarts": 0, **inside(self._group)}

    async def gpus(self) -> tuple[str, ...] | None:
        """The ids of the place's GPUs, which a task that uses them for a moment tells."""
        if not self._want.gpus:
            return ()
        options = {"num_gpus": self._want.gpus, "num_cpus": 0, **inside(self._group)}
        return tuple(await ray.remote(own_gpus).options(**options).remote())

    def leave(self) -> None:
        """Nothing: the others stay."""


def own_gpus() -> list[str]:
    """The ids of the GPUs that Ray has given to this process."""
    return [str(gpu) for gpu in ray.get_gpu_ids()]


def inside(group: PlacementGroup | None) -> dict[str, Any]:
    """The option that puts an actor or task into a group's bundle."""
    if group is None:
        return {}
    strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
    return {"scheduling_strategy": strategy}


async def reserve(
    want: Wanted, cluster: ClusterSpec, *, name: str, node: str | None = None
) -> PlacementGroup | None:
    """Reserve what a replica wants on one node, on `node` if it has room; None if it wants nothing.

    Raises ClusterError at once where no node could ever hold it (unless the cluster grows by
    itself), and after `placement_timeout_s` where others keep what is there.
    """
    if not want.bundle:
        return None
    refuse_misfits([want], cluster)
    group = placement_group(
        [want.bundle], strategy="STRICT_PACK", name=name, _soft_target_node_id=node
    )
    try:
        await wait_for(group, want, cluster)
    except BaseException:
        remove_placement_group(group)
        raise
    return group


async def wait_for(group: PlacementGroup, want: Wanted, cluster: ClusterSpec) -> None:
    """Wait until a group has its place. Raises ClusterError as `reserve` does."""
    deadline = time.monotonic() + cluster.placement_timeout_s
    while not await asyncio.to_thread(group.wait, LOOK_AGAIN_S):
        refuse_misfits([want], cluster)
        if time.monotonic() > deadline:
            raise ClusterError(
                f'model "{want.model}" wants {amount(want.gpus, want.cpus)}; the cluster has them, '
                f"but others kept them for {cluster.placement_timeout_s:g} s "
                f"(free now: {free_now()})",
                boundary=f"{want.model}: placement",
            )


def refuse_misfits(wants: list[Wanted], cluster: ClusterSpec) -> None:
    """Raise ClusterError where the cluster, even idle, could not hold all of `wants`."""
    if cluster.autoscaling:
        return
    nodes = live_nodes()
    left_over = misfits(wants, nodes)
    if left_over:
        place = f"{left_over[0].model}: placement"
        raise ClusterError(shortage(left_over, nodes), boundary=place)


def free_now() -> str:
    """What nobody uses at this moment, in words."""
    free = ray.available_resources()
    return amount(free.get("GPU", 0), free.get("CPU", 0), zeros=True)
