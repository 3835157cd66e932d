"""What a run is doing, live: a display on a terminal, plain lines without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from debate.config.models import ModelSpec
from debate.types import Turn, Verdict
from debate.wiring.utilisation import Counters

LIVE_EVERY_S = 0.5
PLAIN_EVERY_S = 10.0

COUNTED = (
    "debates",
    "turns",
    "replayed",
    "shared",
    "failures",
    "abstentions",
    "cut",
    "ties",
    "prompt_tokens",
    "generated_tokens",
    "cost",
)


@dataclass(kw_only=True)
class Tally:
    """What has happened so far. Turns found in the log count as replayed, not as made."""

    models: Mapping[str, ModelSpec]
    num_debates: int
    debates: int = 0
    turns: int = 0
    replayed: int = 0
    shared: int = 0
    failures: int = 0
    abstentions: int = 0
    cut: int = 0
    ties: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    cost: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def counts(self) -> dict[str, float]:
        """Everything counted, by name."""
        return {name: getattr(self, name) for name in COUNTED}

    def add(self, counts: Mapping[str, float]) -> None:
        """Count what others have counted."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """Count one turn."""
        if replayed:
            self.replayed += 1
            return
        self.turns += 1
        self.failures += turn.failure is not None
        self.abstentions += turn.is_abstention
        self.cut += turn.is_cut
        if turn.shared_with is not None:
            self.shared += 1
            return
        prompt, generated = turn.usage.prompt_tokens or 0, turn.usage.generated_tokens or 0
        self.prompt_tokens += prompt
        self.generated_tokens += generated
        price = self.models[turn.model].price
        if price:
            self.cost += (prompt * price.prompt + generated * price.generated) / 1e6

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Count one debate."""
        self.debates += 1
        self.ties += verdicts[-1].value is None and verdicts[-1].outcome != "failed"

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first count."""
        return max(1e-9, time.monotonic() - self.started)

    def line(self) -> str:
        """Everything on one line."""
        tokens = self.generated_tokens + self.prompt_tokens
        parts = [
            f"{self.debates}/{self.num_debates} debates",
            f"{self.turns} turns ({self.turns / self.elapsed_s:,.0f}/s)",
            f"{tokens / self.elapsed_s:,.0f} tokens/s",
            f"{self.failures} failed, {self.abstentions} abstained, {self.ties} without verdict",
        ]
        if self.cut:
            parts.append(f"{self.cut} cut off")
        if self.replayed:
            parts.append(f"{self.replayed} from the log")
        if self.shared:
            parts.append(f"{self.shared} shared calls")
        if any(spec.price for spec in self.models.values()):
            parts.append(f"cost {self.cost:,.4f}")
        left = self.left_s()
        parts.append(f"{left:,.0f} s left" if left is not None else "")
        return " · ".join(filter(None, parts))

    def left_s(self) -> float | None:
        """Seconds until the end at the pace so far; None before the first debate is over."""
        if not self.debates:
            return None
        return self.elapsed_s / self.debates * (self.num_debates - self.debates)


@asynccontextmanager
async def shown(
    tally: Tally, counters: Counters, console: Console, *, quiet: bool = False
) -> AsyncIterator[None]:
    """Show the tally while the body runs."""
    if quiet:
        yield
        return
    show = _live if console.is_terminal else _plain
    task = asyncio.create_task(show(tally, counters, console))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        console.print(tally.line(), highlight=False)


async def _plain(tally: Tally, counters: Counters, console: Console) -> None:
    while True:
        await asyncio.sleep(PLAIN_EVERY_S)
        console.print(tally.line(), highlight=False)


async def _live(tally: Tally, counters: Counters, console: Console) -> None:
    bar = Progress(
        TextColumn("debates"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console,
    )  # fmt: skip
    task = bar.add_task("debates", total=tally.num_debates)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            bar.update(task, completed=tally.debates)
            live.update(Group(bar, tally.line(), _models(counters)))
            await asyncio.sleep(LIVE_EVERY_S)


def _models(counters: Counters) -> Table:
    """What each model is doing."""
    columns = ("model", "state", "queued", "in flight", "done", "failed", "restarts", "swaps")
    table = Table(*columns, box=None)
    for model in counters():
        for row in model.replicas:
            counts = (
                row.queued, row.in_flight, row.done, row.failed, row.restarts, row.swaps
            )  # fmt: skip
            table.add_row(model.model, row.state, *(f"{count:,}" for count in counts))
    return table
