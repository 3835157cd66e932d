"""Shares of a run in processes of their own, all of them asking the same models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import ray
from ray.exceptions import RayError, RayTaskError

from debate.cluster.connection import actor_environment
from debate.cluster.letters import Answered, Asked, Correspondent, Letter, Outbox
from debate.cluster.parcels import Parcel, Unpacker, packed
from debate.cluster.replica import last_line, raise_cause
from debate.config.cluster import ClusterSpec
from debate.engines.base import Completion, Request
from debate.engines.client import at_once
from debate.errors import ClusterError

answered = Unpacker(Answered)
"""The answers that reach an orchestrator."""

STATUS_EVERY_S = 0.5
MAX_ANSWERS_UNDER_WAY = 1000
MAX_RESTARTS = 3
"""How often the process of one share is replaced before the run gives up."""


class Client(Protocol):
    """A model's queue."""

    async def complete(self, request: Request) -> Completion:
        """The reply to one request; a failure is data."""


class Work(Protocol):
    """What one orchestrator does. Sent to its process by `pickle`, and run there."""

    async def run(self, client: Callable[[str], Client]) -> None:
        """Do all of it; `client` gives the models that live elsewhere by their names."""

    def status(self) -> object:
        """How far it has come, as a value that can be sent."""


class OrchestratorActor:
    """The process of one share."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._outbox = Outbox()

    async def run(self) -> AsyncIterator[Letter]:
        """Do the work; yield what it asks of models, and how far it has come.

        Raises what the work raises.
        """
        working = asyncio.create_task(self._work.run(lambda m: Correspondent(m, self._outbox)))
        working.add_done_callback(lambda _: self._outbox.news.set())
        try:
            while not working.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(STATUS_EVERY_S):
                        await self._outbox.news.wait()
                yield self._outbox.letter(self._work.status())
            await working
            yield self._outbox.letter(self._work.status())
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def answer(self, answers: Parcel) -> None:
        """Take answers in."""
        self._outbox.settle(answered(answers))


async def run_shares(
    works: Sequence[Callable[[int], Work]],
    cluster: ClusterSpec,
    clients: Mapping[str, Client],
    *,
    run: str,
    on_status: Callable[[int, object], None],
    on_lost: Callable[[int], None],
) -> None:
    """Do every share's work in an actor of its own. Ray must be connected.

    Each share's work is made with the number of this attempt, from 1 on and never the same one
    twice in a run. An actor that dies is replaced: `on_lost` is told, and what the share had
    recorded stands. Raises a work's own error, and ClusterError past `MAX_RESTARTS`.
    """
    attempts = iter(range(1, 2 + len(works) * (MAX_RESTARTS + 1)))

    async def see_through(share: int) -> None:
        for restarts_left in reversed(range(MAX_RESTARTS + 1)):
            attempt = next(attempts)
            name = f"debate:{run}:orchestrator:{attempt}"
            office = _Office(works[share](attempt), cluster, clients, name=name)
            try:
                await office.run(lambda status: on_status(share, status))
                return
            except RayTaskError as error:
                raise_cause(error, place=f"orchestrator {share}")
            except RayError as error:
                on_lost(share)
                if not restarts_left:
                    place = f"orchestrator {share}"
                    raise ClusterError(f"lost again: {last_line(error)}", boundary=place) from error
            finally:
                office.close()

    await at_once(see_through(share) for share in range(len(works)))


class _Office:
    """This side of the correspondence with one orchestrator."""

    def __init__(
        self, work: Work, cluster: ClusterSpec, clients: Mapping[str, Client], *, name: str
    ) -> None:
        options: dict[str, Any] = {
            "name": name,
            "namespace": cluster.namespace,
            "num_cpus": 1,
            "max_restarts": 0,
            "max_concurrency": MAX_ANSWERS_UNDER_WAY,
        }
        if environment := actor_environment(cluster):
            options["runtime_env"] = {"env_vars": environment}
        self._actor = ray.remote(OrchestratorActor).options(**options).remote(work)
        self._clients = clients
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._answers: list[Answered] = []

    async def run(self, on_status: Callable[[object], None]) -> None:
        """Answer letters until the work is done. Raises RayError when the process is gone."""
        async for reference in self._actor.run.remote():
            letter = await reference
            for asked in letter.asked:
                self._asking[asked.number] = asyncio.create_task(self._ask(asked))
            for number in letter.given_up:
                if asking := self._asking.pop(number, None):
                    asking.cancel()
            on_status(letter.status)

    async def _ask(self, asked: Asked) -> None:
        completion = await self._clients[asked.model].complete(asked.request)
        self._asking.pop(asked.number, None)
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._send)
        self._answers.append(Answered(asked.number, completion))

    def _send(self) -> None:
        answers, self._answers = self._answers, []
        self._actor.answer.remote(packed(answers))

    def close(self) -> None:
        """Give up what is under way, and end the process."""
        for asking in self._asking.values():
            asking.cancel()
        ray.kill(self._actor)
