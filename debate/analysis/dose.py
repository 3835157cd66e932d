"""Dose and response: a line through teams, where both coordinates are estimates themselves.

The teams answer the same questions, so their errors of measurement are correlated, and x is as
uncertain as y. Weighted least squares with the known covariance of the errors taken off the
moments (Fuller 1987, Measurement Error Models, §3.1), its influence by question clustered, and
Fieller's set for the point where the line crosses zero (Fieller 1954).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy import stats

from debate.analysis.intervals import (
    ABSENT,
    LEVEL,
    Array,
    Interval,
    from_influence,
    quantile_t,
)
from debate.analysis.measure import Measure
from debate.analysis.quantity import Missing, Quantity

PARTS = {"slope": "change per unit of error correlation", "crossing": "error correlation"}
"""What is estimated of a line, and its unit."""
RESPONSES = {
    "vote_gain": "vote, end − openings",
    "gain_over_pool": "vote at the end − pool",
    "gain_over_best": "vote at the end − best member",
}
"""What is held against the error correlation of the openings."""
DOSE: Mapping[str, Measure] = MappingProxyType(
    {
        f"dose_response.{response}.{part}": Measure(
            name=f"dose_response.{response}.{part}", words=f"{words}: {part}", unit=unit,
            is_signed=part == "slope", source="Fuller 1987, §3.1; Fieller 1954",
            formula=f"{part} of the line through teams of the gain on the error correlation",
        )
        for response, words in RESPONSES.items()
        for part, unit in PARTS.items()
    }
)  # fmt: skip
FEWEST = 3
"""A line through two teams fits whatever they are."""
MOST_WEIGHT = 4.0
"""A team weighs at most this many times the median team: one where nothing ever changed would
otherwise settle the line alone."""
LEAST_RELIABILITY = 0.5
"""Where less than this share of the spread of x is real, there is no dose to speak of."""


class Line(NamedTuple):
    """y = intercept + slope · x, with the covariance of the two and the crossing of zero.

    misfit: p-value of "the teams lie on a line up to sampling of questions". reliability: the
    share of the spread of x that is not error of measurement.
    """

    slope: Interval
    intercept: Interval
    covariance: float
    crossing: Interval
    reliability: float
    misfit: float | None
    num_teams: int
    span: tuple[float, float]

    def at(self, x: float) -> Interval:
        """The line's height at x with its interval."""
        assert self.slope.value is not None
        assert self.intercept.value is not None
        value = self.intercept.value + self.slope.value * x
        if self.slope.se is None or self.intercept.se is None:
            return ABSENT._replace(value=value)
        variance = self.intercept.se**2 + 2 * x * self.covariance + (x * self.slope.se) ** 2
        se, num = math.sqrt(max(0.0, variance)), self.slope.num_questions
        half = quantile_t(LEVEL, num - 1) * se
        return Interval(value, value - half, value + half, se, num)


def dose_response(doses: Sequence[Quantity], responses: Sequence[Quantity]) -> Line | Missing:
    """The line of one response for each dose, both of the same questions, over the teams."""
    if len(doses) < FEWEST:
        return Missing(f"at least {FEWEST} teams that debate (there are {len(doses)})")
    x, y = (np.array([m.value for m in each]) for each in (doses, responses))
    if not np.all(np.isfinite([x, y])):
        return Missing("a dose and a response of every team")
    moves_x, moves_y = (np.stack([m.influence() for m in each]) for each in (doses, responses))
    return _fitted(x, y, moves_x, moves_y)


def _fitted(x: Array, y: Array, moves_x: Array, moves_y: Array) -> Line | Missing:
    """x, y: (teams,); moves: (teams, questions)."""
    num = int(np.any((moves_x != 0) | (moves_y != 0), axis=0).sum())
    if num < 2:
        return Missing("at least two questions")
    factor = num / (num - 1)
    w = _weights(factor * (moves_y**2).sum(axis=1))
    from_x, from_y = x - w @ x, y - w @ y
    noise_xx, noise_xy = (
        factor * float(w @ ((moves_x - w @ moves_x) * (other - w @ other)).sum(axis=1))
        for other in (moves_x, moves_y)
    )
    spread = float(w @ from_x**2)
    reliability = (spread - noise_xx) / spread if spread > 0 else 0.0
    if reliability < LEAST_RELIABILITY:
        return Missing("teams whose doses differ by more than the error of measuring them")
    slope = (float(w @ (from_x * from_y)) - noise_xy) / (spread - noise_xx)
    bend = from_x[:, None] * (moves_y - slope * moves_x)
    bend += (from_y - slope * from_x)[:, None] * moves_x
    move_slope = (w @ bend) / (spread - noise_xx)
    intercept = float(w @ y - slope * (w @ x))
    move_intercept = w @ moves_y - slope * (w @ moves_x) - (w @ x) * move_slope
    residual_moves = moves_y - slope * moves_x - move_intercept - x[:, None] * move_slope
    covariance = factor * float(move_slope @ move_intercept)
    fitted_slope = _interval(slope, move_slope, num)
    fitted_intercept = _interval(intercept, move_intercept, num)
    return Line(
        slope=fitted_slope,
        intercept=fitted_intercept,
        covariance=covariance,
        crossing=crossing(fitted_slope, fitted_intercept, covariance),
        reliability=reliability,
        misfit=_misfit(y - intercept - slope * x, factor * residual_moves @ residual_moves.T),
        num_teams=len(x),
        span=(float(x.min()), float(x.max())),
    )


def _interval(value: float, moves: Array, num: int) -> Interval:
    """The interval of a value that `num` questions bear on; the others move it by nothing."""
    told = moves[moves != 0]
    return from_influence(value, np.concatenate([told, np.zeros(num - len(told))]))


def _weights(variances: Array) -> Array:
    """Inverse variances, none above MOST_WEIGHT times the median team's; they sum to 1."""
    positive = variances[variances > 0]
    floor = float(np.median(positive)) / MOST_WEIGHT if len(positive) else 1.0
    inverse = 1 / np.maximum(variances, floor)
    return np.asarray(inverse / inverse.sum())


def crossing(
    slope: Interval, intercept: Interval, covariance: float, *, level: float = LEVEL
) -> Interval:
    """Where the line is zero, with Fieller's interval; no bounds where the slope may be zero."""
    assert slope.value is not None
    assert intercept.value is not None
    if slope.se is None or intercept.se is None or slope.value == 0:
        return ABSENT
    b, a, num = slope.value, intercept.value, slope.num_questions
    t2 = quantile_t(level, num - 1) ** 2
    leading = b**2 - t2 * slope.se**2
    half, constant = a * b - t2 * covariance, a**2 - t2 * intercept.se**2
    se = math.sqrt(
        max(0.0, intercept.se**2 + 2 * (-a / b) * covariance + (a / b * slope.se) ** 2)
    ) / abs(b)
    if leading <= 0:
        return Interval(-a / b, None, None, se, num)
    root = math.sqrt(max(0.0, half**2 - leading * constant))
    return Interval(-a / b, (-half - root) / leading, (-half + root) / leading, se, num)


def _misfit(residuals: Array, covariance: Array) -> float | None:
    """Chi-squared p-value of the residuals, which have two dimensions fewer than teams."""
    free = len(residuals) - 2
    scales, axes = np.linalg.eigh(covariance)
    kept = np.argsort(scales)[::-1][:free]
    if np.any(scales[kept] <= 0):
        return None
    statistic = float(((axes[:, kept].T @ residuals) ** 2 / scales[kept]).sum())
    return float(stats.chi2.sf(statistic, free))
