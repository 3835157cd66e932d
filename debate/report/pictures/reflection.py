"""What verdicts with errors do: gains in accuracy over false accepts and false rejects."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    layer_marks,
    make_figure,
    make_missing_figure,
    to_data,
    to_values,
)
from debate.report.theme import BLUE, INK, MUTED, PAPER, VERMILLION

NAME, TITLE = "reflection", "What false accepts and false rejects do"
CAPTION = (
    "Each mark is an arm in which verdicts decide whether an answer stands, placed by their error "
    "rates on the openings; the number is its gain in accuracy since then, in points, grey where "
    "its 95 % interval holds 0. On the dashed line the two rates sum to 1: there a verdict tells "
    "nothing, and reflection is to gain nothing; below it helps, above it harms."
)
SIDE = 380
DARK_SHARE = 0.85
"""Above this share of the scale a mark is so dark that its number is written in paper's colour."""
LEAST_SCALE = 0.05
"""Gains are coloured on a scale of at least this, in both directions."""


def draw_reflection(report: ReportData) -> Figure:
    """Draw the arms in the plane of the two error rates, coloured by what they gained."""
    table = report.analysis.tables.get("reflection", pl.DataFrame())
    known = table.drop_nulls(["false_accept", "false_reject", "gain"]) if table.height else table
    if known.is_empty():
        note = "In no arm do verdicts decide what stands; see the protocol filter."
        return make_missing_figure(NAME, TITLE, note)
    clear = ((pl.col("gain_low") > 0) | (pl.col("gain_high") < 0)).fill_null(False)
    data = known.with_columns(
        arm=pl.col("cell").map_elements(report.label_arm, return_dtype=pl.String),
        points=pl.col("gain").map_elements(format_points, return_dtype=pl.String),
        ink=pl.when(pl.col("gain").abs() > DARK_SHARE * find_largest_gain(known))
        .then(pl.lit(PAPER))
        .when(clear)
        .then(pl.lit(INK))
        .otherwise(pl.lit(MUTED)),
    )
    chart = layer_marks((_draw_null(), *_draw_arms(data)), width=SIDE, height=SIDE)
    return make_figure(NAME, TITLE, chart, data.drop("points", "ink"), CAPTION)


def find_largest_gain(data: pl.DataFrame) -> float:
    """Return the largest gain or loss, to which colours reach; at least `LEAST_SCALE`."""
    return max(LEAST_SCALE, *(abs(float(gain)) for gain in data["gain"]))


def _draw_null() -> Any:
    """The line on which the two rates sum to 1."""
    ends = [{"false_accept": 0.0, "false_reject": 1.0}, {"false_accept": 1.0, "false_reject": 0.0}]
    line = alt.Chart(to_values(ends)).mark_line(color=MUTED, strokeDash=[5, 4])
    return line.encode(**_make_plane())


def _make_plane() -> dict[str, Any]:
    scale = alt.Scale(domain=[-0.06, 1.06], nice=False)
    return {
        "x": alt.X("false_accept:Q", title="false accept: errors not rejected", scale=scale),
        "y": alt.Y("false_reject:Q", title="false reject: right answers rejected", scale=scale),
    }


def _draw_arms(data: pl.DataFrame) -> list[Any]:
    most = find_largest_gain(data)
    base = alt.Chart(to_data(data)).encode(**_make_plane())
    scale = alt.Scale(domain=[-most, 0, most], range=[VERMILLION, PAPER, BLUE])
    color = alt.Color("gain:Q", scale=scale, legend=None)
    marks = base.mark_circle(size=700, stroke=INK, strokeWidth=0.6, opacity=1.0)
    labels = base.mark_text(fontSize=10.5, fontWeight="bold")
    ink = alt.Color("ink:N", scale=None)
    return [marks.encode(color=color), labels.encode(text=alt.Text("points:N"), color=ink)]


def format_points(gain: float) -> str:
    """Return a gain in accuracy in whole points, with its sign.

    >>> format_points(0.1234), format_points(-0.02), format_points(0.001)
    ('+12', '−2', '0')
    """
    points = round(100 * gain)
    return "0" if not points else f"{'+' if points > 0 else '−'}{abs(points)}"
