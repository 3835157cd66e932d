"""A run as it goes: its counts, and a display of them for its user.

The display is live on a terminal, and made of plain lines without one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from debate.config.models import ModelSpec
from debate.engines.metrics import ModelMetrics
from debate.runner.replica_samples import ReadCounters
from debate.terminal import show_display
from debate.text import clean, count_noun, format_duration
from debate.types import Turn, Usage, Verdict, states_answer

LIVE_EVERY_S = 0.5
PLAIN_EVERY_S = 10.0

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
