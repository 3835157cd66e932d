"""What the rest of a run will cost, from what is in its directory: a pilot, or its first part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from debate.analysis.intervals import Interval, clustered_mean
from debate.config.models import ModelSpec
from debate.log import Run
from debate.log.layout import MANIFEST
from debate.orchestrator.further import PREFIX
from debate.wiring.plan import Plan

_COLUMNS = (
    "cell", "question", "seed", "model", "prompt_tokens", "generated_tokens", "started_at",
    "finished_at", "shared_with",
)  # fmt: skip
_ITEM = ["question", "seed"]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The whole run, estimated from the questions that all cells have debated to the end.

    Counted in items, each a question with a seed in all cells; turns shared between cells count
    once. An interval covers the total in 95 % of cases if the questions left are like those done.
    cost: in the user's currency, None where no model has a price. whole_s, left_s: seconds of all
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


def forecast(plan: Plan, directory: Path, *, num_all: int | None = None) -> Forecast | None:
    """The forecast of a plan from its run directory; None before a question is through.

    num_all: questions × seeds to forecast, by default those of the plan.
    """
    if not (directory / MANIFEST).is_file():
        return None
    run = Run(directory)
    is_further = (pl.col("kind") == "probe") & pl.col("about").str.starts_with(PREFIX)
    called = run.scan_turns().filter(~is_further.fill_null(False)).select(*_COLUMNS).collect()
    made = called.filter(pl.col("shared_with").is_null())
    done = made.join(_items(plan, run), on=_ITEM, how="semi")
    if done.is_empty():
        return None
    wanted = [cell.name for cell in plan.cells]
    made = made.filter(pl.col("cell").is_in(wanted))
    num_all = len(plan.questions) * len(plan.spec.seeds) if num_all is None else num_all
    sums = _by_item(done, plan.spec.models)
    turns = _total(sums, "turns", num_all)
    left = max(0.0, (turns.value or 0.0) - made.height)
    pace = busy_s(made) / made.height if made.height else 0.0
    return Forecast(
        num_items=sums.height,
        num_all=num_all,
        num_turns=made.height,
        turns=turns,
        prompt_tokens=_total(sums, "prompt_tokens", num_all),
        generated_tokens=_total(sums, "generated_tokens", num_all),
        cost=_total(sums, "cost", num_all) if _has_price(plan) else None,
        whole_s=(turns.value or 0.0) * pace if pace > 0 else None,
        left_s=left * pace if pace > 0 else None,
    )


def _items(plan: Plan, run: Run) -> pl.DataFrame:
    """The questions and seeds that every cell of the plan has debated to the end."""
    finals = run.verdicts().filter(pl.col("final"))
    finals = finals.filter(pl.col("cell").is_in([cell.name for cell in plan.cells]))
    counted = finals.group_by(_ITEM).agg(cells=pl.col("cell").n_unique())
    return counted.filter(pl.col("cells") == len(plan.cells)).select(_ITEM)


def _has_price(plan: Plan) -> bool:
    return any(spec.price for spec in plan.models.values())


def _by_item(made: pl.DataFrame, models: Mapping[str, ModelSpec]) -> pl.DataFrame:
    """Turns made, tokens and cost of each question and seed; tokens that nobody told are none."""
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


def _total(sums: pl.DataFrame, column: str, num_all: int) -> Interval:
    """The total over all questions and seeds, with its interval clustered by question."""
    values = sums[column].to_numpy().astype(np.float64)
    codes = (sums["question"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    mean = clustered_mean(values, codes)

    def whole(value: float | None) -> float | None:
        return None if value is None else max(0.0, value * num_all)

    return Interval(
        whole(mean.value), whole(mean.low), whole(mean.high), whole(mean.se), mean.num_questions
    )


def busy_s(made: pl.DataFrame) -> float:
    """Seconds during which at least one of these calls was under way, pauses left out.

    >>> busy_s(pl.DataFrame({"started_at": [0.0, 1.0, 9.0], "finished_at": [2.0, 3.0, 10.0]}))
    4.0
    """
    spans = made.select("started_at", "finished_at").sort("started_at")
    starts, ends = spans["started_at"].to_numpy(), spans["finished_at"].to_numpy()
    if not len(starts):
        return 0.0
    before = np.concatenate([[-np.inf], np.maximum.accumulate(ends)[:-1]])
    return float(np.maximum(0.0, ends - np.maximum(starts, before)).sum())
