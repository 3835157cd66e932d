"""How well confidence ranks right above wrong, and the largest running gap."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from debate.analysis.intervals import Array, Linear


def auroc(confidence: Array, correct: Array) -> Linear | None:
    """P(a right answer has more confidence than a wrong one), ties as half; None for one class.

    Influence by placements (DeLong 1988; clustered by Obuchowski 1997).
    """
    right = correct > 0
    num_right, num_wrong = int(right.sum()), int((~right).sum())
    if not num_right or not num_wrong:
        return None
    ranks = rankdata(confidence)
    placement = np.empty(len(confidence))
    placement[right] = (ranks[right] - rankdata(confidence[right])) / num_wrong
    placement[~right] = 1 - (ranks[~right] - rankdata(confidence[~right])) / num_right
    value = float(placement[right].mean())
    return Linear(value, (placement - value) / np.where(right, num_right, num_wrong))


def aurc(confidence: Array, correct: Array) -> Linear:
    """Area under risk against coverage (Geifman & El-Yaniv 1805.08206); lower is better.

    Mean, over the answers, of the error rate among all answers with at least that confidence;
    equal confidences are taken in or left out together.
    """
    n = len(confidence)
    order = np.argsort(-confidence, kind="stable")
    wrong = 1.0 - correct[order]
    ends = _ends_of_ties(confidence[order])
    covered, losses = (ends + 1).astype(float), np.cumsum(wrong)[ends]
    risk = losses / covered
    value = float(risk.mean())
    later = _sum_from_start_of_tie(1 / covered, ends), _sum_from_start_of_tie(risk / covered, ends)
    rows = risk + wrong * later[0] - later[1]
    influence = np.empty(n)
    influence[order] = (rows - value) / n
    return Linear(value, influence)


def _ends_of_ties(ordered: Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
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


def largest_running_gap(confidence: Array, correct: Array) -> Linear:
    """KS calibration error: max over t of |sum of c - y where c <= t| / n (Gupta 2006.12800)."""
    n = len(confidence)
    order = np.argsort(confidence, kind="stable")
    gaps = (confidence - correct)[order]
    running = np.cumsum(gaps)[_ends_of_ties(confidence[order])] / n
    peak = int(np.argmax(np.abs(running)))
    value = abs(float(running[peak]))
    below = confidence <= confidence[order][peak]
    rows = np.sign(running[peak]) * (confidence - correct) * below
    return Linear(value, (rows - value) / n)
