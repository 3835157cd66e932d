"""Tests and planning for paired comparisons: McNemar, Holm, equivalence, detectable effect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from debate.analysis.intervals import Interval


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value of McNemar's test on the discordant pairs.

    >>> mcnemar_exact(0, 0)
    1.0
    """
    discordant = only_first + only_second
    if not discordant:
        return 1.0
    return float(stats.binomtest(only_first, discordant, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979).

    >>> holm([0.01, 0.04])
    (0.02, 0.04)
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return tuple(float(p) for p in adjusted)


def zero_p_value(interval: Interval) -> float | None:
    """Two-sided p-value of "the value is zero" from a clustered interval's t statistic."""
    if interval.value is None or interval.se is None:
        return None
    if interval.se == 0.0:
        return 1.0 if interval.value == 0.0 else 0.0
    return float(2 * stats.t.sf(abs(interval.value) / interval.se, interval.num_questions - 1))


def tost(interval: Interval, *, margin: float) -> float | None:
    """p-value of "the difference is at least `margin` in size" (two one-sided tests, Schuirmann).

    Small p means equivalence within ± margin.
    """
    if interval.value is None or interval.se is None:
        return None
    if interval.se == 0.0:
        return 0.0 if abs(interval.value) < margin else 1.0
    df = interval.num_questions - 1
    lower = stats.t.sf((interval.value + margin) / interval.se, df)
    upper = stats.t.cdf((interval.value - margin) / interval.se, df)
    return float(max(lower, upper))


def detectable_effect(se: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """Smallest true difference found with `power` at this standard error (Miller 2411.00640, §5).

    With discordance .2 and 500 pairs: se = sqrt(.2 / 500), about 5.6 points.

    >>> round(detectable_effect((0.2 / 500) ** 0.5), 3)
    0.056
    """
    return float(stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(power)) * se
