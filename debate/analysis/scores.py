"""Proper scores and over-confidence, each with every row's influence.

confidence: (n,) in [0, 1]; correct: (n,) of 0 and 1; n >= 1 throughout.
"""

from __future__ import annotations

import numpy as np

from debate.analysis.intervals import Array, Linear, mean_linear

LOG_FLOOR = 1e-6
"""Confidences nearer to 0 or 1 than this are moved to it before a logarithm is taken."""


def brier(confidence: Array, correct: Array) -> Linear:
    """Mean squared difference of confidence and correctness (Brier 1950).

    >>> brier(np.array([1.0, 0.5]), np.array([1.0, 0.0])).value
    0.125
    """
    return mean_linear((confidence - correct) ** 2)


def negative_log_likelihood(confidence: Array, correct: Array) -> Linear:
    """Mean negative log-likelihood in nats, confidences clipped by LOG_FLOOR."""
    p = np.clip(confidence, LOG_FLOOR, 1 - LOG_FLOOR)
    return mean_linear(-np.where(correct > 0, np.log(p), np.log1p(-p)))


def over_confidence(confidence: Array, correct: Array) -> Linear:
    """Mean confidence minus accuracy; positive where the agent claims too much."""
    return mean_linear(confidence - correct)


def uncertainty(confidence: Array, correct: Array) -> Linear:
    """Murphy's uncertainty: the variance of correctness (Murphy 1973)."""
    rate = float(correct.mean())
    influence = (1 - 2 * rate) * (correct - rate) / len(correct)
    return Linear(rate * (1 - rate), influence)


def logit(p: Array, *, floor: float) -> Array:
    """log(p / (1 - p)) with p clipped to [floor, 1 - floor]."""
    p = np.clip(p, floor, 1 - floor)
    return np.asarray(np.log(p) - np.log1p(-p), dtype=np.float64)
