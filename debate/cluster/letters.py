"""What an orchestrator's process and the models' owner write to each other, in batches."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from debate.engines.base import Completion, Request


class Asked(NamedTuple):
    """A request to a model, under a number that the sender chose."""

    number: int
    model: str
    request: Request


class Answered(NamedTuple):
    """The completion of the request of that number."""

    number: int
    completion: Completion


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """All that has come up since the last one. Requests of the numbers `given_up` are not needed
    any more. `status` is what the work says of itself."""

    asked: tuple[Asked, ...] = ()
    given_up: tuple[int, ...] = ()
    status: object = None


class Outbox:
    """Requests that leave this process together, and who waits for the answers."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._numbers = itertools.count()
        self._asked: list[Asked] = []
        self._given_up: list[int] = []
        self._waiting: dict[int, asyncio.Future[Completion]] = {}

    async def ask(self, model: str, request: Request) -> Completion:
        """The answer of another process's model."""
        number = next(self._numbers)
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._asked.append(Asked(number, model, request))
        self.news.set()
        try:
            return await future
        except asyncio.CancelledError:
            self._given_up.append(number)
            raise
        finally:
            del self._waiting[number]

    def settle(self, answers: Sequence[Answered]) -> None:
        """Answer those who still wait."""
        for number, completion in answers:
            future = self._waiting.get(number)
            if future is not None and not future.done():
                future.set_result(completion)

    def letter(self, status: object) -> Letter:
        """Everything that has not left yet."""
        self.news.clear()
        asked, self._asked = tuple(self._asked), []
        given_up, self._given_up = tuple(self._given_up), []
        return Letter(asked=asked, given_up=given_up, status=status)


class Correspondent:
    """A model that lives elsewhere, as the orchestrator's client."""

    def __init__(self, model: str, outbox: Outbox) -> None:
        self._model = model
        self._outbox = outbox

    async def complete(self, request: Request) -> Completion:
        """The completion, by letter."""
        return await self._outbox.ask(self._model, request)
