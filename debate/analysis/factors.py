"""Intervals that speak of other models, or other wordings of the prompts, as of other questions.

An interval clustered by question speaks of these models in these prompts. Where a condition's
members come from six or more models, they too are a sample: the variance is clustered by question
and by model at once (Cameron, Gelbach & Miller 2011, eq. 2.3, each part with its G/(G - 1)):

    V = V_question + V_model - V_question×model,

at least the larger of the first two, and t has as many degrees of freedom as the rarer of the two
has levels, less one. The same holds for prompt sets, where the data name one for each turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.intervals import (
    ABSENT,
    LEVEL,
    NO_VARIATION,
    ONE_CLUSTER,
    ROUNDING,
    Array,
    Codes,
    Interval,
    compute_clustered_se,
    get_t_quantile,
    join_bounds,
    map_inside_unit,
    refuse_interval,
    sum_by_code,
)
from debate.analysis.members import CHANGES, MEMBERS
from debate.analysis.quantity import Measure
from debate.analysis.schema import Estimate, from_interval
from debate.analysis.sums import split_groups

LEAST_LEVELS = 6
"""With fewer models or prompt sets, nothing is said of others."""
FACTOR_COLUMNS: Mapping[str, str] = MappingProxyType({"models": "model", "prompts": "prompt_set"})
"""What intervals may generalise over, and the column that names its levels."""
NOUNS: Mapping[str, str] = MappingProxyType({"models": "model", "prompts": "prompt set"})
ACROSS_FACTORS = ("accuracy", "confidence", "over_confidence", "eai", "accuracy_change")
TWO_WAY_SOURCE = "Cameron, Gelbach & Miller 2011"
TWO_WAY = "two-way clustered t"


def name_across(name: str, factor: str) -> str:
    """Name a measure whose interval speaks of other models or prompts, too.

    >>> name_across("accuracy", "models")
    'accuracy_across_models'
    """
    return f"{name}_across_{factor}"


def _widen_measure(name: str, factor: str) -> Measure:
    own = MEMBERS[name]
    return replace(
        own,
        name=name_across(name, factor),
        words=f"{own.words}, for other {factor} too",
        formula=f"{own.formula}; interval clustered by question and by {NOUNS[factor]}, after "
        f"the last round, with {LEAST_LEVELS} {factor} or more",
        source=TWO_WAY_SOURCE,
        method=TWO_WAY,
    )


FACTORS: Mapping[str, Measure] = MappingProxyType(
    {
        name_across(n, factor): _widen_measure(n, factor)
        for factor in FACTOR_COLUMNS
        for n in ACROSS_FACTORS
    }
)
"""Measures whose intervals speak of other models, or other prompts, too."""


class TwoWayClusters(NamedTuple):
    """The question and the level of the factor that each row belongs to; codes from 0."""

    questions: Codes
    levels: Codes


def compute_two_way_variance(influence: Array, of: TwoWayClusters) -> float:
    """Variance of a statistic from each row's influence on it, clustered both ways.

    V_question + V_level - V_both, at least the larger of the first two: the difference may come
    out below them, or negative, in small samples.
    """
    both = of.questions * (int(of.levels.max()) + 1) + of.levels
    first, second, shared = (
        compute_clustered_se(_sum_by_cluster(influence, codes)) ** 2
        for codes in (of.questions, of.levels, both)
    )
    return max(first + second - shared, first, second)


def _sum_by_cluster(influence: Array, codes: Codes) -> Array:
    _, dense = np.unique(codes, return_inverse=True)
    return sum_by_code(dense.astype(np.int64), influence)


def compute_two_way_interval(
    values: Array, of: TwoWayClusters, *, is_share: bool = False, level: float = LEVEL
) -> Interval:
    """The mean of rows with an interval that generalises over questions and levels.

    is_share: of values in [0, 1] that are counted, so that the interval is made on the logit. Its
    `num_questions` is the smaller number of clusters, which the degrees of freedom go by.
    """
    if not len(values):
        return ABSENT
    num = min(len(np.unique(of.questions)), len(np.unique(of.levels)))
    value = float(values.mean())
    if num < 2:
        return refuse_interval(value, num, ONE_CLUSTER)
    se = math.sqrt(compute_two_way_variance((values - value) / len(values), of))
    if se <= ROUNDING * max(1.0, abs(value)):
        return refuse_interval(value, num, NO_VARIATION)
    half = get_t_quantile(level, num - 1) * se
    found = Interval(value, value - half, value + half, se, num, method=TWO_WAY)
    return map_inside_unit(found, level=level) if is_share else found


def find_factors(states: pl.DataFrame) -> dict[str, list[str]]:
    """For models and prompts, the conditions with six or more of them, every turn naming one.

    Each must have met two questions or more: what goes with one question alone is no factor.
    """
    found: dict[str, list[str]] = {}
    for factor, column in FACTOR_COLUMNS.items():
        if column not in states.columns:
            continue
        met = states.group_by("cell", column).agg(pl.col("question_code").n_unique())
        counted = met.group_by("cell").agg(
            num=pl.len(),
            unnamed=pl.col(column).null_count(),
            met=pl.col("question_code").min(),
        )
        is_enough = (pl.col("num") >= LEAST_LEVELS) & (pl.col("unnamed") == 0)
        enough = counted.filter(is_enough & (pl.col("met") > 1))
        if enough.height:
            found[factor] = sorted(enough["cell"])
    return found


def estimate_across_factors(states: pl.DataFrame) -> Iterator[Estimate]:
    """The measures after the last round of each condition that has models or prompts enough."""
    for factor, cells in find_factors(states).items():
        for (cell,), rows in split_groups(states.filter(pl.col("cell").is_in(cells)), "cell"):
            last = int(rows["round"].to_numpy().max())
            ends = rows.filter(pl.col("round") == last)
            for name in ACROSS_FACTORS:
                if last or name not in CHANGES:
                    yield _estimate_across(name, factor, ends, cell=str(cell), round=last)


def _estimate_across(
    name: str, factor: str, rows: pl.DataFrame, *, cell: str, round: int
) -> Estimate:
    measure, own = FACTORS[name_across(name, factor)], MEMBERS[name]
    assert own.value is not None
    plain = own.value - pl.col("score") if own.kind == "gap" else own.value
    interval, known = _measure_across(plain, factor, rows, own)
    bounded = None
    if own.bounds is not None:
        (lower, all_known), (upper, _) = (_measure_across(e, factor, rows, own) for e in own.bounds)
        bounded = join_bounds(lower, upper) if all_known.height > known.height else None
    made = from_interval(
        measure.name,
        interval._replace(num_questions=known["question_code"].n_unique()),
        n=known.height,
        unit=measure.unit,
        cell=cell,
        round=round,
        method=f"{TWO_WAY}, by question and by {known[FACTOR_COLUMNS[factor]].n_unique()} {factor}",
        missing=None if interval.value is not None or bounded else measure.lacking,
        df=None if interval.low is None else interval.num_questions - 1,
    )
    if bounded is None:
        return made
    return replace(made, bound_low=bounded.low, bound_high=bounded.high)


def _measure_across(
    value: pl.Expr, factor: str, rows: pl.DataFrame, own: Measure
) -> tuple[Interval, pl.DataFrame]:
    """The interval of a mean over the rows that take part, and those rows."""
    column = FACTOR_COLUMNS[factor]
    known = rows.select("question_code", column, value=value.cast(pl.Float64)).drop_nulls("value")
    level = (known[column].rank("dense").cast(pl.Int64) - 1).to_numpy()
    of = TwoWayClusters(known["question_code"].to_numpy().astype(np.int64), level)
    found = compute_two_way_interval(known["value"].to_numpy(), of, is_share=own.is_proportion)
    return found.within(*own.limits), known
