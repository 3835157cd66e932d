"""A run as it goes: counts and a live display for its user, samples of its models for the log.

The display is live on a terminal, and made of plain lines without one. Once a second or so the
counters of all models are looked at, and what each replica did meanwhile is written down.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from debate.config.models import ModelSpec
from debate.engines.metrics import ModelMetrics, ReplicaMetrics
from debate.errors import LogError
from debate.log.utilisation import UtilisationLog, UtilisationSample
from debate.terminal import show_display
from debate.text import clean, count_noun, format_duration
from debate.types import Turn, Usage, Verdict, states_answer

LIVE_EVERY_S = 0.5
PLAIN_EVERY_S = 10.0
SAMPLE_EVERY_S = 1.0
SAMPLES_PER_INTERVAL = 1000
"""After so many samples the interval doubles: a week's run has some nine thousand of them."""

PROGRESS_COUNTS = (
    "debates",
    "turns",
    "replayed",
    "shared",
    "failures",
    "abstentions",
    "cut",
    "ties",
    "ended_turns",
    "ended_full_turns",
    "prompt_tokens",
    "generated_tokens",
    "cost",
)
LEAST_SHARE, LEAST_S = 0.05, 5.0
"""The share of a run and the seconds after which its pace tells when it will be over."""
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


@dataclass(kw_only=True)
class RunProgress:
    """The counts of a run so far. Turns found in the log count as replayed, not as made.

    full_turns: of a debate of each condition at full length, where that is known. abstentions:
    replies, each call once, that state no single answer; those in the log, too, as in the counts
    at the end of a run. cut: replies and critiques, likewise. ended_turns: those of debates that
    are over, and ended_full_turns, what they had at full length.
    """

    models: Mapping[str, ModelSpec]
    num_debates: int
    full_turns: Mapping[str, float] = field(default_factory=dict)
    debates: int = 0
    turns: int = 0
    replayed: int = 0
    shared: int = 0
    failures: int = 0
    abstentions: int = 0
    cut: int = 0
    ties: int = 0
    ended_turns: int = 0
    ended_full_turns: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    cost: float = 0.0
    started: float = field(default_factory=time.monotonic)
    first_made: float | None = None
    describe_budget: Callable[[], str] | None = None
    _open: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, float]:
        """Everything counted, by name."""
        return {name: getattr(self, name) for name in PROGRESS_COUNTS}

    def add(self, counts: Mapping[str, float]) -> None:
        """Add what another process has counted."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)
        self._note_pace()

    def _note_pace(self) -> None:
        """Begin to measure the pace with the first turn that is made."""
        if self.first_made is None and self.turns:
            self.first_made = time.monotonic()

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """Count one turn."""
        self._open[turn.cell, turn.question, turn.seed] += 1
        if turn.shared_with is None:
            self.abstentions += states_answer(turn) and turn.is_abstention
            self.cut += turn.kind != "probe" and turn.is_cut
        if replayed:
            self.replayed += 1
            return
        self.turns += 1
        self._note_pace()
        self.failures += turn.failure is not None
        if turn.shared_with is not None:
            self.shared += 1
            return
        self.add_usage(turn.model, turn.usage)

    def add_usage(self, model: str, usage: Usage) -> None:
        """Count the tokens of one call, and what they cost."""
        prompt, generated = usage.prompt_tokens or 0, usage.generated_tokens or 0
        self.prompt_tokens += prompt
        self.generated_tokens += generated
        price = self.models[model].price
        if price:
            self.cost += (prompt * price.prompt + generated * price.generated) / 1e6

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Count one debate."""
        last = verdicts[-1]
        self.debates += 1
        self.ties += bool(last.tied)
        self.ended_turns += self._open.pop((last.cell, last.question, last.seed), 0)
        self.ended_full_turns += self.full_turns.get(last.cell, 0.0)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first count."""
        return max(1e-9, time.monotonic() - self.started)

    @property
    def left_s(self) -> float | None:
        """Seconds until the end at the pace of the turns made so far.

        None in the first seconds, before a twentieth of the run is done, and once it is over.
        """
        if self.first_made is None or self.debates >= self.num_debates:
            return None
        past_s = time.monotonic() - self.first_made
        left = self._estimate_turns() - self.turns - self.replayed
        done = self.turns / max(1.0, self.turns + left)
        if past_s < LEAST_S or done < LEAST_SHARE:
            return None
        return past_s / self.turns * max(0.0, left)

    def _estimate_turns(self) -> float:
        """How many turns all debates have: full ones, as much cut short as those that are over."""
        if self.full_turns:
            whole = self.num_debates * sum(self.full_turns.values()) / len(self.full_turns)
            known = self.ended_turns and self.ended_full_turns
            return whole * self.ended_turns / self.ended_full_turns if known else whole
        made = self.ended_turns or self.turns + self.replayed
        return made / self.debates * self.num_debates if self.debates else math.inf

    def format_line(self) -> str:
        """Everything on one line."""
        tokens = self.generated_tokens + self.prompt_tokens
        pace = self.turns / self.elapsed_s
        parts = [
            f"{self.debates}/{self.num_debates} debates",
            f"{self.turns} turns ({pace:,.{1 if pace < 10 else 0}f}/s)",
            f"{tokens / self.elapsed_s:,.0f} tokens/s",
            f"{count_noun(self.failures, 'call')} failed",
            f"{count_noun(self.abstentions, 'reply', 'replies')} abstained",
            count_noun(self.ties, "tie"),
        ]
        if self.cut:
            parts.append(f"{count_noun(self.cut, 'reply', 'replies')} cut off")
        if self.replayed:
            parts.append(f"{self.replayed} from the log")
        if self.shared:
            parts.append(f"{self.shared} turns shared a call")
        if self.describe_budget is not None and (told := self.describe_budget()):
            parts.append(told)
        elif any(spec.price for spec in self.models.values()):
            parts.append(f"cost {self.cost:,.4f} US dollars")
        if (left := self.left_s) is not None:
            parts.append(f"about {format_duration(left)} left")
        return " · ".join(parts)


@asynccontextmanager
async def show_progress(
    progress: RunProgress, read: ReadCounters, console: Console, *, quiet: bool = False
) -> AsyncIterator[None]:
    """Show the progress while the body runs, and its last line at the end; nothing if `quiet`."""
    if quiet:
        yield
        return
    show = _update_display if console.is_terminal else _print_lines
    task = asyncio.create_task(show(progress, read, console))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        console.print(progress.format_line(), highlight=False)


async def _print_lines(progress: RunProgress, read: ReadCounters, console: Console) -> None:
    while True:
        await asyncio.sleep(PLAIN_EVERY_S)
        for line in (progress.format_line(), *describe_waiting(read(), time.time())):
            console.print(line, highlight=False, markup=False, soft_wrap=True)


async def _update_display(progress: RunProgress, read: ReadCounters, console: Console) -> None:
    bar = Progress(TextColumn("debates"), BarColumn(), MofNCompleteColumn(), console=console)
    task = bar.add_task("debates", total=progress.num_debates)
    display = _Display(console)
    with show_display(display):
        while True:
            bar.update(task, completed=progress.debates)
            models = read()
            waiting = (Text(line) for line in describe_waiting(models, time.time()))
            display.update(Group(bar, progress.format_line(), _make_model_table(models), *waiting))
            await asyncio.sleep(LIVE_EVERY_S)


class _Display:
    """The live display of a run; see `debate.terminal.LiveDisplay`.

    It is made anew each time: a `Live` that goes on would rewrite lines of others.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: RenderableType = ""
        self._live: Live | None = None

    def resume(self) -> None:
        """Show what was shown last."""
        self._live = Live(self._shown, console=self._console, refresh_per_second=4, transient=True)
        self._live.start()

    def pause(self) -> None:
        """Take it away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def update(self, shown: RenderableType) -> None:
        """Show something else, now or when it is resumed."""
        self._shown = shown
        if self._live is not None:
            self._live.update(shown)


def describe_waiting(models: Sequence[ModelMetrics], now: float) -> list[str]:
    """Return a line for each person that the run waits for: who, for what, since when and where.

    now: in seconds since the epoch.
    """
    lines = []
    for model in models:
        waiting = [turn for replica in model.replicas for turn in replica.waiting]
        if not waiting:
            continue
        first = waiting[0]
        since = time.strftime("%H:%M:%S", time.localtime(first.since))
        told = (
            f"waiting for {first.agent} (a person): {first.what}, question {first.question}, "
            f"round {first.round}, since {since} ({format_duration(now - first.since)})"
        )
        more = len(waiting) - 1
        told += f"; {count_noun(more, 'more turn')} after it" if more else ""
        lines.append(clean(f"{told}; {first.place}"))
    return lines


def _make_model_table(models: Sequence[ModelMetrics]) -> Table:
    columns = ("model", "state", "queued", "in flight", "done", "failed", "restarts", "swaps")
    table = Table(*columns, box=None)
    for model in models:
        for row in model.replicas:
            held = (row.queued, row.in_flight, row.done, row.failed, row.restarts, row.swaps)
            table.add_row(model.model, row.state, *(f"{count:,}" for count in held))
    return table


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
