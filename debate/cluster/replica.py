"""One replica of a model as a Ray actor in a place of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn, cast

import ray
from ray.exceptions import RayError, RayTaskError

from debate.cluster.actor import EngineActor
from debate.cluster.connection import actor_environment
from debate.cluster.parcels import Unpacker
from debate.cluster.placement import Place
from debate.cluster.resources import Wanted
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.engines.base import Completion, Request
from debate.engines.replica import Placement, ReplicaLost
from debate.errors import ClusterError, DebateError

completions = Unpacker(Completion)
"""The lists that an actor streams."""

CONTROL_CALLS = 16
"""Calls of an actor beside its batches: start, close."""


class RayReplica:
    """Places, starts, asks and, after a loss, replaces the actor of one replica.

    All GPUs of a replica lie on one node, in one bundle: with more than one, the engine spreads
    over them with processes of its own inside the actor. `adapters` are the folders that it serves
    beside the spec's own; `sharing` counts the replicas that take turns in the place.
    """

    def __init__(
        self,
        want: Wanted,
        spec: ModelSpec,
        cluster: ClusterSpec,
        *,
        run: str,
        place: Place,
        adapters: tuple[str, ...] = (),
        sharing: int = 1,
    ) -> None:
        self._want = want
        self._spec = spec
        self._cluster = cluster
        self._place = place
        self._adapters = adapters
        self._sharing = sharing
        self._name = f"debate:{run}:{want.model}:{want.replica}"
        self._num_starts = 0
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
        self._num_starts += 1
        self._actor = self._create(name, await self._place.enter())
        self._placement = await self._call("start", await self._place.gpus())

    async def complete(
        self, requests: Sequence[Request], adapter: str | None = None
    ) -> AsyncIterator[Sequence[Completion]]:
        """Stream the actor's lists. Raises ReplicaLost when it, or its node, is gone."""
        stream = self._actor.complete.remote(list(requests), adapter)
        is_exhausted = False
        try:
            async for reference in stream:
                yield completions(await reference)
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

    async def sleep(self) -> None:
        """Leave the place's devices to another replica. Raises BoundaryError."""
        await self._call("sleep")

    async def wake(self) -> None:
        """Take the devices again. Raises BoundaryError, also where the actor died asleep."""
        await self._call("wake")

    async def forget_prefixes(self) -> bool:
        """Empty the engine's prefix cache, if it has one; whether it has. Raises BoundaryError."""
        return bool(await self._call("forget_prefixes"))

    async def close(self) -> None:
        """Close the engine, then end the actor and give its place back."""
        if self._actor is not None and self._placement is not None:
            try:
                await self._actor.close.remote()
            except RayError:
                self._placement = None
        self._discard()

    async def _call(self, method: str, *arguments: Any) -> Any:
        """Call the actor; its own error is raised as it is, its death as a ClusterError."""
        place = f"{self._want.model}: {method}"
        if self._actor is None:
            raise ClusterError("the actor is gone", boundary=place)
        try:
            return await getattr(self._actor, method).remote(*arguments)
        except RayTaskError as error:
            raise_cause(error, place=place)
        except RayError as error:
            raise ClusterError(f"the actor died: {last_line(error)}", boundary=place) from error

    def _create(self, name: str, options: dict[str, Any]) -> Any:
        environment = actor_environment(self._cluster)
        if environment:
            options["runtime_env"] = {"env_vars": environment}
        named = ray.remote(EngineActor).options(
            name=name,
            namespace=self._cluster.namespace,
            max_concurrency=self._spec.max_in_flight + CONTROL_CALLS,
            **options,
        )
        reload = self._cluster.slots.swap == "reload"
        return named.remote(
            self._want.model,
            self._spec,
            adapters=self._adapters,
            sharing=self._sharing,
            reload=reload,
        )

    def _discard(self) -> None:
        self._placement = None
        if self._actor is not None:
            ray.kill(self._actor)
            self._actor = None
        self._place.leave()


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
