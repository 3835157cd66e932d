"""What each replica of each model did, second by second: samples of running counters, for the log.

Once a second or so the counters of all models are looked at, and what each replica did meanwhile is
written down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Protocol

from debate.engines.metrics import ModelMetrics, ReplicaMetrics
from debate.errors import LogError
from debate.log.utilisation import UtilisationLog, UtilisationSample

SAMPLE_EVERY_S = 1.0
SAMPLES_PER_INTERVAL = 1000
"""After so many samples the interval doubles: a week's run has some nine thousand of them."""

REPLICA_COUNTS = (
    "done",
    "failed",
    "restarts",
    "swaps",
    "prompt_tokens",
    "cached_tokens",
    "generated_tokens",
)
"""Counts that counters hold since the start of a replica, and samples for their interval."""

ReadCounters = Callable[[], Sequence[ModelMetrics]]
"""Takes a snapshot of all models."""


class Observer(Protocol):
    """A receiver of samples beside the log, such as a metrics exporter."""

    def see(self, samples: Sequence[UtilisationSample]) -> None:
        """Take the samples of every replica for the last interval."""


class ReplicaKey(NamedTuple):
    """One replica of one model."""

    model: str
    replica: int


class ReplicaSampler:
    """Turns the running totals of counters into samples of the time between two snapshots."""

    def __init__(self) -> None:
        self._before: dict[ReplicaKey, ReplicaMetrics] = {}
        self._looked_at = time.monotonic()

    def look(self, models: Sequence[ModelMetrics]) -> list[UtilisationSample]:
        """Return what each replica did since the last look."""
        now, wall = time.monotonic(), time.time()
        interval_s, self._looked_at = max(1e-6, now - self._looked_at), now
        rows = {
            ReplicaKey(model.model, row.index): row for model in models for row in model.replicas
        }
        samples = [
            make_sample(key, row, self._before.get(key), at=wall, interval_s=interval_s)
            for key, row in rows.items()
        ]
        self._before = rows
        return samples


def make_sample(
    key: ReplicaKey,
    row: ReplicaMetrics,
    before: ReplicaMetrics | None,
    *,
    at: float,
    interval_s: float,
) -> UtilisationSample:
    """Return what a replica did between two snapshots; without an earlier one, since it was made.

    Totals that went back are those of a replica that another has replaced.
    """
    since = None if before is None or before.done > row.done else before

    def subtract(name: str) -> float:
        return max(0.0, float(getattr(row, name) - (getattr(since, name) if since else 0.0)))

    def subtract_classes(name: str) -> tuple[int, ...]:
        earlier = getattr(since, name) if since else ()
        pairs = zip_longest(getattr(row, name), earlier, fillvalue=0)
        return tuple(max(0, now - then) for now, then in pairs)

    shares = [
        min(1.0, subtract(f"{name}_s") / interval_s) for name in ("busy", "asleep", "swapping")
    ]
    spread = max(1.0, sum(shares))
    busy, asleep, swapping = (share / spread for share in shares)
    return UtilisationSample(
        at=at,
        interval_s=interval_s,
        model=key.model,
        replica=key.replica,
        host=row.placement.host if row.placement else None,
        gpus=row.placement.gpus if row.placement else (),
        state=row.state,
        busy=busy,
        idle=max(0.0, 1.0 - busy - asleep - swapping),
        asleep=asleep,
        swapping=swapping,
        queued=row.queued,
        in_flight=row.in_flight,
        queued_s=subtract("queued_s"),
        running_s=subtract("running_s"),
        waits=subtract_classes("waits"),
        runs=subtract_classes("runs"),
        **{name: int(subtract(name)) for name in REPLICA_COUNTS},
    )


@asynccontextmanager
async def record_utilisation(
    directory: Path, read: ReadCounters, observers: Sequence[Observer] = ()
) -> AsyncIterator[None]:
    """Write samples to the run directory while the body runs, and a last one at its end."""
    sampler = ReplicaSampler()
    with closing(UtilisationLog(directory)) as log:

        def record() -> None:
            samples = sampler.look(read())
            log.append(samples)
            for observer in observers:
                observer.see(samples)

        async def end() -> None:
            recording.cancel()
            with suppress(asyncio.CancelledError):
                await recording
            record()

        recording = asyncio.create_task(_repeat(record))
        try:
            yield
        except BaseException:
            with suppress(LogError):  # what ended the body is to be told
                await end()
            raise
        await end()


async def _repeat(record: Callable[[], None]) -> None:
    every_s = SAMPLE_EVERY_S
    while True:
        for _ in range(SAMPLES_PER_INTERVAL):
            await asyncio.sleep(every_s)
            record()
        every_s *= 2


def merge_counters(models: Sequence[ModelMetrics]) -> list[ModelMetrics]:
    """Merge counters of one model from several processes, its replicas numbered anew."""
    rows: dict[str, list[ReplicaMetrics]] = {}
    for model in models:
        rows.setdefault(model.model, []).extend(model.replicas)
    return [
        ModelMetrics(
            model=name,
            replicas=tuple(replace(row, index=index) for index, row in enumerate(replicas)),
        )
        for name, replicas in rows.items()
    ]
