"""Calibration over bins of confidence: reliability, resolution, ECE, ACE, debiased ECE."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from debate.analysis.intervals import Array, Codes, Interval, Linear, from_influence, summed

NUM_BINS = 15
MOST_EXACT = 200


class Bins(NamedTuple):
    """Rows sorted into bins: their bin, each bin's size, summed gap c - y, and summed y."""

    bin: Codes
    counts: Array
    gaps: Array
    rights: Array


def equal_width(confidence: Array, num_bins: int = NUM_BINS) -> Codes:
    """The bin of each confidence; 1.0 falls into the last bin.

    >>> equal_width(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 7, 14]
    """
    return np.minimum((confidence * num_bins).astype(np.int64), num_bins - 1)


def equal_mass(confidence: Array, num_bins: int = NUM_BINS) -> Codes:
    """Bins between the quantiles of confidence; equal confidences stay together."""
    edges = np.unique(
        np.quantile(confidence, np.arange(1, num_bins) / num_bins, method="inverted_cdf")
    )
    return np.searchsorted(edges, confidence, side="left").astype(np.int64)


def binned(confidence: Array, correct: Array, index: Codes) -> Bins:
    """The sums over each bin."""
    counts = np.bincount(index).astype(float)
    return Bins(index, counts, summed(index, confidence - correct), summed(index, correct))


def _means(sums: Array, counts: Array) -> Array:
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)


def expected_error(confidence: Array, correct: Array, index: Codes) -> Linear:
    """Bin-weighted mean |confidence - accuracy| (ECE, Guo et al. 1706.04599; ACE with equal mass).

    Biased upwards by noise in each bin, most where bins are thin.
    """
    bins, n = binned(confidence, correct, index), len(confidence)
    value = float(np.abs(bins.gaps).sum()) / n
    influence = (np.sign(bins.gaps)[index] * (confidence - correct) - value) / n
    return Linear(value, influence)


def ece(confidence: Array, correct: Array) -> Linear:
    """Expected calibration error over 15 bins of equal width."""
    return expected_error(confidence, correct, equal_width(confidence))


def calibrated_ece(confidence: Array, index: Codes, *, design_effect: float = 1.0) -> float:
    """The ECE over these bins that a calibrated model with the same confidences has on average.

    Plug-in ECE is not 0 for it: each bin's summed gap varies. Exact over the sum of the bin's
    independent outcomes (Poisson-binomial) up to MOST_EXACT rows a bin, else E|N(0, v)| =
    sqrt(2 v/pi) with v = sum c(1 - c). design_effect: how much larger the variance of a bin's sum
    is where rows share a question; other than 1, the normal approximation serves every bin.
    """
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order])) + 1
    expected = [_expected_gap(part, design_effect) for part in np.split(confidence[order], starts)]
    return sum(expected) / len(confidence)


def _expected_gap(confidence: Array, design_effect: float) -> float:
    """E|sum of (c - y)| of one bin, each y right with its probability c."""
    if len(confidence) > MOST_EXACT or design_effect != 1.0:
        variance = design_effect * float(confidence @ (1 - confidence))
        return math.sqrt(2 * variance / math.pi)
    chances = np.ones(1)
    for c in confidence:
        chances = np.convolve(chances, (1 - c, c))
    return float(chances @ np.abs(np.arange(len(chances)) - confidence.sum()))


def ace(confidence: Array, correct: Array) -> Linear:
    """Adaptive calibration error: the same over 15 bins of equal mass (Nixon et al. 1904.01685)."""
    return expected_error(confidence, correct, equal_mass(confidence))


def reliability(confidence: Array, correct: Array) -> Linear:
    """Murphy's reliability over 15 equal bins: mean squared gap; lower is better."""
    index, n = equal_width(confidence), len(confidence)
    bins = binned(confidence, correct, index)
    gap = _means(bins.gaps, bins.counts)
    value = float(bins.counts @ gap**2) / n
    influence = (2 * gap[index] * (confidence - correct) - gap[index] ** 2 - value) / n
    return Linear(value, influence)


def resolution(confidence: Array, correct: Array) -> Linear:
    """Murphy's resolution over 15 equal bins: variance of their accuracies; higher is better."""
    index, n = equal_width(confidence), len(confidence)
    bins = binned(confidence, correct, index)
    right, overall = _means(bins.rights, bins.counts), float(correct.mean())
    squares = float(bins.counts @ right**2) / n
    rows = 2 * right[index] * correct - right[index] ** 2 - squares
    return Linear(squares - overall**2, (rows - 2 * overall * (correct - overall)) / n)


def debiased_ece(confidence: Array, correct: Array, clusters: Codes) -> Interval:
    """Root-mean-square gap over 15 equal bins with the noise in each bin taken off.

    Target: sqrt(sum_b P(b) (E[c|b] - E[y|b])^2), the population's binned root-mean-square error.
    Each bin's squared gap is lowered by its own sampling variance (Kumar et al. 1909.10155, with
    the variance clustered by question); bins fed by one question only are left out. The interval
    is linear in the square and its ends' roots are taken, cut off at zero.
    """
    square = debiased_square(confidence, correct, clusters)
    if square.value is None:
        return square
    value, low, high = (_root(x) for x in square[:3])
    return Interval(value, low, high, None, square.num_questions)


def _root(square: float | None) -> float | None:
    return None if square is None else math.sqrt(max(0.0, square))


def debiased_square(confidence: Array, correct: Array, clusters: Codes) -> Interval:
    """The squared gap without bias, and its interval before the root; may be negative."""
    index, gaps = equal_width(confidence), confidence - correct
    keep = (_questions_in_bin(index, clusters) >= 2)[index]
    if not keep.any():
        return Interval(None, None, None, None, len(np.unique(clusters)))
    index, gaps, clusters = index[keep], gaps[keep], clusters[keep]
    n, counts = len(index), np.bincount(index).astype(float)
    gap = _means(summed(index, gaps), counts)
    noise = _bin_variance(gaps - gap[index], index, clusters, counts)
    biased = float(counts @ gap**2) / n
    influence = (2 * gap[index] * gaps - gap[index] ** 2 - biased) / n
    per_question = summed(clusters, influence)[np.bincount(clusters) > 0]
    return from_influence(float(counts @ (gap**2 - noise)) / n, per_question)


def _questions_in_bin(index: Codes, clusters: Codes) -> Codes:
    pairs = np.unique(index * (int(clusters.max()) + 1) + clusters)
    return np.bincount(pairs // (int(clusters.max()) + 1), minlength=int(index.max()) + 1)


def _bin_variance(residuals: Array, index: Codes, clusters: Codes, counts: Array) -> Array:
    """Clustered variance of each bin's mean gap; (bins,)."""
    width = int(clusters.max()) + 1
    pairs, where = np.unique(index * width + clusters, return_inverse=True)
    sums = summed(where.astype(np.int64), residuals)
    bins = pairs // width
    questions = np.bincount(bins, minlength=len(counts)).astype(float)
    squares = summed(bins, sums**2, len(counts))
    factor = np.divide(questions, questions - 1, out=np.ones_like(questions), where=questions > 1)
    return _means(squares * factor, counts**2)
