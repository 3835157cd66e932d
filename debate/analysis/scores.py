"""Scores of confidence against correctness, each with every answer's influence on it.

confidence: (n,) in [0, 1]; correct: (n,) of 0 and 1, or the share that a tie scores; n >= 1. Binned
scores, Murphy's parts of the Brier score, ranking scores, and the smooth calibration error, which
has a kernel in place of bins (Blasiok & Nakkiran 2309.12236).
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.fft import dct, idct

from debate.analysis.intervals import Array, Codes, LinearStatistic, sum_by_code

NUM_BINS = 15
MOST_EXACT = 200
"""Bins of at most so many answers have their expected gap computed exactly."""


class BinSums(NamedTuple):
    """Rows sorted into bins: their bin, each bin's size, summed gap c - y, and summed y."""

    bin: Codes
    counts: Array
    gaps: Array
    rights: Array


def bin_equal_width(confidence: Array, num_bins: int = NUM_BINS) -> Codes:
    """The bin of each confidence; 1.0 falls into the last bin.

    >>> bin_equal_width(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 7, 14]
    """
    return np.minimum((confidence * num_bins).astype(np.int64), num_bins - 1)


def bin_equal_mass(confidence: Array, num_bins: int = NUM_BINS) -> Codes:
    """Bins between the quantiles of confidence; equal confidences stay together."""
    edges = np.unique(
        np.quantile(confidence, np.arange(1, num_bins) / num_bins, method="inverted_cdf")
    )
    return np.searchsorted(edges, confidence, side="left").astype(np.int64)


def sum_bins(confidence: Array, correct: Array, index: Codes) -> BinSums:
    """The sums over each bin."""
    counts = np.bincount(index).astype(float)
    return BinSums(
        index, counts, sum_by_code(index, confidence - correct), sum_by_code(index, correct)
    )


def _divide_by_counts(sums: Array, counts: Array) -> Array:
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)


def compute_expected_error(confidence: Array, correct: Array, index: Codes) -> LinearStatistic:
    """Bin-weighted mean |confidence - accuracy| (ECE, Guo et al. 1706.04599; ACE with equal mass).

    Biased upwards by noise in each bin, most where bins are thin.
    """
    bins, n = sum_bins(confidence, correct, index), len(confidence)
    value = float(np.abs(bins.gaps).sum()) / n
    influence = (np.sign(bins.gaps)[index] * (confidence - correct) - value) / n
    return LinearStatistic(value, influence)


def compute_ece(confidence: Array, correct: Array) -> LinearStatistic:
    """Expected calibration error over 15 bins of equal width."""
    return compute_expected_error(confidence, correct, bin_equal_width(confidence))


def compute_ace(confidence: Array, correct: Array) -> LinearStatistic:
    """Adaptive calibration error: the same over 15 bins of equal mass (Nixon et al. 1904.01685)."""
    return compute_expected_error(confidence, correct, bin_equal_mass(confidence))


def compute_calibrated_ece(confidence: Array, index: Codes, *, design_effect: float = 1.0) -> float:
    """The ECE over these bins that a calibrated model with the same confidences has on average.

    Plug-in ECE is not 0 for it: each bin's summed gap varies. Exact over the sum of the bin's
    independent outcomes (Poisson-binomial) up to MOST_EXACT rows a bin, else E|N(0, v)| =
    sqrt(2 v/pi) with v = sum c(1 - c). design_effect: how much larger the variance of a bin's sum
    is where rows share a question; other than 1, the normal approximation serves every bin.
    """
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order])) + 1
    expected = [
        _compute_expected_gap(part, design_effect) for part in np.split(confidence[order], starts)
    ]
    return sum(expected) / len(confidence)


def _compute_expected_gap(confidence: Array, design_effect: float) -> float:
    """E|sum of (c - y)| of one bin, each y right with its probability c."""
    if len(confidence) > MOST_EXACT or design_effect != 1.0:
        variance = design_effect * float(confidence @ (1 - confidence))
        return math.sqrt(2 * variance / math.pi)
    chances = np.ones(1)
    for c in confidence:
        chances = np.convolve(chances, (1 - c, c))
    return float(chances @ np.abs(np.arange(len(chances)) - confidence.sum()))


def compute_reliability(confidence: Array, correct: Array) -> LinearStatistic:
    """Murphy's reliability over 15 equal bins: mean squared gap; lower is better."""
    index, n = bin_equal_width(confidence), len(confidence)
    bins = sum_bins(confidence, correct, index)
    gap = _divide_by_counts(bins.gaps, bins.counts)
    value = float(bins.counts @ gap**2) / n
    influence = (2 * gap[index] * (confidence - correct) - gap[index] ** 2 - value) / n
    return LinearStatistic(value, influence)


def compute_resolution(confidence: Array, correct: Array) -> LinearStatistic:
    """Murphy's resolution over 15 equal bins: variance of their accuracies; higher is better."""
    index, n = bin_equal_width(confidence), len(confidence)
    bins = sum_bins(confidence, correct, index)
    right, overall = _divide_by_counts(bins.rights, bins.counts), float(correct.mean())
    squares = float(bins.counts @ right**2) / n
    rows = 2 * right[index] * correct - right[index] ** 2 - squares
    return LinearStatistic(squares - overall**2, (rows - 2 * overall * (correct - overall)) / n)


def compute_debiased_square(
    confidence: Array, correct: Array, clusters: Codes
) -> LinearStatistic | None:
    """The squared root-mean-square gap over 15 equal bins without bias; may be negative.

    Target: sum_b P(b) (E[c|b] - E[y|b])^2. Each bin's squared gap is lowered by its own sampling
    variance (Kumar et al. 1909.10155, with the variance clustered by question); bins fed by one
    question only are left out, so the influence of their answers is zero. None without any bin.
    """
    index, gaps = bin_equal_width(confidence), confidence - correct
    keep = (_count_questions_in_bins(index, clusters) >= 2)[index]
    if not keep.any():
        return None
    inside, kept, where = index[keep], gaps[keep], clusters[keep]
    n, counts = len(inside), np.bincount(inside).astype(float)
    gap = _divide_by_counts(sum_by_code(inside, kept), counts)
    noise = _compute_bin_variance(kept - gap[inside], inside, where, counts)
    biased = float(counts @ gap**2) / n
    influence = np.zeros(len(confidence))
    influence[keep] = (2 * gap[inside] * kept - gap[inside] ** 2 - biased) / n
    return LinearStatistic(float(counts @ (gap**2 - noise)) / n, influence)


def _count_questions_in_bins(index: Codes, clusters: Codes) -> Codes:
    pairs = np.unique(index * (int(clusters.max()) + 1) + clusters)
    return np.bincount(pairs // (int(clusters.max()) + 1), minlength=int(index.max()) + 1)


def _compute_bin_variance(residuals: Array, index: Codes, clusters: Codes, counts: Array) -> Array:
    """Clustered variance of each bin's mean gap; (bins,)."""
    width = int(clusters.max()) + 1
    pairs, where = np.unique(index * width + clusters, return_inverse=True)
    sums = sum_by_code(where.astype(np.int64), residuals)
    bins = pairs // width
    questions = np.bincount(bins, minlength=len(counts)).astype(float)
    squares = sum_by_code(bins, sums**2, len(counts))
    factor = np.divide(questions, questions - 1, out=np.ones_like(questions), where=questions > 1)
    return _divide_by_counts(squares * factor, counts**2)


def compute_uncertainty(confidence: Array, correct: Array) -> LinearStatistic:
    """Murphy's uncertainty: the variance of correctness (Murphy 1973)."""
    rate = float(correct.mean())
    influence = (1 - 2 * rate) * (correct - rate) / len(correct)
    return LinearStatistic(rate * (1 - rate), influence)


def compute_auroc(confidence: Array, correct: Array) -> LinearStatistic | None:
    """P(a right answer has more confidence than a wrong one), ties as half; None for one class.

    Influence by placements (DeLong 1988; clustered by Obuchowski 1997).
    """
    right = correct > 0
    num_right, num_wrong = int(right.sum()), int((~right).sum())
    if not num_right or not num_wrong:
        return None
    ranks = _rank(confidence)
    placement = np.empty(len(confidence))
    placement[right] = (ranks[right] - _rank(confidence[right])) / num_wrong
    placement[~right] = 1 - (ranks[~right] - _rank(confidence[~right])) / num_right
    value = float(placement[right].mean())
    return LinearStatistic(value, (placement - value) / np.where(right, num_right, num_wrong))


def compute_aurc(confidence: Array, correct: Array) -> LinearStatistic:
    """Area under risk against coverage (Geifman & El-Yaniv 1805.08206); lower is better.

    Mean, over the answers, of the error rate among all answers with at least that confidence;
    equal confidences are taken in or left out together.
    """
    n = len(confidence)
    order = np.argsort(-confidence, kind="stable")
    wrong = 1.0 - correct[order]
    ends = _find_tie_ends(confidence[order])
    covered, losses = (ends + 1).astype(float), np.cumsum(wrong)[ends]
    risk = losses / covered
    value = float(risk.mean())
    later = _sum_from_start_of_tie(1 / covered, ends), _sum_from_start_of_tie(risk / covered, ends)
    rows = risk + wrong * later[0] - later[1]
    influence = np.empty(n)
    influence[order] = (rows - value) / n
    return LinearStatistic(value, influence)


def _find_tie_ends(ordered: Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """For each position the last position with the same value."""
    last = np.append(np.flatnonzero(np.diff(ordered) != 0), len(ordered) - 1)
    return last[np.searchsorted(last, np.arange(len(ordered)))]


def _sum_from_start_of_tie(
    values: Array, ends: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Array:
    """Sum of `values` from the first position of each row's tie to the end."""
    reverse = np.cumsum(values[::-1])[::-1]
    starts = np.searchsorted(ends, ends, side="left")
    return np.asarray(reverse[starts], dtype=np.float64)


def compute_ks(confidence: Array, correct: Array) -> LinearStatistic:
    """KS calibration error: max over t of |sum of c - y where c <= t| / n (Gupta 2006.12800)."""
    n = len(confidence)
    order = np.argsort(confidence, kind="stable")
    gaps = (confidence - correct)[order]
    running = np.cumsum(gaps)[_find_tie_ends(confidence[order])] / n
    peak = int(np.argmax(np.abs(running)))
    value = abs(float(running[peak]))
    below = confidence <= confidence[order][peak]
    rows = np.sign(running[peak]) * (confidence - correct) * below
    return LinearStatistic(value, (rows - value) / n)


GRID_CELLS = 1000
LEAST_BANDWIDTH = 1e-3


def compute_smooth_ece(confidence: Array, correct: Array) -> LinearStatistic:
    """smECE at its own bandwidth, the sigma at which the error equals sigma.

    The kernel is the Gaussian reflected at 0 and 1: on a grid of 1,000 cells it is diagonal under
    the cosine transform, so that all reflections are exact. The influence follows the fixed point.
    """
    cells = np.minimum((confidence * GRID_CELLS).astype(np.int64), GRID_CELLS - 1)
    gaps = confidence - correct
    spectrum = _compute_spectrum(gaps, cells)
    sigma = find_bandwidth(spectrum)
    value = _sum_error(spectrum, sigma)
    step = 0.01 * sigma
    slope = (_sum_error(spectrum, sigma + step) - _sum_error(spectrum, sigma - step)) / (2 * step)
    field = _blur(dct(np.sign(_blur(spectrum, sigma)), norm="ortho"), sigma)
    influence = (field[cells] * gaps - value) / (len(gaps) * (1 - min(slope, 0.0)))
    return LinearStatistic(value, influence)


def _compute_spectrum(gaps: Array, cells: Codes) -> Array:
    density = np.bincount(cells, weights=gaps, minlength=GRID_CELLS) / len(gaps)
    return np.asarray(dct(density, norm="ortho"), dtype=np.float64)


def _blur(spectrum: Array, sigma: float) -> Array:
    frequencies = np.pi * np.arange(GRID_CELLS) * sigma
    return np.asarray(idct(spectrum * np.exp(-(frequencies**2) / 2), norm="ortho"))


def _rank(values: Array) -> Array:
    """Ranks from 1 on; equal values share the mean of theirs."""
    ordered = np.sort(values)
    below, through = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + through + 1) / 2


def _sum_error(spectrum: Array, sigma: float) -> float:
    return float(np.abs(_blur(spectrum, sigma)).sum())


def find_bandwidth(spectrum: Array) -> float:
    """The sigma that equals the error smoothed by it, not below NARROWEST."""
    from scipy.optimize import brentq  # a good part of a second, which few commands need

    surplus = partial(_compute_surplus, spectrum)
    if surplus(LEAST_BANDWIDTH) <= 0:
        return LEAST_BANDWIDTH
    return float(brentq(surplus, LEAST_BANDWIDTH, 1.0 + LEAST_BANDWIDTH, xtol=1e-6))


def _compute_surplus(spectrum: Array, sigma: float) -> float:
    return _sum_error(spectrum, sigma) - sigma
