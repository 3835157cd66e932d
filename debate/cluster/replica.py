"""One replica of a model as a Ray actor in a place of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn, cast

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.placement_group import PlacementGroup, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from debate.cluster.actor import EngineActor
from debate.cluster.connection import actor_environment
from debate.cluster.placement import reserve
from debate.cluster.resources import Wanted
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.engines.base import Completion, Request
from debate.engines.replica import Placement, ReplicaLost
from debate.errors import ClusterError, DebateError

CONTROL_CALLS = 16
"""Calls of an actor beside its batches: start, close."""


class RayReplica:
    """Places, starts, asks and, after a loss, replaces the actor of one replica.

    All GPUs of a replica lie on one node, in one bundle: with more than one, the engine spreads
    over them with processes of its own inside the actor. `node` is where it would best start.
    """

    def __init__(
        self,
        want: Wanted,
        spec: ModelSpec,
        cluster: ClusterSpec,
        *,
        run: str,
        node: str | None = None,
    ) -> None:
        self._want = want
        self._node = node
        self._spec = spec
        self._cluster = cluster
        self._name = f"debate:{run}:{want.model}:{want.replica}"
        self._num_starts = 0
        self._group: PlacementGroup | None = None
        self._actor: Any = None
        self._placement: Placement | None = None

    @property
    def placement(self) -> Placement | None:
        """The actor's node, process and GPUs."""
        return self._placement

    async def start(self) -> None:
        """Place and start an actor, after clearing away the one before it.

        Raises EngineError for what the engine says and ClusterError for the rest.
        """
        self._discard()
        name = f"{self._name}:{self._num_starts}" if self._num_starts else self._name
        node = None if self._num_starts else self._node
        self._num_starts += 1
        self._group = await reserve(self._want, self._cluster, name=name, node=node)
        self._actor = self._create(name)
        try:
            self._placement = await self._actor.start.remote()
        except RayTaskError as error:
            raise_cause(error, place=f"{self._want.model}: start")
        except RayError as error:
            place = f"{self._want.model}: start"
            raise ClusterError(f"the actor died: {last_line(error)}", boundary=place) from error

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Stream the actor's lists. Raises ReplicaLost when it, or its node, is gone."""
        stream = self._actor.complete.remote(list(requests))
        is_exhausted = False
        try:
            async for reference in stream:
                yield await reference
            is_exhausted = True
        except RayTaskError as error:
            is_exhausted = True
            raise_cause(error, place=f"{self._want.model}: complete")
        except RayError as error:
            is_exhausted = True
            raise ReplicaLost(
                f"replica {self._want.replica} was lost: {last_line(error)}",
                boundary=f"{self._want.model}: actor",
            ) from error
        finally:
            if not is_exhausted:
                ray.cancel(stream)

    async def close(self) -> None:
        """Close the engine, then end the actor and give its place back."""
        if self._actor is not None and self._placement is not None:
            try:
                await self._actor.close.remote()
            except RayError:
                self._placement = None
        self._discard()

    def _create(self, name: str) -> Any:
        spec, environment = self._spec, actor_environment(self._cluster)
        options: dict[str, Any] = {
            "name": name,
            "namespace": self._cluster.namespace,
            "num_cpus": spec.cpus,
            "num_gpus": spec.gpus,
            "max_restarts": 0,
            "max_concurrency": spec.max_in_flight + CONTROL_CALLS,
        }
        if environment:
            options["runtime_env"] = {"env_vars": environment}
        if self._group is not None:
            options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(
                self._group, placement_group_bundle_index=0
            )
        return ray.remote(EngineActor).options(**options).remote(self._want.model, spec)

    def _discard(self) -> None:
        self._placement = None
        if self._actor is not None:
            ray.kill(self._actor)
            self._actor = None
        if self._group is not None:
            remove_placement_group(self._group)
            self._group = None


def raise_cause(error: RayTaskError, *, place: str) -> NoReturn:
    """Raise what the actor raised, without Ray's wrapping and traceback."""
    cause = cast("BaseException", error.cause)
    if isinstance(cause, DebateError):
        raise cause from None
    raise ClusterError(f"{type(cause).__name__}: {cause}", boundary=place) from error


def last_line(error: BaseException) -> str:
    """The line of Ray's report that names the cause, without its general advice.

    >>> last_line(RuntimeError("The actor died.\\n  pid: 7\\nIt was killed. Some common causes: x"))
    'It was killed.'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].partition(" Some common causes")[0] if lines else type(error).__name__
