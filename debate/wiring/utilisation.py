"""Looks at the models once a second or so, and writes down what each replica did meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Protocol

from debate.engines.counters import ModelCounters, ReplicaCounters
from debate.log.utilisation import Sample, UtilisationLog

Counters = Callable[[], Sequence[ModelCounters]]
"""A snapshot of all models, taken now."""

FIRST_EVERY_S = 1.0
COUNTED = (
    "done", "failed", "restarts", "swaps", "prompt_tokens", "cached_tokens", "generated_tokens",
)  # fmt: skip
"""What a replica's counters and a sample both count, the one since the start, the other lately."""
LOOKS_PER_PACE = 1000
"""After so many looks the interval doubles: a week's run has some nine thousand of them."""


class Observer(Protocol):
    """Who else is told, such as a metrics exporter."""

    def see(self, samples: Sequence[Sample]) -> None:
        """What every replica did in the last interval."""


class Seat(NamedTuple):
    """One replica of one model."""

    model: str
    replica: int


class Watch:
    """Turns the running totals of counters into samples of the time between two looks."""

    def __init__(self) -> None:
        self._before: dict[Seat, ReplicaCounters] = {}
        self._looked_at = time.monotonic()

    def look(self, models: Sequence[ModelCounters]) -> list[Sample]:
        """What each replica did since the last look."""
        now, wall = time.monotonic(), time.time()
        interval_s, self._looked_at = max(1e-6, now - self._looked_at), now
        rows = {Seat(model.model, row.index): row for model in models for row in model.replicas}
        samples = [
            sample(seat, row, self._before.get(seat), at=wall, interval_s=interval_s)
            for seat, row in rows.items()
        ]
        self._before = rows
        return samples


def sample(
    seat: Seat,
    row: ReplicaCounters,
    before: ReplicaCounters | None,
    *,
    at: float,
    interval_s: float,
) -> Sample:
    """What a replica did between two snapshots; without an earlier one, since it was made.

    Totals that went back are those of a replica that another has replaced.
    """
    since = None if before is None or before.done > row.done else before

    def passed(name: str) -> float:
        return max(0.0, float(getattr(row, name) - (getattr(since, name) if since else 0.0)))

    def counted(name: str) -> int:
        return max(0, int(getattr(row, name) - (getattr(since, name) if since else 0)))

    def classes(name: str) -> tuple[int, ...]:
        earlier = getattr(since, name) if since else ()
        pairs = zip_longest(getattr(row, name), earlier, fillvalue=0)
        return tuple(max(0, now - then) for now, then in pairs)

    shares = [min(1.0, passed(f"{name}_s") / interval_s) for name in ("busy", "asleep", "swapping")]
    spread = max(1.0, sum(shares))
    busy, asleep, swapping = (share / spread for share in shares)
    return Sample(
        at=at,
        interval_s=interval_s,
        model=seat.model,
        replica=seat.replica,
        host=row.placement.host if row.placement else None,
        gpus=row.placement.gpus if row.placement else (),
        state=row.state,
        busy=busy,
        idle=max(0.0, 1.0 - busy - asleep - swapping),
        asleep=asleep,
        swapping=swapping,
        queued=row.queued,
        in_flight=row.in_flight,
        queued_s=passed("queued_s"),
        running_s=passed("running_s"),
        waits=classes("waits"),
        runs=classes("runs"),
        **{name: counted(name) for name in COUNTED},
    )


@asynccontextmanager
async def watched(
    directory: Path, counters: Counters, observers: Sequence[Observer] = ()
) -> AsyncIterator[None]:
    """Write samples to the run directory while the body runs, and a last one at its end."""
    watch = Watch()
    with closing(UtilisationLog(directory)) as log:

        def look() -> None:
            samples = watch.look(counters())
            log.append(samples)
            for observer in observers:
                observer.see(samples)

        looking = asyncio.create_task(_again_and_again(look))
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            look()


async def _again_and_again(look: Callable[[], None]) -> None:
    every_s = FIRST_EVERY_S
    while True:
        for _ in range(LOOKS_PER_PACE):
            await asyncio.sleep(every_s)
            look()
        every_s *= 2


def by_replica(models: Sequence[ModelCounters]) -> list[ModelCounters]:
    """Counters of one model from several processes as one, its replicas numbered anew."""
    rows: dict[str, list[ReplicaCounters]] = {}
    for model in models:
        rows.setdefault(model.model, []).extend(model.replicas)
    return [
        ModelCounters(model=name, replicas=tuple(numbered(replicas)))
        for name, replicas in rows.items()
    ]


def numbered(replicas: Sequence[ReplicaCounters]) -> list[ReplicaCounters]:
    """The same, with their places as indices."""
    return [replace(row, index=index) for index, row in enumerate(replicas)]
