"""A place for each replica: a placement group of one bundle, awaited but never for ever."""

from __future__ import annotations

import asyncio
import time

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from debate.cluster.connection import live_nodes
from debate.cluster.resources import Wanted, amount, misfits, shortage
from debate.config.cluster import ClusterSpec
from debate.errors import ClusterError

LOOK_AGAIN_S = 2
"""How long to wait for a place before asking again whether the cluster could ever have one."""


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
        await _wait(group, want, cluster)
    except BaseException:
        remove_placement_group(group)
        raise
    return group


async def _wait(group: PlacementGroup, want: Wanted, cluster: ClusterSpec) -> None:
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
