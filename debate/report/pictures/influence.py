"""Each edge's influence drawn on who heard whom: how often a hearer then turned wrong, or right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from debate.analysis.text import count
from debate.report.figure import Figure, absent, drawn
from debate.report.material import Material
from debate.report.pictures.stage import Stage, staged
from debate.report.theme import BLUE, INK, MUTED, PAPER, VERMILLION
from debate.topologies.curves import Curve

NAME, TITLE = "influence", "What each edge did"
MOST_CELLS, MOST_EDGES, MOST_LABELS = 6, 80, 14
WIDEST_PAIR = 480
"""Arms whose two drawings are wider than this stand below one another."""


class Way(NamedTuple):
    """One of the two directions in which an answer can flip, and how it looks."""

    transition: str
    title: str
    color: str


WAYS = (
    Way("right_to_wrong", "right → wrong", VERMILLION),
    Way("wrong_to_right", "wrong → right", BLUE),
)


def influence(material: Material) -> Figure:
    """Two drawings for each arm; an edge's width is the hazard of a flip after hearing over it."""
    names = [way.transition for way in WAYS]
    table = material.analysis.tables["edges"]
    edges = table.filter(pl.col("transition").is_in(names) & pl.col("rate").is_not_null())
    if edges.is_empty():
        lacking = "No turn says what it heard, so no flip can be traced to an edge."
        return absent(NAME, TITLE, lacking)
    heard = [cell for cell in material.cells if cell in edges["cell"].unique()]
    cells = heard[:MOST_CELLS]
    data = edges.filter(pl.col("cell").is_in(cells))
    top = float(data["rate"].to_numpy().max())
    rows = [_row(material, cell, data.filter(pl.col("cell") == cell), top) for cell in cells]
    cut = "" if len(heard) == len(cells) else f"{len(cells)} of {len(heard)} arms are drawn."
    return drawn(
        NAME, TITLE, alt.concat(*rows, columns=_columns(rows)), data,
        "An arrow u → v says that v heard u. Its width, and the number at it, is the share of "
        "turns of v that flipped among those at risk that heard u just before: wrong after being "
        "right (solid), right after being wrong (dashed). A flip counts for every critic that "
        "was heard, so this is exposure, not proof of cause.",
        f"The {MOST_EDGES} edges heard most often are drawn." if _is_cut(data) else "", cut,
    )  # fmt: skip


def _columns(rows: list[Any]) -> int:
    widest = max(sum(panel.width for panel in row.hconcat) for row in rows)
    return 1 if len(rows) == 1 or widest > WIDEST_PAIR else 2


def _is_cut(data: pl.DataFrame) -> bool:
    sizes = data.group_by("cell", "transition").len()["len"]
    return bool((sizes > MOST_EDGES).any())


def _row(material: Material, cell: str, edges: pl.DataFrame, top: float) -> Any:
    stage = staged(_members(material, cell, edges), list(_heard(edges)))
    panels = [_panel(edges, way, stage, top) for way in WAYS]
    title = alt.TitleParams(material.arm(cell), subtitle=stage.key)
    return alt.hconcat(*panels, spacing=10).properties(title=title)


def _members(material: Material, cell: str, edges: pl.DataFrame) -> list[str]:
    inside = material.states.filter(pl.col("cell") == cell)
    return sorted({*inside["agent"].unique(), *edges["critic"], *edges["author"]})


def _heard(edges: pl.DataFrame) -> Iterator[tuple[str, str]]:
    yield from edges.select("critic", "author").unique().sort("critic", "author").iter_rows()


def _panel(edges: pl.DataFrame, way: Way, stage: Stage, top: float) -> Any:
    chosen = edges.filter(pl.col("transition") == way.transition)
    chosen = chosen.sort("n", "critic", "author", descending=[True, False, False])
    rows = chosen.head(MOST_EDGES).to_dicts()
    drawn_lines = [(row, stage.lines[row["critic"], row["author"]]) for row in rows]
    box = stage.box
    at = {
        "x": alt.X("x:Q", axis=None, scale=alt.Scale(domain=box[0], nice=False, zero=False)),
        "y": alt.Y("y:Q", axis=None, scale=alt.Scale(domain=box[1], nice=False, zero=False)),
    }
    layers = [*_edges(drawn_lines, way, at, top), *_agents(stage, at)]
    told = f"{count(int(chosen['n'].sum()))} hearings at risk"
    title = alt.TitleParams(way.title, subtitle=told, fontSize=11, fontWeight="normal", offset=2)
    size = {"width": box[0][1] - box[0][0], "height": box[1][1] - box[1][0]}
    return alt.layer(*layers).properties(**size, title=title)


def _edges(
    drawn_lines: list[tuple[dict[str, Any], Curve]], way: Way, at: dict[str, Any], top: float
) -> Iterator[Any]:
    dash = [1, 0] if way.transition == "right_to_wrong" else [7, 3]
    points = [
        {"edge": number, "step": step, "x": p.x, "y": p.y, "rate": row["rate"]}
        for number, (row, curve) in enumerate(drawn_lines)
        for step, p in enumerate(curve.points)
    ]
    widths = alt.Scale(domain=[0, top or 1], range=[0.8, 5])
    width = alt.StrokeWidth("rate:Q", scale=widths, legend=None)
    lines = alt.Chart(alt.Data(values=points))
    strokes = lines.mark_line(color=way.color, strokeDash=dash, opacity=0.8)
    yield strokes.encode(**at, detail="edge:N", order="step:Q", strokeWidth=width)
    tips = [{"x": c.tip.x, "y": c.tip.y, "heading": c.heading} for _, c in drawn_lines]
    head = alt.Chart(alt.Data(values=tips)).mark_point(
        shape="M0,0L0.42,1L0,0.8L-0.42,1Z", size=324, filled=True, color=way.color, opacity=1
    )
    yield head.encode(**at, angle=alt.Angle("heading:Q", scale=None))
    if len(drawn_lines) <= MOST_LABELS:
        yield from _rates(drawn_lines, at)


def _rates(drawn_lines: list[tuple[dict[str, Any], Curve]], at: dict[str, Any]) -> Iterator[Any]:
    marks = [
        {"x": middle.x, "y": middle.y, "rate": f"{row['rate']:.0%}"}
        for row, curve in drawn_lines
        for middle in [curve.points[int(0.42 * len(curve.points))]]
    ]
    base = alt.Chart(alt.Data(values=marks)).encode(**at, text="rate:N")
    yield base.mark_text(fontSize=10.5, stroke=PAPER, strokeWidth=5, color=PAPER)
    yield base.mark_text(fontSize=10.5, color=INK)


def _agents(stage: Stage, at: dict[str, Any]) -> Iterator[Any]:
    rows = [{"x": p.x, "y": p.y, "agent": stage.marks[agent]} for agent, p in stage.places.items()]
    base = alt.Chart(alt.Data(values=rows)).encode(**at)
    yield base.mark_point(
        shape="circle", size=3.2 * stage.radius**2, filled=True, color=PAPER, stroke=MUTED,
        strokeWidth=1.4, opacity=1,
    )  # fmt: skip
    named = base.encode(text="agent:N")
    yield named.mark_text(fontSize=11, stroke=PAPER, strokeWidth=4, color=PAPER)
    yield named.mark_text(fontSize=11, fontWeight="bold", color=INK)
