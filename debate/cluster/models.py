"""Start and close the models of a run, wherever each of them lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debate.cluster.engines import SharedEngine, adapter_of, shared_engines
from debate.cluster.resources import Wanted, spread, wanted, wants_of
from debate.cluster.sharing import SlotPlan, places, slot_plans
from debate.cluster.slots import Slot
from debate.cluster.tenants import Seat, Tenant
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.engines.client import LocalReplica, ModelClient, Replica, at_once
from debate.engines.shared import AdapterReplica, SharedReplica

if TYPE_CHECKING:
    from debate.cluster.placement import SharedPlace
    from debate.cluster.replica import RayReplica


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where everything is to live: the shared places, and the best node of each place."""

    slots: tuple[SlotPlan, ...] = ()
    nodes: Mapping[Wanted, str]


@asynccontextmanager
async def running_models(
    specs: Mapping[str, ModelSpec], cluster: ClusterSpec, *, run: str = "run"
) -> AsyncIterator[Mapping[str, ModelClient]]:
    """The models of a run, started; closed on leaving, with the cluster if it was started here.

    Models that share a place take turns in it. Ray is imported only where a model lives in an
    actor. Raises the first model's error, in the engine's own words, after closing the others; and
    ClusterError before anything starts where the cluster could not hold them all.
    """
    async with AsyncExitStack() as stack:
        if wanted(specs) or cluster.orchestrators > 1:
            from debate.cluster.connection import connect

            stack.enter_context(connect(cluster, specs))
        layout = laid_out(specs, cluster)
        shared = shared_places(layout, cluster, run=run)
        for place in shared:
            stack.callback(place.remove)
        engines = shared_engines(specs)
        clients = {
            model: found
            for engine in engines
            for model, found in clients_of(engine, specs, cluster, layout, shared, run=run).items()
        }
        stack.push_async_callback(close_models, clients)
        served = {engine.name: engine.models for engine in engines}
        slots = [slot_of(plan, served, clients, cluster) for plan in layout.slots]
        for each in slots:
            stack.push_async_callback(each.close)
        starts = [each.start for each in slots] + [each.start for each in clients.values()]
        await at_once(start() for start in starts)
        yield clients


async def close_models(clients: Mapping[str, ModelClient]) -> None:
    """Close all models at once."""
    await asyncio.gather(*(each.close() for each in clients.values()))


def laid_out(specs: Mapping[str, ModelSpec], cluster: ClusterSpec) -> Layout:
    """A place for each replica. Raises ClusterError where they could never all be placed."""
    wants = wanted(specs)
    if not wants:
        return Layout(nodes={})
    from debate.cluster.connection import live_nodes
    from debate.cluster.placement import refuse_misfits

    nodes = live_nodes()
    slots = slot_plans(specs, cluster, nodes)
    found = places(wants, slots)
    refuse_misfits(found, cluster)
    return Layout(slots=slots, nodes=spread(found, nodes))


def shared_places(layout: Layout, cluster: ClusterSpec, *, run: str) -> list[SharedPlace]:
    """The places of the slots, in their order; none of them reserved yet."""
    if not layout.slots:
        return []
    from debate.cluster.placement import SharedPlace

    return [
        SharedPlace(
            plan.want, cluster, name=f"debate:{run}:slot:{n}", node=layout.nodes.get(plan.want)
        )
        for n, plan in enumerate(layout.slots)
    ]


def clients_of(
    engine: SharedEngine,
    specs: Mapping[str, ModelSpec],
    cluster: ClusterSpec,
    layout: Layout,
    shared: Sequence[SharedPlace],
    *,
    run: str,
) -> dict[str, ModelClient]:
    """A client for each model of an engine, with its view of the replicas, none of them started."""
    if engine.spec.host == "driver":
        from debate.engines.registry import build_engine

        local = [LocalReplica(build_engine(engine.spec)) for _ in range(engine.spec.replicas)]
        return {model: client(model, specs[model], local) for model in engine.models}
    found = actors(engine, cluster, layout, shared, run=run)
    if not engine.is_shared:
        return {model: client(model, specs[model], found) for model in engine.models}
    joined = [SharedReplica(each) for each in found]
    return {
        model: client(model, spec, [AdapterReplica(each, adapter_of(spec)) for each in joined])
        for model, spec in ((model, specs[model]) for model in engine.models)
    }


def client(model: str, spec: ModelSpec, copies: Sequence[Replica]) -> ModelClient:
    """A model's client with its replicas, none of them started."""
    return ModelClient(
        model,
        copies,
        max_in_flight=spec.max_in_flight,
        timeout_s=spec.timeout_s,
        max_restarts=spec.max_restarts,
    )


def actors(
    engine: SharedEngine,
    cluster: ClusterSpec,
    layout: Layout,
    shared: Sequence[SharedPlace],
    *,
    run: str,
) -> list[RayReplica]:
    """One replica per copy of the engine, each in an actor, in a place of its own or not."""
    from debate.cluster.placement import OwnPlace, Place
    from debate.cluster.replica import RayReplica

    found = []
    for want in wants_of(engine):
        slot = next((n for n, plan in enumerate(layout.slots) if want in plan.tenants), None)
        name, node = f"debate:{run}:{want.model}:{want.replica}", layout.nodes.get(want)
        place: Place = OwnPlace(want, cluster, name=name, node=node)
        sharing = 1
        if slot is not None:
            place, sharing = shared[slot], len(layout.slots[slot].tenants)
        found.append(
            RayReplica(
                want,
                engine.spec,
                cluster,
                run=run,
                place=place,
                adapters=engine.adapters,
                sharing=sharing,
            )
        )
    return found


def slot_of(
    plan: SlotPlan,
    served: Mapping[str, Sequence[str]],
    clients: Mapping[str, ModelClient],
    cluster: ClusterSpec,
) -> Slot:
    """The one who decides which of the plan's replicas is awake, with the models of each."""
    tenants = [
        Tenant(
            *(
                Seat(client=clients[model], lane=clients[model].lanes[want.replica])
                for model in served[want.model]
            )
        )
        for want in plan.tenants
    ]
    return Slot(tenants, cluster.slots)
