"""What diversity buys: every team's measures, and each against the homogeneous team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.comparisons import correct_p_values
from debate.analysis.dose import PARTS, RESPONSES, Line, dose_response
from debate.analysis.estimate import Estimate
from debate.analysis.intervals import Interval
from debate.analysis.measures import Measures, team_kinds
from debate.analysis.paired import zero_p_value
from debate.analysis.quantity import Missing, Quantity

COLUMNS = (
    "mean_member", "best_single", "phi", "double_fault", "q_statistic", "same_wrong", "kappa_p",
    "error_correlation", "effective_votes", "vote_0", "vote_T", "vote_gain", "gain_over_best_rule",
    "self_consistency", "gain_over_pool", "gain_over_best", "oracle", "vote_brier",
    "vote_over_confidence", "tokens_per_debate",
)  # fmt: skip
DOSE = "error_correlation"
MATCHED = {"self_consistency": "pool", "best_single": "single"}
REFERENCE = "homogeneous"
LINE_POINTS = 41
TEAMS: dict[str, Any] = {
    "cell": pl.String, "team": pl.String, "measure": pl.String, "value": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "n": pl.Int64, "num_questions": pl.Int64,
    "against": pl.String, "difference": pl.Float64, "difference_low": pl.Float64,
    "difference_high": pl.Float64, "p_value": pl.Float64, "p_holm": pl.Float64,
    "matched_arm": pl.String, "matched_samples": pl.Int64, "matched_tokens": pl.Float64,
    "missing": pl.String,
}  # fmt: skip


class Found(NamedTuple):
    """The teams of an analysis: their table, points and lines of dose and response, estimates."""

    tables: dict[str, pl.DataFrame]
    estimates: list[Estimate]


def compare_teams(measures: Measures) -> Found:
    """Every team's measures, beside the homogeneous team's.

    Tables: `teams` (a row for each team and measure), `dose` (a row for each team and response),
    `dose_lines` (each line with its band). Empty where no agents hear one another.
    """
    kinds = team_kinds(measures.states)
    against = reference(measures.teams, kinds)
    rows = [
        _row(measures, cell, kinds[cell], name, against)
        for cell in measures.teams
        for name in COLUMNS
    ]
    lines = {response: _line(measures, response) for response in RESPONSES}
    tables = {
        "teams": _with_holm(pl.DataFrame(rows, schema=TEAMS)),
        "dose": _points(measures, kinds),
        "dose_lines": _drawn_lines(lines),
    }
    return Found(tables, [e for name, line in lines.items() for e in _estimates(name, line)])


def reference(cells: Sequence[str], kinds: dict[str, str]) -> str | None:
    """The team that others are compared with: the one called homogeneous, or the first such."""
    alike = [cell for cell in cells if kinds[cell] == "homogeneous"]
    return REFERENCE if REFERENCE in cells else next(iter(alike), None)


def _row(
    measures: Measures, cell: str, kind: str, name: str, against: str | None
) -> dict[str, Any]:
    measure = measures.find(name, cell=cell)
    row: dict[str, Any] = dict.fromkeys(TEAMS) | {"cell": cell, "team": kind, "measure": name}
    if name in MATCHED:
        matched = measures.matched(name, cell)
        if not isinstance(matched, Missing):
            row |= {
                "matched_arm": matched.cell,
                "matched_samples": matched.num_samples,
                "matched_tokens": matched.share,
            }
    if isinstance(measure, Missing):
        return row | {"missing": measure.reason}
    shown = measure.interval()
    row |= {"value": shown.value, "low": shown.low, "high": shown.high, "n": measure.n}
    row |= {"num_questions": shown.num_questions}
    if shown.value is None:
        row["missing"] = shown.reason or "right and wrong answers of each member"
    if against in (None, cell):
        return row
    other = measures.find(name, cell=against)
    return row | ({} if isinstance(other, Missing) else _contrast(measure, other, against))


def _contrast(measure: Quantity, other: Quantity, against: str) -> dict[str, Any]:
    contrast = measure.minus(other)
    gap = contrast.interval()
    return {
        "against": against, "difference": gap.value, "difference_low": gap.low,
        "difference_high": gap.high, "p_value": contrast.p_value(),
    }  # fmt: skip


def _with_holm(table: pl.DataFrame) -> pl.DataFrame:
    """Holm's correction over the teams, for each measure a family of its own."""
    parts = [
        part.with_columns(
            p_holm=pl.Series(correct_p_values(part["p_value"].to_list()), dtype=pl.Float64)
        )
        for part in table.partition_by("measure", maintain_order=True)
    ]
    return pl.concat(parts) if parts else table


def _pairs(measures: Measures, response: str) -> list[tuple[str, Quantity, Quantity]]:
    """The teams whose dose and response are both known."""
    found = []
    for cell in measures.teams:
        dose, gain = (measures.find(name, cell=cell) for name in (DOSE, response))
        if isinstance(dose, Quantity) and isinstance(gain, Quantity):
            found.append((cell, dose, gain))
    return [each for each in found if each[1].value == each[1].value]


def _line(measures: Measures, response: str) -> Line | Missing:
    pairs = _pairs(measures, response)
    return dose_response([dose for _, dose, _ in pairs], [gain for _, _, gain in pairs])


def _points(measures: Measures, kinds: dict[str, str]) -> pl.DataFrame:
    rows = []
    for response in RESPONSES:
        for cell, dose, gain in _pairs(measures, response):
            x, y = dose.interval(), gain.interval()
            rows.append((response, cell, kinds[cell], *x[:3], *y[:3]))
    numbers = ("dose", "dose_low", "dose_high", "value", "low", "high")
    schema = dict.fromkeys(("response", "cell", "team"), pl.String()) | dict.fromkeys(
        numbers, pl.Float64()
    )
    return pl.DataFrame(rows, schema=schema, orient="row")


def _drawn_lines(lines: dict[str, Line | Missing]) -> pl.DataFrame:
    rows = []
    for response, line in lines.items():
        if isinstance(line, Line):
            first, last = line.span
            for step in range(LINE_POINTS):
                x = first + (last - first) * step / (LINE_POINTS - 1)
                rows.append((response, x, *line.at(x)[:3]))
    schema = {"response": pl.String(), "dose": pl.Float64(), "value": pl.Float64(),
              "low": pl.Float64(), "high": pl.Float64()}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _estimates(response: str, line: Line | Missing) -> list[Estimate]:
    """`dose_response.<response>.slope` and `.crossing`."""
    if isinstance(line, Missing):
        return [
            Estimate(name=f"dose_response.{response}.{part}", unit=unit, missing=line.reason)
            for part, unit in PARTS.items()
        ]
    values: dict[str, Interval] = {"slope": line.slope, "crossing": line.crossing}
    return [
        Estimate(
            name=f"dose_response.{response}.{part}", value=values[part].value, unit=unit,
            low=values[part].low, high=values[part].high, se=values[part].se, n=line.num_teams,
            num_questions=values[part].num_questions,
            method="weighted line with errors in both coordinates, clustered by question; "
            + ("delta method" if part == "slope" else "Fieller"),
            p_value=zero_p_value(values[part]) if part == "slope" else None,
            caveats=_warnings(line, part),
            missing=None if values[part].value is not None else "a line that is not flat",
        )
        for part, unit in PARTS.items()
    ]  # fmt: skip


def _warnings(line: Line, part: str) -> tuple[str, ...]:
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
