"""Each edge's influence drawn on who heard whom: how often a hearer then turned wrong, or right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import altair as alt
import networkx as nx
import polars as pl

from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    join_panels,
    layer_marks,
    make_figure,
    make_missing_figure,
    to_values,
)
from debate.report.theme import BLUE, INK, MUTED, PAPER, VERMILLION
from debate.text import count_noun, format_percent, shorten
from debate.topologies import from_graph
from debate.topologies.layout import Curve, Point, Positions, compute_curves, compute_positions

NAME, TITLE = "influence", "Flips after hearing each critic"
CAPTION = (
    "An arrow u → v says that v heard u. Its width, and the number at it, is the share of "
    "turns of v that flipped among those at risk that heard u just before: wrong after being "
    "right (solid), right after being wrong (dashed). A flip counts for every critic that "
    "was heard, so this is exposure, not proof of cause."
)
MAX_CELLS, MAX_EDGES, MAX_RATES = 24, 80, 14
"""Arms, edges of one drawing, and edges up to which each has its number beside it."""
WIDEST_PAIR = 480
"""Arms whose two drawings are wider than this, in pixels, stand below one another."""
MIN_RADIUS, HALF_LETTER, MARGIN = 17.0, 3.5, 10.0
"""In pixels: the least radius of a node, half a letter, and room around everything."""
MIN_WIDTH = 190.0
"""In pixels, of one drawing: its title has to fit."""
STRETCH = 1.35
"""Drawings that are no single row are stretched by this, so that numbers fit between the lines."""
MAX_MARK_LETTERS, MAX_KEY_ENTRIES, KEY_ENTRIES_PER_LINE = 10, 24, 3


class Flip(NamedTuple):
    """One of the two directions in which an answer can flip, and how it is drawn."""

    transition: str
    title: str
    color: str
    dash: tuple[int, int]


FLIPS = (
    Flip("right_to_wrong", "right → wrong", VERMILLION, (1, 0)),
    Flip("wrong_to_right", "wrong → right", BLUE, (7, 3)),
)


@dataclass(frozen=True, kw_only=True)
class DebateGraph:
    """The places of agents in a drawing, the lines between them, and how agents are marked."""

    places: Positions
    """In pixels, like lines and radius."""
    lines: Mapping[tuple[str, str], Curve]
    """By critic and author."""
    marks: Mapping[str, str]
    """The text at each agent: its name, or its number."""
    radius: float
    key: Sequence[str]
    """Lines that tell the numbers' names; empty where names stand at the agents."""

    @property
    def box(self) -> tuple[list[float], list[float]]:
        """The ends of the drawing from left to right and from bottom to top."""
        rims = [
            Point(p.x + side * self.radius, p.y + side * self.radius)
            for p in self.places.values()
            for side in (-1, 1)
        ]
        points = [*rims, *(p for line in self.lines.values() for p in line.points)]
        x, y = [p.x for p in points], [p.y for p in points]
        return [min(x) - MARGIN, max(x) + MARGIN], [min(y) - MARGIN, max(y) + MARGIN]


def draw_influence(report: ReportData) -> Figure:
    """Draw two graphs for each arm; the width of an edge is the hazard of a flip after it."""
    table = report.analysis.tables["edges"]
    is_flip = pl.col("transition").is_in([flip.transition for flip in FLIPS])
    edges = table.filter(is_flip & pl.col("rate").is_not_null())
    if edges.is_empty():
        note = "No turn says what it heard, so no flip can be traced to an edge."
        return make_missing_figure(NAME, TITLE, note)
    heard = [cell for cell in report.cells if cell in edges["cell"].unique()]
    cells = heard[:MAX_CELLS]
    data = edges.filter(pl.col("cell").is_in(cells))
    highest = float(data["rate"].to_numpy().max())
    graphs = {cell: _lay_out_arm(report, cell, data) for cell in cells}
    width = _find_common_width(list(graphs.values()))
    rows = [
        _draw_arm(report, cell, data.filter(pl.col("cell") == cell), graphs[cell], width, highest)
        for cell in cells
    ]
    is_cut = (data.group_by("cell", "transition").len()["len"] > MAX_EDGES).any()
    caption = (
        CAPTION,
        f"The {MAX_EDGES} edges heard most often are drawn." if is_cut else "",
        "" if len(heard) == len(cells) else f"{len(cells)} of {len(heard)} arms are drawn.",
    )
    chart = join_panels(rows, "concat", columns=_count_columns(rows))
    return make_figure(NAME, TITLE, chart, data, *caption)


def _count_columns(rows: list[Any]) -> int:
    widest = max(sum(panel["width"] for panel in row["hconcat"]) for row in rows)
    return 1 if len(rows) == 1 or widest > WIDEST_PAIR else 2


def _lay_out_arm(report: ReportData, cell: str, data: pl.DataFrame) -> DebateGraph:
    edges = data.filter(pl.col("cell") == cell)
    inside = report.states.filter(pl.col("cell") == cell)
    agents = sorted({*inside["agent"].unique(), *edges["critic"], *edges["author"]})
    pairs = edges.select("critic", "author").unique().sort("critic", "author")
    return lay_out_graph(agents, list(pairs.iter_rows()))


def _find_common_width(graphs: Sequence[DebateGraph]) -> float:
    """The width of the widest drawing: all panels have it, so that they stand below one another."""
    return max(MIN_WIDTH, *(x[1] - x[0] for x, _ in (graph.box for graph in graphs)))


def _draw_arm(
    report: ReportData,
    cell: str,
    edges: pl.DataFrame,
    graph: DebateGraph,
    width: float,
    highest: float,
) -> Any:
    low, high = graph.box[1]
    size = Point(width, high - low)
    panels = [_draw_flips(edges, flip, graph, size, highest) for flip in FLIPS]
    title = {"text": report.label_arm(cell), "subtitle": graph.key}
    return join_panels(panels, "hconcat", spacing=10, title=title)


def lay_out_graph(agents: Sequence[str], edges: Sequence[tuple[str, str]]) -> DebateGraph:
    """Place agents and the edges (critic, author) between them; number long names, with a key.

    >>> lay_out_graph(["a", "b"], [("a", "b")]).marks, lay_out_graph(["a" * 30], []).key
    ({'a': 'a', 'b': 'b'}, ['1 = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'])
    """
    is_short = max(map(len, agents)) <= MAX_MARK_LETTERS
    numbers = {agent: f"{k:04d}" for k, agent in enumerate(agents, start=1)}
    node = {agent: agent if is_short else numbers[agent] for agent in agents}
    agent_at = {name: agent for agent, name in node.items()}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(node.values())
    graph.add_edges_from((node[u], node[v]) for u, v in edges)
    topology = from_graph(graph)
    marks = {a: shorten(a, MAX_MARK_LETTERS) if is_short else str(int(numbers[a])) for a in agents}
    radius = max(MIN_RADIUS, 4 + HALF_LETTER * max(map(len, marks.values())))
    where = _stretch(compute_positions(topology))
    lines = {
        (agent_at[c.critic], agent_at[c.author]): c for c in compute_curves(topology, where, radius)
    }
    return DebateGraph(
        places={agent_at[name]: place for name, place in where.items()},
        lines=lines,
        marks=marks,
        radius=radius,
        key=[] if is_short else _write_key(marks),
    )


def _stretch(where: Positions) -> Positions:
    """The same places further apart, but for agents in one row."""
    if len({place.y for place in where.values()}) < 2:
        return where
    return {name: Point(STRETCH * place.x, STRETCH * place.y) for name, place in where.items()}


def _write_key(marks: Mapping[str, str]) -> list[str]:
    entries = [f"{mark} = {shorten(agent, 40)}" for agent, mark in marks.items()]
    if len(entries) > MAX_KEY_ENTRIES:
        entries[MAX_KEY_ENTRIES:] = [f"and {len(entries) - MAX_KEY_ENTRIES} more"]
    step = KEY_ENTRIES_PER_LINE
    return [" · ".join(entries[k : k + step]) for k in range(0, len(entries), step)]


def _draw_flips(
    edges: pl.DataFrame, flip: Flip, graph: DebateGraph, size: Point, highest: float
) -> Any:
    chosen = edges.filter(pl.col("transition") == flip.transition)
    chosen = chosen.sort("n", "critic", "author", descending=[True, False, False])
    rows = chosen.head(MAX_EDGES).to_dicts()
    lines = [(row, graph.lines[row["critic"], row["author"]]) for row in rows]
    box = [_centre(ends, side) for ends, side in zip(graph.box, size, strict=True)]
    at = {
        "x": alt.X("x:Q", axis=None, scale=alt.Scale(domain=box[0], nice=False, zero=False)),
        "y": alt.Y("y:Q", axis=None, scale=alt.Scale(domain=box[1], nice=False, zero=False)),
    }
    layers = [*_draw_edges(lines, flip, at, highest), *_draw_agents(graph, at)]
    under = f"{count_noun(int(chosen['n'].sum()), 'hearing')} at risk"
    title = {
        "text": flip.title,
        "subtitle": under,
        "fontSize": 11,
        "fontWeight": "normal",
        "offset": 2,
    }
    return layer_marks(layers, width=size.x, height=size.y, title=title)


def _centre(ends: Sequence[float], side: float) -> list[float]:
    """The ends of a range of this length with the same middle."""
    middle = (ends[0] + ends[1]) / 2
    return [middle - side / 2, middle + side / 2]


def _draw_edges(
    lines: list[tuple[dict[str, Any], Curve]], flip: Flip, at: dict[str, Any], highest: float
) -> Iterator[Any]:
    points = [
        {"edge": number, "step": step, "x": p.x, "y": p.y, "rate": row["rate"]}
        for number, (row, curve) in enumerate(lines)
        for step, p in enumerate(curve.points)
    ]
    widths = alt.Scale(domain=[0, highest or 1], range=[0.8, 5])
    width = alt.StrokeWidth("rate:Q", scale=widths, legend=None)
    strokes = alt.Chart(to_values(points)).mark_line(
        color=flip.color, strokeDash=list(flip.dash), opacity=0.8
    )
    yield strokes.encode(
        **at, detail=alt.Detail("edge:N"), order=alt.Order("step:Q"), strokeWidth=width
    )
    tips = [{"x": c.tip.x, "y": c.tip.y, "heading": c.heading} for _, c in lines]
    head = alt.Chart(to_values(tips)).mark_point(
        shape="M0,0L0.42,1L0,0.8L-0.42,1Z", size=324, filled=True, color=flip.color, opacity=1
    )
    yield head.encode(**at, angle=alt.Angle("heading:Q", scale=None))
    if len(lines) <= MAX_RATES:
        yield from _draw_rates(lines, at)


def _draw_rates(lines: list[tuple[dict[str, Any], Curve]], at: dict[str, Any]) -> Iterator[Any]:
    marks = [
        {"x": middle.x, "y": middle.y, "rate": format_percent(row["rate"])}
        for row, curve in lines
        for middle in [curve.points[int(0.42 * len(curve.points))]]
    ]
    base = alt.Chart(to_values(marks)).encode(**at, text=alt.Text("rate:N"))
    yield base.mark_text(fontSize=10.5, stroke=PAPER, strokeWidth=10, color=PAPER)
    yield base.mark_text(fontSize=10.5, color=INK)


def _draw_agents(graph: DebateGraph, at: dict[str, Any]) -> Iterator[Any]:
    rows = [{"x": p.x, "y": p.y, "agent": graph.marks[agent]} for agent, p in graph.places.items()]
    base = alt.Chart(to_values(rows)).encode(**at)
    area = 3.2 * graph.radius**2
    circle = {"shape": "circle", "size": area, "filled": True, "opacity": 1}
    yield base.mark_point(**circle, color=PAPER, stroke=MUTED, strokeWidth=1.4)
    named = base.encode(text=alt.Text("agent:N"))
    yield named.mark_text(fontSize=11, stroke=PAPER, strokeWidth=4, color=PAPER)
    yield named.mark_text(fontSize=11, fontWeight="bold", color=INK)
