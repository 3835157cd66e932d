"""The agents of a picture: marks by role, and names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from debate.topologies.curves import outward
from debate.topologies.graph import Topology, seat
from debate.topologies.layout import Places, Point
from debate.types import AgentId, Role


class Look(NamedTuple):
    """How a role looks: told apart by shape as well as by colour, in any kind of sight."""

    color: str
    shape: str
    text: str


LOOKS: dict[Role, Look] = {
    "debater": Look("#0072b2", "circle", "white"),
    "critic": Look("#d55e00", "square", "white"),
    "judge": Look("#e69f00", "diamond", "black"),
    "tool": Look("#009e73", "triangle-up", "black"),
    "human": Look("#cc79a7", "cross", "black"),
}


def agent_layers(
    alt: Any, topology: Topology, where: Places, at: dict[str, Any], radius: float
) -> Iterator[Any]:
    """The layers on top, marks with a radius in pixels; `at` are the encodings of x and y."""
    present = [role for role in LOOKS if any(seat(topology, a).role == role for a in topology)]
    looks = [LOOKS[role] for role in present]
    legend = alt.Legend(title="role", symbolSize=160) if len(present) > 1 else None
    rows = [
        {"x": p.x, "y": p.y, "role": seat(topology, agent).role, "agent": agent}
        for agent, p in where.items()
    ]
    scale = {
        "color": alt.Scale(domain=present, range=[look.color for look in looks]),
        "shape": alt.Scale(domain=present, range=[look.shape for look in looks]),
    }
    yield (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=3.2 * radius**2, opacity=1, stroke="white", strokeWidth=1.5)
        .encode(
            **at,
            color=alt.Color("role:N", scale=scale["color"], legend=legend),
            shape=alt.Shape("role:N", scale=scale["shape"], legend=legend),
        )
    )
    yield from _names(alt, topology, where, at, radius)


def _names(
    alt: Any, topology: Topology, where: Places, at: dict[str, Any], radius: float
) -> Iterator[Any]:
    """Short names inside their marks, long ones beside them with a halo against the lines."""
    inside: dict[str, list[dict[str, Any]]] = {}
    outside = []
    for agent, place in where.items():
        if len(agent) <= 3:
            text = LOOKS[seat(topology, agent).role].text
            inside.setdefault(text, []).append(_label(agent, place))
        else:
            is_judge = seat(topology, agent).role == "judge"
            is_above = is_judge or (topology.has_edge(agent, agent) and _loops_down(where, agent))
            shift = radius + 12 if is_above else -radius - 10
            outside.append(_label(agent, Point(place.x, place.y + shift)))
    for color, labels in inside.items():
        base = alt.Chart(alt.Data(values=labels)).encode(**at, text="agent:N")
        yield base.mark_text(fontSize=14, fontWeight="bold", color=color, dy=1)
    if outside:
        base = alt.Chart(alt.Data(values=outside)).encode(**at, text="agent:N")
        yield base.mark_text(fontSize=12, stroke="white", strokeWidth=4)
        yield base.mark_text(fontSize=12, color="black")


def _loops_down(where: Places, agent: AgentId) -> bool:
    return math.sin(outward(where, agent)) < 0


def _label(agent: str, place: Point) -> dict[str, Any]:
    return {"x": place.x, "y": place.y, "agent": agent}
