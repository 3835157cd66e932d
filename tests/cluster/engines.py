"""Small engines with settable behaviour, for what stands between engines and callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from debate.engines.base import Capabilities, Completion, Request, Sampling
from debate.engines.replica import ReplicaLost
from debate.types import Message, Usage


def request(number: int | str = 0, *, affinity: str = "") -> Request:
    message = Message(role="user", content=f"question {number}")
    return Request(id=str(number), messages=(message,), sampling=Sampling(), affinity=affinity)


def echo(asked: Request) -> Completion:
    text = f"answer to {asked.messages[0].content}"
    return Completion(id=asked.id, text=text, usage=Usage(prompt_tokens=3, generated_tokens=2))


class EchoEngine:
    """Answers at once and remembers the batches that it was given."""

    capabilities = Capabilities()

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.num_starts = 0
        self.is_open = False

    async def start(self) -> None:
        self.num_starts += 1
        self.is_open = True

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        self.batches.append([each.id for each in requests])
        yield [echo(each) for each in requests]

    async def close(self) -> None:
        self.is_open = False


class GatedEngine(EchoEngine):
    """Answers a request only when its gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: dict[str, asyncio.Event] = {}
        self.arrived = asyncio.Event()
        self.num_given_up = 0

    def open(self, *numbers: int) -> None:
        for number in numbers:
            self.gates.setdefault(str(number), asyncio.Event()).set()

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        self.batches.append([each.id for each in requests])
        self.arrived.set()
        waiting = [asyncio.create_task(self._one(each)) for each in requests]
        try:
            for finished in asyncio.as_completed(waiting):
                yield [await finished]
        finally:
            self.num_given_up += sum(task.cancel() for task in waiting)

    async def _one(self, asked: Request) -> Completion:
        await self.gates.setdefault(asked.id, asyncio.Event()).wait()
        return echo(asked)


class MortalEngine(EchoEngine):
    """Dies in the middle of each of its first `num_deaths` batches."""

    def __init__(self, num_deaths: int) -> None:
        super().__init__()
        self.num_deaths = num_deaths

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        self.batches.append([each.id for each in requests])
        half = len(requests) // 2
        yield [echo(each) for each in requests[:half]]
        if self.num_deaths:
            self.num_deaths -= 1
            raise ReplicaLost("the process was killed", boundary="mortal: actor")
        yield [echo(each) for each in requests[half:]]
