"""Intervals that treat the question as the unit: its agents, rounds and seeds are one cluster.

Everything rests on influence: how much each cluster moves the estimate. Its square sum is the
cluster-robust variance (Miller 2411.00640, eq. for clustered standard errors, here for any
smooth statistic), with the factor G/(G - 1) and Student's t with G - 1 degrees of freedom. A
cluster is a question, or a unit above it that several questions share. A standard error of zero
is never an interval of no width: where nothing varies there is no interval, and a reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit, ndtri, stdtrit

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
LEVEL = 0.95
NO_VARIATION = "no variation"
ONE_CLUSTER = "fewer than two questions"
ROUNDING = 1e-12
"""A standard error below this share of the value (or of 1) is rounding, not variation."""


class Interval(NamedTuple):
    """A value with its two-sided interval; None where it cannot be had.

    num_questions: clusters that bear on it; method: how the interval was made; reason: why there
    is none, "" where there is one.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    num_questions: int
    method: str = ""
    reason: str = ""

    def within(self, least: float, most: float = math.inf) -> Interval:
        """The same without what cannot be: ends moved to `least` and `most`.

        >>> Interval(0.9, 0.7, 1.1, 0.1, 5).within(0, 1).high
        1
        """
        if self.low is None or self.high is None:
            return self
        return self._replace(low=max(least, self.low), high=min(most, self.high))


ABSENT = Interval(None, None, None, None, 0, reason="no observations")


class LinearStatistic(NamedTuple):
    """A statistic and the influence of each row on it (summing to about zero)."""

    value: float
    influence: Array


def refuse_interval(value: float | None, num: int, reason: str) -> Interval:
    """A value (or none) that has no interval, and why."""
    return Interval(value, None, None, None, num, reason=reason)


def sum_by_code(codes: Codes, values: Array, size: int = 0) -> Array:
    """Sum of `values` for each code from 0 to the largest, or to `size` - 1."""
    sums = np.bincount(codes, weights=values, minlength=size)
    return np.asarray(sums, dtype=np.float64)


def sum_products(one: Array, other: Array) -> float:
    """The sum of products of two arrays of one shape.

    `@` would wake a BLAS thread for each core, which costs more than a sum of this length.
    """
    return float(np.einsum("i,i->", one, other))


def divide(part: Array, whole: Array) -> Array:
    """The quotient of each pair; nan or infinite, without a warning, where `whole` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part / whole, dtype=np.float64)


def from_influence(value: float, influence: Array, *, level: float = LEVEL) -> Interval:
    """The t-interval around `value`; `influence` holds one number for each cluster that counts."""
    num = len(influence)
    if not math.isfinite(value):
        return refuse_interval(None, num, "not defined by these observations")
    if num < 2:
        return refuse_interval(float(value), num, ONE_CLUSTER)
    se = compute_clustered_se(influence)
    if se <= ROUNDING * max(1.0, abs(value)):
        return refuse_interval(float(value), num, NO_VARIATION)
    half = get_t_quantile(level, num - 1) * se
    return Interval(
        float(value), float(value - half), float(value + half), se, num, method="clustered t"
    )


def compute_clustered_se(influence: Array) -> float:
    """Standard error of a statistic from the influence of each of at least two clusters."""
    num = len(influence)
    return math.sqrt(num / (num - 1) * sum_products(influence, influence))


@lru_cache(maxsize=4096)
def get_t_quantile(level: float, df: int) -> float:
    """Half-width of a two-sided t-interval in standard errors."""
    return float(stdtrit(df, 0.5 + level / 2))


def compute_clustered_interval(
    linear: LinearStatistic, clusters: Codes, *, level: float = LEVEL
) -> Interval:
    """The interval of a statistic whose rows belong to `clusters` (any integers >= 0)."""
    present = np.bincount(clusters) > 0
    return from_influence(
        linear.value, sum_by_code(clusters, linear.influence)[present], level=level
    )


def linearise_mean(values: Array) -> LinearStatistic:
    """The mean as a statistic with influence."""
    mean = float(values.mean())
    return LinearStatistic(mean, (values - mean) / len(values))


def compute_clustered_mean(values: Array, clusters: Codes, *, level: float = LEVEL) -> Interval:
    """The mean of rows nested in questions.

    >>> compute_clustered_mean(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1])).value
    0.5
    """
    if not len(values):
        return ABSENT
    return compute_clustered_interval(linearise_mean(values), clusters, level=level)


def compute_ratio(sums: Array, counts: Array, *, level: float = LEVEL) -> Interval:
    """Sum over count where both are per-question; questions with count 0 do not take part."""
    total = float(counts.sum())
    if total <= 0:
        return ABSENT
    taking_part = counts > 0
    value = float(sums.sum()) / total
    influence = (sums - value * counts)[taking_part] / total
    return from_influence(value, influence, level=level)


class _Clustering(NamedTuple):
    """The effect of clustering on a proportion p of `size` rows in `num` clusters.

    effect: the estimated design effect, None where nothing varies; most: the largest that the
    data allow; num_informative: clusters that hold an observation of the rarer outcome.
    """

    p: float
    size: float
    num: int
    se: float
    effect: float | None
    most: float
    num_informative: int


def _describe_clustering(successes: Array, counts: Array) -> _Clustering:
    """counts: all positive, at least two clusters."""
    size = float(counts.sum())
    p = min(max(float(successes.sum()) / size, 0.0), 1.0)
    rare = successes if p < 0.5 else counts - successes
    se = compute_clustered_se((successes - p * counts) / size)
    variance, num, most = p * (1 - p), len(counts), sum_products(counts, counts) / size
    # One row a cluster is the binomial's own case: no cluster's mean is estimated from its rows.
    own = (num - 1) / num if most <= 1 else 1.0
    return _Clustering(
        p=p,
        size=size,
        num=num,
        se=se,
        effect=own * se**2 * size / variance if variance > ROUNDING else None,
        most=most,
        num_informative=int((rare > ROUNDING * counts).sum()),
    )


def _drop_empty_clusters(successes: Array, counts: Array) -> tuple[Array, Array]:
    """Both arrays without the clusters that hold no row."""
    there = counts > 0
    return successes[there].astype(np.float64), counts[there].astype(np.float64)


def compute_design_effect(successes: Array, counts: Array) -> float | None:
    """Clustered variance of a proportion over that of as many independent rows (Kish 1965).

    None where nothing varies or there are fewer than two clusters.
    """
    successes, counts = _drop_empty_clusters(successes, counts)
    return _describe_clustering(successes, counts).effect if len(counts) > 1 else None


def pool_design_effects(conditions: Iterable[tuple[Array, Array]]) -> float | None:
    """The design effect of several conditions together, for those where nothing varies.

    conditions: successes and counts of each. A mean weighted by the number of informative clusters,
    to which the largest effect that the data allow is added once, as in `compute_rate`. None where
    no condition varies.
    """
    parts = [_drop_empty_clusters(successes, counts) for successes, counts in conditions]
    spreads = [_describe_clustering(*part) for part in parts if len(part[1]) > 1]
    varying = [(s.num_informative, s.effect) for s in spreads if s.effect is not None]
    if not varying:
        return None
    weight = sum(num for num, _ in varying)
    total = sum(num * effect for num, effect in varying)
    return (total + max(s.most for s in spreads)) / (weight + 1)


def compute_rate(
    successes: Array,
    counts: Array,
    *,
    pooled_design_effect: float | None = None,
    level: float = LEVEL,
) -> Interval:
    """A proportion of per-cluster counts: Wilson's interval at the clustered effective size.

    The effective size is N/deff (Korn & Graubard 1998; Dean & Pagano 2015). With m clusters that
    hold an observation of the rarer outcome, deff = (m deff_hat + deff_0)/(m + 1): deff_hat is
    the estimate; deff_0 is `pooled_design_effect` where given, and else sum n^2 / sum n, as if
    each cluster were wholly one or the other. So the interval is continuous up to 0 and 1, where
    deff_hat does not exist, stays inside [0, 1] and always has a width.

    The squared critical value is mixed alike from t with G - 1 df (m parts: an estimated variance)
    and the normal (one part). Close to 0 and 1 the bound on the side of the end gives way to the
    exact binomial one where that is wider, as in Brown, Cai & DasGupta (2001), here with
    1.5 (1 - level) in that tail; Wilson's alone covers .86 at a true .99 with 15 questions.
    """
    successes, counts = _drop_empty_clusters(successes, counts)
    if not len(counts):
        return ABSENT
    if len(counts) < 2:
        return refuse_interval(float(successes[0] / counts[0]), 1, ONE_CLUSTER)
    spread = _describe_clustering(successes, counts)
    size = _compute_effective_size(spread, pooled_design_effect)
    low, high = _compute_wilson(spread.p, size, _compute_critical_value(spread, level))
    low, high = _widen_near_the_ends(spread.p, size, low, high, tail=1.5 * (1 - level))
    method = "Wilson at the clustered effective size"
    se = None if spread.effect is None else spread.se
    return Interval(spread.p, low, high, se, spread.num, method=method)


def _compute_effective_size(spread: _Clustering, pooled: float | None) -> float:
    """The number of independent rows that would have the same variance.

    A pooled effect below 1 is taken for 1. Where rows of a cluster exclude one another (an effect
    below 1), the size stays below that at which the standard error is one further cluster of the
    other kind: no share is known exactly because it is the same in every cluster.
    """
    prior = spread.most if pooled is None else max(1.0, min(pooled, spread.most))
    estimated = spread.num_informative * (spread.effect or 0.0)
    size = spread.size * (spread.num_informative + 1) / (estimated + prior)
    one_more = max(spread.p, 1 - spread.p) / (spread.num + 1)
    return min(size, max(spread.size, spread.p * (1 - spread.p) / one_more**2))


def _compute_critical_value(spread: _Clustering, level: float) -> float:
    """Half-width in standard errors; one row for each cluster is Wilson's own case."""
    normal = float(ndtri(0.5 + level / 2))
    if spread.most <= 1:
        return normal
    m, student = spread.num_informative, get_t_quantile(level, spread.num - 1)
    return math.sqrt((m * student**2 + normal**2) / (m + 1))


def _compute_wilson(p: float, size: float, z: float) -> tuple[float, float]:
    centre = (p + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z * math.sqrt(p * (1 - p) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def _widen_near_the_ends(
    p: float, size: float, low: float, high: float, *, tail: float
) -> tuple[float, float]:
    """The nearer end moved out to the one-sided exact bound (Clopper & Pearson) where wider."""
    rare = size * min(p, 1 - p)
    if rare <= 0:
        return low, high
    bound = float(betaincinv(rare, size - rare + 1, tail))
    return (min(low, bound), high) if p < 0.5 else (low, max(high, 1 - bound))


def compute_ratio_difference(
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


def apply_delta_method(
    sums: Array, statistic: Callable[[Array], Array], *, level: float = LEVEL
) -> Interval:
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
        return refuse_interval(None, len(sums), "not defined by these observations")
    gradient = compute_gradient(statistic, totals)
    influence = (sums - totals / len(sums)) @ gradient
    if not np.all(np.isfinite(influence)):
        return refuse_interval(value, len(sums), "not smooth at these observations")
    return from_influence(value, influence, level=level)


def compute_gradient(statistic: Callable[[Array], Array], at: Array) -> Array:
    """Central differences of `statistic` in each coordinate of `at`."""
    step = 1e-5 * np.maximum(np.abs(at), 1e-3 * max(1.0, float(np.abs(at).max())))
    points = np.eye(len(at)) * step
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = np.asarray(statistic(at + points)) - np.asarray(statistic(at - points))
    return np.asarray(rise / (2 * step), dtype=np.float64)


def map_inside_unit(interval: Interval, *, level: float = LEVEL) -> Interval:
    """The interval of a value in (0, 1) made on the scale of its logit, so that it stays inside.

    Few judgements make an AUROC's own scale skew, and a symmetric interval covers too rarely
    (Pepe 2003, ch. 5). At 0 and at 1, where nothing varies, there is no interval.
    """
    value, se, num = interval.value, interval.se, interval.num_questions
    if value is None or se is None:
        return interval
    if not 0 < value < 1:
        return refuse_interval(value, num, NO_VARIATION)
    half = get_t_quantile(level, num - 1) * se / (value * (1 - value))
    low, high = (float(expit(logit(value) + side * half)) for side in (-1, 1))
    return Interval(value, low, high, se, num, method="clustered t of the logit")


def join_bounds(lower: Interval, upper: Interval) -> Interval:
    """The interval around an identification region: from the low of `lower` to the high of `upper`.

    It holds the whole region between the two bounds at the level of its parts. Imbens & Manski
    (2004) hold a single point of it at that level, which is shorter where the region is wide
    against its ends' errors; the whole region is what a verdict over both bounds needs. The value
    is None unless the bounds coincide.
    """
    num = min(lower.num_questions, upper.num_questions)
    if lower.low is None or upper.high is None:
        return refuse_interval(None, num, lower.reason or upper.reason)
    if lower.value is None or upper.value is None:
        return refuse_interval(None, num, lower.reason or upper.reason)
    if math.isclose(lower.value, upper.value, abs_tol=ROUNDING):
        return lower._replace(high=upper.high)
    return Interval(None, lower.low, upper.high, None, num, method="around both bounds")
