"""Per-question sums: all that an interval needs to know of a cohort."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from debate.analysis.intervals import (
    Array,
    Codes,
    Interval,
    compute_rate,
    pool_design_effects,
    sum_by_code,
)
from debate.analysis.quantity import IntervalKind, Measure, Quantity, take_gap, take_quotient

RATE_COLUMNS = {
    "n": pl.Int64(),
    "successes": pl.Int64(),
    "rate": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "num_questions": pl.Int64(),
}


NO_ANSWERS = "an answer: no turn stated one"
"""What is lacking where every turn abstained, was cut or failed."""


class ClusterSums(NamedTuple):
    """A column summed and counted in each question; both (questions,)."""

    totals: Array
    counts: Array

    @property
    def n(self) -> int:
        """Number of observations."""
        return int(self.counts.sum())

    def quantity(self, kind: IntervalKind = "mean", **about: Any) -> Quantity:
        """The mean over observations. about: further fields of the quantity."""
        table = np.stack([self.totals, self.counts], axis=1)
        return Quantity(sums=table, of=take_quotient, n=self.n, kind=kind, **about)

    def mean(self) -> Interval:
        """The mean over observations, clustered by question."""
        return self.quantity().interval()

    def share(self) -> Interval:
        """The same for a column of 0 and 1, as a proportion."""
        return self.quantity("proportion").interval()

    def minus(self, other: ClusterSums) -> Interval:
        """Difference of the means, paired by question."""
        return self.quantity().minus(other.quantity()).interval()


class RowGroups(NamedTuple):
    """The groups of some rows, in order, and the position of each row's group among them."""

    keys: list[tuple[Any, ...]]
    positions: Codes


def sum_by_group(
    rows: pl.DataFrame, by: Sequence[str], columns: Sequence[str], num_questions: int
) -> dict[tuple[Any, ...], dict[str, ClusterSums]]:
    """Every column summed by question in each group, groups in order; nulls do not count."""
    return sum_groups(rows, number_groups(rows, by), columns, num_questions)


def sum_groups(
    rows: pl.DataFrame, among: RowGroups, columns: Sequence[str], num_questions: int
) -> dict[tuple[Any, ...], dict[str, ClusterSums]]:
    """The same for rows whose groups are known. rows: question_code and the columns."""
    places = among.positions * num_questions + rows["question_code"].to_numpy()
    shape = len(among.keys), num_questions
    size = shape[0] * shape[1]
    found: dict[tuple[Any, ...], dict[str, ClusterSums]] = {key: {} for key in among.keys}
    everything = sum_by_code(places, np.ones(len(places)), size).reshape(shape)
    for column in columns:
        values, counts = rows[column].cast(pl.Float64), everything
        if values.null_count():
            there = values.is_not_null().to_numpy().astype(np.float64)
            counts = sum_by_code(places, there, size).reshape(shape)
        totals = sum_by_code(places, values.fill_null(0.0).to_numpy(), size).reshape(shape)
        for key, total, count in zip(among.keys, totals, counts, strict=True):
            found[key][column] = ClusterSums(total, count)
    return found


def number_groups(rows: pl.DataFrame, by: Sequence[str]) -> RowGroups:
    """The groups of equal values of `by`; all rows are one where it names nothing."""
    if not by or rows.is_empty():
        return RowGroups([()] if rows.height else [], np.zeros(rows.height, dtype=np.int64))
    keys = rows.select(by).unique().sort(by)
    numbered = keys.with_columns(group=pl.int_range(pl.len()))
    found = rows.select(by).join(
        numbered, on=by, how="left", nulls_equal=True, maintain_order="left"
    )
    return RowGroups(keys.rows(), found["group"].to_numpy().astype(np.int64))


def split_groups(rows: pl.DataFrame, *by: str) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    """The rows of each group, in the order of the groups' names; without `by`, all in one."""
    if not by:
        return [((), rows)]
    return sorted(rows.partition_by(*by, as_dict=True).items(), key=lambda item: item[0])


def split_sorted(rows: pl.DataFrame, column: str) -> dict[str, pl.DataFrame]:
    """The rows of each value of a column that they are sorted by: slices, which copy nothing."""
    assert rows[column].is_sorted(), f"the rows are not sorted by {column}"
    lengths = rows.group_by(column, maintain_order=True).len()
    found, start = {}, 0
    for value, length in lengths.iter_rows():
        found[str(value)] = rows.slice(start, length)
        start += length
    return found


def sum_by_question(rows: pl.DataFrame, column: str, num_questions: int) -> ClusterSums:
    """`column` summed by question; its nulls do not count."""
    found = sum_by_group(rows, [], [column], num_questions)
    nothing = ClusterSums(np.zeros(num_questions), np.zeros(num_questions))
    return found[()][column] if found else nothing


def build_group_matrices(
    rows: pl.DataFrame, by: Sequence[str], columns: Sequence[str]
) -> dict[tuple[Any, ...], Array]:
    """Columns without nulls summed by question in each group; (questions that occur, columns)."""
    sums = [pl.col(c).cast(pl.Float64).sum() for c in columns]
    counted = rows.group_by(*by, "question_code").agg(sums).sort("question_code")
    return {
        key: np.asarray(part.select(columns).to_numpy(), dtype=np.float64)
        for key, part in split_groups(counted, *by)
    }


def compute_group_rates(rows: pl.DataFrame, by: list[str], column: str) -> pl.DataFrame:
    """The share of `column` (booleans) in each group with its clustered interval.

    Columns: `by`, n, successes, rate, low, high, num_questions; one row for each group.
    """
    counted = (
        rows.group_by(*by, "question_code")
        .agg(
            successes=pl.col(column).cast(pl.Float64).sum(),
            n=pl.col(column).count().cast(pl.Float64),
        )
        .sort("question_code")
    )
    found = []
    for key, part in counted.partition_by(*by, as_dict=True).items():
        interval = compute_rate(part["successes"].to_numpy(), part["n"].to_numpy())
        found.append((*key, part["n"].sum(), part["successes"].sum(), *interval[:3], part.height))
    schema = {name: counted.schema[name] for name in by} | RATE_COLUMNS
    return pl.DataFrame(found, schema=schema, orient="row", strict=False).sort(by, nulls_last=True)


COLUMNS_AT_ONCE = 6
"""How many measures are summed in one pass: more take more memory, fewer more time."""


def tabulate_measures(
    states: pl.DataFrame, measures: Sequence[Measure], by: Sequence[str], num: int
) -> Iterator[tuple[Measure, tuple[Any, ...], Quantity]]:
    """Every measure in every group of `by`, with the quantity, groups in order.

    Shares take the design effect of the same measure, pooled over all groups.
    """
    among = number_groups(states, by)
    for start in range(0, len(measures), COLUMNS_AT_ONCE):
        part = measures[start : start + COLUMNS_AT_ONCE]
        columns = _select_columns(part)
        rows = states.select("question_code", **columns)
        found = sum_groups(rows, among, list(columns), num)
        for measure in part:
            pooled = _pool_effects(measure, [sums[measure.name] for sums in found.values()])
            for key, sums in found.items():
                yield measure, key, _make_quantity(measure, sums, pooled)


def _select_columns(measures: Iterable[Measure]) -> dict[str, pl.Expr]:
    """The columns summed for each measure: its value, its right answers, its bounds."""
    found: dict[str, pl.Expr] = {}
    for m in measures:
        whole = m.value if m.value is not None else m.bounds.lower if m.bounds else pl.lit(None)
        found[m.name] = whole.cast(pl.Float64)
        if m.kind == "gap":
            found[f"{m.name} right"] = pl.when(whole.is_not_null()).then("score")
        if m.needs is not None:
            found[f"{m.name} needed"] = m.needs.fill_null(False).cast(pl.Float64)
        if m.bounds is not None:
            found[f"{m.name} lower"] = m.bounds.lower.cast(pl.Float64)
            found[f"{m.name} upper"] = m.bounds.upper.cast(pl.Float64)
    return found


def _pool_effects(measure: Measure, sums: Sequence[ClusterSums]) -> float | None:
    if not measure.is_proportion:
        return None
    return pool_design_effects([(each.totals, each.counts) for each in sums if each.n])


def _make_quantity(
    measure: Measure, sums: dict[str, ClusterSums], pooled: float | None
) -> Quantity:
    """The quantity of one group's sums; of no observations where none is of the kind needed."""
    own, needed = sums[measure.name], sums.get(f"{measure.name} needed")
    if needed is not None and own.n and not needed.totals.any():
        nothing = ClusterSums(np.zeros_like(own.totals), np.zeros_like(own.counts))
        return replace(nothing.quantity(measure.kind), lacking=NO_ANSWERS)
    if measure.kind == "gap":
        right = sums[f"{measure.name} right"]
        table = np.stack([own.totals, right.totals, own.counts], axis=1)
        return Quantity(
            sums=table,
            of=take_gap,
            n=own.n,
            kind="gap",
            limits=measure.limits,
        )
    about = {"limits": measure.limits, "pooled": pooled}
    bounds = None
    if measure.bounds is not None:
        lower, upper = (
            sums[f"{measure.name} {end}"].quantity(measure.kind, limits=measure.limits)
            for end in ("lower", "upper")
        )
        is_known = measure.value is not None and own.n == lower.n
        bounds = None if is_known else (lower, upper)
    return own.quantity(measure.kind, bounds=bounds, **about)
