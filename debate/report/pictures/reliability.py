"""Reliability diagrams: how often answers of some confidence are right, round by round."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.report.figure import Figure, absent, colors, drawn, shapes, some, values
from debate.report.material import Material
from debate.report.theme import BLUE, MUTED, VERMILLION, Look

NAME, TITLE = "reliability", "Reliability by round"
MOST_ROUNDS = 4
SIDE = 150
OVER, UNDER = "over-confident", "not over-confident"
SIDES = {UNDER: Look(BLUE, "circle"), OVER: Look(VERMILLION, "triangle")}
DIAGONAL = pl.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]})


def reliability(material: Material) -> Figure:
    """A row of diagrams for each arm, a column for each of up to four rounds."""
    table = material.analysis.tables["reliability"]
    if table.is_empty():
        lacking = "No answer carries a confidence, so there is nothing to calibrate."
        return absent(NAME, TITLE, lacking)
    over = pl.col("accuracy") < pl.col("confidence")
    side = pl.when(over).then(pl.lit(OVER)).otherwise(pl.lit(UNDER))
    data = table.filter(pl.col("cell").is_in(material.drawn_cells)).with_columns(side=side)
    rounds = some(material.rounds, MOST_ROUNDS)
    shown = data.filter(pl.col("round").is_in(rounds))["cell"].unique()
    arms = [cell for cell in material.drawn_cells if cell in shown]
    rows = [_row(material, cell, data, rounds) for cell in arms]
    skipped = "" if len(rounds) == len(material.rounds) else "Some rounds are left out."
    return drawn(
        NAME, TITLE, alt.vconcat(*rows, spacing=18), data,
        "Answers in 15 bins of stated or measured confidence; the bars are 95 % intervals of "
        "their accuracy, clustered by question, and a mark's area grows with the bin. On the "
        "diagonal confidence equals accuracy; triangles below it are over-confident.",
        skipped, material.left_out(),
    )  # fmt: skip


def _row(material: Material, cell: str, data: pl.DataFrame, rounds: list[int]) -> Any:
    parts = {r: data.filter((pl.col("cell") == cell) & (pl.col("round") == r)) for r in rounds}
    panels = [_panel(rows, r) for r, rows in parts.items() if not rows.is_empty()]
    return alt.hconcat(*panels, spacing=14).properties(title=material.arm(cell))


def _panel(rows: pl.DataFrame, round_: int) -> Any:
    unit = alt.Scale(domain=[0, 1])
    axis = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f")
    x = alt.X("confidence:Q", scale=unit, title="confidence", axis=axis)
    y = alt.Y("accuracy:Q", scale=unit, title="accuracy", axis=axis)
    color = colors("side:N", SIDES, title=None, legend=alt.Legend(orient="top"))
    shape = shapes("side:N", SIDES, title=None)
    size = alt.Size("n:Q", scale=alt.Scale(range=[18, 150]), legend=None)
    base = alt.Chart(values(rows.select("confidence", "accuracy", "low", "high", "n", "side")))
    layers = (
        alt.Chart(values(DIAGONAL)).mark_line(color=MUTED, strokeWidth=0.8, strokeDash=[3, 3])
        .encode(x=x, y=y),
        base.mark_rule(strokeWidth=1, opacity=0.7).encode(x=x, y="low:Q", y2="high:Q", color=color),
        base.mark_point(filled=True, opacity=0.95).encode(
            x=x, y=y, color=color, shape=shape, size=size
        ),
    )  # fmt: skip
    title = alt.TitleParams(f"round {round_}", fontWeight="normal", fontSize=11, offset=4)
    return alt.layer(*layers).properties(width=SIDE, height=SIDE, title=title)
