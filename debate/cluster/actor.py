"""One replica of an engine on Ray: the actor that hosts it, and the handle that owns the actor."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, NoReturn, cast

import ray
from ray.exceptions import RayError, RayTaskError

from debate.cluster.connection import (
    await_ray,
    get_session,
    read_actor_environment,
    require_session,
)
from debate.cluster.messages import ItemDecoder, Payload, encode_items
from debate.cluster.placement import Reservation
from debate.cluster.resources import ResourceRequest
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, TransformersModel
from debate.config.registry import add_import_folders, list_import_folders
from debate.engines.base import (
    Completion,
    Engine,
    Request,
    complete_with_adapter,
    describe_engine,
    try_reset_prefix_cache,
)
from debate.engines.model_files import MissingFile, find_missing, list_model_files
from debate.engines.processes import ParentDeathWatchdog
from debate.engines.replica import EngineHost, Placement, ReplicaLost
from debate.errors import ClusterError, DebateError, EngineError, boundary

COMPLETIONS: Final = ItemDecoder(Completion)
"""Decodes the lists that an actor streams."""

NUM_CONTROL_CALLS = 16
"""Concurrent calls that an actor allows besides its batches: start, sleep, wake, close."""


class EngineActor:
    """The process that hosts one engine, built inside it from a spec.

    Completions that have finished since the last message leave together. `adapters` are the
    folders that the engine serves beside the spec's own; `sharing` counts the models that take
    turns on this actor's device; with `reload` the engine is closed instead of put to sleep.
    `import_folders` are where modules of custom code may lie.
    """

    def __init__(
        self,
        model: str,
        spec: ModelSpec,
        *,
        adapters: tuple[str, ...] = (),
        sharing: int = 1,
        reload: bool = False,
        import_folders: tuple[str, ...] = (),
    ) -> None:
        add_import_folders(import_folders)
        self._model = model
        self._spec = set_threads(spec)
        self._adapters = adapters
        self._hosted = EngineHost(self._build, reload=reload)
        self._sharing = 1 if reload else sharing
        self._reaper = ParentDeathWatchdog()

    async def find_missing(self) -> tuple[MissingFile, ...]:
        """Return what the model names and this node lacks; the engine is not built yet."""
        return find_missing(list_model_files(self._spec, self._adapters))

    async def start(self, gpus: tuple[str, ...] | None = None) -> Placement:
        """Build and start the engine on `gpus`, or on the GPUs that Ray gave to this process.

        Raises EngineError with the cause in words.
        """
        self._watch_process_group()
        given = tuple(map(str, ray.get_gpu_ids())) if gpus is None else gpus
        if gpus is not None or not given:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(given)
        with boundary(EngineError, f"{self._model}: start"):
            await self._hosted.start()
        node = ray.get_runtime_context().get_node_id()
        facts = describe_engine(self._hosted.engine)
        return Placement(host=platform.node(), pid=os.getpid(), node=node, gpus=given, facts=facts)

    async def complete(
        self, requests: Sequence[Request], adapter: str | None = None
    ) -> AsyncIterator[Payload]:
        """Stream encoded lists of completions, by the adapter in that folder if one is named."""
        async for completions in coalesce(
            complete_with_adapter(self._hosted.engine, requests, adapter)
        ):
            yield encode_items(completions)

    async def sleep(self) -> None:
        """Free the device for another model."""
        with boundary(EngineError, f"{self._model}: sleep"):
            await self._hosted.sleep()

    async def wake(self) -> None:
        """Take the device again."""
        with boundary(EngineError, f"{self._model}: wake"):
            await self._hosted.wake()

    async def reset_prefix_cache(self) -> bool:
        """Empty the engine's prefix cache and return True; return False if it has none."""
        with boundary(EngineError, f"{self._model}: forget"):
            return await try_reset_prefix_cache(self._hosted.engine)

    async def close(self) -> None:
        """Close the engine."""
        await self._hosted.close()

    def _build(self) -> Engine:
        from debate.engines.registry import build_engine

        return build_engine(self._spec, sharing=self._sharing, adapters=self._adapters)

    def _watch_process_group(self) -> None:
        """Have the engine's child processes killed whenever this process ends.

        They would otherwise survive a killed actor, and hold its GPU.
        """
        if os.getpgid(0) != os.getpid():
            os.setpgid(0, 0)
        self._reaper.start()
        self._reaper.watch_group(os.getpid())


def set_threads(spec: ModelSpec) -> ModelSpec:
    """Return the spec with a torch thread for each requested CPU, unless the user set a number.

    >>> set_threads(TransformersModel(engine="transformers", model="m", cpus=2)).threads
    2
    """
    if isinstance(spec, TransformersModel) and spec.threads is None and not spec.gpus:
        return spec.model_copy(update={"threads": max(1, int(spec.cpus))})
    return spec


async def coalesce(
    lists: AsyncIterator[Sequence[Completion]],
) -> AsyncIterator[list[Completion]]:
    """Yield the same completions in fewer lists: all that arrived while the last one was sent."""
    arrived: list[Completion] = []
    changed = asyncio.Event()

    async def collect() -> None:
        try:
            async for completions in lists:
                arrived.extend(completions)
                changed.set()
        finally:
            changed.set()

    collecting = asyncio.create_task(collect())
    try:
        while not collecting.done() or arrived:
            await changed.wait()
            changed.clear()
            if arrived:
                leaving, arrived[:] = list(arrived), []
                yield leaving
        await collecting
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)


class RayReplica:
    """Places, starts and calls the actor of one replica, and replaces it after a loss.

    All GPUs of a replica lie on one node, in one bundle: with more than one, the engine spreads
    over them with processes of its own inside the actor. `adapters` are the folders that it serves
    beside the spec's own; `sharing` counts the replicas that take turns in the reservation; `run`
    begins the actors' names.
    """

    def __init__(
        self,
        wanted: ResourceRequest,
        spec: ModelSpec,
        cluster: ClusterSpec,
        *,
        run: str,
        reservation: Reservation,
        adapters: tuple[str, ...] = (),
        sharing: int = 1,
    ) -> None:
        self._session = get_session()
        self._model = wanted.model
        self._index = wanted.replica
        self._spec = spec
        self._cluster = cluster
        self._reservation = reservation
        self._adapters = adapters
        self._sharing = sharing
        self._name = f"{run}:{wanted.model}:{wanted.replica}"
        self._num_starts = 0
        self._actor: Any = None
        self._is_placed = False
        self._placement: Placement | None = None

    @property
    def placement(self) -> Placement | None:
        """The actor's node, process and GPUs."""
        return self._placement

    async def find_missing(self) -> tuple[MissingFile, ...]:
        """Return what the model names and its node lacks, asked of the actor that `start` starts.

        Nothing is placed for a model that names nothing on disk. Raises ClusterError.
        """
        if not list_model_files(self._spec, self._adapters):
            return ()
        await self._place()
        missing: tuple[MissingFile, ...] = await self._call(EngineActor.find_missing)
        return missing

    async def start(self) -> None:
        """Place and start an actor, after ending the one before it.

        Raises EngineError for what the engine says and ClusterError for the rest.
        """
        if not self._is_placed:
            await self._place()
        self._is_placed = False
        self._placement = await self._call(EngineActor.start, await self._reservation.get_gpus())

    async def _place(self) -> None:
        self._discard()
        require_session(self._session, place=f"{self._model}: start")
        name = f"{self._name}:{self._num_starts}" if self._num_starts else self._name
        self._num_starts += 1
        self._actor = self._create_actor(name, await self._reservation.acquire())
        self._is_placed = True

    async def complete(
        self, requests: Sequence[Request], adapter: str | None = None
    ) -> AsyncIterator[Sequence[Completion]]:
        """Stream the actor's lists. Raises ReplicaLost when it, or its node, is gone."""
        place = f"{self._model}: actor"
        self._require_replica(place)
        stream = self._actor.complete.remote(list(requests), adapter)
        is_exhausted = False
        try:
            while reference := await await_ray(anext(stream, None), self._session, place=place):
                yield COMPLETIONS.decode(await await_ray(reference, self._session, place=place))
            is_exhausted = True
        except RayTaskError as error:
            is_exhausted = True
            raise_cause(error, place=f"{self._model}: complete")
        except RayError as error:
            is_exhausted = True
            raise ReplicaLost(
                f"replica {self._index} was lost: {extract_cause(error)}", boundary=place
            ) from error
        except ClusterError as error:
            raise ReplicaLost(str(error), boundary=place) from error
        finally:
            if not is_exhausted and self._is_connected:
                ray.cancel(stream)

    async def sleep(self) -> None:
        """Free the device for another replica. Raises BoundaryError."""
        await self._call(EngineActor.sleep)

    async def wake(self) -> None:
        """Take the device again. Raises BoundaryError, also where the actor died asleep."""
        await self._call(EngineActor.wake)

    async def reset_prefix_cache(self) -> bool:
        """Empty the engine's prefix cache and return True; return False if it has none.

        Raises BoundaryError.
        """
        return bool(await self._call(EngineActor.reset_prefix_cache))

    async def close(self) -> None:
        """Close the engine, then end the actor and release its reservation."""
        if self._actor is not None and self._placement is not None and self._is_connected:
            try:
                closing = self._actor.close.remote()
                await await_ray(closing, self._session, place=f"{self._model}: close")
            except (RayError, ClusterError):
                self._placement = None
        self._discard()

    @property
    def _is_connected(self) -> bool:
        return get_session() == self._session

    def _require_replica(self, place: str) -> None:
        """Raise ReplicaLost where this process cannot reach the actor any more."""
        if not self._is_connected:
            raise ReplicaLost("the connection to the Ray cluster was ended", boundary=place)

    async def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the actor. Raises the actor's own error, or ClusterError if it died."""
        place = f"{self._model}: {method.__name__}"
        if self._actor is None:
            raise ClusterError("the actor is gone", boundary=place)
        require_session(self._session, place=place)
        try:
            called = getattr(self._actor, method.__name__).remote(*arguments)
            return await await_ray(called, self._session, place=place)
        except RayTaskError as error:
            raise_cause(error, place=place)
        except RayError as error:
            raise ClusterError(f"the actor died: {extract_cause(error)}", boundary=place) from error

    def _create_actor(self, name: str, options: dict[str, Any]) -> Any:
        environment = read_actor_environment(self._cluster)
        if environment:
            options["runtime_env"] = {"env_vars": environment}
        actor_class = ray.remote(EngineActor).options(
            name=name,
            namespace=self._cluster.namespace,
            max_concurrency=self._spec.max_in_flight + NUM_CONTROL_CALLS,
            **options,
        )
        return actor_class.remote(
            self._model,
            self._spec,
            adapters=self._adapters,
            sharing=self._sharing,
            reload=self._cluster.slots.swap == "reload",
            import_folders=list_import_folders(),
        )

    def _discard(self) -> None:
        self._placement, self._is_placed = None, False
        if self._actor is not None:
            if self._is_connected:
                ray.kill(self._actor)
            self._actor = None
        self._reservation.release()


def raise_cause(error: RayTaskError, *, place: str) -> NoReturn:
    """Raise what the actor raised, without Ray's wrapping and traceback."""
    cause = cast("BaseException", error.cause)
    if isinstance(cause, DebateError):
        raise cause from None
    raise ClusterError(f"{type(cause).__name__}: {cause}", boundary=place) from error


def extract_cause(error: BaseException) -> str:
    """Return the line of Ray's report that names the cause, without its general advice.

    >>> error = RuntimeError("The actor died.\\n  pid: 7\\nIt was killed. Some common causes: x")
    >>> extract_cause(error)
    'It was killed.'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].partition(" Some common causes")[0] if lines else type(error).__name__
