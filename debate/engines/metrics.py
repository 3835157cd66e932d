"""Metrics of a model's replicas, as frozen values for displays and logs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from debate.engines.base import Completion
from debate.engines.human.reply_form import WaitingTurn
from debate.engines.replica import Placement

ReplicaState = Literal["new", "ready", "draining", "swapping", "asleep", "restarting", "dead"]
"""A replica's state. One that shares its device drains, swaps and sleeps; the others never do."""

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0)
"""Upper ends of the buckets in which requests' times are counted; the last bucket has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicaMetrics:
    """One replica since the client was made; times are seconds.

    `busy_s` is the time with a request in flight, `asleep_s` that without its device, `swapping_s`
    that of falling asleep, waking and restarting. `queued_s` and `running_s` are sums over the
    requests that have ended: until each was handed over, and from then on; `waits` and `runs` count
    the same requests by those times, in `BOUNDS_S`. `swaps` counts how often it was
    woken. `waiting` are the turns that wait for a person, if one is behind the replica.
    """

    index: int
    state: ReplicaState
    placement: Placement | None
    queued: int
    in_flight: int
    done: int
    failed: int
    restarts: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    busy_s: float
    asleep_s: float = 0.0
    swapping_s: float = 0.0
    queued_s: float = 0.0
    running_s: float = 0.0
    waits: tuple[int, ...] = ()
    runs: tuple[int, ...] = ()
    swaps: int = 0
    waiting: tuple[WaitingTurn, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelMetrics:
    """All replicas of one model; the properties are their sums."""

    model: str
    replicas: tuple[ReplicaMetrics, ...]

    @property
    def facts(self) -> dict[str, str]:
        """What its engines say of themselves; where replicas differ, each answer once."""
        found: dict[str, dict[str, None]] = {}
        for replica in self.replicas:
            for name, fact in replica.placement.facts if replica.placement else ():
                found.setdefault(name, {})[fact] = None
        return {name: " | ".join(facts) for name, facts in found.items()}

    @property
    def queued(self) -> int:
        """Requests that wait for a replica."""
        return sum(replica.queued for replica in self.replicas)

    @property
    def in_flight(self) -> int:
        """Requests that a replica is working on."""
        return sum(replica.in_flight for replica in self.replicas)

    @property
    def done(self) -> int:
        """Requests that ended without a failure."""
        return sum(replica.done for replica in self.replicas)

    @property
    def failed(self) -> int:
        """Requests that ended with a failure."""
        return sum(replica.failed for replica in self.replicas)

    @property
    def restarts(self) -> int:
        """The number of restarts of replicas."""
        return sum(replica.restarts for replica in self.replicas)

    @property
    def swaps(self) -> int:
        """The number of times a replica was woken to take a device from another model."""
        return sum(replica.swaps for replica in self.replicas)

    @property
    def generated_tokens(self) -> int:
        """Tokens generated."""
        return sum(replica.generated_tokens for replica in self.replicas)


@dataclass(slots=True)
class RunningTotals:
    """Running sums of one replica."""

    done: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    busy_s: float = 0.0
    asleep_s: float = 0.0
    swapping_s: float = 0.0
    queued_s: float = 0.0
    running_s: float = 0.0
    waits: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    runs: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    clocked_at: float | None = None

    def add(self, completion: Completion) -> None:
        """Count one completion."""
        if completion.failure is not None:
            self.failed += 1
            return
        self.done += 1
        self.prompt_tokens += completion.usage.prompt_tokens or 0
        self.cached_tokens += completion.usage.cached_tokens or 0
        self.generated_tokens += completion.usage.generated_tokens or 0

    def time(self, *, queued_s: Iterable[float], running_s: float) -> None:
        """Add requests that ended together: how long each waited, and how long all ran."""
        num = 0
        for waited_s in queued_s:
            self.queued_s += waited_s
            self.waits[bisect_left(BOUNDS_S, waited_s)] += 1
            num += 1
        self.running_s += running_s * num
        self.runs[bisect_left(BOUNDS_S, running_s)] += num

    def clock(self, now: float, state: ReplicaState, *, busy: bool) -> None:
        """Add the time since the last call to the sum of what the replica did in it."""
        passed = 0.0 if self.clocked_at is None else now - self.clocked_at
        self.clocked_at = now
        if busy:
            self.busy_s += passed
        elif state == "asleep":
            self.asleep_s += passed
        elif state in ("swapping", "restarting"):
            self.swapping_s += passed
