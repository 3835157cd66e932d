"""What a run has spent of its budget: counted from its start, in words, and said at its end."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl
from rich.console import Console

from debate.errors import BudgetSpent, RunEnded
from debate.log import Run, RunLog
from debate.log.codec import UsageStruct
from debate.log.files import TURNS
from debate.log.index import TurnKey, take_snapshot
from debate.log.spend import CallSize, SpendJournal, SpendLine, SpendTotals, read_spend, start_spend
from debate.runner.budget import Account
from debate.runner.forecast import Forecast, compute_busy_s
from debate.runner.monitoring import RunProgress
from debate.runner.plan import Plan
from debate.runner.tariff import Tariff, Units
from debate.text import format_dollars

BLOCK_S = 10.0
"""Seconds of running time that are written down in advance, so that a kill forgets none."""

UNTOLD_PROMPT_TOKENS = 4096
"""Prompt tokens that a call recorded before there was a budget counts as, if it does not tell."""

MARGIN_SHARE, MARGIN_S = 0.1, 1.0
"""The part of the hours, at most so many seconds, in which no call goes on: for what is left to
write."""


@dataclass(frozen=True, kw_only=True)
class Spending:
    """The end of a run with a budget: what was spent of it, and the cap that stopped it, if any."""

    units: Units
    caps: Units
    spent_on: str | None = None

    def in_words(self) -> str:
        """Return one line: what was spent, and how to go on where it stopped."""
        told = f"spent: {describe_units(self.units, self.caps)}"
        if self.spent_on is None:
            return told
        larger = _suggest_larger(self.caps[self.spent_on])
        return (
            f"stopped at the budget ({self.spent_on}); {told}; the same command with a larger "
            f"budget goes on: -o budget.{self.spent_on}={larger}"
        )

    @property
    def record(self) -> dict[str, float]:
        """The amounts as the manifest keeps them."""
        return {name: float(amount) for name, amount in self.units.items()}


def describe_units(units: Units, caps: Units) -> str:
    """Describe what was spent of each cap.

    >>> describe_units({"calls": Decimal(3400)}, {"calls": Decimal(10000)})
    '3,400 of 10,000 calls'
    """
    return ", ".join(
        _describe_unit(name, units.get(name, Decimal(0)), cap) for name, cap in caps.items()
    )


def _describe_unit(name: str, amount: Decimal, cap: Decimal) -> str:
    if name == "dollars":
        return f"{format_dollars(amount)} of {format_dollars(cap)}"
    if name == "hours":
        return f"{amount:.3g} of {cap.normalize():f} hours"
    return f"{amount:,.0f} of {cap:,.0f} {name}"


def _suggest_larger(cap: Decimal) -> str:
    return f"{(2 * cap).normalize():f}"


End = Callable[[RunEnded], None]
"""Begins the end of a run."""


@contextmanager
def begin_account(plan: Plan) -> Iterator[Account | None]:
    """Open the account of a new run that has no directory yet; None where there is no budget."""
    if not plan.spec.budget.limits:
        yield None
        return
    journal = SpendJournal(None)
    try:
        yield make_account(plan, journal)
    finally:
        journal.close()


@asynccontextmanager
async def open_account(
    plan: Plan, log: RunLog, *, end: End, begun: Account | None = None
) -> AsyncIterator[Account | None]:
    """Open the account of a run whose log is open; None where neither a budget nor a count is.

    begun: the account of what was spent before there was a directory. A run that has once had a
    budget goes on counting without one. `end` is called when the hours are over. Raises LogError
    where the disk refuses, InputError where what was spent cannot be read.
    """
    before = read_spend(log.directory)
    if before is None and begun is None and not plan.spec.budget.limits:
        yield None
        return
    before = before or count_recorded(plan, log.directory)
    if begun is not None:
        await begun.settle()
        before = before.plus(begun.totals)
    start_spend(log.directory, before)
    journal = SpendJournal(log.directory)
    try:
        account = begun or make_account(plan, journal)
        if begun is not None:
            await begun.move(journal)
        async with run_clock(account, journal, end):
            yield account
        account.refresh()
    finally:
        journal.close()


@asynccontextmanager
async def run_clock(account: Account, journal: SpendJournal, end: End) -> AsyncIterator[None]:
    """Count the time from the account's opening to the end of the body, or the budget's stop.

    It is written down before it passes, block by block. The hours end the run even where nothing
    asks for a call.
    """
    started, held = account.opened_at, 0.0

    async def hold_blocks() -> None:
        nonlocal held
        while True:
            passed = time.monotonic() - started
            left = math.inf if account.left_s is None else account.left_s
            if left == 0:
                end(account.close("hours"))
                return
            more = passed + min(BLOCK_S, left) - held
            _add_seconds(journal, more)
            held += more
            await asyncio.sleep(min(BLOCK_S / 2, left))

    holding = asyncio.create_task(hold_blocks())
    try:
        yield
    finally:
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding
        await account.settle()
        ended = time.monotonic() if account.stopped_at is None else account.stopped_at
        _add_seconds(journal, max(0.0, ended - started) - held)


def _add_seconds(journal: SpendJournal, seconds: float) -> None:
    journal.commit(lambda _: [SpendLine(seconds=seconds)])


def make_account(plan: Plan, journal: SpendJournal) -> Account:
    """Make the account of the process that has started the run."""
    most = plan.max_total_calls / (len(plan.questions) * len(plan.spec.seeds))
    hours, ends_at = plan.spec.budget.hours, None
    if hours is not None:
        left = max(0.0, hours * 3600 - journal.read().seconds)
        ends_at = time.time() + left - min(MARGIN_S, MARGIN_SHARE * left)
    return Account(
        Tariff(budget=plan.spec.budget, models=plan.models),
        journal,
        ends_at=ends_at,
        calls_per_item=most,
    )


def sum_up(account: Account, ended: RunEnded | None) -> Spending:
    """Sum up an account at the end of a run; `ended`: what has ended it, if it is not done."""
    stopped = ended.cap if isinstance(ended, BudgetSpent) else None
    return Spending(units=account.units, caps=account.tariff.caps, spent_on=stopped)


class _Recorded(TurnKey, gc=False, frozen=True):
    """The fields of a turn that tell what its call took."""

    model: str = ""
    usage: UsageStruct = msgspec.field(default_factory=UsageStruct)
    shared_with: str | None = None
    final_line: str | None = None
    tool_steps: list[msgspec.Raw] = []
    started_at: float = 0.0
    finished_at: float = 0.0


def count_recorded(plan: Plan, directory: Path) -> SpendTotals:
    """Count what the recorded turns of a run took that had no budget until now.

    A count that a turn does not tell is taken for `UNTOLD_PROMPT_TOKENS`, and for the agent's limit
    on its replies. Attempts that no turn tells of are not counted.
    """
    limits = {agent.id: agent.sampling.max_tokens or 0 for agent in plan.agents}
    totals, spans = SpendTotals(), []
    for turn in take_snapshot(directory, TURNS, TurnKey).read_values(_Recorded):
        if turn.shared_with is None:
            prompt, generated = turn.usage.prompt_tokens, turn.usage.generated_tokens
            size = CallSize(
                1 + len(turn.tool_steps) + (turn.final_line is not None),
                UNTOLD_PROMPT_TOKENS if prompt is None else prompt,
                limits.get(turn.agent, 0) if generated is None else generated,
            )
            totals.models[turn.model] = totals.models.get(turn.model, CallSize()).plus(size)
            spans.append((turn.started_at, turn.finished_at))
    names = {"started_at": pl.Float64, "finished_at": pl.Float64}
    totals.seconds = compute_busy_s(pl.DataFrame(spans, schema=names, orient="row"))
    return totals


def compute_cost(run: Run) -> Decimal | None:
    """Return what all recorded turns of a run and its trial calls cost, in US dollars.

    Counted are all sessions, pilots and probes among them; what turns share counts once. None where
    no model has a price. Attempts that left no turn are not known.
    """
    models = run.manifest.spec.get("models") or {}
    prices = {name: spec["price"] for name, spec in models.items() if spec.get("price")}
    if not prices:
        return None
    own = run.scan_turns().filter(pl.col("shared_with").is_null()).group_by("model")
    sums = own.agg(pl.col("prompt_tokens").sum(), pl.col("generated_tokens").sum()).collect()
    trials = [call for start in run.manifest.starts for call in start.preflight]
    counted = [*sums.iter_rows(), *((c.model, c.prompt_tokens, c.generated_tokens) for c in trials)]
    return (
        sum(
            (
                Decimal(str(prices[model]["prompt"])) * (prompt or 0)
                + Decimal(str(prices[model]["generated"])) * (generated or 0)
                for model, prompt, generated in counted
                if model in prices
            ),
            Decimal(0),
        )
        / 1_000_000
    )


class SpendingLine:
    """What the progress line says of the budget: spent, of how much, and about how much at the end.

    Debates that take nothing any more, because they are on record, count as long as they come.
    """

    def __init__(self, account: Account, progress: RunProgress) -> None:
        self._account = account
        self._progress = progress
        self._begun = account.units
        self._num_on_record = 0

    def format(self) -> str:
        """Return the text."""
        caps, units = self._account.tariff.caps, self._account.refresh()
        if not caps:
            return ""
        told = describe_units(units, caps)
        if not self._progress.turns:
            self._num_on_record = self._progress.debates
        made = self._progress.debates - self._num_on_record
        if not made:
            return told
        factor = Decimal(self._progress.num_debates - self._num_on_record) / Decimal(made)
        at_end = {n: self._begun[n] + (units[n] - self._begun[n]) * factor for n in caps}
        name = max(caps, key=lambda each: at_end[each] / caps[each])
        return f"{told}, ~{_describe_amount(name, at_end[name])} at the end"


def _describe_amount(name: str, amount: Decimal) -> str:
    if name == "dollars":
        return format_dollars(amount)
    return f"{amount:.3g} hours" if name == "hours" else f"{amount:,.0f} {name}"


def print_budget(plan: Plan, console: Console, forecast: Forecast | None = None) -> None:
    """Print the budget, if there is one, and which caps the whole run is likely to pass."""
    for told in list_budget_warnings(plan, forecast):
        console.print(told, markup=False, highlight=False, soft_wrap=True)


def list_budget_warnings(plan: Plan, forecast: Forecast | None = None) -> Iterator[str]:
    """Yield a line for the budget, and one for each cap that the whole run is likely to pass."""
    caps = Tariff(budget=plan.spec.budget, models=plan.models).caps
    if not caps:
        return
    yield "budget: at most " + ", ".join(_describe_amount(n, cap) for n, cap in caps.items())
    if forecast is None:
        if "calls" in caps and plan.max_total_calls > caps["calls"]:
            yield (
                f"the run makes {plan.max_total_calls:,} calls at most, more than the budget's "
                f"{caps['calls']:,}: it may stop there, and goes on with a larger one"
            )
        return
    for name, amount in _list_forecast(forecast).items():
        if name in caps and amount > caps[name]:
            yield (
                f"by the forecast the whole run takes {_describe_amount(name, amount)}, more than "
                f"the budget's {_describe_amount(name, caps[name])}: it will stop there, and goes "
                "on with a larger one"
            )


def _list_forecast(found: Forecast) -> Units:
    """The amounts of a forecast that are known."""
    tokens = [found.prompt_tokens.value, found.generated_tokens.value]
    known = {
        "calls": found.turns.value,
        "tokens": None if None in tokens else sum(each or 0.0 for each in tokens),
        "dollars": found.cost.value if found.cost else None,
        "hours": None if found.whole_s is None else found.whole_s / 3600,
    }
    return {name: Decimal(repr(float(v))) for name, v in known.items() if v is not None}
