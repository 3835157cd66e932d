"""What a model's replicas are doing right now, as small frozen values for a live display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from debate.engines.base import Completion
from debate.engines.replica import Placement

State = Literal["new", "ready", "restarting", "dead"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicaCounters:
    """One replica since the client was made. `busy_s` is the time with a request in flight."""

    index: int
    state: State
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCounters:
    """All replicas of one model; the properties are their sums."""

    model: str
    replicas: tuple[ReplicaCounters, ...]

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
        """How often a replica was started again."""
        return sum(replica.restarts for replica in self.replicas)

    @property
    def generated_tokens(self) -> int:
        """Tokens generated."""
        return sum(replica.generated_tokens for replica in self.replicas)


@dataclass(slots=True)
class Tally:
    """Running sums of one lane."""

    done: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    busy_s: float = 0.0
    clocked_at: float = 0.0

    def add(self, completion: Completion) -> None:
        """Count one completion."""
        if completion.failure is not None:
            self.failed += 1
            return
        self.done += 1
        self.prompt_tokens += completion.usage.prompt_tokens or 0
        self.cached_tokens += completion.usage.cached_tokens or 0
        self.generated_tokens += completion.usage.generated_tokens or 0

    def clock(self, now: float, *, busy: bool) -> None:
        """Book the time since the last look as busy or idle."""
        if busy:
            self.busy_s += now - self.clocked_at
        self.clocked_at = now
