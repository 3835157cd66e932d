"""Calibration: scores of confidence by round, and reliability diagrams."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    arrange_panels,
    draw_zero_line,
    encode_color,
    encode_dash,
    encode_shape,
    join_panels,
    layer_marks,
    make_figure,
    make_missing_figure,
    make_round_axis,
    pick_evenly,
    to_data,
)
from debate.report.theme import BLUE, MARK_STYLES, MUTED, ORANGE, VERMILLION, MarkStyle

SCORES_NAME, SCORES_TITLE = "calibration", "Calibration by round"
SCORES_CAPTION = (
    "Brier is a proper score and leads; the debiased error is the root-mean-square gap in 15 "
    "bins with sampling noise taken off. Bars are 95 % intervals, clustered by question. Turns "
    "without an answer carry no confidence and take no part."
)
SCORES = {
    "brier": "Brier score (lower is better)",
    "debiased_ece": "debiased calibration error (lower is better)",
    "over_confidence": "over-confidence (0 is right)",
    "auroc": "AUROC of confidence (higher is better)",
}

ENDS_CAPTION = "Openings and last round are drawn; all rounds are in the tables."
OPENINGS, END = "openings", "last round"
END_STYLES = {OPENINGS: MarkStyle(ORANGE, "circle"), END: MarkStyle(BLUE, "diamond")}

RELIABILITY_NAME, RELIABILITY_TITLE = "reliability", "Reliability by round"
RELIABILITY_CAPTION = (
    "Answers in 15 bins of stated or measured confidence; the bars are 95 % intervals of "
    "their accuracy, clustered by question, and a mark's area grows with the bin. On the "
    "diagonal confidence equals accuracy; triangles below it are over-confident. Turns without "
    "an answer carry no confidence and are in no bin."
)
MAX_DIAGRAMS = 4
"""Rounds that have a diagram, in each arm."""
DIAGRAM_SIDE = 150
OVER, UNDER = "over-confident", "not over-confident"
SIDE_STYLES = {UNDER: MarkStyle(BLUE, "circle"), OVER: MarkStyle(VERMILLION, "triangle")}
DIAGONAL = pl.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]})


def draw_calibration(report: ReportData) -> Figure:
    """Draw four panels of scores; arms are told apart by colour, dash and shape."""
    found = report.analysis.frame(*SCORES).filter(
        pl.col("subject").is_null() & pl.col("value").is_not_null() & pl.col("round").is_not_null()
    )
    if found.is_empty():
        note = "No answer carries a confidence, so there is nothing to score."
        return make_missing_figure(SCORES_NAME, SCORES_TITLE, note)
    arms = {cell: report.label_arm(cell) for cell in report.drawn_cells}
    data = found.filter(pl.col("cell").is_in(list(arms))).select(
        *("name", "cell", "round", "value", "low", "high", "n"),
        arm=pl.col("cell").replace_strict(arms, default=None),
    )
    are_many = len(arms) > len(MARK_STYLES)
    draw = _draw_ends if are_many else _draw_scores
    panels = [
        draw(report, data.filter(pl.col("name") == name), title, list(arms.values()))
        for name, title in SCORES.items()
        if name in data["name"].unique()
    ]
    caption = (SCORES_CAPTION, ENDS_CAPTION if are_many else "", report.drawn_note)
    chart = arrange_panels(panels, 2)
    return make_figure(SCORES_NAME, SCORES_TITLE, chart, data, *caption)


def _draw_scores(report: ReportData, rows: pl.DataFrame, title: str, arms: list[str]) -> Any:
    styles = dict(zip(arms, MARK_STYLES, strict=False))
    legend = alt.Legend(orient="top", columns=4, labelLimit=260)
    color = encode_color("arm:N", styles, title="arm", legend=legend)
    dash = encode_dash("arm:N", styles)
    shape = encode_shape("arm:N", styles, title="arm")
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    at = {"x": make_round_axis(report.rounds), "xOffset": alt.XOffset("shift:Q", scale=None)}
    base = alt.Chart(to_data(_shift_arms(rows, arms)))
    bars = base.mark_rule(strokeWidth=1.2)
    lines = base.mark_line(strokeWidth=1.8)
    points = base.mark_point(filled=True, size=42, opacity=1)
    layers = [
        bars.encode(**at, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=color),
        lines.encode(**at, y=y, color=color, strokeDash=dash),
        points.encode(**at, y=y, color=color, shape=shape),
    ]
    if "over_confidence" in rows["name"].unique():
        layers.insert(0, draw_zero_line())
    return layer_marks(layers, width=370, height=170, title=title)


def _draw_ends(report: ReportData, rows: pl.DataFrame, title: str, arms: list[str]) -> Any:
    """A line for each arm with two marks: the openings, and the last round."""
    is_opening = pl.col("round") == 0
    last = pl.col("round") == pl.col("round").max().over("arm")
    ends = rows.filter(is_opening | last).with_columns(
        when=pl.when(is_opening).then(pl.lit(OPENINGS)).otherwise(pl.lit(END)),
        shift=pl.when(is_opening).then(5.0).otherwise(14.0),
    )
    legend = alt.Legend(orient="top")
    color = encode_color("when:N", END_STYLES, title=None, legend=legend)
    shape = encode_shape("when:N", END_STYLES, title=None)
    y = alt.Y("arm:N", sort=arms, title=None, axis=alt.Axis(labelLimit=150, grid=True))
    at = {"y": y, "yOffset": alt.YOffset("shift:Q", scale=None)}
    axis: dict[str, Any] = {"title": None, "scale": alt.Scale(zero=False)}
    base = alt.Chart(to_data(ends))
    bars = base.mark_rule(strokeWidth=1.4)
    points = base.mark_point(filled=True, size=48, opacity=1)
    layers = (
        bars.encode(**at, x=alt.X("low:Q", **axis), x2=alt.X2("high:Q"), color=color),
        points.encode(**at, x=alt.X("value:Q", **axis), color=color, shape=shape),
    )
    return layer_marks(layers, width=270, height={"step": 24}, title=title)


def _shift_arms(rows: pl.DataFrame, arms: list[str]) -> pl.DataFrame:
    """The rows with `shift`, in pixels, by which the marks of each arm stand beside the others."""
    middle = (len(arms) - 1) / 2
    shifts = {arm: 7.0 * (k - middle) / max(1.0, middle) for k, arm in enumerate(arms)}
    return rows.with_columns(shift=pl.col("arm").replace_strict(shifts, return_dtype=pl.Float64))


def draw_reliability(report: ReportData) -> Figure:
    """Draw a row of diagrams for each arm: accuracy by confidence, in up to four rounds."""
    table = report.analysis.tables["reliability"]
    if table.is_empty():
        note = "No answer carries a confidence, so there is nothing to calibrate."
        return make_missing_figure(RELIABILITY_NAME, RELIABILITY_TITLE, note)
    is_over = pl.col("accuracy") < pl.col("confidence")
    side = pl.when(is_over).then(pl.lit(OVER)).otherwise(pl.lit(UNDER))
    data = table.filter(pl.col("cell").is_in(report.drawn_cells)).with_columns(side=side)
    are_many = len(report.drawn_cells) > len(MARK_STYLES)
    found = {
        cell: sorted(data.filter(pl.col("cell") == cell)["round"].unique())
        for cell in report.drawn_cells
    }
    limit = 2 if are_many else MAX_DIAGRAMS
    panels = [
        _draw_arm(report, cell, data, pick_evenly(rounds, limit))
        for cell, rounds in found.items()
        if rounds
    ]
    chart = join_panels(panels, "concat", columns=2 if are_many else 1, spacing=18)
    is_cut = any(len(rounds) > limit for rounds in found.values())
    omitted = "Some rounds are left out." if is_cut else ""
    caption = (RELIABILITY_CAPTION, omitted, report.drawn_note)
    return make_figure(RELIABILITY_NAME, RELIABILITY_TITLE, chart, data, *caption)


def _draw_arm(report: ReportData, cell: str, data: pl.DataFrame, rounds: list[int]) -> Any:
    parts = {r: data.filter((pl.col("cell") == cell) & (pl.col("round") == r)) for r in rounds}
    panels = [_draw_diagram(rows, r) for r, rows in parts.items() if not rows.is_empty()]
    return join_panels(panels, "hconcat", spacing=14, title=report.label_arm(cell))


def _draw_diagram(rows: pl.DataFrame, round_: int) -> Any:
    unit = alt.Scale(domain=[0, 1])
    axis = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f")
    x = alt.X("confidence:Q", scale=unit, title="confidence", axis=axis)
    y = alt.Y("accuracy:Q", scale=unit, title="accuracy", axis=axis)
    color = encode_color("side:N", SIDE_STYLES, title=None, legend=alt.Legend(orient="top"))
    shape = encode_shape("side:N", SIDE_STYLES, title=None)
    size = alt.Size("n:Q", scale=alt.Scale(range=[18, 150]), legend=None)
    base = alt.Chart(to_data(rows.select("confidence", "accuracy", "low", "high", "n", "side")))
    diagonal = alt.Chart(to_data(DIAGONAL))
    diagonal = diagonal.mark_line(color=MUTED, strokeWidth=0.8, strokeDash=[3, 3])
    bars, points = (
        base.mark_rule(strokeWidth=1, opacity=0.7),
        base.mark_point(filled=True, opacity=0.95),
    )
    layers = (
        diagonal.encode(x=x, y=y),
        bars.encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=color),
        points.encode(x=x, y=y, color=color, shape=shape, size=size),
    )
    title = {"text": f"round {round_}", "fontWeight": "normal", "fontSize": 11, "offset": 4}
    return layer_marks(layers, width=DIAGRAM_SIDE, height=DIAGRAM_SIDE, title=title)
