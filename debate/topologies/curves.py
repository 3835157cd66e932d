"""Edges as curves: arcs that clear the agents in between, loops, and where arrowheads go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from debate.topologies.graph import Topology
from debate.topologies.layout import Places, Point
from debate.types import AgentId

NUM_STEPS = 32
ARROW = 9.0
GAP = 2.0
ONE_WAY = (0.0, 0.16, -0.16, 0.3, -0.3, 0.45, -0.45)
TWO_WAY = (0.09, 0.16, -0.18, -0.26, 0.3, -0.4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One edge as drawn: line, arrowhead's tip and its heading (degrees clockwise from up)."""

    critic: AgentId
    author: AgentId
    points: tuple[Point, ...]
    tip: Point
    heading: float


def curves(topology: Topology, places: Places, radius: float) -> tuple[Curve, ...]:
    """A curve for each edge, between agents drawn as discs of `radius` pixels."""
    return tuple(_curve(topology, places, radius, u, v) for u, v in topology.edges())


def _curve(topology: Topology, places: Places, radius: float, u: AgentId, v: AgentId) -> Curve:
    if u == v:
        path = _loop(places[u], outward(places, u), radius)
    else:
        bulges = TWO_WAY if topology.has_edge(v, u) else ONE_WAY
        others = [place for agent, place in places.items() if agent not in (u, v)]
        candidates = [_arc(places[u], places[v], bulge) for bulge in bulges]
        clear = (path for path in candidates if not _hits(path, others, radius + 5))
        path = next(clear, candidates[0])
    return _trimmed(path, places[u], places[v], radius, u, v)


def _arc(start: Point, end: Point, bulge: float) -> list[Point]:
    """A quadratic Bézier curve; `bulge` is its greatest distance to the left, per length."""
    dx, dy = end.x - start.x, end.y - start.y
    bend = Point((start.x + end.x) / 2 - 2 * bulge * dy, (start.y + end.y) / 2 + 2 * bulge * dx)
    return _bezier([start, bend, end])


def _loop(center: Point, direction: float, radius: float) -> list[Point]:
    spread, reach = 0.62, 3.4 * radius
    out, back = direction - spread, direction + spread
    corners = [_toward(center, out, reach), _toward(center, back, reach)]
    return _bezier([_toward(center, out, radius * 0.9), *corners, center])


def _toward(start: Point, angle: float, distance: float) -> Point:
    return Point(start.x + distance * math.cos(angle), start.y + distance * math.sin(angle))


def outward(places: Places, agent: AgentId) -> float:
    """The direction away from the middle of the picture, in radians; up in the middle."""
    middle = Point(
        sum(p.x for p in places.values()) / len(places),
        sum(p.y for p in places.values()) / len(places),
    )
    dx, dy = places[agent].x - middle.x, places[agent].y - middle.y
    return math.atan2(dy, dx) if math.hypot(dx, dy) > 1 else math.pi / 2


def _bezier(corners: Sequence[Point]) -> list[Point]:
    return [_at(corners, step / NUM_STEPS) for step in range(NUM_STEPS + 1)]


def _at(corners: Sequence[Point], t: float) -> Point:
    """De Casteljau's point of a Bézier curve."""
    while len(corners) > 1:
        corners = [
            Point(p.x + t * (q.x - p.x), p.y + t * (q.y - p.y)) for p, q in pairwise(corners)
        ]
    return corners[0]


def _hits(path: Iterable[Point], places: Iterable[Point], distance: float) -> bool:
    places = list(places)
    return any(math.dist(point, place) < distance for point in path for place in places)


def _trimmed(
    path: list[Point], start: Point, end: Point, radius: float, u: AgentId, v: AgentId
) -> Curve:
    """The path between the two discs, its end left free for the arrowhead."""
    first = next((i for i, p in enumerate(path) if math.dist(p, start) >= radius + GAP), 0)
    leave = _crossing(path[first::-1], 0, start, radius + GAP) if first else path[0]
    tip_at = _last_outside(path, end, radius + GAP)
    base_at = _last_outside(path, end, radius + GAP + ARROW * 0.8)
    tip = _crossing(path, tip_at, end, radius + GAP)
    base = _crossing(path, base_at, end, radius + GAP + ARROW * 0.8)
    heading = math.degrees(math.atan2(tip.x - base.x, tip.y - base.y))
    line = (leave, *path[first : base_at + 1], base)
    return Curve(critic=u, author=v, points=line, tip=tip, heading=heading)


def _last_outside(path: Sequence[Point], end: Point, distance: float) -> int:
    outside = [i for i, point in enumerate(path[:-1]) if math.dist(point, end) >= distance]
    return outside[-1] if outside else 0


def _crossing(path: Sequence[Point], index: int, end: Point, distance: float) -> Point:
    """Between two steps, the point at `distance` from `end`, by linear interpolation."""
    p, q = path[index], path[index + 1]
    far, near = math.dist(p, end), math.dist(q, end)
    t = min(1.0, max(0.0, (far - distance) / (far - near))) if far > near else 0.0
    return Point(p.x + t * (q.x - p.x), p.y + t * (q.y - p.y))
