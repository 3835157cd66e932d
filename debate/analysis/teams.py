"""Teams compared: every team's measures against the homogeneous team's, and a dose response.

The dose response is a line through teams, where both coordinates are estimates themselves. The
teams answer the same questions, so their errors of measurement are correlated, and x is as
uncertain as y. Weighted least squares with the known covariance of the errors taken off the moments
(Fuller 1987, Measurement Error Models, §3.1), its influence by question clustered, and Fieller's
set for the point where the line crosses zero (Fieller 1954).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.special import chdtrc

from debate.analysis.contrasts import correct_p_values
from debate.analysis.intervals import ABSENT, LEVEL, Array, Interval, from_influence, get_t_quantile
from debate.analysis.measures import Measures
from debate.analysis.paired import compute_zero_p
from debate.analysis.quantity import Measure, Quantity, Unavailable
from debate.analysis.schema import Estimate
from debate.text import split_names

LINE_PARTS = {"slope": "change per unit of error correlation", "crossing": "error correlation"}
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
            f"dose_response.{response}.{part}",
            f"{words}: {part}",
            f"{part} of the line through teams of the gain on the error correlation",
            unit=unit,
            is_signed=part == "slope",
            source="Fuller 1987, §3.1; Fieller 1954",
        )
        for response, words in RESPONSES.items()
        for part, unit in LINE_PARTS.items()
    }
)
FEWEST_TEAMS = 3
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
        half = get_t_quantile(LEVEL, num - 1) * se
        return Interval(value, value - half, value + half, se, num)


def fit_dose_response(
    doses: Sequence[Quantity], responses: Sequence[Quantity]
) -> Line | Unavailable:
    """The line of one response for each dose, both of the same questions, over the teams."""
    if len(doses) < FEWEST_TEAMS:
        return Unavailable(
            f"at least {FEWEST_TEAMS} teams that debate, with error correlation and gain known "
            f"(there are {len(doses)})"
        )
    x, y = (np.array([m.value for m in each]) for each in (doses, responses))
    if not np.all(np.isfinite([x, y])):
        return Unavailable("a dose and a response of every team")
    moves_x, moves_y = (np.stack([m.influence() for m in each]) for each in (doses, responses))
    return _fit_line(x, y, moves_x, moves_y)


def _fit_line(x: Array, y: Array, moves_x: Array, moves_y: Array) -> Line | Unavailable:
    """x, y: (teams,); moves: (teams, questions)."""
    num = int(np.any((moves_x != 0) | (moves_y != 0), axis=0).sum())
    if num < 2:
        return Unavailable("at least two questions")
    factor = num / (num - 1)
    w = _compute_weights(factor * (moves_y**2).sum(axis=1))
    from_x, from_y = x - w @ x, y - w @ y
    noise_xx, noise_xy = (
        factor * float(w @ ((moves_x - w @ moves_x) * (other - w @ other)).sum(axis=1))
        for other in (moves_x, moves_y)
    )
    spread = float(w @ from_x**2)
    reliability = (spread - noise_xx) / spread if spread > 0 else 0.0
    if reliability < LEAST_RELIABILITY:
        return Unavailable("teams whose doses differ by more than the error of measuring them")
    slope = (float(w @ (from_x * from_y)) - noise_xy) / (spread - noise_xx)
    bend = from_x[:, None] * (moves_y - slope * moves_x)
    bend += (from_y - slope * from_x)[:, None] * moves_x
    move_slope = (w @ bend) / (spread - noise_xx)
    intercept = float(w @ y - slope * (w @ x))
    move_intercept = w @ moves_y - slope * (w @ moves_x) - (w @ x) * move_slope
    residual_moves = moves_y - slope * moves_x - move_intercept - x[:, None] * move_slope
    covariance = factor * float(move_slope @ move_intercept)
    fitted_slope = _make_interval(slope, move_slope, num)
    fitted_intercept = _make_interval(intercept, move_intercept, num)
    return Line(
        slope=fitted_slope,
        intercept=fitted_intercept,
        covariance=covariance,
        crossing=find_crossing(fitted_slope, fitted_intercept, covariance),
        reliability=reliability,
        misfit=_compute_misfit(
            y - intercept - slope * x, factor * residual_moves @ residual_moves.T
        ),
        num_teams=len(x),
        span=(float(x.min()), float(x.max())),
    )


def _make_interval(value: float, moves: Array, num: int) -> Interval:
    """The interval of a value that `num` questions bear on; the others move it by nothing."""
    told = moves[moves != 0]
    return from_influence(value, np.concatenate([told, np.zeros(num - len(told))]))


def _compute_weights(variances: Array) -> Array:
    """Inverse variances, none above MOST_WEIGHT times the median team's; they sum to 1."""
    positive = variances[variances > 0]
    floor = float(np.median(positive)) / MOST_WEIGHT if len(positive) else 1.0
    inverse = 1 / np.maximum(variances, floor)
    return np.asarray(inverse / inverse.sum())


def find_crossing(
    slope: Interval, intercept: Interval, covariance: float, *, level: float = LEVEL
) -> Interval:
    """The zero of the line with Fieller's interval; no bounds where the slope may be zero."""
    assert slope.value is not None
    assert intercept.value is not None
    if slope.se is None or intercept.se is None or slope.value == 0:
        return ABSENT
    b, a, num = slope.value, intercept.value, slope.num_questions
    t2 = get_t_quantile(level, num - 1) ** 2
    leading = b**2 - t2 * slope.se**2
    half, constant = a * b - t2 * covariance, a**2 - t2 * intercept.se**2
    se = math.sqrt(
        max(0.0, intercept.se**2 + 2 * (-a / b) * covariance + (a / b * slope.se) ** 2)
    ) / abs(b)
    if leading <= 0:
        return Interval(-a / b, None, None, se, num)
    root = math.sqrt(max(0.0, half**2 - leading * constant))
    return Interval(-a / b, (-half - root) / leading, (-half + root) / leading, se, num)


def _compute_misfit(residuals: Array, covariance: Array) -> float | None:
    """Chi-squared p-value of the residuals, which have two dimensions fewer than teams."""
    free = len(residuals) - 2
    scales, axes = np.linalg.eigh(covariance)
    kept = np.argsort(scales)[::-1][:free]
    if np.any(scales[kept] <= 0):
        return None
    statistic = float(((axes[:, kept].T @ residuals) ** 2 / scales[kept]).sum())
    return float(chdtrc(free, statistic))


TEAM_MEASURES = split_names(
    "mean_member best_single phi double_fault q_statistic same_wrong kappa_p error_correlation "
    "effective_votes vote_0 vote_T vote_gain gain_over_best_rule self_consistency "
    "gain_over_pool gain_over_best oracle vote_brier vote_over_confidence tokens_per_debate"
)
DOSE_MEASURE = "error_correlation"
MATCHED = {"self_consistency": "pool", "best_single": "single"}
REFERENCE = "homogeneous"
LINE_POINTS = 41
TEAM_SCHEMA: dict[str, Any] = {
    "cell": pl.String,
    "team": pl.String,
    "measure": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n": pl.Int64,
    "num_questions": pl.Int64,
    "against": pl.String,
    "difference": pl.Float64,
    "difference_low": pl.Float64,
    "difference_high": pl.Float64,
    "p_value": pl.Float64,
    "p_holm": pl.Float64,
    "matched_arm": pl.String,
    "matched_samples": pl.Int64,
    "matched_tokens": pl.Float64,
    "missing": pl.String,
}


class TeamComparison(NamedTuple):
    """The teams of an analysis: their table, points and lines of dose and response, estimates."""

    tables: dict[str, pl.DataFrame]
    estimates: list[Estimate]


def compare_teams(measures: Measures) -> TeamComparison:
    """Every team's measures, beside the homogeneous team's.

    Tables: `teams` (a row for each team and measure), `dose` (a row for each team and response),
    `dose_lines` (each line with its band). Empty where no agents hear one another.
    """
    kinds = measures.kinds
    several = [cell for cell in measures.teams if len(measures.seats(cell)) > 1]
    against = choose_reference(several, kinds)
    rows = [
        _compare_measure(measures, cell, kinds[cell], name, against)
        for cell in measures.teams
        for name in TEAM_MEASURES
    ]
    lines = {response: _fit_response_line(measures, response) for response in RESPONSES}
    tables = {
        "teams": _add_holm(pl.DataFrame(rows, schema=TEAM_SCHEMA)),
        "dose": _tabulate_points(measures, kinds),
        "dose_lines": _draw_lines(lines),
    }
    return TeamComparison(
        tables, [e for name, line in lines.items() for e in _estimate_line(name, line)]
    )


def choose_reference(cells: Sequence[str], kinds: dict[str, str]) -> str | None:
    """The team that others are compared with: the one called homogeneous, or the first such.

    cells: the teams of several members; one that votes alone is a reference to none.
    """
    alike = [cell for cell in cells if kinds[cell] == "homogeneous"]
    return REFERENCE if REFERENCE in cells else next(iter(alike), None)


def _compare_measure(
    measures: Measures, cell: str, kind: str, name: str, against: str | None
) -> dict[str, Any]:
    measure = measures.find(name, cell=cell)
    row: dict[str, Any] = dict.fromkeys(TEAM_SCHEMA) | {"cell": cell, "team": kind, "measure": name}
    if name in MATCHED:
        matched = measures.matched(name, cell)
        if not isinstance(matched, Unavailable):
            row |= {
                "matched_arm": matched.cell,
                "matched_samples": matched.num_samples,
                "matched_tokens": matched.share,
            }
    if isinstance(measure, Unavailable):
        return row | {"missing": measure.reason}
    shown = measure.interval()
    row |= {"value": shown.value, "low": shown.low, "high": shown.high, "n": measure.n}
    row |= {"num_questions": shown.num_questions}
    if shown.value is None:
        row["missing"] = shown.reason or "right and wrong answers of each member"
    if against in (None, cell):
        return row
    other = measures.find(name, cell=against)
    return row | (
        {} if isinstance(other, Unavailable) else _contrast_with_reference(measure, other, against)
    )


def _contrast_with_reference(measure: Quantity, other: Quantity, against: str) -> dict[str, Any]:
    contrast = measure.minus(other)
    gap = contrast.interval()
    return {
        "against": against,
        "difference": gap.value,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "p_value": contrast.p_value(),
    }


def _add_holm(table: pl.DataFrame) -> pl.DataFrame:
    """Holm's correction over the teams, for each measure a family of its own."""
    parts = [
        part.with_columns(
            p_holm=pl.Series(correct_p_values(part["p_value"].to_list()), dtype=pl.Float64)
        )
        for part in table.partition_by("measure", maintain_order=True)
    ]
    return pl.concat(parts) if parts else table


def _pair_dose_and_response(
    measures: Measures, response: str
) -> list[tuple[str, Quantity, Quantity]]:
    """The teams whose dose and response are both known."""
    found = []
    for cell in measures.teams:
        dose, gain = (measures.find(name, cell=cell) for name in (DOSE_MEASURE, response))
        if isinstance(dose, Quantity) and isinstance(gain, Quantity):
            found.append((cell, dose, gain))
    return [each for each in found if each[1].value == each[1].value]


def _fit_response_line(measures: Measures, response: str) -> Line | Unavailable:
    pairs = _pair_dose_and_response(measures, response)
    return fit_dose_response([dose for _, dose, _ in pairs], [gain for _, _, gain in pairs])


def _tabulate_points(measures: Measures, kinds: dict[str, str]) -> pl.DataFrame:
    rows = []
    for response in RESPONSES:
        for cell, dose, gain in _pair_dose_and_response(measures, response):
            x, y = dose.interval(), gain.interval()
            rows.append((response, cell, kinds[cell], *x[:3], *y[:3]))
    numbers = ("dose", "dose_low", "dose_high", "value", "low", "high")
    schema = dict.fromkeys(("response", "cell", "team"), pl.String()) | dict.fromkeys(
        numbers, pl.Float64()
    )
    return pl.DataFrame(rows, schema=schema, orient="row")


def _draw_lines(lines: dict[str, Line | Unavailable]) -> pl.DataFrame:
    rows = []
    for response, line in lines.items():
        if isinstance(line, Line):
            first, last = line.span
            for step in range(LINE_POINTS):
                x = first + (last - first) * step / (LINE_POINTS - 1)
                rows.append((response, x, *line.at(x)[:3]))
    schema = {
        "response": pl.String(),
        "dose": pl.Float64(),
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _estimate_line(response: str, line: Line | Unavailable) -> list[Estimate]:
    """`dose_response.<response>.slope` and `.crossing`."""
    if isinstance(line, Unavailable):
        return [
            Estimate(name=f"dose_response.{response}.{part}", unit=unit, missing=line.reason)
            for part, unit in LINE_PARTS.items()
        ]
    values: dict[str, Interval] = {"slope": line.slope, "crossing": line.crossing}
    return [
        Estimate(
            name=f"dose_response.{response}.{part}",
            value=values[part].value,
            unit=unit,
            low=values[part].low,
            high=values[part].high,
            se=values[part].se,
            n=line.num_teams,
            num_questions=values[part].num_questions,
            method="weighted line with errors in both coordinates, clustered by question; "
            + ("delta method" if part == "slope" else "Fieller"),
            p_value=compute_zero_p(values[part]) if part == "slope" else None,
            caveats=_warn_of_line(line, part),
            missing=None if values[part].value is not None else "a line that is not flat",
        )
        for part, unit in LINE_PARTS.items()
    ]


def _warn_of_line(line: Line, part: str) -> tuple[str, ...]:
    found = []
    if line.misfit is not None and line.misfit < 0.05:
        found.append(
            "the teams differ by more than their error correlation explains: "
            "the interval speaks of these teams alone"
        )
    value, (first, last) = line.crossing.value, line.span
    if part == "crossing" and value is not None and not first <= value <= last:
        found.append(f"outside of the error correlations seen, {first:.2f} to {last:.2f}")
    if part == "crossing" and value is not None and line.crossing.low is None:
        found.append("the slope may be zero, so the crossing has no bounds")
    return tuple(found)
