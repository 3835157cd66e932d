"""Belief in the own wrong answer against belief in the truth."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.report.figure import (
    Figure,
    absent,
    colors,
    dashes,
    drawn,
    grid,
    probability,
    round_axis,
    shapes,
    values,
)
from debate.report.material import Material
from debate.report.theme import BLUE, VERMILLION, Look

NAME, TITLE = "beliefs", "Belief in the own wrong answer against belief in the truth"
LINES = {"belief_own": "own wrong opening answer", "belief_target": "the truth"}
LOOKS = {
    LINES["belief_own"]: Look(VERMILLION, "square"),
    LINES["belief_target"]: Look(BLUE, "circle", (6, 3)),
}


def beliefs(material: Material) -> Figure:
    """Both means by round among agents wrong at their opening, a panel for each arm."""
    rows = material.analysis.tables["beliefs"].filter(pl.col("value").is_not_null())
    rows = rows.filter(pl.col("cell").is_in(material.drawn_cells))
    if rows.is_empty():
        lacking = "No turn carries a belief; the belief probe was not part of this run."
        return absent(NAME, TITLE, lacking)
    data = rows.with_columns(line=pl.col("belief").replace_strict(LINES))
    moving = data.filter(pl.col("round") > 0)["cell"].unique()
    arms = [cell for cell in material.drawn_cells if cell in moving]
    if not arms:
        return absent(NAME, TITLE, "There is one round only, so no belief could move.")
    panels = [_panel(material, cell, data.filter(pl.col("cell") == cell)) for cell in arms]
    return drawn(
        NAME, TITLE, grid(panels, 3), data,
        "Teacher-forced probability over one fixed set of candidates, among agents that were "
        "wrong at round 0; means with 95 % bands, clustered by question. Where the lines cross, "
        "the average errant agent has come to believe the truth.",
        material.left_out(),
    )  # fmt: skip


def _panel(material: Material, cell: str, rows: pl.DataFrame) -> Any:
    base = alt.Chart(values(rows))
    legend = alt.Legend(orient="top", symbolType="stroke")
    color = colors("line:N", LOOKS, title="belief in", legend=legend)
    dash = dashes("line:N", LOOKS, title="belief in")
    shape = shapes("line:N", LOOKS, legend=None)
    x, y = round_axis(material.rounds), probability("mean belief")
    layers = (
        base.mark_area(opacity=0.18, clip=True).encode(x=x, y="low:Q", y2="high:Q", color=color),
        base.mark_line(strokeWidth=2.2).encode(x=x, y=y, color=color, strokeDash=dash),
        base.mark_point(filled=True, size=46, opacity=1).encode(x=x, y=y, color=color, shape=shape),
    )
    return alt.layer(*layers).properties(width=250, height=180, title=material.arm(cell))
