"""The process that hosts one engine. It gets a spec and builds the engine inside."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Sequence

from debate.config.models import ModelSpec, TransformersModel
from debate.engines.base import Completion, Engine, Request
from debate.engines.reaper import Reaper
from debate.engines.replica import Placement
from debate.errors import EngineError, boundary


class EngineActor:
    """An engine behind Ray: what has finished since the last look leaves as one list."""

    def __init__(self, model: str, spec: ModelSpec) -> None:
        self._model = model
        self._spec = spec
        self._engine: Engine | None = None
        self._reaper = Reaper()

    async def start(self) -> Placement:
        """Build and start the engine. Raises EngineError with the cause in words."""
        import ray

        self._die_together()
        gpus = tuple(str(gpu) for gpu in ray.get_gpu_ids())
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        with boundary(EngineError, f"{self._model}: start"):
            await self._load()
        node = ray.get_runtime_context().get_node_id()
        return Placement(host=platform.node(), pid=os.getpid(), node=node, gpus=gpus)

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[list[Completion]]:
        """Stream lists of completions back."""
        assert self._engine is not None, "complete before start"
        async for completions in coalesced(self._engine.complete(requests)):
            yield completions

    async def close(self) -> None:
        """Close the engine."""
        if self._engine is not None:
            await self._engine.close()

    async def _load(self) -> None:
        from debate.engines.registry import build_engine

        self._engine = build_engine(with_its_cpus(self._spec))
        await self._engine.start()

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
