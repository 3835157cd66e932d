"""Which models share a place, where there are more of them than places. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from debate.cluster.resources import Node, Wanted, amount, fits, misfits, resources, wanted
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotPlan:
    """One place, and the replicas that take turns in it."""

    tenants: tuple[Wanted, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """The models that take turns."""
        return tuple(tenant.model for tenant in self.tenants)

    @property
    def want(self) -> Wanted:
        """What the place must hold: its largest tenant."""
        return Wanted(
            model=" / ".join(self.models),
            replica=0,
            gpus=max(tenant.gpus for tenant in self.tenants),
            cpus=max(tenant.cpus for tenant in self.tenants),
        )


def slot_plans(
    models: Mapping[str, ModelSpec], cluster: ClusterSpec, nodes: Sequence[Node] | None
) -> tuple[SlotPlan, ...]:
    """The places that are shared; what is in none of them has a place of its own.

    With `slots.count`, all replicas share that many places. Without it, those that want GPUs share
    what GPUs there are, if these are too few. `nodes` is None where nobody knows yet what is there.
    """
    wants = sorted(wanted(models), key=lambda each: (each.gpus, each.cpus), reverse=True)
    count = cluster.slots.count
    if count is not None:
        for _, problem in crowds(models, count):
            raise ConfigError(problem)
        slots = dealt(wants, count) if count < len(wants) else []
    elif nodes is None or cluster.autoscaling:
        slots = []
    else:
        slots = packed([each for each in wants if each.gpus], nodes)
    return tuple(SlotPlan(tenants=tuple(slot)) for slot in slots if len(slot) > 1)


def places(wants: Iterable[Wanted], plans: Iterable[SlotPlan]) -> list[Wanted]:
    """What must be found room for: each slot, and each replica that is in none."""
    plans = list(plans)
    sharing = {tenant for plan in plans for tenant in plan.tenants}
    return [*(plan.want for plan in plans), *(want for want in wants if want not in sharing)]


def can_start_here(models: Mapping[str, ModelSpec], cluster: ClusterSpec) -> bool | None:
    """Whether a local cluster has room for all places; None where only the run can tell."""
    there, plans = resources(models, cluster), offline_plans(models, cluster)
    if plans is None or there.gpus_there is None or there.cpus_there is None:
        return None
    node = Node(name="here", gpus=there.gpus_there, cpus=there.cpus_there)
    return not misfits(places(there.wanted, plans), [node])


def offline_plans(
    models: Mapping[str, ModelSpec], cluster: ClusterSpec
) -> tuple[SlotPlan, ...] | None:
    """The same before any cluster is asked; None where only the run can tell."""
    there = resources(models, cluster)
    if there.gpus_there is None or there.cpus_there is None:
        return slot_plans(models, cluster, None) if cluster.slots.count else None
    return slot_plans(
        models, cluster, [Node(name="here", gpus=there.gpus_there, cpus=there.cpus_there)]
    )


def crowds(models: Mapping[str, ModelSpec], count: int) -> Iterator[tuple[str, str]]:
    """The models that would have to take turns with themselves, and what is wrong with that.

    >>> from debate.config.models import VllmModel
    >>> [model for model, _ in crowds({"a": VllmModel(engine="vllm", model="m", replicas=2)}, 1)]
    ['a']
    """
    for model, spec in models.items():
        if spec.host == "actor" and spec.replicas > count:
            yield (
                model,
                f'model "{model}" wants {spec.replicas} replicas and cluster.slots is {count}; a '
                f"slot holds one replica of a model: write replicas: {count} here, or more slots",
            )


def in_words(plans: Sequence[SlotPlan] | None) -> list[str]:
    """What is shared, a line for each place; None means that only the run can tell.

    >>> wants = tuple(Wanted(model=name, replica=0, gpus=1, cpus=1) for name in "abc")
    >>> in_words([SlotPlan(tenants=wants)])
    ['a, b, c take turns in one place (1 GPU and 1 CPU): one is awake, the one with the most work']
    """
    if plans is None:
        return ["where the cluster has too few GPUs, models will take turns on them"]
    return [
        f"{', '.join(plan.models)} take turns in one place "
        f"({amount(plan.want.gpus, plan.want.cpus)}): one is awake, the one with the most work"
        for plan in plans
    ]


def dealt(wants: Iterable[Wanted], count: int) -> list[list[Wanted]]:
    """The replicas over `count` slots, each to the emptiest one without its model.

    >>> wants = [Wanted(model=name, replica=0, gpus=0, cpus=1) for name in "abc"]
    >>> [[each.model for each in slot] for slot in dealt(wants, 2)]
    [['a', 'c'], ['b']]
    """
    slots: list[list[Wanted]] = [[] for _ in range(count)]
    for want in wants:
        emptiest = emptiest_for(want, slots)
        assert emptiest is not None, "there are at least as many slots as replicas of a model"
        emptiest.append(want)
    return slots


def packed(wants: Sequence[Wanted], nodes: Sequence[Node]) -> list[list[Wanted]]:
    """Largest first, each to a place of its own while there is room, then beside the fewest others.

    What could never be placed, or only beside its own kind, is left out.

    >>> wants = [Wanted(model=name, replica=0, gpus=1, cpus=1) for name in "abc"]
    >>> slots = packed(wants, [Node(name="n", gpus=2, cpus=8)])
    >>> [[each.model for each in slot] for slot in slots]
    [['a', 'c'], ['b']]
    """
    free = [[node.gpus, node.cpus] for node in nodes]
    slots: list[list[Wanted]] = []
    for want in wants:
        room = next((f for f in free if fits(want, gpus=f[0], cpus=f[1])), None)
        if room is not None:
            room[0] -= want.gpus
            room[1] -= want.cpus
            slots.append([want])
            continue
        emptiest = emptiest_for(want, slots)
        if emptiest is not None:
            emptiest.append(want)
    return slots


def emptiest_for(want: Wanted, slots: Sequence[list[Wanted]]) -> list[Wanted] | None:
    """The slot of the fewest tenants that is large enough and does not have the model yet."""
    possible = [
        slot
        for slot in slots
        if all(other.model != want.model for other in slot)
        and (not slot or fits(want, gpus=slot[0].gpus, cpus=float("inf")))
    ]
    return min(possible, key=len, default=None)
