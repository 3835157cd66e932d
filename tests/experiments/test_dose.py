"""A line through teams: covered as often as promised, and no line where there is no dose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from debate.analysis.intervals import Interval
from debate.analysis.quantity import Unavailable
from debate.analysis.teams import Line, find_crossing, fit_dose_response
from tests.experiments.populations import fitted, gains, members_right

HEIGHT, SLOPE = 0.12, -0.25
CORRELATIONS = (0.0, 0.25, 0.5, 0.75, 0.95)
REPEATS = 250


def test_slope_and_crossing_are_covered_as_often_as_their_intervals_promise() -> None:
    rng = np.random.default_rng(5)
    lines = [fitted(rng, 300, CORRELATIONS, height=HEIGHT, slope=SLOPE) for _ in range(REPEATS)]
    found = [line for line in lines if isinstance(line, Line)]
    assert len(found) == REPEATS
    slopes = np.mean([_covers(line.slope, SLOPE) for line in found])
    crossings = np.mean([_covers(line.crossing, -HEIGHT / SLOPE) for line in found])
    misfits = np.mean([line.misfit is not None and line.misfit < 0.05 for line in found])
    assert 0.92 <= slopes <= 0.98
    assert 0.92 <= crossings <= 0.985
    assert misfits <= 0.09
    assert np.mean([line.slope.value for line in found]) == pytest.approx(SLOPE, abs=0.01)


def _covers(interval: Interval, value: float) -> bool:
    """Whether the interval holds the value; one without bounds holds everything."""
    if interval.low is None or interval.high is None:
        return True
    return interval.low <= value <= interval.high


def test_errors_in_the_dose_do_not_flatten_the_line() -> None:
    rng = np.random.default_rng(2)
    near = (0.3, 0.4, 0.5, 0.6)
    lines = [fitted(rng, 150, near, height=HEIGHT, slope=SLOPE) for _ in range(200)]
    slopes = [line.slope.value for line in lines if isinstance(line, Line)]
    assert len(slopes) > 100
    assert np.median(np.array(slopes, dtype=float)) == pytest.approx(SLOPE, abs=0.06)


def test_where_the_slope_may_be_zero_the_crossing_has_no_bounds() -> None:
    flat = Interval(-0.01, -0.1, 0.08, 0.045, 200)
    high = Interval(0.2, 0.15, 0.25, 0.025, 200)
    found = find_crossing(flat, high, -0.0005)
    assert found.value == pytest.approx(20.0)
    assert (found.low, found.high) == (None, None)


def test_teams_that_err_alike_have_no_dose() -> None:
    rng = np.random.default_rng(3)
    found = fitted(rng, 200, (0.5, 0.5, 0.5, 0.5), height=0.0, slope=0.0)
    assert isinstance(found, Unavailable)
    assert "differ by more" in found.reason


def test_two_teams_make_no_line() -> None:
    found = fitted(np.random.default_rng(4), 50, (0.1, 0.9), height=0.1, slope=-0.1)
    assert isinstance(found, Unavailable)
    assert found.reason.startswith("at least 3 teams that debate")
    assert found.reason.endswith("(there are 2)")


def test_a_team_in_which_nothing_ever_changes_does_not_settle_the_line() -> None:
    rng, num = np.random.default_rng(6), 400
    common = rng.random(num)
    doses = [members_right(rng, num, correlation=each) for each in (0.1, 0.5, 0.9)]
    responses = [
        gains(rng, num, mean=mean, common=common, active=active)
        for mean, active in ((0.1, 0.4), (0.05, 0.4), (0.0, 0.0))
    ]
    found = fit_dose_response(doses, responses)
    assert isinstance(found, Line)
    assert found.slope.value == pytest.approx(-0.125, abs=0.08)
    assert found.slope.low is not None


def test_the_band_at_the_mean_dose_is_narrower_than_at_its_ends() -> None:
    found = fitted(np.random.default_rng(7), 300, CORRELATIONS, height=HEIGHT, slope=SLOPE)
    assert isinstance(found, Line)
    ses = [found.at(x).se for x in (0.0, 0.5, 1.0)]
    assert ses[1] is not None
    assert ses[0] is not None
    assert ses[2] is not None
    assert ses[1] < min(ses[0], ses[2])


def test_a_difference_of_measures_is_paired_by_question() -> None:
    rng = np.random.default_rng(8)
    common = rng.random(200)
    first = gains(rng, 200, mean=0.1, common=common)
    same = first.minus(first).interval()
    # Tango without one change: z²/(n + z²).
    assert (same.low, same.high) == pytest.approx((-3.8415 / 203.8415, 3.8415 / 203.8415), rel=1e-4)
    other = replace(first, sums=first.sums[::-1].copy())
    paired, alone = first.minus(other).interval(), first.interval()
    assert paired.se is not None
    assert alone.se is not None
    assert paired.se > alone.se
