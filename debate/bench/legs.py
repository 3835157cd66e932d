"""A debate, and its requests without a debate: both at engines that are up, timed alike."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from debate.bench.debates import recorded
from debate.engines.base import Completion, Request
from debate.engines.client import LocalReplica, ModelClient, weight
from debate.engines.lane import Lane
from debate.errors import EngineError
from debate.types import Turn, Usage
from debate.wiring.collecting import collecting_seldom
from debate.wiring.debating import debate_all
from debate.wiring.execute import debates_at_once, takes_turns
from debate.wiring.identity import open_log
from debate.wiring.plan import Plan
from debate.wiring.progress import Tally

Clients = Mapping[str, ModelClient]
Requests = Mapping[str, Sequence[Request]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """What engines did in one go: prompt and generated tokens, and the seconds from the first
    request to the last reply (in a debate: until the last turn is on disk)."""

    num_calls: int
    num_tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.num_tokens / self.seconds


async def debated(plan: Plan, clients: Clients, directory: Path) -> Leg:
    """Debate the plan's questions in a directory of their own."""
    counters = [client.counters() for client in clients.values()]
    at_once = debates_at_once(plan, taking_turns=takes_turns(counters))
    tally = Tally(models=plan.models, num_debates=plan.num_debates)
    with open_log(plan, directory) as log:
        started = time.perf_counter()
        await debate_all(
            plan.work, plan.cells, at_once=at_once, clients=clients, log=log, watcher=tally,
            cache=None, stale=[],
        )  # fmt: skip
        seconds = time.perf_counter() - started
    return leg([turn.usage for turn in calls(recorded(directory))], seconds)


def calls(turns: Sequence[Turn]) -> list[Turn]:
    """The turns that a model was asked for, and replied to. Raises EngineError without any."""
    asked = [turn for turn in turns if turn.shared_with is None]
    made = [turn for turn in asked if turn.failure is None]
    if not made:
        first = asked[0].failure if asked else None
        why = f": {first.boundary}: {first.message}" if first else ""
        raise EngineError(f"no call of the debate succeeded{why}", boundary="benchmark")
    return made


async def given_at_once(requests: Requests, clients: Clients) -> Leg:
    """The requests in one call to each replica, past the client's queue.

    Each goes to its home replica, as in a debate. Raises EngineError where one fails.
    """
    with collecting_seldom():
        started = time.perf_counter()
        parts = await asyncio.gather(*(given(own, clients[m]) for m, own in requests.items()))
        seconds = time.perf_counter() - started
    return leg([reply.usage for part in parts for reply in part], seconds)


async def given(requests: Sequence[Request], client: ModelClient) -> list[Completion]:
    """One model's replies.

    An endpoint is asked no faster than its limits allow, and a model that takes turns on a device
    in its turn: those are reached through the client.
    """
    if any(is_gated(lane) for lane in client.lanes):
        replies = await asyncio.gather(*(client.complete(request) for request in requests))
        return sound(replies)
    by_lane: dict[int, list[Request]] = defaultdict(list)
    for request in requests:
        home = max(range(len(client.lanes)), key=lambda n: weight(request.affinity, n))
        by_lane[home].append(request)
    parts = (everything(client.lanes[n], own) for n, own in by_lane.items())
    return [reply for part in await asyncio.gather(*parts) for reply in part]


async def everything(lane: Lane, requests: Sequence[Request]) -> list[Completion]:
    """All of a replica's replies to one call."""
    lists = lane.replica.complete(requests)
    return sound([reply async for completions in lists for reply in completions])


def is_gated(lane: Lane) -> bool:
    """Whether a replica must not be asked past its queue."""
    return lane.on_change is not None or isinstance(lane.replica, LocalReplica)


def sound(replies: Sequence[Completion]) -> list[Completion]:
    """The same. Raises EngineError for a failure among them."""
    for reply in replies:
        if reply.failure is not None:
            raise EngineError(reply.failure.message, boundary=reply.failure.boundary)
    return list(replies)


def leg(usages: Sequence[Usage], seconds: float) -> Leg:
    """The sums over calls. Raises EngineError for an engine that counts no tokens."""
    num_tokens = sum((usage.prompt_tokens or 0) + (usage.generated_tokens or 0) for usage in usages)
    if not num_tokens:
        raise EngineError("the engine counts no tokens", boundary="benchmark")
    return Leg(num_calls=len(usages), num_tokens=num_tokens, seconds=seconds)


async def forget_prefixes(clients: Iterable[ModelClient]) -> bool:
    """Empty every prefix cache; whether every engine has one."""
    had = [await lane.replica.forget_prefixes() for each in clients for lane in each.lanes]
    return all(had)
