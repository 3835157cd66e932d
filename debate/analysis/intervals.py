"""Intervals that treat the question as the unit: its agents, rounds and seeds are one cluster.

Everything rests on influence: how much each question moves the estimate. Its square sum is the
cluster-robust variance (Miller 2411.00640, eq. for clustered standard errors, here for any
smooth statistic), with the factor G/(G - 1) and Student's t with G - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
LEVEL = 0.95


class Interval(NamedTuple):
    """A value with its two-sided interval; None where it cannot be had."""

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    num_questions: int

    def within(self, least: float, most: float = math.inf) -> Interval:
        """The same without what cannot be: ends moved to `least` and `most`.

        >>> Interval(0.9, 0.7, 1.1, 0.1, 5).within(0, 1).high
        1
        """
        if self.low is None or self.high is None:
            return self
        return self._replace(low=max(least, self.low), high=min(most, self.high))


ABSENT = Interval(None, None, None, None, 0)


class Linear(NamedTuple):
    """A statistic and the influence of each row on it (summing to about zero)."""

    value: float
    influence: Array


def summed(codes: Codes, values: Array, size: int = 0) -> Array:
    """Sum of `values` for each code from 0 to the largest, or to `size` - 1."""
    sums = np.bincount(codes, weights=values, minlength=size)
    return np.asarray(sums, dtype=np.float64)


def from_influence(value: float, influence: Array, *, level: float = LEVEL) -> Interval:
    """The t-interval around `value`; `influence` holds one number for each question that counts."""
    num = len(influence)
    if num < 2 or not math.isfinite(value):
        return Interval(value if math.isfinite(value) else None, None, None, None, num)
    se = math.sqrt(num / (num - 1) * float(influence @ influence))
    half = quantile_t(level, num - 1) * se
    return Interval(float(value), float(value - half), float(value + half), se, num)


@lru_cache(maxsize=4096)
def quantile_t(level: float, df: int) -> float:
    """Half-width of a two-sided t-interval in standard errors."""
    return float(stdtrit(df, 0.5 + level / 2))


def clustered(linear: Linear, clusters: Codes, *, level: float = LEVEL) -> Interval:
    """The interval of a statistic whose rows belong to `clusters` (any integers >= 0)."""
    present = np.bincount(clusters) > 0
    return from_influence(linear.value, summed(clusters, linear.influence)[present], level=level)


def mean_linear(values: Array) -> Linear:
    """The mean as a statistic with influence."""
    mean = float(values.mean())
    return Linear(mean, (values - mean) / len(values))


def clustered_mean(values: Array, clusters: Codes, *, level: float = LEVEL) -> Interval:
    """The mean of rows nested in questions.

    >>> clustered_mean(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1])).value
    0.5
    """
    if not len(values):
        return ABSENT
    return clustered(mean_linear(values), clusters, level=level)


def ratio(sums: Array, counts: Array, *, level: float = LEVEL) -> Interval:
    """Sum over count where both are per-question; questions with count 0 do not take part."""
    total = float(counts.sum())
    if total <= 0:
        return ABSENT
    taking_part = counts > 0
    value = float(sums.sum()) / total
    influence = (sums - value * counts)[taking_part] / total
    return from_influence(value, influence, level=level)


def rate(successes: Array, counts: Array, *, level: float = LEVEL) -> Interval:
    """A proportion of per-question counts: Wilson's interval at the effective sample size.

    The effective size is p(1 - p)/se^2 with the clustered se (Korn & Graubard 1998; Dean & Pagano
    2015); at 0 and at 1, where se says nothing, it is the number of questions. So the interval
    stays inside [0, 1] and has a width there as well.
    """
    plain = ratio(successes, counts, level=level)
    if plain.value is None or plain.se is None:
        return plain
    p, num = min(max(plain.value, 0.0), 1.0), plain.num_questions
    variance = p * (1 - p)
    size = variance / plain.se**2 if variance > 0 and plain.se > 0 else float(num)
    z = quantile_t(level, num - 1)
    centre = (p + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z * math.sqrt(variance / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    low, high = max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
    return Interval(p, low, high, plain.se, num)


def ratio_difference(
    sums: Array, counts: Array, other_sums: Array, other_counts: Array, *, level: float = LEVEL
) -> Interval:
    """Difference of two ratios paired by question (the four arrays share their index)."""
    total, other_total = float(counts.sum()), float(other_counts.sum())
    if total <= 0 or other_total <= 0:
        return ABSENT
    value, other = float(sums.sum()) / total, float(other_sums.sum()) / other_total
    influence = (sums - value * counts) / total - (other_sums - other * other_counts) / other_total
    taking_part = (counts > 0) | (other_counts > 0)
    return from_influence(value - other, influence[taking_part], level=level)


def delta(sums: Array, statistic: Callable[[Array], Array], *, level: float = LEVEL) -> Interval:
    """A smooth function of per-question sums by the delta method.

    sums: (questions, k); `statistic` maps (..., k) totals to (...) values. The gradient is taken
    by central differences at the totals, so `statistic` must be smooth there.
    """
    sums = sums[np.any(sums != 0, axis=1)]
    if not len(sums):
        return ABSENT
    totals = sums.sum(axis=0)
    value = float(statistic(totals))
    if not math.isfinite(value):
        return Interval(None, None, None, None, len(sums))
    gradient = numeric_gradient(statistic, totals)
    influence = (sums - totals / len(sums)) @ gradient
    if not np.all(np.isfinite(influence)):
        return Interval(value, None, None, None, len(sums))
    return from_influence(value, influence, level=level)


def numeric_gradient(statistic: Callable[[Array], Array], at: Array) -> Array:
    """Central differences of `statistic` in each coordinate of `at`."""
    step = 1e-5 * np.maximum(np.abs(at), 1e-3 * max(1.0, float(np.abs(at).max())))
    points = np.eye(len(at)) * step
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = np.asarray(statistic(at + points)) - np.asarray(statistic(at - points))
    return np.asarray(rise / (2 * step), dtype=np.float64)
