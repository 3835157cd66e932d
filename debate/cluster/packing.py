"""Assign replicas to nodes, and to slots that they share where there are too few GPUs.

A slot is room for one replica that several of them use in turn. Nothing is started here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from debate.cluster.resources import (
    Node,
    ResourceRequest,
    describe_amount,
    list_resource_requests,
    summarize_resources,
)
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotPlan:
    """One slot, and the requests of the replicas that take turns in it."""

    replicas: tuple[ResourceRequest, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """The models that take turns."""
        return tuple(replica.model for replica in self.replicas)

    @property
    def largest(self) -> ResourceRequest:
        """The resources of the slot: enough for the largest replica."""
        return ResourceRequest(
            model=" / ".join(self.models),
            replica=0,
            gpus=max(replica.gpus for replica in self.replicas),
            cpus=max(replica.cpus for replica in self.replicas),
        )


def can_fit(request: ResourceRequest, *, gpus: float, cpus: float) -> bool:
    """Whether a replica fits into what is left of a node (Ray counts in ten-thousandths)."""
    return request.gpus <= gpus + 1e-4 and request.cpus <= cpus + 1e-4


def sort_by_size(requests: Iterable[ResourceRequest]) -> list[ResourceRequest]:
    """Return the requests in the order of GPUs, then CPUs, largest first."""
    return sorted(requests, key=lambda each: (each.gpus, each.cpus), reverse=True)


def find_unschedulable(
    requests: Iterable[ResourceRequest], nodes: Sequence[Node]
) -> list[ResourceRequest]:
    """Return the requests that even an idle cluster could not hold: first fit, largest first.

    >>> request = ResourceRequest(model="llama", replica=0, gpus=1, cpus=1)
    >>> [each.model for each in find_unschedulable([request], [Node(name="pc", gpus=0, cpus=8)])]
    ['llama']
    """
    free = [[node.gpus, node.cpus] for node in nodes]
    return [request for request in sort_by_size(requests) if not take_room(request, free)]


def take_room(request: ResourceRequest, free: list[list[float]]) -> bool:
    """Whether a node has room; takes it from the first that does. `free` are [GPUs, CPUs]."""
    room = next((f for f in free if can_fit(request, gpus=f[0], cpus=f[1])), None)
    if room is None:
        return False
    room[0] -= request.gpus
    room[1] -= request.cpus
    return True


def assign_nodes(
    requests: Iterable[ResourceRequest], nodes: Sequence[Node]
) -> dict[ResourceRequest, str]:
    """Return a preferred node id for each request, so that every node has its share of the work.

    Each goes where most is free, largest first. Requests that find no room that way are left out:
    Ray may still find some, since it takes the node for a preference and not a condition.

    >>> nodes = [Node(name="n1", id="1", gpus=3, cpus=8), Node(name="n2", id="2", gpus=2, cpus=8)]
    >>> requests = [ResourceRequest(model=name, replica=0, gpus=1, cpus=1) for name in "abc"]
    >>> [assign_nodes(requests, nodes)[request] for request in requests]
    ['1', '2', '1']
    """
    free = {node.id: [node.gpus, node.cpus] for node in nodes}
    found = {}
    for request in sort_by_size(requests):
        fitting = [id for id, f in free.items() if can_fit(request, gpus=f[0], cpus=f[1])]
        if fitting:
            found[request] = max(fitting, key=lambda id: free[id])
            free[found[request]][0] -= request.gpus
            free[found[request]][1] -= request.cpus
    return found


def describe_shortage(left_over: Sequence[ResourceRequest], nodes: Sequence[Node]) -> str:
    """Return why these replicas cannot be placed: what they request, and what the nodes have."""
    first = left_over[0]
    asked = f'model "{first.model}" wants {describe_amount(first.gpus, first.cpus)}'
    if len(left_over) > 1:
        others = sorted({each.model for each in left_over} - {first.model})
        asked += f" and {len(left_over) - 1} more replicas lack room"
        asked += f" ({', '.join(others)})" if others else ""
    gpus, cpus = sum(node.gpus for node in nodes), sum(node.cpus for node in nodes)
    by_node = "; ".join(f"{node.name}: {describe_amount(node.gpus, node.cpus)}" for node in nodes)
    there = f"the cluster has {describe_amount(gpus, cpus, zeros=True)} in all"
    there += f" ({by_node})" if len(nodes) > 1 else ""
    return f"{asked}; {there}. A replica must fit on one node; give it fewer, or add nodes"


def plan_slots(
    models: Mapping[str, ModelSpec], cluster: ClusterSpec, nodes: Sequence[Node] | None
) -> tuple[SlotPlan, ...]:
    """Return the slots that several replicas share; every other replica has resources of its own.

    With `slots.count`, all replicas share that many slots. Without it, those that want GPUs share
    the GPUs of `nodes`, if these are too few. `nodes` is None while they are not known.
    """
    requests = sort_by_size(list_resource_requests(models))
    count = cluster.slots.count
    if count is not None:
        for _, problem in find_slot_conflicts(models, count):
            raise ConfigError(problem)
        slots = distribute(requests, count) if count < len(requests) else []
    elif nodes is None or cluster.autoscaling:
        slots = []
    else:
        slots = pack_slots([each for each in requests if each.gpus], nodes)
    return tuple(SlotPlan(replicas=tuple(slot)) for slot in slots if len(slot) > 1)


def make_local_node(models: Mapping[str, ModelSpec], cluster: ClusterSpec) -> Node | None:
    """Return the one node of a local cluster; None if the run joins a cluster elsewhere."""
    there = summarize_resources(models, cluster)
    if there.total_gpus is None or there.total_cpus is None:
        return None
    return Node(name="here", gpus=there.total_gpus, cpus=there.total_cpus)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoomPlan:
    """Whether the nodes, even idle, have room for all replicas, and the slots that they share.

    `slots` is None while only the cluster can tell; `shortage` says why there is no room.
    """

    slots: tuple[SlotPlan, ...] | None
    shortage: str | None = None


def plan_room(
    models: Mapping[str, ModelSpec], cluster: ClusterSpec, nodes: Sequence[Node] | None = None
) -> RoomPlan:
    """Plan on these nodes, or without any on the one of a local cluster.

    Slots that are asked for are known without nodes. A cluster that grows by itself has room.
    """
    local = make_local_node(models, cluster)
    if nodes is None and local is not None:
        nodes = [local]
    if nodes is None and cluster.slots.count is None:
        return RoomPlan(slots=None)
    slots = plan_slots(models, cluster, nodes)
    if nodes is None or cluster.autoscaling:
        return RoomPlan(slots=slots)
    left_over = find_unschedulable(merge_slots(list_resource_requests(models), slots), nodes)
    return RoomPlan(
        slots=slots, shortage=describe_shortage(left_over, nodes) if left_over else None
    )


def merge_slots(
    requests: Iterable[ResourceRequest], plans: Iterable[SlotPlan]
) -> list[ResourceRequest]:
    """Return a request for each slot, then those of the replicas that are in none."""
    plans = list(plans)
    sharing = {replica for plan in plans for replica in plan.replicas}
    own = (request for request in requests if request not in sharing)
    return [*(plan.largest for plan in plans), *own]


def find_slot_conflicts(models: Mapping[str, ModelSpec], count: int) -> Iterator[tuple[str, str]]:
    """Yield each model with more replicas than `count` slots, and a message that says so.

    >>> from debate.config.models import VllmModel
    >>> models = {"a": VllmModel(engine="vllm", model="m", replicas=2)}
    >>> [model for model, _ in find_slot_conflicts(models, 1)]
    ['a']
    """
    for model, spec in models.items():
        if spec.host == "actor" and spec.replicas > count:
            yield (
                model,
                f'model "{model}" wants {spec.replicas} replicas and cluster.slots is {count}; a '
                f"slot holds one replica of a model: write replicas: {count} here, or more slots",
            )


def describe_slots(plans: Sequence[SlotPlan]) -> list[str]:
    """Return a line for each shared slot.

    >>> abc = tuple(ResourceRequest(model=name, replica=0, gpus=1, cpus=1) for name in "abc")
    >>> describe_slots([SlotPlan(replicas=abc)])
    ['a, b, c take turns in one place (1 GPU and 1 CPU): one is awake, the one with the most work']
    """
    return [
        f"{', '.join(plan.models)} take turns in one place "
        f"({describe_amount(plan.largest.gpus, plan.largest.cpus)}): one is awake, the one with "
        "the most work"
        for plan in plans
    ]


def distribute(requests: Iterable[ResourceRequest], count: int) -> list[list[ResourceRequest]]:
    """Distribute the replicas over `count` slots, each to the emptiest one without its model.

    >>> requests = [ResourceRequest(model=name, replica=0, gpus=0, cpus=1) for name in "abc"]
    >>> [[each.model for each in slot] for slot in distribute(requests, 2)]
    [['a', 'c'], ['b']]
    """
    slots: list[list[ResourceRequest]] = [[] for _ in range(count)]
    for request in requests:
        emptiest = find_emptiest_slot(request, slots)
        assert emptiest is not None, "there are at least as many slots as replicas of a model"
        emptiest.append(request)
    return slots


def pack_slots(
    requests: Sequence[ResourceRequest], nodes: Sequence[Node]
) -> list[list[ResourceRequest]]:
    """Give each replica a slot of its own while the nodes have room, then the emptiest shared one.

    A replica that fits in no slot, or only beside another of its own model, is left out.

    >>> requests = [ResourceRequest(model=name, replica=0, gpus=1, cpus=1) for name in "abc"]
    >>> slots = pack_slots(requests, [Node(name="n", gpus=2, cpus=8)])
    >>> [[each.model for each in slot] for slot in slots]
    [['a', 'c'], ['b']]
    """
    free = [[node.gpus, node.cpus] for node in nodes]
    slots: list[list[ResourceRequest]] = []
    for request in requests:
        if take_room(request, free):
            slots.append([request])
            continue
        emptiest = find_emptiest_slot(request, slots)
        if emptiest is not None:
            emptiest.append(request)
    return slots


def find_emptiest_slot(
    request: ResourceRequest, slots: Sequence[list[ResourceRequest]]
) -> list[ResourceRequest] | None:
    """Return the slot of the fewest replicas that is large enough and does not have the model."""
    possible = [
        slot
        for slot in slots
        if all(other.model != request.model for other in slot)
        and (not slot or can_fit(request, gpus=slot[0].gpus, cpus=float("inf")))
    ]
    return min(possible, key=len, default=None)
