"""Start and close the models of a run, in this process or in actors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, cast

from debate.cluster.packing import SlotPlan, assign_nodes, describe_slots, merge_slots, plan_slots
from debate.cluster.resources import (
    EnginePlan,
    ResourceRequest,
    get_adapter,
    is_elsewhere,
    list_replica_requests,
    list_resource_requests,
    plan_engines,
)
from debate.cluster.time_sharing import ServedModel, SharedDevice, TimeSharedReplica
from debate.config.cluster import ClusterSpec
from debate.config.models import HumanModel, ModelSpec
from debate.engines.addresses import list_secrets
from debate.engines.base import Engine
from debate.engines.client import ModelClient, run_all
from debate.engines.human.human_terminal import explain_no_terminal
from debate.engines.meter import Meter, SupportsMeter
from debate.engines.model_files import MissingFile, find_missing, list_model_files, refuse_missing
from debate.engines.registry import explain_missing
from debate.engines.replica import (
    AdapterReplica,
    LocalReplica,
    MultiAdapterReplica,
    Pulse,
    Replica,
    SharedReplica,
)
from debate.errors import ModelRefused

if TYPE_CHECKING:
    from debate.cluster.actor import RayReplica
    from debate.cluster.placement import SharedReservation


@dataclass(frozen=True, kw_only=True)
class PlacementPlan:
    """The slots that replicas share, and the preferred node of each slot and replica."""

    slots: tuple[SlotPlan, ...] = ()
    nodes: Mapping[ResourceRequest, str]


@asynccontextmanager
async def launch_models(
    specs: Mapping[str, ModelSpec],
    cluster: ClusterSpec,
    *,
    run: str = "run",
    meter: Meter | None = None,
    tell: Callable[[str], None] | None = None,
) -> AsyncIterator[Mapping[str, ModelClient]]:
    """Start the models of a run; on leaving, close them, and the cluster if it was started here.

    Calls are charged to the meter, if there is one. Models in one slot take turns. Ray is imported
    only where a model lives in an actor; `tell` is told which cluster was joined. Raises the first
    model's error, in the engine's own words, after closing the others; and before any engine
    starts, ModelRefused where packages are not installed that models of this machine need, a person
    is to be asked in a terminal that is not there, or files are missing, all of them at once, and
    ClusterError where the cluster could not hold them all.
    """
    local = select_local_models(specs, cluster)
    if told := explain_missing(local):
        raise ModelRefused(told, boundary="installation")
    if told := explain_no_terminal(local):
        raise ModelRefused(told, boundary="terminal")
    missing = find_missing(place for spec in local.values() for place in list_model_files(spec))
    if len(local) == len(specs):
        refuse_missing(missing, specs)
    async with AsyncExitStack() as stack:
        if list_resource_requests(specs) or cluster.orchestrators > 1:
            from debate.cluster.connection import claim_name, connect

            stack.enter_context(connect(cluster, specs, tell))
            run = stack.enter_context(claim_name(f"debate:{run}", cluster.namespace))
        placement = plan_placement(specs, cluster)
        if tell and is_elsewhere(cluster):
            for line in describe_slots(placement.slots):
                tell(line)
        reservations = make_slot_reservations(placement, cluster, run=run)
        for each in reservations:
            stack.callback(each.remove)
        engines = plan_engines(specs)
        replicas = {
            engine.name: make_replicas(engine, cluster, placement, reservations, run, meter)
            for engine in engines
        }
        clients: dict[str, ModelClient] = {}
        for engine in engines:
            clients |= make_clients(engine, specs, replicas[engine.name], meter)
        stack.push_async_callback(close_models, clients)
        if len(local) < len(specs):
            missing += await find_missing_on_nodes(chain.from_iterable(replicas.values()))
            refuse_missing(missing, specs)
        served = {engine.name: engine.models for engine in engines}
        devices = [make_device(plan, served, clients, cluster) for plan in placement.slots]
        for device in devices:
            stack.push_async_callback(device.close)
        starts = [each.start for each in devices] + [each.start for each in clients.values()]
        await run_all(start() for start in starts)
        yield clients


async def find_missing_on_nodes(
    replicas: Iterable[MultiAdapterReplica],
) -> tuple[MissingFile, ...]:
    """Place the actors of models that name files, and return what their nodes lack.

    Raises ClusterError where one cannot be placed.
    """
    found: list[MissingFile] = []

    async def look(replica: RayReplica) -> None:
        found.extend(await replica.find_missing())

    remote = (each for each in replicas if not isinstance(each, LocalReplica))
    await run_all(look(cast("RayReplica", each)) for each in remote)
    return tuple(found)


def select_local_models(
    specs: Mapping[str, ModelSpec], cluster: ClusterSpec
) -> dict[str, ModelSpec]:
    """Select the models that this machine's own packages and files run, as far as can be known.

    Actors of a cluster with an address, or with a runtime environment, may have others.
    """
    has_others = is_elsewhere(cluster) or bool(cluster.runtime_env)
    return {n: spec for n, spec in specs.items() if spec.host == "driver" or not has_others}


async def close_models(clients: Mapping[str, ModelClient]) -> None:
    """Close all models at once."""
    await asyncio.gather(*(each.close() for each in clients.values()))


def plan_placement(specs: Mapping[str, ModelSpec], cluster: ClusterSpec) -> PlacementPlan:
    """Plan slots and nodes for each replica. Raises ClusterError where they could never all fit."""
    requests = list_resource_requests(specs)
    if not requests:
        return PlacementPlan(nodes={})
    from debate.cluster.inquiry import list_live_nodes
    from debate.cluster.placement import check_schedulable

    nodes = list_live_nodes()
    slots = plan_slots(specs, cluster, nodes)
    merged = merge_slots(requests, slots)
    check_schedulable(merged, cluster)
    return PlacementPlan(slots=slots, nodes=assign_nodes(merged, nodes))


def make_slot_reservations(
    placement: PlacementPlan, cluster: ClusterSpec, *, run: str
) -> list[SharedReservation]:
    """Return a reservation for each slot, in their order; none of them acquired yet."""
    if not placement.slots:
        return []
    from debate.cluster.placement import SharedReservation

    return [
        SharedReservation(
            plan.largest,
            cluster,
            name=f"{run}:slot:{n}",
            node=placement.nodes.get(plan.largest),
        )
        for n, plan in enumerate(placement.slots)
    ]


def make_clients(
    engine: EnginePlan,
    specs: Mapping[str, ModelSpec],
    replicas: Sequence[MultiAdapterReplica],
    meter: Meter | None = None,
) -> dict[str, ModelClient]:
    """Return a client for each model of an engine. The replicas are not started."""
    secrets = list_secrets(specs.values())
    if not engine.is_shared:
        return {
            model: make_client(model, specs[model], replicas, secrets, meter)
            for model in engine.models
        }
    shared, pulses = [SharedReplica(each) for each in replicas], [Pulse() for _ in replicas]
    clients = {}
    for model in engine.models:
        views = [AdapterReplica(each, get_adapter(specs[model])) for each in shared]
        clients[model] = make_client(model, specs[model], views, secrets, meter, pulses)
    return clients


def make_replicas(
    engine: EnginePlan,
    cluster: ClusterSpec,
    placement: PlacementPlan,
    reservations: Sequence[SharedReservation],
    run: str,
    meter: Meter | None,
) -> Sequence[MultiAdapterReplica]:
    """Return the engine's replicas, in this process or in actors; none is started."""
    if engine.spec.host == "driver":
        return make_local_replicas(engine, meter)
    return make_ray_replicas(engine, cluster, placement, reservations, run=run)


def make_local_replicas(engine: EnginePlan, meter: Meter | None) -> list[LocalReplica]:
    """Return the engine's replicas in this process."""
    from debate.engines.registry import build_engine

    return [
        LocalReplica(
            _give_meter(
                build_engine(engine.spec, adapters=engine.adapters), meter, engine.models[0]
            )
        )
        for _ in range(engine.spec.replicas)
    ]


def _give_meter(engine: Engine, meter: Meter | None, model: str) -> Engine:
    """Return the engine; one that tries again by itself is told whom to ask first."""
    if meter is not None and isinstance(engine, SupportsMeter):
        engine.use_meter(meter, model)
    return engine


def make_client(
    model: str,
    spec: ModelSpec,
    replicas: Sequence[Replica],
    secrets: Sequence[str] = (),
    meter: Meter | None = None,
    pulses: Sequence[Pulse] = (),
) -> ModelClient:
    """Return a model's client of these replicas, which shows none of the secrets."""
    return ModelClient(
        model,
        replicas,
        max_in_flight=spec.max_in_flight,
        timeout_s=spec.timeout_s,
        max_restarts=spec.max_restarts,
        secrets=secrets,
        meter=meter,
        pulses=pulses,
        max_batch=1 if isinstance(spec, HumanModel) else None,
    )


def make_ray_replicas(
    engine: EnginePlan,
    cluster: ClusterSpec,
    placement: PlacementPlan,
    reservations: Sequence[SharedReservation],
    *,
    run: str,
) -> list[RayReplica]:
    """Return the engine's replicas in actors, each with a reservation: its slot's or its own."""
    from debate.cluster.actor import RayReplica
    from debate.cluster.placement import OwnReservation, Reservation

    replicas = []
    for wanted in list_replica_requests(engine):
        slot = next((n for n, p in enumerate(placement.slots) if wanted in p.replicas), None)
        name, node = f"{run}:{wanted.model}:{wanted.replica}", placement.nodes.get(wanted)
        reservation: Reservation = OwnReservation(wanted, cluster, name=name, node=node)
        sharing = 1
        if slot is not None:
            reservation, sharing = reservations[slot], len(placement.slots[slot].replicas)
        replicas.append(
            RayReplica(
                wanted,
                engine.spec,
                cluster,
                run=run,
                reservation=reservation,
                adapters=engine.adapters,
                sharing=sharing,
            )
        )
    return replicas


def make_device(
    plan: SlotPlan,
    served: Mapping[str, Sequence[str]],
    clients: Mapping[str, ModelClient],
    cluster: ClusterSpec,
) -> SharedDevice:
    """Return the device of a slot. `served` are the models of each engine, by the engine's name."""
    replicas = [
        TimeSharedReplica(
            *(
                ServedModel(
                    client=clients[model],
                    replica_queue=clients[model].replica_queues[request.replica],
                )
                for model in served[request.model]
            )
        )
        for request in plan.replicas
    ]
    return SharedDevice(replicas, cluster.slots)
