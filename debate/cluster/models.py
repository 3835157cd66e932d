"""Start and close the models of a run, wherever each of them lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager

from debate.cluster.resources import Wanted, spread, wanted
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.engines.client import LocalReplica, ModelClient, Replica, at_once


@asynccontextmanager
async def running_models(
    specs: Mapping[str, ModelSpec], cluster: ClusterSpec, *, run: str = "run"
) -> AsyncIterator[Mapping[str, ModelClient]]:
    """The models of a run, started; closed on leaving, with the cluster if it was started here.

    Ray is imported only where a model lives in an actor.
    """
    with ExitStack() as stack:
        if wanted(specs):
            from debate.cluster.connection import connect

            stack.enter_context(connect(cluster, specs))
        clients = await start_models(specs, cluster, run=run)
        try:
            yield clients
        finally:
            await close_models(clients)


async def start_models(
    specs: Mapping[str, ModelSpec], cluster: ClusterSpec, *, run: str = "run"
) -> Mapping[str, ModelClient]:
    """Start all models at once; Ray must be connected if one of them lives in an actor.

    Raises the first model's error, in the engine's own words, after closing the others; and
    ClusterError before anything starts where the cluster could not hold them all.
    """
    nodes = planned(specs, cluster)
    clients = {
        model: client(model, spec, cluster, run=run, nodes=nodes) for model, spec in specs.items()
    }
    try:
        await at_once(each.start() for each in clients.values())
    except BaseException:
        await close_models(clients)
        raise
    return clients


async def close_models(clients: Mapping[str, ModelClient]) -> None:
    """Close all models at once."""
    await asyncio.gather(*(each.close() for each in clients.values()))


def client(
    model: str, spec: ModelSpec, cluster: ClusterSpec, *, run: str, nodes: Mapping[Wanted, str]
) -> ModelClient:
    """A model's client with its replicas, none of them started."""
    return ModelClient(
        model,
        replicas(model, spec, cluster, run=run, nodes=nodes),
        max_in_flight=spec.max_in_flight,
        timeout_s=spec.timeout_s,
        max_restarts=spec.max_restarts,
    )


def replicas(
    model: str, spec: ModelSpec, cluster: ClusterSpec, *, run: str, nodes: Mapping[Wanted, str]
) -> list[Replica]:
    """One replica per copy: in this process, or each in an actor of its own."""
    if spec.host == "driver":
        from debate.engines.registry import build_engine

        return [LocalReplica(build_engine(spec)) for _ in range(spec.replicas)]
    from debate.cluster.replica import RayReplica

    return [
        RayReplica(want, spec, cluster, run=run, node=nodes.get(want))
        for want in wanted({model: spec})
    ]


def planned(specs: Mapping[str, ModelSpec], cluster: ClusterSpec) -> Mapping[Wanted, str]:
    """A node for each replica. Raises ClusterError where they could never all be placed."""
    wants = wanted(specs)
    if not wants:
        return {}
    from debate.cluster.connection import live_nodes
    from debate.cluster.placement import refuse_misfits

    refuse_misfits(list(wants), cluster)
    return spread(wants, live_nodes())
