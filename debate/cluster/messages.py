"""Messages between the process that owns the models and the processes that call them.

Requests leave in batches. Completions travel as msgpack bytes, because pickling each token of each
reply costs ten times as much, on both sides.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from debate.engines.base import Completion, Request
from debate.engines.breaker import raise_if_ended

T = TypeVar("T")

ENCODER = msgspec.msgpack.Encoder()

Payload = bytes | list[Any]
"""Encoded items; the list itself where one of its items cannot be encoded."""


class NumberedRequest(NamedTuple):
    """A request to a model, under a number that the sender chose."""

    number: int
    model: str
    request: Request


class NumberedCompletion(NamedTuple):
    """The completion of the request of that number."""

    number: int
    completion: Completion


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestBatch:
    """The requests made since the last batch, and the numbers of those that were cancelled.

    `status` is what the sender's task reports of its progress.
    """

    requests: tuple[NumberedRequest, ...] = ()
    cancelled: tuple[int, ...] = ()
    status: object = None


class RpcQueue:
    """Requests that wait to leave this process, and the futures of those not answered yet.

    `changed` is set while there is something for the next batch.
    """

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._numbers = itertools.count()
        self._requests: list[NumberedRequest] = []
        self._cancelled: list[int] = []
        self._futures: dict[int, asyncio.Future[Completion]] = {}

    async def call(self, model: str, request: Request) -> Completion:
        """Send one request to a model of another process and await its completion."""
        number = next(self._numbers)
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._futures[number] = future
        self._requests.append(NumberedRequest(number, model, request))
        self.changed.set()
        try:
            return await future
        except asyncio.CancelledError:
            self._cancelled.append(number)
            raise
        finally:
            del self._futures[number]

    def resolve(self, completions: Sequence[NumberedCompletion]) -> None:
        """Give each completion to the call that awaits it; drop those of cancelled calls."""
        for number, completion in completions:
            future = self._futures.get(number)
            if future is not None and not future.done():
                future.set_result(completion)

    def take_batch(self, status: object) -> RequestBatch:
        """Return everything that has not been sent yet, and empty the queue."""
        self.changed.clear()
        requests, self._requests = tuple(self._requests), []
        cancelled, self._cancelled = tuple(self._cancelled), []
        return RequestBatch(requests=requests, cancelled=cancelled, status=status)


class RemoteClient:
    """The client of a model that another process owns."""

    def __init__(self, model: str, queue: RpcQueue) -> None:
        self._model = model
        self._queue = queue

    async def complete(self, request: Request) -> Completion:
        """Return the completion of one request. Raises RunEnded where it is not made any more."""
        return raise_if_ended(await self._queue.call(self._model, request))


def encode_items(items: list[Any]) -> Payload:
    """Encode the items; return them unchanged where msgpack cannot hold them (lone surrogates)."""
    try:
        return ENCODER.encode(items)
    except (TypeError, ValueError):
        return items


class ItemDecoder(Generic[T]):
    """Decodes payloads whose items all have one type."""

    def __init__(self, item: type[T]) -> None:
        self._decoder = msgspec.msgpack.Decoder(list[item])  # type: ignore[valid-type]

    def decode(self, payload: Payload) -> list[T]:
        """Return the items. Raises msgspec.ValidationError for bytes that hold another type."""
        if isinstance(payload, bytes):
            return self._decoder.decode(payload)
        return payload
