"""Intervals of what several proportions make together: over-confidence, odds ratio, Q and phi."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from debate.analysis.intervals import (
    ABSENT,
    LEVEL,
    ONE_CLUSTER,
    ROUNDING,
    Array,
    Interval,
    quantile_t,
    rate,
    ratio,
    sum_products,
    without_interval,
)

FEWEST_ERRORS = 5
"""Below so many errors of either of two agents, how their errors go together is not estimated."""


def over_confidence(
    confidence: Array,
    correct: Array,
    counts: Array,
    *,
    pooled_design_effect: float | None = None,
    level: float = LEVEL,
) -> Interval:
    """Mean confidence minus accuracy, of sums for each cluster over the same rows.

    MOVER (Zou & Donner 2008, eq. for correlated estimates): the t-interval of mean confidence and
    Wilson's of accuracy recombined with the clustered correlation of the two. A confidence that
    never varies is known exactly, and accuracy carries the whole width.
    """
    accuracy = rate(correct, counts, pooled_design_effect=pooled_design_effect, level=level)
    mean = ratio(confidence, counts, level=level)
    if accuracy.value is None or mean.value is None:
        return ABSENT
    difference = ratio(confidence - correct, counts, level=level)
    if accuracy.low is None or accuracy.high is None:
        return difference
    value = mean.value - accuracy.value
    r = _correlation(confidence, correct, counts)
    below = mean.value - (mean.value if mean.low is None else mean.low)
    above = (mean.value if mean.high is None else mean.high) - mean.value
    low = value - _combined(below, accuracy.high - accuracy.value, r)
    high = value + _combined(above, accuracy.value - accuracy.low, r)
    num = accuracy.num_questions
    return Interval(value, max(-1.0, low), min(1.0, high), difference.se, num, method="MOVER")


def _combined(first: float, second: float, r: float) -> float:
    return math.sqrt(max(0.0, first**2 + second**2 - 2 * r * first * second))


def _correlation(sums: Array, others: Array, counts: Array) -> float:
    """Correlation over clusters of two means' influences; 0 where one of them never varies."""
    total = float(counts.sum())
    own, other = (x - counts * (float(x.sum()) / total) for x in (sums, others))
    scale = math.sqrt(sum_products(own, own) * sum_products(other, other))
    return sum_products(own, other) / scale if scale > ROUNDING * total else 0.0


def odds_ratio(cells: Array, *, level: float = LEVEL) -> Interval:
    """The log odds ratio of two agents' correctness, clustered.

    cells: (clusters, 4), how often both are right, only the first, only the second, neither.
    Half an observation is added to each cell (Haldane 1956; Anscombe 1956). The variance is the
    clustered one of the delta method, with the share of the added halves; never below Woolf's for
    independent rows. Refused where either has fewer than FEWEST_ERRORS errors.
    """
    cells = cells[cells.sum(axis=1) > 0].astype(np.float64)
    num, totals = len(cells), cells.sum(axis=0)
    if num < 2:
        return without_interval(None, num, ONE_CLUSTER) if num else ABSENT
    errors = (float(totals[2] + totals[3]), float(totals[1] + totals[3]))
    if min(errors) < FEWEST_ERRORS:
        reason = f"fewer than {FEWEST_ERRORS} errors of one of the two"
        return without_interval(None, num, reason)
    added = totals + 0.5
    signs = np.array([1.0, -1.0, -1.0, 1.0])
    value = float(signs @ np.log(added))
    influence = (cells - totals / num) @ (signs / added)
    clustered = num / (num - 1) * sum_products(influence, influence) + float((0.5 / added**2).sum())
    se = math.sqrt(max(clustered, float((1 / added).sum())))
    half = quantile_t(level, num - 1) * se
    method = "clustered t of the log odds ratio"
    return Interval(value, value - half, value + half, se, num, method=method)


def yules_q(cells: Array, *, level: float = LEVEL) -> Interval:
    """Yule's Q = (OR - 1)/(OR + 1), with the interval of the log odds ratio; inside [-1, 1]."""
    totals = cells.sum(axis=0).astype(np.float64)
    together, apart = float(totals[0] * totals[3]), float(totals[1] * totals[2])
    value = (together - apart) / (together + apart) if together + apart > 0 else 0.0
    return _mapped(value, odds_ratio(cells, level=level), lambda log_odds: math.tanh(log_odds / 2))


def phi(cells: Array, *, level: float = LEVEL) -> Interval:
    """Correlation of two agents' correctness, with the interval of the log odds ratio.

    Both accuracies are held at their estimates: an odds ratio then gives one table (Plackett
    1965) and so one phi. Inside [-1, 1], and inside what the accuracies allow.
    """
    totals = cells.sum(axis=0).astype(np.float64)
    log_odds = odds_ratio(cells, level=level)
    if log_odds.value is None:
        return log_odds
    size = float(totals.sum())
    first, second = float(totals[0] + totals[1]) / size, float(totals[0] + totals[2]) / size
    if not (0 < first < 1 and 0 < second < 1):
        return without_interval(None, log_odds.num_questions, "one of the two is never right")
    value = _phi_of_table(float(totals[0]) / size, first, second)
    return _mapped(value, log_odds, lambda x: _phi_of_odds(x, first, second))


def _mapped(value: float, log_odds: Interval, transform: Callable[[float], float]) -> Interval:
    """The ends of the log odds ratio's interval on another scale, around the plain `value`."""
    if log_odds.low is None or log_odds.high is None:
        return log_odds
    low, high = min(value, transform(log_odds.low)), max(value, transform(log_odds.high))
    return Interval(value, low, high, None, log_odds.num_questions, method=log_odds.method)


def _phi_of_table(both: float, first: float, second: float) -> float:
    spread = first * (1 - first) * second * (1 - second)
    return (both - first * second) / math.sqrt(spread)


def _phi_of_odds(log_odds: float, first: float, second: float) -> float:
    """phi of the table with these accuracies and this odds ratio (Plackett's quadratic)."""
    psi = math.exp(min(max(log_odds, -30.0), 30.0))
    if abs(psi - 1) < 1e-9:
        return 0.0
    linear = 1 + (first + second) * (psi - 1)
    root = math.sqrt(linear**2 - 4 * psi * (psi - 1) * first * second)
    both = 2 * psi * first * second / (linear + root)
    both = min(max(both, first + second - 1, 0.0), first, second)
    return _phi_of_table(both, first, second)
