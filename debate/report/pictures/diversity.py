"""What diversity buys: teams' votes against their anchors, and gain against error correlation."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.analysis.registry import words
from debate.report.figure import (
    Figure,
    absent,
    colors,
    drawn,
    grid,
    shapes,
    values,
    zero_line,
)
from debate.report.material import Material
from debate.report.theme import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, Look

TEAMS, TEAMS_TITLE = "teams", "Teams against their anchors at equal tokens"
DOSE, DOSE_TITLE = "dose", "Gain of debate against error correlation"
STEP = 52
MARKS = {
    "vote_0": Look(ORANGE, "circle"),
    "vote_T": Look(BLUE, "diamond"),
    "self_consistency": Look(GREEN, "square"),
    "best_single": Look(PURPLE, "triangle-up"),
    "oracle": Look(INK, "triangle-left"),
    "mean_member": Look(MUTED, "cross"),
}
SHIFTS = dict(zip(MARKS, (-16.0, -8.0, 0.0, 8.0, 16.0, 16.0), strict=True))
"""How far below the middle of its line each mark stands, in pixels."""
KINDS = {"homogeneous": Look(ORANGE, "circle"), "mixed": Look(BLUE, "diamond")}


def teams(material: Material) -> Figure:
    """One line for each team: its votes, its pool, its best member, and what any member knew."""
    data = _team_marks(material)
    if data["cell"].n_unique() < 2:
        return absent(
            TEAMS, TEAMS_TITLE, "Fewer than two teams debated, so there is nothing to compare."
        )
    return drawn(
        TEAMS, TEAMS_TITLE, _team_chart(data), data,
        "Accuracy over all questions; bars are 95 % intervals, clustered by question. Pool and "
        "best member answered without hearing anybody, as often as the debate's tokens allow.",
    )  # fmt: skip


def _team_marks(material: Material) -> pl.DataFrame:
    rows = material.analysis.tables["teams"].filter(pl.col("value").is_not_null())
    rows = rows.filter(pl.col("measure").is_in(list(MARKS)))
    names = {cell: material.arm(cell) for cell in rows["cell"].unique()}
    named = {name: words(name) for name in MARKS}
    return rows.select(
        "cell", "team", "value", "low", "high",
        line=pl.col("cell").replace_strict(names, return_dtype=pl.String),
        mark=pl.col("measure").replace_strict(named, return_dtype=pl.String),
        shift=pl.col("measure").replace_strict(SHIFTS, return_dtype=pl.Float64) + 0.4 * STEP,
    )  # fmt: skip


def _team_chart(data: pl.DataFrame) -> Any:
    shown = {words(name): look for name, look in MARKS.items() if words(name) in set(data["mark"])}
    legend = alt.Legend(orient="top", columns=3, labelLimit=260)
    color = colors("mark:N", shown, title=None, legend=legend)
    shape = shapes("mark:N", shown, title=None)
    order = list(dict.fromkeys(data["line"]))
    y = alt.Y("line:N", title=None, sort=order, axis=alt.Axis(labelLimit=230, grid=True))
    shift = alt.YOffset("shift:Q", scale=None)
    scale = alt.Scale(zero=False, nice=False, padding=12)
    base = alt.Chart(values(data))
    bars = base.mark_rule(strokeWidth=1.4, opacity=0.6).encode(
        x=alt.X("low:Q", title="accuracy", scale=scale), x2="high:Q", y=y, yOffset=shift,
        color=color,
    )  # fmt: skip
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("value:Q", title="accuracy", scale=scale), y=y, yOffset=shift, color=color,
        shape=shape,
    )  # fmt: skip
    return alt.layer(bars, points).properties(width=560, height=alt.Step(STEP))


def dose(material: Material) -> Figure:
    """Each gain of debate against the error correlation of the openings, a point for each team."""
    tables = material.analysis.tables
    points, lines = tables["dose"], tables["dose_lines"]
    drawn_responses = [r for r in dict.fromkeys(points["response"]) if _count(points, r) > 1]
    if not drawn_responses:
        note = "Fewer than two teams debated, so there is no dose to tell apart."
        return absent(DOSE, DOSE_TITLE, note)
    names = {cell: material.arm(cell) for cell in points["cell"].unique()}
    points = points.with_columns(arm=pl.col("cell").replace_strict(names, return_dtype=pl.String))
    panels = [
        _dose_panel(
            points.filter(pl.col("response") == response),
            lines.filter(pl.col("response") == response), response,
        )
        for response in drawn_responses
    ]  # fmt: skip
    return drawn(
        DOSE, DOSE_TITLE, grid(panels, 2), points, _dose_caption(material),
        "Lines are weighted and allow for errors in both coordinates; bands and bars are 95 % "
        "intervals, clustered by question. Above the dashed line debating gained.",
    )  # fmt: skip


def _count(points: pl.DataFrame, response: str) -> int:
    return points.filter(pl.col("response") == response).height


def _dose_caption(material: Material) -> str:
    """Where each line crosses zero, in words."""
    said = []
    for e in material.analysis.estimates:
        if e.name.startswith("dose_response.") and e.name.endswith(".crossing") and e.is_known:
            bounds = (
                f"{e.low:.2f} to {e.high:.2f}"
                if e.low is not None and e.high is not None
                else "no bounds, the slope may be zero"
            )
            said.append(f"{words(e.name.split('.')[1])} is zero at {e.value:.2f} ({bounds}).")
    return " ".join(said)


def _dose_panel(points: pl.DataFrame, line: pl.DataFrame, response: str) -> Any:
    padded = alt.Scale(zero=False, nice=True, padding=14)
    x_title = "error correlation of the openings"
    color = colors("team:N", KINDS, title="models", legend=alt.Legend(orient="top"))
    shape = shapes("team:N", KINDS, title="models")
    x = alt.X("dose:Q", title=x_title, scale=padded)
    y = alt.Y("value:Q", title="gain in accuracy", scale=padded)
    base = alt.Chart(values(points))
    layers = [zero_line()]
    if line.height:
        fitted = alt.Chart(values(line))
        layers += [
            fitted.mark_area(opacity=0.14, color=INK).encode(x=x, y="low:Q", y2="high:Q"),
            fitted.mark_line(strokeWidth=1.4, color=INK).encode(x=x, y=y),
        ]
    layers += [
        base.mark_rule(strokeWidth=1, opacity=0.6).encode(x=x, y="low:Q", y2="high:Q", color=color),
        base.mark_rule(strokeWidth=1, opacity=0.6).encode(
            x=alt.X("dose_low:Q", title=x_title, scale=padded), x2="dose_high:Q", y=y, color=color
        ),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, color=color, shape=shape),
        base.mark_text(align="left", dx=7, dy=-7, fontSize=10, color=MUTED).encode(
            x=x, y=y, text="arm:N"
        ),
    ]
    return alt.layer(*layers).properties(width=370, height=240, title=words(response))
