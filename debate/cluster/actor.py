"""The process that hosts one engine. It gets a spec and builds the engine inside."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Sequence

from debate.cluster.parcels import Parcel, packed
from debate.config.models import ModelSpec, TransformersModel
from debate.engines.adapters import answers
from debate.engines.base import Completion, Engine, Request
from debate.engines.reaper import Reaper
from debate.engines.remembering import forget
from debate.engines.replica import Placement
from debate.engines.sleeping import Hosted
from debate.errors import EngineError, boundary


class EngineActor:
    """An engine behind Ray: what has finished since the last look leaves as one list.

    `adapters` are the folders that the engine serves beside the spec's own; `sharing` counts the
    models that take turns in this actor's place; with `reload` the engine is closed when its turn
    ends and built anew at the next.
    """

    def __init__(
        self,
        model: str,
        spec: ModelSpec,
        *,
        adapters: tuple[str, ...] = (),
        sharing: int = 1,
        reload: bool = False,
    ) -> None:
        self._model = model
        self._spec = with_its_cpus(spec)
        self._adapters = adapters
        self._hosted = Hosted(self._build, reload=reload)
        self._sharing = 1 if reload else sharing
        self._reaper = Reaper()

    async def start(self, gpus: tuple[str, ...] | None = None) -> Placement:
        """Build and start the engine on `gpus`, or on what Ray has given to this process.

        Raises EngineError with the cause in words.
        """
        import ray

        self._die_together()
        given = tuple(map(str, ray.get_gpu_ids())) if gpus is None else gpus
        if gpus is not None or not given:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(given)
        with boundary(EngineError, f"{self._model}: start"):
            await self._hosted.start()
        node = ray.get_runtime_context().get_node_id()
        return Placement(host=platform.node(), pid=os.getpid(), node=node, gpus=given)

    async def complete(
        self, requests: Sequence[Request], adapter: str | None = None
    ) -> AsyncIterator[Parcel]:
        """Stream lists of completions back, by an adapter where one is named."""
        async for completions in coalesced(answers(self._hosted.engine, requests, adapter)):
            yield packed(completions)

    async def sleep(self) -> None:
        """Leave the device to another model."""
        with boundary(EngineError, f"{self._model}: sleep"):
            await self._hosted.sleep()

    async def wake(self) -> None:
        """Take the device again."""
        with boundary(EngineError, f"{self._model}: wake"):
            await self._hosted.wake()

    async def forget_prefixes(self) -> bool:
        """Empty the prefix cache, if there is one; whether there is."""
        with boundary(EngineError, f"{self._model}: forget"):
            return await forget(self._hosted.engine)

    async def close(self) -> None:
        """Close the engine."""
        await self._hosted.close()

    def _build(self) -> Engine:
        from debate.engines.registry import build_engine

        return build_engine(self._spec, sharing=self._sharing, adapters=self._adapters)

    def _die_together(self) -> None:
        """Whatever kills this process takes the engine's own processes along.

        An engine that works in child processes would otherwise survive a killed actor, and hold
        its GPU.
        """
        if os.getpgid(0) != os.getpid():
            os.setpgid(0, 0)
        self._reaper.start()
        self._reaper.watch_group(os.getpid())


def with_its_cpus(spec: ModelSpec) -> ModelSpec:
    """The spec with one torch thread per CPU that Ray gave, where the user named no number.

    >>> with_its_cpus(TransformersModel(engine="transformers", model="m", cpus=2)).threads
    2
    """
    if isinstance(spec, TransformersModel) and spec.threads is None and not spec.gpus:
        return spec.model_copy(update={"threads": max(1, int(spec.cpus))})
    return spec


async def coalesced(
    lists: AsyncIterator[Sequence[Completion]],
) -> AsyncIterator[list[Completion]]:
    """The same completions in fewer lists: all that arrived while the last list was sent."""
    arrived: list[Completion] = []
    news = asyncio.Event()

    async def collect() -> None:
        try:
            async for completions in lists:
                arrived.extend(completions)
                news.set()
        finally:
            news.set()

    collecting = asyncio.create_task(collect())
    try:
        while not collecting.done() or arrived:
            await news.wait()
            news.clear()
            if arrived:
                leaving, arrived[:] = list(arrived), []
                yield leaving
        await collecting
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
