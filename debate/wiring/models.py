"""A run's models, started when the first call is made at the latest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from debate.cluster.models import running_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.engines.base import Completion, Request
from debate.engines.client import ModelClient, ModelCounters
from debate.orchestrator.calls import Client


class Models(Mapping[str, Client]):
    """Clients by model name. A run that is all in the log never starts them."""

    def __init__(self, specs: Mapping[str, ModelSpec], cluster: ClusterSpec, *, run: str) -> None:
        self._specs = specs
        self._cluster = cluster
        self._run = run
        self._stack = AsyncExitStack()
        self._starting: asyncio.Task[Mapping[str, ModelClient]] | None = None
        self._clients: Mapping[str, ModelClient] = {}

    async def start(self) -> Mapping[str, ModelClient]:
        """Start every model, once. Raises BoundaryError with the first one's error in words."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._open())
        self._clients = await asyncio.shield(self._starting)
        return self._clients

    async def _open(self) -> Mapping[str, ModelClient]:
        opened = running_models(self._specs, self._cluster, run=self._run)
        return await self._stack.enter_async_context(opened)

    def counters(self) -> list[ModelCounters]:
        """A snapshot of every started model."""
        return [client.counters() for client in self._clients.values()]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def __getitem__(self, name: str) -> Client:
        return self._clients.get(name) or _Late(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


class _Late:
    """A client that starts the models if they are not up."""

    def __init__(self, models: Models, name: str) -> None:
        self._models = models
        self._name = name

    async def complete(self, request: Request) -> Completion:
        clients = self._models._clients or await self._models.start()
        return await clients[self._name].complete(request)
