"""Shares of a run's questions in processes of their own, which all call the same models."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import ray
from ray import cloudpickle
from ray.exceptions import RayError, RayTaskError

from debate.cluster.actor import extract_cause, raise_cause
from debate.cluster.connection import (
    await_ray,
    claim_name,
    get_session,
    read_actor_environment,
)
from debate.cluster.messages import (
    ItemDecoder,
    NumberedCompletion,
    NumberedRequest,
    Payload,
    RemoteClient,
    RequestBatch,
    RpcQueue,
    encode_items,
)
from debate.config.cluster import ClusterSpec
from debate.config.registry import add_import_folders, list_import_folders
from debate.engines.base import CompletionClient
from debate.engines.breaker import OrderlyEnd, fail_ended
from debate.engines.client import run_all
from debate.errors import ClusterError, RunEnded

COMPLETIONS: Final = ItemDecoder(NumberedCompletion)
"""Decodes the completions that reach an orchestrator."""

STATUS_INTERVAL_S = 0.5
MAX_CONCURRENCY = 1000
"""Messages with completions that an orchestrator's actor may receive at once."""
MAX_RESTARTS = 3
"""Replacements of a share's process after which the run gives up."""


class OrchestratorTask(Protocol):
    """The debates of one share. Pickled, and run in the share's process."""

    async def run(self, client: Callable[[str], CompletionClient]) -> None:
        """Debate all of them; `client` returns the client of a model by its name."""

    def status(self) -> object:
        """Return the progress as a value that can be pickled."""

    def end(self, error: RunEnded) -> None:
        """End it in order."""


class OrchestratorActor:
    """The process of one share.

    The task comes pickled, because its custom code can be imported only once the folders that this
    may lie in, `import_folders`, are known here.
    """

    def __init__(self, pickled_task: bytes, import_folders: tuple[str, ...]) -> None:
        add_import_folders(import_folders)
        self._task: OrchestratorTask = pickle.loads(pickled_task)
        self._queue = RpcQueue()

    async def run(self) -> AsyncIterator[RequestBatch]:
        """Run the task; yield its requests to models, and its status.

        Raises the task's own error.
        """
        running = asyncio.create_task(self._task.run(lambda name: RemoteClient(name, self._queue)))
        running.add_done_callback(lambda _: self._queue.changed.set())
        try:
            while not running.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(STATUS_INTERVAL_S):
                        await self._queue.changed.wait()
                yield self._queue.take_batch(self._task.status())
            await running
            yield self._queue.take_batch(self._task.status())
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def end(self, error: RunEnded) -> None:
        """End the task in order, as the others are."""
        self._task.end(error)

    async def receive(self, completions: Payload) -> None:
        """Give completions to the calls that await them."""
        self._queue.resolve(COMPLETIONS.decode(completions))


class OrchestratorHandle:
    """Starts an orchestrator's actor in this process's cluster, and answers its requests."""

    def __init__(
        self,
        task: OrchestratorTask,
        cluster: ClusterSpec,
        clients: Mapping[str, CompletionClient],
        *,
        name: str,
    ) -> None:
        options: dict[str, Any] = {
            "name": name,
            "namespace": cluster.namespace,
            "num_cpus": 1,
            "max_restarts": 0,
            "max_concurrency": MAX_CONCURRENCY,
        }
        if environment := read_actor_environment(cluster):
            options["runtime_env"] = {"env_vars": environment}
        actor_class = ray.remote(OrchestratorActor).options(**options)
        self._session = get_session()
        self._actor = actor_class.remote(cloudpickle.dumps(task), list_import_folders())
        self._clients = clients
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._completions: list[NumberedCompletion] = []

    async def run(self, on_status: Callable[[object], None]) -> None:
        """Answer requests until the task is done.

        Raises RayError when the process is gone, ClusterError when the cluster is.
        """
        stream, place = self._actor.run.remote(), "orchestrators"
        while reference := await await_ray(anext(stream, None), self._session, place=place):
            batch = await await_ray(reference, self._session, place=place)
            for numbered in batch.requests:
                self._calls[numbered.number] = asyncio.create_task(self._complete(numbered))
            for number in batch.cancelled:
                if call := self._calls.pop(number, None):
                    call.cancel()
            on_status(batch.status)

    async def _complete(self, numbered: NumberedRequest) -> None:
        try:
            completion = await self._clients[numbered.model].complete(numbered.request)
        except RunEnded as error:
            completion = fail_ended(numbered.request, error)
        self._calls.pop(numbered.number, None)
        if not self._completions:
            asyncio.get_running_loop().call_soon(self._send_completions)
        self._completions.append(NumberedCompletion(numbered.number, completion))

    def _send_completions(self) -> None:
        completions, self._completions = self._completions, []
        if get_session() == self._session:
            self._actor.receive.remote(encode_items(completions))

    def end(self, error: RunEnded) -> None:
        """Have the task ended in order."""
        if get_session() == self._session:
            self._actor.end.remote(error)

    def close(self) -> None:
        """Cancel the calls that are not answered, and end the process."""
        for call in self._calls.values():
            call.cancel()
        if get_session() == self._session:
            ray.kill(self._actor)


async def run_shares(
    tasks: Sequence[Callable[[int], OrchestratorTask]],
    cluster: ClusterSpec,
    clients: Mapping[str, CompletionClient],
    *,
    run: str,
    on_status: Callable[[int, object], None],
    on_lost: Callable[[int], None],
    end: OrderlyEnd,
) -> None:
    """Run every share's task in an actor of its own. Ray must be connected.

    Each task is made with the number of its attempt, from 1 on and never the same one twice in a
    run. An actor that dies is replaced after `on_lost` was called with the share's index; the
    share's log stays as it is. Where the run is ended in order, every task is. Raises a task's own
    error, and ClusterError past `MAX_RESTARTS`.
    """
    handles: set[OrchestratorHandle] = set()
    end.on_begin.append(lambda: _end_all(handles, end))
    attempts = iter(range(1, 2 + len(tasks) * (MAX_RESTARTS + 1)))

    async def run_share(share: int) -> None:
        for restarts_left in reversed(range(MAX_RESTARTS + 1)):
            attempt = next(attempts)
            name = f"{names}:{attempt}"
            handle = OrchestratorHandle(tasks[share](attempt), cluster, clients, name=name)
            place = f"orchestrator {share}"
            handles.add(handle)
            if end.error is not None:
                handle.end(end.error)
            try:
                await handle.run(lambda status: on_status(share, status))
                return
            except RayTaskError as error:
                raise_cause(error, place=place)
            except RayError as error:
                on_lost(share)
                if not restarts_left:
                    cause = extract_cause(error)
                    raise ClusterError(f"lost again: {cause}", boundary=place) from error
            finally:
                handles.discard(handle)
                handle.close()

    with claim_name(f"debate:{run}:orchestrator", cluster.namespace) as names:
        await run_all(run_share(share) for share in range(len(tasks)))


def _end_all(handles: Iterable[OrchestratorHandle], end: OrderlyEnd) -> None:
    assert end.error is not None
    for handle in handles:
        handle.end(end.error)
