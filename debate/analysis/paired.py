"""Two numbers of the same questions: tests and intervals of their difference or association.

Exact tests and intervals of paired differences that are never of no width; Holm's correction and
the detectable effect; over-confidence (a mean minus a proportion); odds ratio, Q and phi of two
agents' correctness. A cluster is a question, or a unit above it; everything here reads its sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, bdtri, ndtri, stdtr, stdtrit

from debate.analysis.intervals import (
    ABSENT,
    LEVEL,
    ONE_CLUSTER,
    ROUNDING,
    Array,
    Interval,
    compute_clustered_se,
    compute_rate,
    compute_ratio,
    get_t_quantile,
    refuse_interval,
    sum_by_code,
    sum_products,
)

MOST_ENUMERATED = 16
"""Up to this many clusters that differ all their sign-flips are gone through."""
MOST_FLIPPED = 1_024
"""Above this many differing clusters they flip in so many random blocks."""
MOST_SIZES = 64
"""Up to this many sizes of difference the flips of each size are drawn as one binomial count."""
DRAWS = 20_000
TIE = 1e-9
"""Sums closer than this share of the sum of all sizes are equal."""


def compute_mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value of McNemar's test on the discordant pairs.

    >>> compute_mcnemar_p(0, 0)
    1.0
    """
    discordant = only_first + only_second
    if not discordant:
        return 1.0
    return min(2 * float(bdtr(min(only_first, only_second), discordant, 0.5)), 1.0)


def compute_sign_flip_p(differences: Array, *, seed: int = 0, draws: int = DRAWS) -> float:
    """Two-sided p-value of "each cluster's summed difference is as likely with the other sign".

    The share of sign-flips whose sum is at least as far from 0 as the observed one (Fisher 1935):
    over all of them up to MOST_ENUMERATED clusters that differ; else over `draws` seeded ones, to
    which the observed one is added (Phipson & Smyth 2010). Where all sizes are equal it is the
    exact binomial test, hence McNemar's where a cluster is one pair. Above MOST_FLIPPED clusters
    random blocks of them flip together, which leaves the level as it is.

    >>> compute_sign_flip_p(np.array([1.0, 1.0, 1.0, 0.0]))
    0.25
    """
    sizes = np.abs(differences)
    largest = float(sizes.max(initial=0.0))
    differing = differences[sizes > TIE * largest]
    if not len(differing):
        return 1.0
    sizes = np.abs(differing)
    if float(sizes.max() - sizes.min()) <= TIE * largest:
        num_positive = int((differing > 0).sum())
        return compute_mcnemar_p(num_positive, len(differing) - num_positive)
    least = abs(float(differing.sum())) - TIE * float(sizes.sum())
    if len(differing) <= MOST_ENUMERATED:
        return float((np.abs(_enumerate_flips(sizes)) >= least).mean())
    flipped = _draw_flips(differing, np.random.default_rng(seed), draws)
    return float(((np.abs(flipped) >= least).sum() + 1) / (draws + 1))


def _enumerate_flips(sizes: Array) -> Array:
    """The sum under every choice of signs; (2^clusters,)."""
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums + size, sums - size])
    return sums


def _draw_flips(differing: Array, rng: np.random.Generator, draws: int) -> Array:
    """The sum under random signs; (draws,)."""
    unit = TIE * float(np.abs(differing).max())
    sizes, counts = np.unique(np.round(np.abs(differing) / unit) * unit, return_counts=True)
    if len(sizes) <= MOST_SIZES:
        ups = rng.binomial(counts, 0.5, size=(draws, len(counts)))
        return np.asarray((2 * ups - counts) @ sizes, dtype=np.float64)
    if len(differing) > MOST_FLIPPED:
        block = (rng.permutation(len(differing)) % MOST_FLIPPED).astype(np.int64)
        differing = sum_by_code(block, differing)
    return _draw_flips_by_bytes(differing, rng, draws)


def _draw_flips_by_bytes(differing: Array, rng: np.random.Generator, draws: int) -> Array:
    """Random signs, eight clusters at a time: a byte picks one of the 256 sums of its eight."""
    sums = np.zeros(draws)
    for start in range(0, len(differing), 8):
        of_eight = _enumerate_flips(differing[start : start + 8])
        sums += of_eight[rng.integers(0, len(of_eight), size=draws, dtype=np.uint16)]
    return sums


class Endpoints(NamedTuple):
    """The two ends of an interval."""

    low: float
    high: float


def compute_tango_interval(gained: int, lost: int, n: int, *, level: float = LEVEL) -> Endpoints:
    """Score interval of (gained - lost)/n over n pairs (Tango, Statistics in Medicine 1998).

    Without a change it is ± z^2/(n + z^2).

    >>> [round(end, 3) for end in compute_tango_interval(0, 0, 5)]
    [-0.434, 0.434]
    """
    if not (n > 0 and gained >= 0 and lost >= 0 and gained + lost <= n):
        raise ValueError(f"{gained} gained and {lost} lost of {n} pairs: no such table")
    z = float(ndtri(0.5 + level / 2))
    return Endpoints(-_find_tango_upper(lost, gained, n, z), _find_tango_upper(gained, lost, n, z))


def _find_tango_upper(gained: int, lost: int, n: int, z: float) -> float:
    """The difference above the estimate whose score statistic is -z."""
    if gained == n:
        return 1.0

    def excess(difference: float) -> float:
        a = 2.0 * n
        b = -gained - lost + (2 * n - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        q = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = n * (2 * q + difference * (1 - difference))
        return gained - lost - n * difference + z * math.sqrt(max(variance, 0.0))

    from scipy.optimize import brentq  # a good part of a second, which few commands need

    # Where nothing varies the estimate itself is a root, and not the one that is sought.
    start = (gained - lost) / n + 1e-10
    return float(brentq(excess, start, 1.0, xtol=1e-13)) if excess(start) > 0 else start


def compute_paired_difference(
    differences: Array,
    counts: Array,
    *,
    level: float = LEVEL,
    limits: tuple[float, float] = (-1.0, 1.0),
) -> Interval:
    """The mean difference over pairs, from each cluster's summed difference and number of pairs.

    A pair's difference lies within `limits`; without limits, 1 is a whole unit (a nat). Where every
    cluster is one pair that gains, loses or keeps, the interval is Tango's; otherwise clustered t
    with a variance that is never below that of one further cluster that differs by a unit
    (`compute_floor_se`), so that no interval lacks width. It excludes 0 only where the exact
    sign-flip test rejects 0 at the same level: otherwise the end nearer to 0 is moved to 0.
    """
    there = counts > 0
    differences, counts = differences[there].astype(np.float64), counts[there].astype(np.float64)
    num = len(counts)
    if num == 0:
        return ABSENT
    value = float(differences.sum() / counts.sum())
    if num == 1:
        return refuse_interval(value, num, ONE_CLUSTER)
    plain = _make_paired_interval(value, differences, counts, level)
    return extend_to_zero(plain.within(*limits), differences, level)


def compute_paired_p(differences: Array, counts: Array) -> float | None:
    """The sign-flip test of the same; None for fewer than two clusters."""
    there = counts > 0
    return compute_sign_flip_p(differences[there]) if int(there.sum()) > 1 else None


def _make_paired_interval(
    value: float, differences: Array, counts: Array, level: float
) -> Interval:
    num, total = len(counts), float(counts.sum())
    se = compute_clustered_se((differences - value * counts) / total)
    se = max(se, compute_floor_se(differences, counts))
    if np.all(counts == 1) and np.all(np.isin(differences, (-1.0, 0.0, 1.0))):
        gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
        low, high = compute_tango_interval(gained, lost, num, level=level)
        return Interval(value, low, high, se, num, method="Tango")
    half = get_t_quantile(level, num - 1) * se
    return Interval(value, value - half, value + half, se, num, method="clustered t")


def compute_floor_se(differences: Array, counts: Array) -> float:
    """Standard error with one further cluster of mean size that differs, against the mean.

    How far it differs: the root mean square of the k clusters that do and, once, of one that
    differs wholly: sqrt((sum of squares + 1)/(k + 1)).
    """
    means = differences / counts
    k = int((np.abs(means) > TIE).sum())
    far = math.sqrt((sum_products(means, means) + 1) / (k + 1))
    size = float(counts.mean())
    away = -math.copysign(far, float(differences.sum()))
    counts, differences = np.append(counts, size), np.append(differences, size * away)
    total = float(counts.sum())
    return compute_clustered_se((differences - differences.sum() / total * counts) / total)


def extend_to_zero(interval: Interval, differences: Array, level: float) -> Interval:
    """The interval, extended to 0 where it excludes 0 and the sign-flip test does not reject it.

    The test is spared where Hoeffding's bound already tells its outcome: under random signs
    P(|S| >= s) <= 2 exp(-s^2 / (2 sum of squares)).
    """
    low, high = interval.low, interval.high
    if low is None or high is None or low <= 0 <= high:
        return interval
    squares = sum_products(differences, differences)
    bound = 2 * math.exp(-(float(differences.sum()) ** 2) / (2 * squares)) if squares else 1.0
    if bound <= 1 - level or compute_sign_flip_p(differences) <= 1 - level:
        return interval
    return interval._replace(low=min(low, 0.0), high=max(high, 0.0))


def adjust_holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979).

    >>> adjust_holm([0.01, 0.04])
    (0.02, 0.04)
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return tuple(float(p) for p in adjusted)


def compute_zero_p(interval: Interval) -> float | None:
    """Two-sided p-value of "the value is zero" from a clustered interval's t statistic."""
    if interval.value is None or not interval.se:
        return None
    return float(2 * stdtr(interval.num_questions - 1, -abs(interval.value) / interval.se))


def count_least_clusters(level: float) -> int:
    """The number of clusters below which no sign-flip test rejects at this level.

    >>> count_least_clusters(0.95), count_least_clusters(1 - 0.05 / 6)
    (6, 8)
    """
    return 1 + math.ceil(-math.log2(1 - level) - ROUNDING)


def compute_detectable_effect(
    interval: Interval, *, level: float = LEVEL, power: float = 0.8, is_exact: bool = True
) -> float | None:
    """Smallest true difference whose interval excludes 0 with `power` in studies of this size.

    interval: at this level. Its wider half h, with quantile q, becomes h (1 + q_power / q), as in
    Miller 2411.00640, §5; the quantiles are normal for Tango's interval, else Student's. is_exact:
    the interval excludes 0 only where the sign-flip test rejects it. Then there is none with fewer
    than `count_least_clusters`; and of single pairs, so many must change with `power`.

    >>> round(compute_detectable_effect(Interval(0.0, -0.039, 0.039, 0.02, 500, "Tango")), 3)
    0.056
    """
    value, low, high, _, num = interval[:5]
    if value is None or low is None or high is None or num < 2:
        return None
    is_tango = interval.method.startswith("Tango")
    outer, inner = float(ndtri(0.5 + level / 2)), float(ndtri(power))
    if not is_tango:
        outer, inner = get_t_quantile(level, num - 1), float(stdtrit(num - 1, power))
    found = max(value - low, high - value) * (1 + inner / outer)
    least = count_least_clusters(level)
    if is_exact and num < least:
        return None
    return max(found, float(bdtri(least - 1, num, 1 - power))) if is_exact and is_tango else found


FEWEST_ERRORS = 5
"""Below so many errors of either of two agents, how their errors go together is not estimated."""


def compute_over_confidence(
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
    accuracy = compute_rate(correct, counts, pooled_design_effect=pooled_design_effect, level=level)
    mean = compute_ratio(confidence, counts, level=level)
    if accuracy.value is None or mean.value is None:
        return ABSENT
    difference = compute_ratio(confidence - correct, counts, level=level)
    if accuracy.low is None or accuracy.high is None:
        return difference
    value = mean.value - accuracy.value
    r = _correlate_means(confidence, correct, counts)
    below = mean.value - (mean.value if mean.low is None else mean.low)
    above = (mean.value if mean.high is None else mean.high) - mean.value
    low = value - _combine_widths(below, accuracy.high - accuracy.value, r)
    high = value + _combine_widths(above, accuracy.value - accuracy.low, r)
    num = accuracy.num_questions
    return Interval(value, max(-1.0, low), min(1.0, high), difference.se, num, method="MOVER")


def _combine_widths(first: float, second: float, r: float) -> float:
    return math.sqrt(max(0.0, first**2 + second**2 - 2 * r * first * second))


def _correlate_means(sums: Array, others: Array, counts: Array) -> float:
    """Correlation over clusters of two means' influences; 0 where one of them never varies."""
    total = float(counts.sum())
    own, other = (x - counts * (float(x.sum()) / total) for x in (sums, others))
    scale = math.sqrt(sum_products(own, own) * sum_products(other, other))
    return sum_products(own, other) / scale if scale > ROUNDING * total else 0.0


def compute_log_odds_ratio(cells: Array, *, level: float = LEVEL) -> Interval:
    """The log odds ratio of two agents' correctness, clustered.

    cells: (clusters, 4), how often both are right, only the first, only the second, neither.
    Half an observation is added to each cell (Haldane 1956; Anscombe 1956). The variance is the
    clustered one of the delta method, with the share of the added halves; never below Woolf's for
    independent rows. Refused where either has fewer than FEWEST_ERRORS errors.
    """
    cells = cells[cells.sum(axis=1) > 0].astype(np.float64)
    num, totals = len(cells), cells.sum(axis=0)
    if num < 2:
        return refuse_interval(None, num, ONE_CLUSTER) if num else ABSENT
    errors = (float(totals[2] + totals[3]), float(totals[1] + totals[3]))
    if min(errors) < FEWEST_ERRORS:
        reason = f"fewer than {FEWEST_ERRORS} errors of one of the two"
        return refuse_interval(None, num, reason)
    added = totals + 0.5
    signs = np.array([1.0, -1.0, -1.0, 1.0])
    value = float(signs @ np.log(added))
    influence = (cells - totals / num) @ (signs / added)
    clustered = num / (num - 1) * sum_products(influence, influence) + float((0.5 / added**2).sum())
    se = math.sqrt(max(clustered, float((1 / added).sum())))
    half = get_t_quantile(level, num - 1) * se
    method = "clustered t of the log odds ratio"
    return Interval(value, value - half, value + half, se, num, method=method)


def compute_yules_q(cells: Array, *, level: float = LEVEL) -> Interval:
    """Yule's Q = (OR - 1)/(OR + 1), with the interval of the log odds ratio; inside [-1, 1]."""
    totals = cells.sum(axis=0).astype(np.float64)
    together, apart = float(totals[0] * totals[3]), float(totals[1] * totals[2])
    value = (together - apart) / (together + apart) if together + apart > 0 else 0.0
    return _map_interval(
        value, compute_log_odds_ratio(cells, level=level), lambda log_odds: math.tanh(log_odds / 2)
    )


def compute_phi_interval(cells: Array, *, level: float = LEVEL) -> Interval:
    """Correlation of two agents' correctness, with the interval of the log odds ratio.

    Both accuracies are held at their estimates: an odds ratio then gives one table (Plackett
    1965) and so one phi. Inside [-1, 1], and inside what the accuracies allow.
    """
    totals = cells.sum(axis=0).astype(np.float64)
    log_odds = compute_log_odds_ratio(cells, level=level)
    if log_odds.value is None:
        return log_odds
    size = float(totals.sum())
    first, second = float(totals[0] + totals[1]) / size, float(totals[0] + totals[2]) / size
    if not (0 < first < 1 and 0 < second < 1):
        return refuse_interval(None, log_odds.num_questions, "one of the two is never right")
    value = _compute_phi_of_table(float(totals[0]) / size, first, second)
    return _map_interval(value, log_odds, lambda x: _compute_phi_of_odds(x, first, second))


def _map_interval(
    value: float, log_odds: Interval, transform: Callable[[float], float]
) -> Interval:
    """The ends of the log odds ratio's interval on another scale, around the plain `value`."""
    if log_odds.low is None or log_odds.high is None:
        return log_odds
    low, high = min(value, transform(log_odds.low)), max(value, transform(log_odds.high))
    return Interval(value, low, high, None, log_odds.num_questions, method=log_odds.method)


def _compute_phi_of_table(both: float, first: float, second: float) -> float:
    spread = first * (1 - first) * second * (1 - second)
    return (both - first * second) / math.sqrt(spread)


def _compute_phi_of_odds(log_odds: float, first: float, second: float) -> float:
    """phi of the table with these accuracies and this odds ratio (Plackett's quadratic)."""
    psi = math.exp(min(max(log_odds, -30.0), 30.0))
    if abs(psi - 1) < 1e-9:
        return 0.0
    linear = 1 + (first + second) * (psi - 1)
    root = math.sqrt(linear**2 - 4 * psi * (psi - 1) * first * second)
    both = 2 * psi * first * second / (linear + root)
    both = min(max(both, first + second - 1, 0.0), first, second)
    return _compute_phi_of_table(both, first, second)
