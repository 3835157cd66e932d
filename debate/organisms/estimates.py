"""Ratios with intervals clustered by question, and calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

_Z = 1.959963984540054


class Term(NamedTuple):
    """One observation of a ratio of sums, and the question that it belongs to."""

    question: str
    numerator: float
    denominator: float = 1.0


class Estimate(NamedTuple):
    """An estimate with its 95 % interval and the number of questions behind it."""

    value: float
    low: float
    high: float
    num_questions: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def ratio(terms: Iterable[Term]) -> Estimate | None:
    """Sum of numerators over sum of denominators, or None if nothing was observed.

    The standard error is the linearised one of a ratio estimator with the question as cluster
    (Cochran, Sampling Techniques, 1977, §6.3).
    """
    totals: dict[str, list[float]] = {}
    for term in terms:
        total = totals.setdefault(term.question, [0.0, 0.0])
        total[0] += term.numerator
        total[1] += term.denominator
    if not totals:
        return None
    numerators, denominators = np.array(list(totals.values())).T
    if not denominators.any():
        return None
    estimate = numerators.sum() / denominators.sum()
    residuals = numerators - estimate * denominators
    return _estimate(float(estimate), residuals / denominators.sum(), len(totals))


def balanced(rights: Iterable[Term], wrongs: Iterable[Term]) -> Estimate | None:
    """Mean of two rates (right claims accepted, wrong claims rejected), clustered by question."""
    influence: dict[str, float] = {}
    values = []
    for terms in (list(rights), list(wrongs)):
        rate = ratio(terms)
        if rate is None:
            return None
        size = sum(term.denominator for term in terms)
        values.append(rate.value)
        for term in terms:
            residual = term.numerator - rate.value * term.denominator
            influence[term.question] = influence.get(term.question, 0.0) + residual / size / 2
    return _estimate(sum(values) / 2, np.array(list(influence.values())), len(influence))


def _estimate(value: float, influence: np.ndarray, num_questions: int) -> Estimate:
    """An estimate from the influence of each question on it."""
    correction = num_questions / max(1, num_questions - 1)
    half = _Z * float(np.sqrt(correction * (influence**2).sum()))
    return Estimate(value, value - half, value + half, num_questions)


def wilson(num_right: int, num_questions: int) -> Estimate:
    """A proportion with Wilson's 95 % interval; one observation for each question."""
    share = num_right / num_questions
    shrink = 1 + _Z**2 / num_questions
    centre = (share + _Z**2 / (2 * num_questions)) / shrink
    spread = share * (1 - share) / num_questions + _Z**2 / (4 * num_questions**2)
    half = _Z * spread**0.5 / shrink
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), num_questions)


def expected_calibration_error(
    confidences: Sequence[float], correct: Sequence[bool], *, num_bins: int = 10
) -> float:
    """Mean |accuracy - mean confidence| over equal-width bins, weighted by their counts."""
    values, hits = np.asarray(confidences), np.asarray(correct, dtype=float)
    bins = np.minimum((values * num_bins).astype(int), num_bins - 1)
    gaps = [abs((hits[bins == b] - values[bins == b]).sum()) for b in np.unique(bins)]
    return float(sum(gaps) / len(values))
