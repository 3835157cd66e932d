"""Confidence in debates without a truth to score it by: by round, and summed over the sides.

Debaters of assigned sides who say how likely they are to win cannot both be right to be sure: the
win-confidences of sides of which exactly one wins add up to 1 if all are calibrated, whoever wins
(arXiv 2505.19184). What the sum exceeds 1 by is over-confidence that needs no truth. Where the
sides are answers of which none need be right, a calibrated sum is at most 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from debate.analysis.intervals import compute_clustered_mean
from debate.analysis.quantity import Measure
from debate.analysis.schema import Estimate
from debate.errors import InputError, suggest

_WORDS = {
    "confidence": "confidence",
    "side_confidence": "confidence of a side",
    "model_confidence": "confidence of a model",
    "confidence_sum_excess": "sum over sides − 1",
}
_PARTS = {
    "": "mean after a round",
    "_change": "mean change since the first round",
    "_drift": "mean change from one round to the next, where somebody spoke",
}
REFERENCE_FREE: Mapping[str, Measure] = MappingProxyType(
    {
        f"{name}{part}": Measure(
            f"{name}{part}",
            f"{words}{part.replace('_', ', ')}",
            f"{words}: {formula}",
            kind="mean",
            is_signed=bool(part) or name == "confidence_sum_excess",
            of_confidence=True,
            source="arXiv 2505.19184",
        )
        for name, words in _WORDS.items()
        for part, formula in _PARTS.items()
        if name + part != "confidence"
    }
)
"""Measures of debates in which nothing says what would be right."""
NO_CONFIDENCE = "confidence on at least one turn"
NO_ROUNDS = "a confidence in two rounds"
NO_SIDES = "debates between two or more sides, each with one answer or none, all with a confidence"
_DEBATE = ("cell", "question", "seed")
_AGENT = (*_DEBATE, "agent")


def is_reference_free(frame: pl.DataFrame) -> bool:
    """Whether nothing in a frame of trajectories says what would be right."""
    return frame["outcome"].null_count() == frame.height


def estimate_reference_free(
    frame: pl.DataFrame, *, confidence: str = "confidence"
) -> list[Estimate]:
    """Estimates of confidence alone, by condition and round, with 95 % intervals.

    frame: columns cell, question, seed, agent, model, round and the confidence, as
    `Run.trajectories` and `read_table` give them; answer, cluster, failed and kind count where they
    are there. confidence: a column, or the name of an estimator.

    confidence: the mean over agents (`subject` None) and of each agent; side_confidence and
    model_confidence: of each side and model, where these are not the agents over again.
    confidence_sum_excess: the mean over debates of the sum over sides, less 1; agents of one side
    count by their mean. A side is what an agent answers in all rounds, or the agent itself where
    nobody in the debate answers; a debate whose agents change their answers, or all give the same,
    has no sides. `<name>_change`: mean change since the first round of the condition of what is
    known in both; `<name>_drift`: mean change from one round to the next, where somebody spoke.

    Who stopped keeps the last confidence to the end; a failed turn has none. Intervals are
    clustered by question, or by `cluster` where it is told. Raises InputError where no confidence
    is there.
    """
    states = _carry_forward(_select_turns(frame, _find_column(frame, confidence)))
    method = "mean, clustered by question"
    if "cluster" in frame.columns and frame["cluster"].null_count() < frame.height:
        method = "mean, clustered by cluster"
    found: list[Estimate] = []
    for (cell,), rows in states.group_by("cell", maintain_order=True):
        for quantity in _list_quantities(rows):
            found += _make_estimates(quantity, cell=str(cell), method=method)
    return found


class _FollowedQuantity(NamedTuple):
    """A quantity of one condition: what it is called, its values, and where they can lie.

    units: cluster, round, value and whether it is carried, of each unit (an agent, a debate) that
    is followed over rounds.
    """

    name: str
    subject: str | None
    units: pl.DataFrame
    least: float
    most: float


def _find_column(frame: pl.DataFrame, confidence: str) -> str:
    for column in (f"confidence_{confidence}", confidence):
        if column in frame.columns and frame[column].is_not_null().any():
            return column
    held = [c for c in frame.columns if c.startswith("confidence") and frame[c].count()]
    named = [c.removeprefix("confidence_") for c in held]
    hint = suggest(confidence, named) if named else "nor is any other"
    raise InputError(f'confidence "{confidence}" is not recorded in any row; {hint}')


def _select_turns(frame: pl.DataFrame, confidence: str) -> pl.DataFrame:
    """The turns of debaters: who, when, `value` (the confidence), `side`, `cluster` as a code."""
    absent = {"answer": pl.String, "cluster": pl.String, "failed": pl.Boolean, "kind": pl.String}
    missing = [
        pl.lit(None, dtype).alias(n) for n, dtype in absent.items() if n not in frame.columns
    ]
    turns = frame.with_columns(missing).filter(pl.col("kind").ne_missing("judgment"))
    failed = pl.col("failed").fill_null(False)
    cluster = pl.coalesce(pl.format("cluster {}", "cluster"), pl.format("question {}", "question"))
    turns = turns.select(
        *_AGENT,
        "model",
        "round",
        "answer",
        value=pl.when(~failed).then(confidence).cast(pl.Float64).fill_nan(None),
        cluster=cluster.rank("dense").cast(pl.Int64) - 1,
    )
    return _add_sides(turns).drop("answer").sort(*_AGENT, "round")


def _add_sides(turns: pl.DataFrame) -> pl.DataFrame:
    """The turns with the agent's `side`; null in a debate that has no sides."""
    agents = turns.group_by(_AGENT).agg(answers=pl.col("answer").drop_nulls().unique())
    num = pl.col("answers").list.len()
    stated, silent = ((num == n).all().over(_DEBATE) for n in (1, 0))
    side = pl.when(stated).then(pl.col("answers").list.first()).when(silent).then("agent")
    agents = agents.select(*_AGENT, side=side)
    several = pl.col("side").n_unique().over(_DEBATE) > 1
    agents = agents.with_columns(side=pl.when(several).then("side"))
    return turns.join(agents, on=_AGENT, how="left")


def _carry_forward(turns: pl.DataFrame) -> pl.DataFrame:
    """One row for each agent and round from its first turn to the last round of its cell."""
    turns = turns.with_row_index("row")
    last = pl.col("round").max().over("cell") + 1
    spans = turns.with_columns(last=last).group_by(_AGENT, maintain_order=True)
    grid = spans.agg(round=pl.int_range(pl.col("round").min(), pl.col("last").first()))
    grid = grid.with_row_index("trajectory").explode("round")
    spoken = turns.select(*_AGENT, "round", "row")
    grid = grid.join(spoken, on=[*_AGENT, "round"], how="left", maintain_order="left")
    grid = grid.with_columns(
        pl.col("row").forward_fill().over("trajectory"), carried=pl.col("row").is_null()
    )
    states = grid.join(
        turns.select("row", "model", "side", "cluster", "value"), on="row", how="left"
    )
    return states.sort("trajectory", "round")


def _list_quantities(cell: pl.DataFrame) -> Iterator[_FollowedQuantity]:
    states = cell.with_columns(unit="trajectory")
    yield _FollowedQuantity("confidence", None, states, 0.0, 1.0)
    if cell["agent"].n_unique() > 1:
        yield from _split_by_subject("confidence", "agent", states)
    for subject in ("side", "model"):
        named = states.filter(pl.col(subject).is_not_null())
        num = named[subject].n_unique()
        pairs = named.select("agent", subject).unique().height
        if num > 1 and not pairs == num == named["agent"].n_unique():
            yield from _split_by_subject(f"{subject}_confidence", subject, named)
    sums = _sum_sides(states)
    yield _FollowedQuantity(
        "confidence_sum_excess", None, sums, -1.0, _count_most_sides(states) - 1.0
    )


def _split_by_subject(name: str, subject: str, states: pl.DataFrame) -> Iterator[_FollowedQuantity]:
    for value in states[subject].unique().sort():
        yield _FollowedQuantity(name, value, states.filter(pl.col(subject) == value), 0.0, 1.0)


def _count_most_sides(states: pl.DataFrame) -> int:
    nums = states.group_by(_DEBATE).agg(pl.col("side").drop_nulls().n_unique())["side"]
    return int(nums.to_numpy().max())


def _sum_sides(states: pl.DataFrame) -> pl.DataFrame:
    """By debate and round: the sum over sides less 1; null where some side's is unknown."""
    sided = states.filter(pl.col("side").is_not_null())
    sided = sided.with_columns(num_sides=pl.col("side").n_unique().over(_DEBATE))
    by_side = sided.group_by(*_DEBATE, "round", "side", "cluster", "num_sides").agg(
        value=pl.when(pl.col("value").is_not_null().all()).then(pl.col("value").mean()),
        carried=pl.col("carried").all(),
    )
    whole = pl.col("value").count() == pl.col("num_sides").first()
    sums = by_side.group_by(*_DEBATE, "round", "cluster").agg(
        value=pl.when(whole).then(pl.col("value").sum() - 1),
        carried=pl.col("carried").all(),
    )
    return sums.sort(*_DEBATE, "round").with_columns(unit=pl.struct(_DEBATE).rle_id())


def _make_estimates(quantity: _FollowedQuantity, *, cell: str, method: str) -> Iterator[Estimate]:
    """Its level and change by round, and its drift."""
    name, units = quantity.name, quantity.units
    first = pl.col("round").min()
    base = pl.col("value").filter(pl.col("round") == pl.col("first")).first().over("unit")
    units = units.with_columns(first=first).with_columns(
        change=pl.col("value") - base,
        step=pl.when(~pl.col("carried")).then(pl.col("value").diff().over("unit")),
    )
    about = partial(
        Estimate, cell=cell, subject=quantity.subject, unit="probability", method=method
    )
    lack = NO_SIDES if name == "confidence_sum_excess" else NO_CONFIDENCE
    if units["value"].count() == 0:
        yield about(name=name, missing=lack)
        return
    span = quantity.most - quantity.least
    for (round_,), rows in units.sort("round").group_by("round", maintain_order=True):
        here = partial(about, round=round_)
        yield _estimate_mean(here(name=name), rows, "value", quantity.least, quantity.most)
        if round_ > rows["first"][0]:
            yield _estimate_mean(here(name=f"{name}_change"), rows, "change", -span, span)
    yield _estimate_mean(about(name=f"{name}_drift"), units, "step", -span, span)


def _estimate_mean(
    about: Estimate, rows: pl.DataFrame, column: str, least: float, most: float
) -> Estimate:
    """The mean of a column over the rows that have it, clustered."""
    known = rows.filter(pl.col(column).is_not_null())
    if known.is_empty():
        return replace(about, missing=NO_ROUNDS if column != "value" else NO_CONFIDENCE)
    interval = compute_clustered_mean(known[column].to_numpy(), known["cluster"].to_numpy())
    about = replace(
        about, value=interval.value, n=known.height, num_questions=interval.num_questions
    )
    if interval.se is None:
        return replace(about, caveats=(f"no interval: {interval.reason}",))
    interval = interval.within(least, most)
    return replace(about, low=interval.low, high=interval.high, se=interval.se)
