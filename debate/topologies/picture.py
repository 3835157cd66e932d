"""A topology as a picture: SVG or PNG, drawn without a browser."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from debate.errors import TopologyError
from debate.topologies.graph import AgentPair, Edge, Topology, get_edge, get_seat
from debate.topologies.layout import (
    Curve,
    Point,
    Positions,
    compute_curves,
    compute_outward_angle,
    compute_positions,
)
from debate.topologies.text_drawing import describe_edge
from debate.types import AgentId, Role
from debate.vega import Format, draw_charts

SUFFIXES = (".svg", ".png")
MARGIN = 56.0
MAX_EDGES = 3000
INK = "#3b4048"
DASHES = {"heard": [1, 0], "not heard": [6, 4], "on disagreement only": [2, 3]}
PLAIN = ("", "not heard", "on disagreement only")
"""Descriptions of edges that the line's style shows already."""


class RoleStyle(NamedTuple):
    """The look of a role: told apart by shape as well as by colour, in any kind of sight."""

    color: str
    shape: str
    text: str


ROLE_STYLES: dict[Role, RoleStyle] = {
    "debater": RoleStyle("#0072b2", "circle", "white"),
    "critic": RoleStyle("#d55e00", "square", "white"),
    "judge": RoleStyle("#e69f00", "diamond", "black"),
    "tool": RoleStyle("#009e73", "triangle-up", "black"),
    "human": RoleStyle("#cc79a7", "cross", "black"),
}


class Viewport(NamedTuple):
    """The visible part of the plane, in pixels."""

    left: float
    right: float
    bottom: float
    top: float


def draw_picture(topology: Topology, path: Path | str, *, title: str = "") -> None:
    """Write a picture of the topology to `path`, as SVG or PNG by its suffix.

    Raises TopologyError for any other suffix, and for more edges than a picture can show,
    DrawingError where the drawing fails.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise TopologyError(f'"{target}" is no picture that can be drawn; write .svg or .png')
    if topology.number_of_edges() > MAX_EDGES:
        raise TopologyError(
            f"{topology.number_of_edges()} edges are too many for a picture; "
            f"up to {MAX_EDGES} can be drawn"
        )
    format = cast(Format, target.suffix.lower().removeprefix("."))
    (picture,) = draw_charts([make_chart(topology, title=title).to_dict()], format, scale=2.0)
    target.write_bytes(picture)


def make_chart(topology: Topology, *, title: str = "") -> Any:
    """Return the picture as an altair chart."""
    import altair as alt

    positions = compute_positions(topology)
    radius = get_radius(len(topology))
    curves = compute_curves(topology, positions, radius)
    view = _compute_viewport(positions, curves, radius)
    axes = _make_axes(alt, view)
    layers = [
        *_draw_edges(alt, topology, curves, axes),
        *_draw_agents(alt, topology, positions, axes, radius),
    ]
    size: dict[str, Any] = {"width": view.right - view.left, "height": view.top - view.bottom}
    heading = alt.TitleParams(title, subtitle=_write_subtitle(topology), anchor="start", color=INK)
    layered = alt.layer(*layers).resolve_scale(
        color="independent", shape="independent", strokeDash="independent"
    )
    return layered.properties(**size, title=heading, background="white").configure_view(stroke=None)


def get_radius(num_agents: int) -> float:
    """Return the pixels from an agent's centre to its rim; fewer in a crowd."""
    return 19.0 if num_agents <= 16 else 16.0


def _compute_viewport(positions: Positions, curves: tuple[Curve, ...], radius: float) -> Viewport:
    points = [*positions.values(), *(point for curve in curves for point in curve.points)]
    margin = MARGIN if len(positions) > 1 else 2 * MARGIN
    left, right = min(p.x for p in points) - margin, max(p.x for p in points) + margin
    bottom, top = min(p.y for p in points) - radius - 26, max(p.y for p in points) + radius + 26
    return Viewport(left=left, right=right, bottom=bottom, top=top)


def _make_axes(alt: Any, view: Viewport) -> dict[str, Any]:
    """Return the encodings of x and y that all layers share."""

    def make_scale(low: float, high: float) -> Any:
        return alt.Scale(domain=[low, high], nice=False, zero=False)

    return {
        "x": alt.X("x:Q", axis=None, scale=make_scale(view.left, view.right)),
        "y": alt.Y("y:Q", axis=None, scale=make_scale(view.bottom, view.top)),
    }


def _write_subtitle(topology: Topology) -> list[str]:
    if not topology.number_of_edges():
        return ["nobody critiques anybody"]
    said = {describe_edge(get_edge(topology, u, v)) for u, v in topology.edges()}
    shared = next(iter(said)) if len(said) == 1 else ""
    first = "a → b: a critiques b" + (f"  ·  all edges: {shared}" if shared else "")
    return [first, *(f"{number}: {note}" for number, note in enumerate(_find_notes(topology), 1))]


def _find_notes(topology: Topology) -> dict[str, list[AgentPair]]:
    """Return edges by what they have beyond their line's style, unless all have the same."""
    alike: dict[str, list[AgentPair]] = {}
    for u, v in topology.edges():
        alike.setdefault(describe_edge(get_edge(topology, u, v)), []).append((u, v))
    if len(alike) == 1:
        return {}
    return {said: pairs for said, pairs in alike.items() if said not in PLAIN}


def _draw_edges(
    alt: Any, topology: Topology, curves: tuple[Curve, ...], axes: dict[str, Any]
) -> Iterator[Any]:
    """Yield the layers below the agents: lines, arrowheads, and numbers that refer to notes."""
    if curves:
        yield _draw_lines(alt, topology, curves, axes)
        yield _draw_arrowheads(alt, curves, axes)
        yield from _draw_note_numbers(alt, topology, curves, axes)


def _draw_lines(
    alt: Any, topology: Topology, curves: tuple[Curve, ...], axes: dict[str, Any]
) -> Any:
    opacity = 0.85 if len(curves) <= 60 else 0.5
    styles = {(u, v): _get_style(get_edge(topology, u, v)) for u, v in topology.edges()}
    rows = [
        {"edge": number, "step": step, "x": p.x, "y": p.y, "edges": styles[c.critic, c.author]}
        for number, c in enumerate(curves)
        for step, p in enumerate(c.points)
    ]
    shown = [name for name in DASHES if name in styles.values()]
    dash = alt.StrokeDash(
        "edges:N",
        scale=alt.Scale(domain=shown, range=[DASHES[name] for name in shown]),
        legend=alt.Legend(title="edges", symbolType="stroke") if len(shown) > 1 else None,
    )
    line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.4, color=INK, opacity=opacity)
    return line.encode(**axes, detail="edge:N", order="step:Q", strokeDash=dash)


def _get_style(edge: Edge) -> str:
    """Return the kind of line that an edge is drawn with: a key of DASHES."""
    if not edge.feedback:
        return "not heard"
    return "on disagreement only" if edge.when == "disagreement" else "heard"


def _draw_arrowheads(alt: Any, curves: tuple[Curve, ...], axes: dict[str, Any]) -> Any:
    tips = [{"x": c.tip.x, "y": c.tip.y, "heading": c.heading} for c in curves]
    head = alt.Chart(alt.Data(values=tips)).mark_point(
        shape="M0,0L0.42,1L0,0.8L-0.42,1Z", size=324, filled=True, color=INK, opacity=1
    )
    return head.encode(**axes, angle=alt.Angle("heading:Q", scale=None))


def _draw_note_numbers(
    alt: Any, topology: Topology, curves: tuple[Curve, ...], axes: dict[str, Any]
) -> Iterator[Any]:
    """Yield the layers that number each edge with a note, in the middle of its line."""
    notes = enumerate(_find_notes(topology).values(), 1)
    number = {pair: str(k) for k, pairs in notes for pair in pairs}
    marks = [
        {"x": middle.x, "y": middle.y, "note": number[c.critic, c.author]}
        for c in curves
        for middle in [c.points[len(c.points) // 2]]
        if (c.critic, c.author) in number
    ]
    if marks:
        base = alt.Chart(alt.Data(values=marks)).encode(**axes)
        yield base.mark_point(
            shape="circle", size=190, filled=True, color="white", opacity=1, stroke=INK
        )
        yield base.mark_text(fontSize=10, color=INK, dy=0.5).encode(text="note:N")


def _draw_agents(
    alt: Any, topology: Topology, positions: Positions, axes: dict[str, Any], radius: float
) -> Iterator[Any]:
    """Yield the layers on top: marks by role, with a radius in pixels, and names."""
    roles = {agent: get_seat(topology, agent).role for agent in topology}
    present = [role for role in ROLE_STYLES if role in roles.values()]
    styles = [ROLE_STYLES[role] for role in present]
    legend = alt.Legend(title="role", symbolSize=160) if len(present) > 1 else None
    rows = [
        {"x": p.x, "y": p.y, "role": roles[agent], "agent": agent} for agent, p in positions.items()
    ]
    colors = alt.Scale(domain=present, range=[style.color for style in styles])
    shapes = alt.Scale(domain=present, range=[style.shape for style in styles])
    yield (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=3.2 * radius**2, opacity=1, stroke="white", strokeWidth=1.5)
        .encode(
            **axes,
            color=alt.Color("role:N", scale=colors, legend=legend),
            shape=alt.Shape("role:N", scale=shapes, legend=legend),
        )
    )
    yield from _draw_names(alt, topology, positions, axes, radius)


def _draw_names(
    alt: Any, topology: Topology, positions: Positions, axes: dict[str, Any], radius: float
) -> Iterator[Any]:
    """Yield short names inside their marks, long ones beside them with a halo against the lines."""
    inside: dict[str, list[dict[str, Any]]] = {}
    outside = []
    for agent, point in positions.items():
        if len(agent) <= 3:
            color = ROLE_STYLES[get_seat(topology, agent).role].text
            inside.setdefault(color, []).append(_make_label(agent, point))
        else:
            shift = radius + 12 if _is_named_above(topology, positions, agent) else -radius - 10
            outside.append(_make_label(agent, Point(point.x, point.y + shift)))
    for color, labels in inside.items():
        base = alt.Chart(alt.Data(values=labels)).encode(**axes, text="agent:N")
        yield base.mark_text(fontSize=14, fontWeight="bold", color=color, dy=1)
    if outside:
        base = alt.Chart(alt.Data(values=outside)).encode(**axes, text="agent:N")
        yield base.mark_text(fontSize=12, stroke="white", strokeWidth=4)
        yield base.mark_text(fontSize=12, color="black")


def _is_named_above(topology: Topology, positions: Positions, agent: AgentId) -> bool:
    """Return whether a long name stands above its mark: a judge's, or where a loop is below."""
    if get_seat(topology, agent).role == "judge":
        return True
    has_loop = topology.has_edge(agent, agent)
    return has_loop and math.sin(compute_outward_angle(positions, agent)) < 0


def _make_label(agent: str, point: Point) -> dict[str, Any]:
    return {"x": point.x, "y": point.y, "agent": agent}
