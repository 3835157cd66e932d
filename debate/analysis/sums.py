"""Per-question sums: all that an interval needs to know of a cohort."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.intervals import Array, Interval, rate, ratio, ratio_difference, summed

RATE_COLUMNS = {
    "n": pl.Int64(),
    "successes": pl.Int64(),
    "rate": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "num_questions": pl.Int64(),
}


class Sums(NamedTuple):
    """A column summed and counted in each question; both (questions,)."""

    totals: Array
    counts: Array

    @property
    def n(self) -> int:
        """Number of observations."""
        return int(self.counts.sum())

    def mean(self) -> Interval:
        """The mean over observations, clustered by question."""
        return ratio(self.totals, self.counts)

    def share(self) -> Interval:
        """The same for a column of 0 and 1, as a proportion."""
        return rate(self.totals, self.counts)

    def minus(self, other: Sums) -> Interval:
        """Difference of the means, paired by question."""
        return ratio_difference(self.totals, self.counts, other.totals, other.counts)


def question_sums(rows: pl.DataFrame, column: str, num_questions: int) -> Sums:
    """`column` summed by question; its nulls do not count."""
    known = rows.select("question_code", pl.col(column).cast(pl.Float64)).drop_nulls()
    codes = known["question_code"].to_numpy().astype(np.int64)
    values = known[column].to_numpy().astype(np.float64)
    counts = np.bincount(codes, minlength=num_questions).astype(np.float64)
    return Sums(summed(codes, values, num_questions), counts)


def question_matrix(rows: pl.DataFrame, columns: list[str]) -> Array:
    """Several columns without nulls summed by question; (questions that occur, columns)."""
    summed = rows.group_by("question_code").agg(pl.col(c).cast(pl.Float64).sum() for c in columns)
    return np.asarray(summed.select(columns).to_numpy(), dtype=np.float64)


def grouped_rates(rows: pl.DataFrame, by: list[str], column: str) -> pl.DataFrame:
    """The share of `column` (booleans) in each group with its clustered interval.

    Columns: `by`, n, successes, rate, low, high, num_questions; one row for each group.
    """
    counted = rows.group_by(*by, "question_code").agg(
        successes=pl.col(column).cast(pl.Float64).sum(), n=pl.col(column).count().cast(pl.Float64)
    )
    found = []
    for key, part in counted.partition_by(*by, as_dict=True).items():
        interval = rate(part["successes"].to_numpy(), part["n"].to_numpy())
        found.append((*key, part["n"].sum(), part["successes"].sum(), *interval[:3], part.height))
    schema = {name: counted.schema[name] for name in by} | RATE_COLUMNS
    return pl.DataFrame(found, schema=schema, orient="row", strict=False).sort(by, nulls_last=True)
