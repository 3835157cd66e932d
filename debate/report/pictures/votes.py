"""The vote over the openings against the vote at the end: what communication did."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.analysis.text import short
from debate.report.figure import Figure, absent, colors, drawn, shapes, values
from debate.report.material import Material
from debate.report.theme import BLUE, INK, MUTED, ORANGE, Look

NAME, TITLE = "votes", "The vote before and after the debate"
STEP = 34
MIDDLE = 0.8 * STEP / 2
"""Half of a line's band, which fills four fifths of the step: offsets count from its edge."""
MARKS = {
    "vote over the openings": Look(ORANGE, "circle"),
    "vote at the end": Look(BLUE, "diamond"),
    "mean member's opening": Look(MUTED, "cross"),
    "any member right (oracle)": Look(INK, "triangle-left"),
}


def votes(material: Material) -> Figure:
    """One line for each arm and method, with the openings' vote, the last vote and two anchors."""
    found = material.analysis.frame("vote_accuracy").filter(pl.col("value").is_not_null())
    found = found.filter(pl.col("cell").is_in(material.drawn_cells))
    if found.is_empty():
        return absent(NAME, TITLE, "No verdict could be scored, so there is no vote to compare.")
    data = _marks(material, found)
    order = list(dict.fromkeys(data["line"]))
    return drawn(
        NAME, TITLE, _chart(data, order), data,
        "Accuracy over all questions of each arm. The two votes are of the same run, so their "
        "difference is free of sampling noise; bars are 95 % intervals of each, and the paired "
        "test stands in the table of comparisons.",
        material.left_out(),
    )  # fmt: skip


def _marks(material: Material, found: pl.DataFrame) -> pl.DataFrame:
    """Columns line, mark, value, low, high, shift: all that is drawn."""
    single = found["subject"].n_unique() == 1
    team = {row["cell"]: row for row in material.analysis.tables["team"].iter_rows(named=True)}
    rows: list[tuple[Any, ...]] = []
    for cell in material.drawn_cells:
        of_cell = found.filter(pl.col("cell") == cell)
        for (method,), part in of_cell.sort("round").partition_by("subject", as_dict=True).items():
            arm = material.arm(cell)
            line = arm if single else f"{arm}, {short(method, 30)}"
            ends = [
                (part.row(0, named=True), 0, MIDDLE - 8.0),
                (part.row(-1, named=True), 1, MIDDLE),
            ]
            for end, mark, shift in ends if part.height > 1 else ends[:1]:
                numbers = (end["value"], end["low"], end["high"])
                rows.append((line, list(MARKS)[mark], *numbers, shift))
            for name, mark, shift in (("mean_member", 2, MIDDLE + 8.0), ("oracle", 3, MIDDLE)):
                rows.append((line, list(MARKS)[mark], team[cell][name], None, None, shift))
    schema = {"line": pl.String, "mark": pl.String, "value": pl.Float64, "low": pl.Float64,
              "high": pl.Float64, "shift": pl.Float64}  # fmt: skip
    marks = pl.DataFrame(rows, schema=schema, orient="row")
    return marks.filter(pl.col("value").is_not_null())


def _chart(data: pl.DataFrame, order: list[str]) -> Any:
    shown = {name: look for name, look in MARKS.items() if name in data["mark"].unique()}
    legend = alt.Legend(orient="top", columns=4, labelLimit=260)
    color = colors("mark:N", shown, title=None, legend=legend)
    shape = shapes("mark:N", shown, title=None)
    x = alt.X("value:Q", title="accuracy", scale=alt.Scale(zero=False, nice=True, padding=12))
    y = alt.Y("line:N", title=None, sort=order, axis=alt.Axis(labelLimit=230, grid=True))
    shift = alt.YOffset("shift:Q", scale=None)
    base = alt.Chart(values(data))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.6, opacity=0.6)
    return alt.layer(
        bars.encode(
            x=alt.X("low:Q", title="accuracy"), x2="high:Q", y=y, yOffset=shift, color=color
        ),
        base.mark_point(filled=True, size=80, opacity=1).encode(
            x=x, y=y, yOffset=shift, color=color, shape=shape
        ),
    ).properties(width=560, height=alt.Step(STEP))  # fmt: skip
