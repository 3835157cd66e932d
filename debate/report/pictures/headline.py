"""The picture at the head of the page: the team's answer, and confidence in errors, by arm."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    encode_color,
    encode_shape,
    join_panels,
    layer_marks,
    make_figure,
    make_missing_figure,
    make_share_axis,
    to_data,
    to_values,
)
from debate.report.theme import BLUE, MUTED, ORANGE, VERMILLION, MarkStyle

NAME, TITLE = "headline", "What debating did to answers and to errors"
CAPTION = (
    "The first panel has the share of questions that the team's vote had right, over the openings "
    "and at the end; the second, error amplification: by how much confidence in errors grew until "
    "the last round; to the right of the dashed line errors gained weight. Bars are 95 % "
    "intervals, clustered by question."
)
OPENINGS, END = "vote over the openings", "vote at the end"
STYLES = {OPENINGS: MarkStyle(ORANGE, "circle"), END: MarkStyle(BLUE, "diamond")}
STEP, WIDTH = 34, 270
MIN_QUESTIONS = 2


def draw_headline(report: ReportData) -> Figure:
    """Draw a line for each arm: both votes, and error amplification in a panel of its own."""
    votes, errors = _collect_votes(report), _collect_errors(report)
    if report.states["question"].n_unique() < MIN_QUESTIONS:
        return make_missing_figure(NAME, TITLE, "One question is no ground for a headline.")
    arms = [report.label_arm(cell) for cell in report.cells]
    panels = [
        draw(rows, [arm for arm in arms if arm in {*votes["arm"], *errors["arm"]}])
        for rows, draw in ((votes, _draw_votes), (errors, _draw_errors))
        if not rows.is_empty()
    ]
    if not panels:
        note = "No answer could be scored before and after, and no confidence was recorded."
        return make_missing_figure(NAME, TITLE, note)
    data = pl.concat([votes, errors], how="diagonal")
    resolve = {"scale": {"color": "independent", "shape": "independent"}}
    chart = join_panels(panels, "hconcat", spacing=18, resolve=resolve)
    return make_figure(NAME, TITLE, chart, data, CAPTION)


def _collect_votes(report: ReportData) -> pl.DataFrame:
    """Columns arm, mark, value, low, high, shift: the votes by each arm's own rule."""
    rows = []
    own = {c.cell: c.method for c in report.analysis.comparisons if c.is_own}
    found = report.analysis.frame("vote_accuracy").filter(pl.col("value").is_not_null())
    for cell in report.cells:
        of_cell = found.filter((pl.col("cell") == cell) & (pl.col("subject") == own.get(cell, "")))
        by_round = of_cell.sort("round").to_dicts()
        ends = [(OPENINGS, by_round[0], -5.0), (END, by_round[-1], 5.0)] if by_round else []
        for mark, vote, shift in ends[: len(by_round)]:
            numbers = (vote["value"], vote["low"], vote["high"])
            rows.append((report.label_arm(cell), mark, *numbers, shift))
    return _make_frame(rows)


def _collect_errors(report: ReportData) -> pl.DataFrame:
    """The same columns: error amplification after the last round of each arm."""
    found = report.analysis.frame("eai").filter(
        pl.col("value").is_not_null() & pl.col("subject").is_null()
    )
    last = found.sort("round").group_by("cell", maintain_order=True).last()
    by_cell = {row["cell"]: row for row in last.iter_rows(named=True)}
    rows = []
    for cell in report.cells:
        if row := by_cell.get(cell):
            numbers = (row["value"], row["low"], row["high"])
            rows.append((report.label_arm(cell), "error amplification", *numbers, 0.0))
    return _make_frame(rows)


def _make_frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    numbers = dict.fromkeys(("value", "low", "high", "shift"), pl.Float64)
    return pl.DataFrame(rows, schema={"arm": pl.String, "mark": pl.String, **numbers}, orient="row")


def _draw_votes(rows: pl.DataFrame, arms: list[str]) -> Any:
    legend = alt.Legend(orient="top", columns=2, labelLimit=260)
    color = encode_color("mark:N", STYLES, title=None, legend=legend)
    shape = encode_shape("mark:N", STYLES, title=None)
    axis = make_share_axis(rows, "share of questions right")
    at = {"y": _make_arm_axis(arms), "yOffset": alt.YOffset("place:Q", scale=None)}
    base = alt.Chart(to_data(_place(rows)))
    points = base.mark_point(filled=True, size=70, opacity=1)
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.6)
    layers = (
        bars.encode(x=alt.X("low:Q", **axis), x2=alt.X2("high:Q"), **at, color=color),
        points.encode(x=alt.X("value:Q", **axis), **at, color=color, shape=shape),
    )
    return _finish(layers, "The team's answer")


def _draw_errors(rows: pl.DataFrame, arms: list[str]) -> Any:
    x = alt.X("value:Q", title="error amplification", scale=alt.Scale(nice=True, zero=True))
    at = {"y": _make_arm_axis(arms), "yOffset": alt.YOffset("place:Q", scale=None)}
    base = alt.Chart(to_data(_place(rows)))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.6, color=VERMILLION)
    zero = alt.Chart(to_values([{"x": 0}])).mark_rule(color=MUTED, strokeDash=[3, 3])
    points = base.mark_point(filled=True, size=70, opacity=1, color=VERMILLION, shape="square")
    layers = (
        zero.encode(x=alt.X("x:Q")),
        bars.encode(x=alt.X("low:Q", title="error amplification"), x2=alt.X2("high:Q"), **at),
        points.encode(x=x, **at),
    )
    return _finish(layers, "Confidence in errors")


def _place(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `place`, the distance in pixels from the edge of a line's band to each mark."""
    return rows.with_columns(place=pl.col("shift") + 0.8 * STEP / 2)


def _make_arm_axis(arms: list[str]) -> Any:
    axis, scale = alt.Axis(labelLimit=170, grid=True), alt.Scale(domain=arms)
    return alt.Y("arm:N", title=None, sort=arms, axis=axis, scale=scale)


def _finish(layers: tuple[Any, ...], title: str) -> Any:
    return layer_marks(layers, width=WIDTH, height={"step": STEP}, title=title)
