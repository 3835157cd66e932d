"""Room on the cluster for actors: placement groups of one bundle, awaited up to a deadline."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Any

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from debate.cluster.connection import get_session
from debate.cluster.inquiry import list_live_nodes
from debate.cluster.packing import describe_shortage, find_unschedulable
from debate.cluster.resources import ResourceRequest, describe_amount
from debate.config.cluster import ClusterSpec
from debate.errors import ClusterError

POLL_INTERVAL_S = 2
"""Seconds between two checks whether a cluster without free room could hold the request at all."""


class Reservation(ABC):
    """Resources of the cluster in which a replica's actor may live.

    `node` is the id of the node that would be best.
    """

    def __init__(
        self, wanted: ResourceRequest, cluster: ClusterSpec, *, name: str, node: str | None = None
    ) -> None:
        self._session = get_session()
        self._wanted = wanted
        self._cluster = cluster
        self._name = name
        self._node = node
        self._group: PlacementGroup | None = None

    @abstractmethod
    async def acquire(self) -> dict[str, Any]:
        """Wait for room and return the actor's options. Raises ClusterError if there is none."""

    @abstractmethod
    async def get_gpus(self) -> tuple[str, ...] | None:
        """Return the ids of the GPUs to use; None if Ray gives them to the actor itself."""

    @abstractmethod
    def release(self) -> None:
        """Note that the actor has ended."""

    def remove(self) -> None:
        """Give the resources back to the cluster."""
        if self._group is not None:
            if get_session() == self._session:
                remove_placement_group(self._group)
            self._group = None


class OwnReservation(Reservation):
    """Resources for one replica, given back whenever its actor ends."""

    _num_acquired = 0

    async def acquire(self) -> dict[str, Any]:
        """Reserve anew; after the first time, on whichever node has room."""
        name = f"{self._name}:{self._num_acquired}" if self._num_acquired else self._name
        node = None if self._num_acquired else self._node
        self._num_acquired += 1
        self._group = await reserve(self._wanted, self._cluster, name=name, node=node)
        return {
            "num_cpus": self._wanted.cpus,
            "num_gpus": self._wanted.gpus,
            "max_restarts": 0,
            **make_group_options(self._group),
        }

    async def get_gpus(self) -> tuple[str, ...] | None:
        """Return None: Ray gives the actor its GPUs."""
        return None

    def release(self) -> None:
        """Give the resources back."""
        self.remove()


class SharedReservation(Reservation):
    """Resources for several replicas that take turns on them.

    The actors ask Ray for nothing, since it would lend each GPU to one of them only; they are told
    the ids of the GPUs instead.
    """

    def __init__(
        self, wanted: ResourceRequest, cluster: ClusterSpec, *, name: str, node: str | None = None
    ) -> None:
        super().__init__(wanted, cluster, name=name, node=node)
        self._reserving = asyncio.Lock()

    async def acquire(self) -> dict[str, Any]:
        """Reserve at the first time; after the loss of its node, wait until Ray has moved it."""
        if not self._wanted.bundle:
            return {"num_cpus": 0, "num_gpus": 0, "max_restarts": 0}
        async with self._reserving:
            if self._group is None:
                self._group = await reserve(
                    self._wanted, self._cluster, name=self._name, node=self._node
                )
            else:
                await wait_for_group(self._group, self._wanted, self._cluster)
        options = make_group_options(self._group)
        return {"num_cpus": 0, "num_gpus": 0, "max_restarts": 0, **options}

    async def get_gpus(self) -> tuple[str, ...] | None:
        """Return the ids of the reserved GPUs, read by a task that holds them for a moment."""
        if not self._wanted.gpus:
            return ()
        options = {"num_gpus": self._wanted.gpus, "num_cpus": 0, **make_group_options(self._group)}
        return tuple(await ray.remote(read_own_gpus).options(**options).remote())

    def release(self) -> None:
        """Do nothing: the other replicas stay."""


def read_own_gpus() -> list[str]:
    """Return the ids of the GPUs that Ray has given to this process."""
    return [str(gpu) for gpu in ray.get_gpu_ids()]


def make_group_options(group: PlacementGroup | None) -> dict[str, Any]:
    """Return the option that puts an actor or task into a group's bundle."""
    if group is None:
        return {}
    strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
    return {"scheduling_strategy": strategy}


async def reserve(
    wanted: ResourceRequest, cluster: ClusterSpec, *, name: str, node: str | None = None
) -> PlacementGroup | None:
    """Reserve a replica's resources, on `node` if it has room; None if it needs no resources.

    Raises ClusterError at once where no node could ever hold it (unless the cluster grows by
    itself), and after `placement_timeout_s` where others keep what is there.
    """
    if not wanted.bundle:
        return None
    check_schedulable([wanted], cluster)
    group = placement_group(
        [wanted.bundle], strategy="STRICT_PACK", name=name, _soft_target_node_id=node
    )
    try:
        await wait_for_group(group, wanted, cluster)
    except BaseException:
        remove_placement_group(group)
        raise
    return group


async def wait_for_group(
    group: PlacementGroup, wanted: ResourceRequest, cluster: ClusterSpec
) -> None:
    """Wait until a group has its resources. Raises ClusterError as `reserve` does."""
    deadline = time.monotonic() + cluster.placement_timeout_s
    while not await asyncio.to_thread(group.wait, POLL_INTERVAL_S):
        check_schedulable([wanted], cluster)
        if time.monotonic() > deadline:
            amount = describe_amount(wanted.gpus, wanted.cpus)
            raise ClusterError(
                f'model "{wanted.model}" wants {amount}; the cluster has them, '
                f"but others kept them for {cluster.placement_timeout_s:g} s "
                f"(free now: {describe_free_resources()})",
                boundary=f"{wanted.model}: placement",
            )


def check_schedulable(wanted: list[ResourceRequest], cluster: ClusterSpec) -> None:
    """Raise ClusterError where the cluster, even idle, could not hold all requests."""
    if cluster.autoscaling:
        return
    nodes = list_live_nodes()
    left_over = find_unschedulable(wanted, nodes)
    if left_over:
        place = f"{left_over[0].model}: placement"
        raise ClusterError(describe_shortage(left_over, nodes), boundary=place)


def describe_free_resources() -> str:
    """Return in words what nobody uses at this moment."""
    free = ray.available_resources()
    return describe_amount(free.get("GPU", 0), free.get("CPU", 0), zeros=True)
