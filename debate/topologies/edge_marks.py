"""The edges of a picture: lines, arrowheads, and numbers that refer to notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from debate.topologies.curves import Curve
from debate.topologies.edges import Edge
from debate.topologies.graph import Topology, edge
from debate.topologies.text import attributes
from debate.types import AgentId

INK = "#3b4048"
DASHES = {"heard": [1, 0], "not heard": [6, 4], "on disagreement only": [2, 3]}
PLAIN = ("not heard", "on disagreement only")


def edge_layers(
    alt: Any, topology: Topology, lines: tuple[Curve, ...], at: dict[str, Any]
) -> Iterator[Any]:
    """The layers below the agents; `at` are the encodings of x and y."""
    if lines:
        yield _strokes(alt, topology, lines, at)
        yield _heads(alt, lines, at)
        yield from _note_marks(alt, topology, lines, at)


def _strokes(alt: Any, topology: Topology, lines: tuple[Curve, ...], at: dict[str, Any]) -> Any:
    opacity = 0.85 if len(lines) <= 60 else 0.5
    styles = {(c.critic, c.author): style(edge(topology, c.critic, c.author)) for c in lines}
    rows = [
        {"edge": number, "step": step, "x": p.x, "y": p.y, "edges": styles[c.critic, c.author]}
        for number, c in enumerate(lines)
        for step, p in enumerate(c.points)
    ]
    shown = [name for name in DASHES if name in styles.values()]
    dash = alt.StrokeDash(
        "edges:N",
        scale=alt.Scale(domain=shown, range=[DASHES[name] for name in shown]),
        legend=alt.Legend(title="edges", symbolType="stroke") if len(shown) > 1 else None,
    )
    line = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.4, color=INK, opacity=opacity)
    return line.encode(**at, detail="edge:N", order="step:Q", strokeDash=dash)


def _heads(alt: Any, lines: tuple[Curve, ...], at: dict[str, Any]) -> Any:
    tips = [{"x": c.tip.x, "y": c.tip.y, "heading": c.heading} for c in lines]
    head = alt.Chart(alt.Data(values=tips)).mark_point(
        shape="M0,0L0.42,1L0,0.8L-0.42,1Z", size=324, filled=True, color=INK, opacity=1
    )
    return head.encode(**at, angle=alt.Angle("heading:Q", scale=None))


def style(edge: Edge) -> str:
    """The kind of line that an edge is drawn with."""
    if not edge.feedback:
        return "not heard"
    return "on disagreement only" if edge.when == "disagreement" else "heard"


def notes(topology: Topology) -> dict[str, list[tuple[AgentId, AgentId]]]:
    """Edges by what they have of their own beyond their line's style, unless all have the same."""
    alike: dict[str, list[tuple[AgentId, AgentId]]] = {}
    for u, v in topology.edges():
        alike.setdefault(attributes(edge(topology, u, v)), []).append((u, v))
    if len(alike) == 1:
        return {}
    return {said: pairs for said, pairs in alike.items() if said not in ("", *PLAIN)}


def _note_marks(
    alt: Any, topology: Topology, lines: tuple[Curve, ...], at: dict[str, Any]
) -> Iterator[Any]:
    """The number of its note on each edge that has one."""
    number = {pair: k for k, pairs in enumerate(notes(topology).values(), 1) for pair in pairs}
    marks = [
        {"x": middle.x, "y": middle.y, "note": str(number[c.critic, c.author])}
        for c in lines
        for middle in [c.points[len(c.points) // 2]]
        if (c.critic, c.author) in number
    ]
    if marks:
        base = alt.Chart(alt.Data(values=marks)).encode(**at)
        yield base.mark_point(
            shape="circle", size=190, filled=True, color="white", opacity=1, stroke=INK
        )
        yield base.mark_text(fontSize=10, color=INK, dy=0.5).encode(text="note:N")
