"""Calls, tokens, cost and time of a whole run, forecast from the part that is in its directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from debate.analysis.intervals import Interval, compute_clustered_mean
from debate.config.models import ModelSpec
from debate.log import Run
from debate.log.files import MANIFEST
from debate.orchestrator.probing import FURTHER_PREFIX
from debate.runner.plan import Plan
from debate.terminal import print_whole
from debate.text import format_duration

_CALL = ("model", "prompt_tokens", "generated_tokens", "started_at", "finished_at", "shared_with")
_ITEM = ("question", "seed")


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The whole run, estimated from the questions that all cells have debated to the end.

    Counted in items, each a question with a seed in all cells; turns shared between cells count
    once. An interval covers the total in 95 % of cases if the questions left are like those done.
    cost: in US dollars, None where no model has a price. whole_s, left_s: seconds of all
    and of what is left at the pace so far, None where nothing tells it.
    """

    num_items: int
    num_all: int
    num_turns: int
    turns: Interval
    prompt_tokens: Interval
    generated_tokens: Interval
    cost: Interval | None
    whole_s: float | None
    left_s: float | None


class RunCost(NamedTuple):
    """Calls, tokens, cost and time of some questions in all conditions, at the pilot's pace.

    cost: in US dollars, None where no model has a price; time_s: None where nothing tells.
    """

    turns: float
    prompt_tokens: float
    generated_tokens: float
    cost: float | None
    time_s: float | None

    def scale(self, num: int) -> RunCost:
        """Return the cost of so many times as much."""
        return RunCost(
            turns=self.turns * num,
            prompt_tokens=self.prompt_tokens * num,
            generated_tokens=self.generated_tokens * num,
            cost=None if self.cost is None else self.cost * num,
            time_s=None if self.time_s is None else self.time_s * num,
        )


def make_forecast(plan: Plan, directory: Path, *, num_all: int | None = None) -> Forecast | None:
    """Forecast a plan's run from its directory; None before a question is through.

    num_all: questions × seeds to forecast, by default those of the plan.
    """
    if not (directory / MANIFEST).is_file():
        return None
    run = Run(directory)
    is_further = (pl.col("kind") == "probe") & pl.col("about").str.starts_with(FURTHER_PREFIX)
    own = run.scan_turns().filter(~is_further.fill_null(False))
    made = own.select("cell", *_ITEM, *_CALL).filter(pl.col("shared_with").is_null()).collect()
    done = made.join(_find_finished_items(plan, run), on=_ITEM, how="semi")
    if done.is_empty():
        return None
    wanted = [cell.name for cell in plan.cells]
    made = made.filter(pl.col("cell").is_in(wanted))
    num_all = len(plan.questions) * len(plan.spec.seeds) if num_all is None else num_all
    sums = _sum_by_item(done, plan.spec.models)
    turns = _estimate_total(sums, "turns", num_all)
    left = max(0.0, (turns.value or 0.0) - made.height)
    pace = compute_busy_s(made) / made.height if made.height else 0.0
    has_price = any(spec.price for spec in plan.models.values())
    return Forecast(
        num_items=sums.height,
        num_all=num_all,
        num_turns=made.height,
        turns=turns,
        prompt_tokens=_estimate_total(sums, "prompt_tokens", num_all),
        generated_tokens=_estimate_total(sums, "generated_tokens", num_all),
        cost=_estimate_total(sums, "cost", num_all) if has_price else None,
        whole_s=(turns.value or 0.0) * pace if pace > 0 else None,
        left_s=left * pace if pace > 0 else None,
    )


def forecast_question(plan: Plan, directory: Path, *, num_seeds: int) -> RunCost | None:
    """Forecast one question with `num_seeds` seeds in the plan's cells; None as `make_forecast`."""
    found = make_forecast(plan, directory, num_all=num_seeds)
    if found is None:
        return None
    return RunCost(
        turns=found.turns.value or 0.0,
        prompt_tokens=found.prompt_tokens.value or 0.0,
        generated_tokens=found.generated_tokens.value or 0.0,
        cost=None if found.cost is None else found.cost.value,
        time_s=found.whole_s,
    )


def _find_finished_items(plan: Plan, run: Run) -> pl.DataFrame:
    """The questions and seeds that every cell of the plan has debated to the end."""
    finals = run.verdicts().filter(pl.col("final"))
    finals = finals.filter(pl.col("cell").is_in([cell.name for cell in plan.cells]))
    counted = finals.group_by(_ITEM).agg(cells=pl.col("cell").n_unique())
    return counted.filter(pl.col("cells") == len(plan.cells)).select(_ITEM)


def _sum_by_item(made: pl.DataFrame, models: Mapping[str, ModelSpec]) -> pl.DataFrame:
    """Turns made, tokens and cost of each question and seed; tokens not recorded count as 0."""
    prices = {name: spec.price for name, spec in models.items() if spec.price}
    cost = pl.lit(0.0)
    for name, price in prices.items():
        each = pl.col("prompt_tokens").fill_null(0) * price.prompt
        each = each + pl.col("generated_tokens").fill_null(0) * price.generated
        cost = cost + pl.when(pl.col("model") == name).then(each / 1e6).otherwise(0.0)
    return made.group_by(_ITEM, maintain_order=True).agg(
        turns=pl.len(),
        prompt_tokens=pl.col("prompt_tokens").sum(),
        generated_tokens=pl.col("generated_tokens").sum(),
        cost=cost.sum(),
    )


def _estimate_total(sums: pl.DataFrame, column: str, num_all: int) -> Interval:
    """The total over all questions and seeds, with its interval clustered by question."""
    values = sums[column].to_numpy().astype(np.float64)
    codes = (sums["question"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    mean = compute_clustered_mean(values, codes)

    def scale(value: float | None) -> float | None:
        return None if value is None else max(0.0, value * num_all)

    return Interval(
        scale(mean.value), scale(mean.low), scale(mean.high), scale(mean.se), mean.num_questions
    )


def compute_busy_s(made: pl.DataFrame) -> float:
    """Seconds during which at least one of these calls was under way, pauses left out.

    >>> frame = pl.DataFrame({"started_at": [0.0, 1.0, 9.0], "finished_at": [2.0, 3.0, 10.0]})
    >>> compute_busy_s(frame)
    4.0
    """
    spans = made.select("started_at", "finished_at").sort("started_at")
    starts, ends = spans["started_at"].to_numpy(), spans["finished_at"].to_numpy()
    if not len(starts):
        return 0.0
    before = np.concatenate([[-np.inf], np.maximum.accumulate(ends)[:-1]])
    return float(np.maximum(0.0, ends - np.maximum(starts, before)).sum())


def print_forecast(found: Forecast, console: Console) -> None:
    """Print what the whole run will take."""
    share = f"{found.num_items:,} of {found.num_all:,} questions × seeds"
    console.print(f"by the {share} that are through, the whole run takes", highlight=False)
    lines = {
        "turns made": _format_interval(found.turns),
        "prompt tokens": _format_interval(found.prompt_tokens),
        "generated tokens": _format_interval(found.generated_tokens),
        "cost": f"{_format_interval(found.cost, decimals=4)} US dollars" if found.cost else None,
        "still to make": f"{max(0, round((found.turns.value or 0) - found.num_turns)):,} turns",
        "time left": _format_time_left(found.left_s),
    }
    table = Table(show_header=False, box=None)
    for name, value in lines.items():
        if value is not None:
            table.add_row(name, value)
    print_whole(table, console)


def _format_interval(interval: Interval, *, decimals: int = 0) -> str:
    if interval.value is None:
        return "–"
    text = f"{interval.value:,.{decimals}f}"
    if interval.low is None or interval.high is None:
        return text
    return f"{text} [{interval.low:,.{decimals}f}, {interval.high:,.{decimals}f}]"


def _format_time_left(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return f"about {format_duration(seconds)} at the pace so far (faster once every batch is full)"
