"""The models of a run, started when they are needed; endpoints first, and tried by a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Self

from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, OpenaiModel
from debate.engines.base import Completion, CompletionClient, Request
from debate.engines.breaker import CircuitBreaker, OrderlyEnd
from debate.engines.client import ModelClient
from debate.engines.meter import Meter
from debate.engines.metrics import ModelMetrics
from debate.errors import ModelRefused

Clients = Mapping[str, ModelClient]
TryModels = Callable[[Clients], Awaitable[None]]
"""Tries models by a call each. Raises ModelRefused where one does not answer."""


class LazyModels(Mapping[str, CompletionClient]):
    """Clients by model name, all started when the first call is made at the latest.

    A run whose log is complete never starts them. `find_lack` says what else this machine
    lacks, so that none is started. `preflight` is given the endpoints as soon as they are open.
    Those that are launched once `meter` is set charge their calls to it, and `guard` watches
    them.
    """

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        cluster: ClusterSpec,
        *,
        run: str,
        preflight: TryModels | None = None,
        guard: Guard | None = None,
        tell: Callable[[str], None] | None = None,
        find_lack: Callable[[], str | None] | None = None,
    ) -> None:
        self._tell = tell
        self._find_lack = find_lack
        self._specs = dict(specs)
        self._cluster = cluster
        self._run = run
        self._preflight = preflight
        self._guard = guard
        self.meter: Meter | None = None
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[Clients] | None = None
        self._starting: asyncio.Task[Clients] | None = None
        self._clients: Clients = {}

    async def open_endpoints(self) -> Clients:
        """Open the endpoints that this process asks itself, once, and try them.

        Raises ModelRefused where one does not answer, BoundaryError where one cannot be opened.
        """
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open_endpoints())
        return await asyncio.shield(self._opening)

    async def start(self) -> Clients:
        """Start every model, once. Raises BoundaryError with the first one's error in words."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._start())
        self._clients = await asyncio.shield(self._starting)
        return self._clients

    def keep_actors(self) -> None:
        """Leave out the models without an actor, which every orchestrator has for itself."""
        self._specs = {name: spec for name, spec in self._specs.items() if spec.host == "actor"}

    async def _open_endpoints(self) -> Clients:
        if self._find_lack and (lack := self._find_lack()):
            raise ModelRefused(lack, boundary="installation")
        specs = {
            name: spec
            for name, spec in self._specs.items()
            if isinstance(spec, OpenaiModel) and spec.host == "driver"
        }
        clients = await self._launch(specs, ClusterSpec()) if specs else {}
        if clients and self._preflight:
            await self._preflight(clients)
        return clients

    async def _start(self) -> Clients:
        opened = await self.open_endpoints()
        rest = {name: spec for name, spec in self._specs.items() if name not in opened}
        clients = {**opened, **await self._launch(rest, self._cluster)}
        remote = {n: clients[n] for n, spec in rest.items() if isinstance(spec, OpenaiModel)}
        if remote and self._preflight:
            await self._preflight(remote)
        return {name: clients[name] for name in self._specs}

    async def _launch(self, specs: Mapping[str, ModelSpec], cluster: ClusterSpec) -> Clients:
        opened = launch_models(specs, cluster, run=self._run, meter=self.meter, tell=self._tell)
        clients = await self._stack.enter_async_context(opened)
        if self._guard:
            self._guard.watch(specs, clients)
        return clients

    def metrics(self) -> list[ModelMetrics]:
        """A snapshot of every started model."""
        return [client.metrics() for client in self._clients.values()]

    async def close(self) -> None:
        """Close what is open."""
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __getitem__(self, name: str) -> CompletionClient:
        return self._clients.get(name) or _StartOnFirstCall(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


class _StartOnFirstCall:
    """A client that starts all models with its first call, unless they are up."""

    def __init__(self, models: LazyModels, name: str) -> None:
        self._models = models
        self._name = name

    async def complete(self, request: Request) -> Completion:
        clients = self._models._clients or await self._models.start()
        return await clients[self._name].complete(request)


class Guard:
    """Watches the models of one process: each has a breaker, and all have one end of the run."""

    def __init__(self, *, keep_going: bool, tell: Callable[[str], None] | None = None) -> None:
        self.end = OrderlyEnd(tell)
        self._keep_going = keep_going

    def watch(self, specs: Mapping[str, ModelSpec], clients: Clients) -> None:
        """Give each client its breaker."""
        for name, client in clients.items():
            client.end = self.end
            self.end.on_begin.append(client.withdraw_queued)
            client.breaker = CircuitBreaker(
                name,
                limit=specs[name].max_failures,
                pause_s=specs[name].pause_s,
                end=self.end,
                keep_going=self._keep_going,
                on_pause=client.withdraw_queued,
            )

    def wrap(self, client: CompletionClient) -> CompletionClient:
        """Return a client of a model of another process that ends with the run here."""
        return _RemoteModel(client, self.end)


class _RemoteModel:
    """A client of a model that another process watches."""

    def __init__(self, client: CompletionClient, end: OrderlyEnd) -> None:
        self._client = client
        self._end = end

    async def complete(self, request: Request) -> Completion:
        return await self._end.call(partial(self._client.complete, request))
