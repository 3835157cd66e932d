"""Positions of agents in a picture by the graph's shape, and edges as curves between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import networkx as nx

from debate.topologies.graph import Topology, get_seat
from debate.types import AgentId

SPACING = 84.0
"""Pixels between two neighbours."""
LETTER_WIDTH = 7.2
MAX_COLUMNS = 8

NUM_STEPS = 32
"""Straight pieces that a curve is drawn with."""
ARROW = 9.0
GAP = 2.0
"""The length of an arrowhead, and the pixels between it and the agent that it points at."""
ONE_WAY_BULGES = (0.0, 0.16, -0.16, 0.3, -0.3, 0.45, -0.45)
TWO_WAY_BULGES = (0.09, 0.16, -0.18, -0.26, 0.3, -0.4)
"""Bends that are tried in turn until a curve passes no other agent."""


class Point(NamedTuple):
    """A place in pixels, x to the right and y upwards."""

    x: float
    y: float


Positions = dict[AgentId, Point]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One edge as drawn: line, arrowhead's tip and its heading (degrees clockwise from up)."""

    critic: AgentId
    author: AgentId
    points: tuple[Point, ...]
    tip: Point
    heading: float


def compute_positions(topology: Topology) -> Positions:
    """Place each agent: judges in a row on top, the others by the shape of their graph.

    A graph without cycles stands in columns, a tree under its root, spokes around their hub, and
    everything else on a circle, clockwise in seat order from the top. Long names get more room.
    """
    longest = max(len(agent) for agent in topology)
    stretch = max(1.0, min(2.0, (LETTER_WIDTH * longest + 32) / SPACING))
    return {a: Point(p.x * stretch, p.y * stretch) for a, p in _place(topology).items()}


def _place(topology: Topology) -> Positions:
    judges = [agent for agent in topology if get_seat(topology, agent).role == "judge"]
    others = [agent for agent in topology if agent not in judges]
    if not judges or not others:
        return _place_by_shape(_copy_without_loops(topology, topology), in_row=False)
    below = _place_by_shape(_copy_without_loops(topology, others), in_row=True)
    left, right = min(p.x for p in below.values()), max(p.x for p in below.values())
    top = max(p.y for p in below.values()) + max(1.5 * SPACING, 0.35 * (right - left))
    row = _place_in_row(judges, spacing=max(SPACING, (right - left) / (len(judges) + 1)))
    return {**{j: Point(p.x + (left + right) / 2, top) for j, p in row.items()}, **below}


def _copy_without_loops(topology: Topology, agents: Iterable[AgentId]) -> nx.DiGraph[AgentId]:
    graph: nx.DiGraph[AgentId] = nx.DiGraph()
    graph.add_nodes_from(agents)
    graph.add_edges_from((u, v) for u, v in topology.edges() if u != v and {u, v} <= set(graph))
    return graph


def _place_by_shape(graph: nx.DiGraph[AgentId], *, in_row: bool) -> Positions:
    if not graph.number_of_edges():
        return _place_in_row(list(graph)) if in_row else _place_on_circle(list(graph))
    hub = _find_hub(graph)
    if hub is not None:
        spokes = [agent for agent in graph if agent != hub]
        return {hub: Point(0.0, 0.0), **_place_on_circle(spokes, radius=1.4 * SPACING)}
    if nx.is_directed_acyclic_graph(graph):
        columns = [sorted(c, key=list(graph).index) for c in nx.topological_generations(graph)]
        if len(columns) <= MAX_COLUMNS:
            return _place_in_columns(columns)
    tree = _place_as_tree(graph) if nx.is_tree(graph.to_undirected()) else None
    return tree or _place_on_circle(list(graph))


def _find_hub(graph: nx.DiGraph[AgentId]) -> AgentId | None:
    """Return the agent that all edges share and that has one with everybody, if there is one."""
    for agent in graph:
        around = set(graph.succ[agent]) | set(graph.pred[agent])
        if len(around) == len(graph) - 1 > 2 and all(agent in pair for pair in graph.edges()):
            return agent
    return None


def _place_in_row(agents: Sequence[AgentId], *, spacing: float = SPACING) -> Positions:
    start = -spacing * (len(agents) - 1) / 2
    return {agent: Point(start + spacing * i, 0.0) for i, agent in enumerate(agents)}


def _place_on_circle(agents: Sequence[AgentId], *, radius: float = 0.0) -> Positions:
    needed = SPACING / (2 * math.sin(math.pi / len(agents))) if len(agents) > 1 else 0.0
    size = max(radius, needed)
    turns = {agent: 2 * math.pi * i / len(agents) for i, agent in enumerate(agents)}
    return {agent: Point(size * math.sin(t), size * math.cos(t)) for agent, t in turns.items()}


def _place_in_columns(columns: Sequence[Sequence[AgentId]]) -> Positions:
    return {
        agent: Point(1.4 * SPACING * x, -point.x)
        for x, column in enumerate(columns)
        for agent, point in _place_in_row(column).items()
    }


def _place_as_tree(graph: nx.DiGraph[AgentId]) -> Positions | None:
    """Place downwards from the first seat, to the right if deeper than wide; None if far deeper."""
    root = next(iter(graph))
    children = nx.bfs_tree(graph.to_undirected(), root)
    depth: Mapping[AgentId, int] = nx.single_source_shortest_path_length(children, root)
    across = _compute_slots(children, root)
    if max(depth.values()) >= MAX_COLUMNS:
        return None
    width = max(across.values()) - min(across.values())
    sideways = max(depth.values()) > width
    place = {agent: (SPACING * across[agent], 1.2 * SPACING * depth[agent]) for agent in graph}
    return {
        a: Point(down, -side) if sideways else Point(side, -down)
        for a, (side, down) in place.items()
    }


def _compute_slots(children: nx.DiGraph[AgentId], root: AgentId) -> dict[AgentId, float]:
    """Put leaves side by side, and each parent over the middle of its children."""
    slots: dict[AgentId, float] = {}
    num_leaves = 0
    for agent in nx.dfs_postorder_nodes(children, root):
        below = [slots[child] for child in children.succ[agent]]
        slots[agent] = (min(below) + max(below)) / 2 if below else float(num_leaves)
        num_leaves += not below
    return slots


def compute_outward_angle(positions: Positions, agent: AgentId) -> float:
    """Return the direction away from the middle of all, in radians; up for who is in the middle."""
    middle = Point(
        sum(p.x for p in positions.values()) / len(positions),
        sum(p.y for p in positions.values()) / len(positions),
    )
    dx, dy = positions[agent].x - middle.x, positions[agent].y - middle.y
    return math.atan2(dy, dx) if math.hypot(dx, dy) > 1 else math.pi / 2


def compute_curves(topology: Topology, positions: Positions, radius: float) -> tuple[Curve, ...]:
    """Return a curve for each edge, between agents drawn as discs of `radius` pixels.

    Arcs pass by the agents in between; an edge from an agent to itself is a loop.
    """
    return tuple(_make_curve(topology, positions, radius, u, v) for u, v in topology.edges())


def _make_curve(
    topology: Topology, positions: Positions, radius: float, u: AgentId, v: AgentId
) -> Curve:
    if u == v:
        path = _make_loop(positions[u], compute_outward_angle(positions, u), radius)
    else:
        bulges = TWO_WAY_BULGES if topology.has_edge(v, u) else ONE_WAY_BULGES
        others = [point for agent, point in positions.items() if agent not in (u, v)]
        candidates = [_make_arc(positions[u], positions[v], bulge) for bulge in bulges]
        clear = (path for path in candidates if not _is_near(path, others, radius + 5))
        path = next(clear, candidates[0])
    return _trim(path, positions[u], positions[v], radius, u, v)


def _make_arc(start: Point, end: Point, bulge: float) -> list[Point]:
    """Return a quadratic Bézier curve; `bulge` is its greatest distance to the left, per length."""
    dx, dy = end.x - start.x, end.y - start.y
    bend = Point((start.x + end.x) / 2 - 2 * bulge * dy, (start.y + end.y) / 2 + 2 * bulge * dx)
    return _sample_bezier([start, bend, end])


def _make_loop(center: Point, direction: float, radius: float) -> list[Point]:
    spread, reach = 0.62, 3.4 * radius
    out, back = direction - spread, direction + spread
    corners = [_move(center, out, reach), _move(center, back, reach)]
    return _sample_bezier([_move(center, out, radius * 0.9), *corners, center])


def _move(start: Point, angle: float, distance: float) -> Point:
    return Point(start.x + distance * math.cos(angle), start.y + distance * math.sin(angle))


def _sample_bezier(corners: Sequence[Point]) -> list[Point]:
    return [_evaluate_bezier(corners, step / NUM_STEPS) for step in range(NUM_STEPS + 1)]


def _evaluate_bezier(corners: Sequence[Point], t: float) -> Point:
    """Return the point of a Bézier curve at `t`, by de Casteljau's algorithm."""
    while len(corners) > 1:
        corners = [_interpolate(p, q, t) for p, q in pairwise(corners)]
    return corners[0]


def _interpolate(p: Point, q: Point, t: float) -> Point:
    return Point(p.x + t * (q.x - p.x), p.y + t * (q.y - p.y))


def _is_near(path: Iterable[Point], points: Sequence[Point], distance: float) -> bool:
    return any(math.dist(step, point) < distance for step in path for point in points)


def _trim(
    path: list[Point], start: Point, end: Point, radius: float, u: AgentId, v: AgentId
) -> Curve:
    """Return the path between the two discs, its end left free for the arrowhead."""
    rim, head = radius + GAP, radius + GAP + ARROW * 0.8
    first = next((i for i, p in enumerate(path) if math.dist(p, start) >= rim), 0)
    leave = _find_crossing(path[first::-1], 0, start, rim) if first else path[0]
    base_at = _find_last_outside(path, end, head)
    tip = _find_crossing(path, _find_last_outside(path, end, rim), end, rim)
    base = _find_crossing(path, base_at, end, head)
    heading = math.degrees(math.atan2(tip.x - base.x, tip.y - base.y))
    line = (leave, *path[first : base_at + 1], base)
    return Curve(critic=u, author=v, points=line, tip=tip, heading=heading)


def _find_last_outside(path: Sequence[Point], end: Point, distance: float) -> int:
    outside = [i for i, point in enumerate(path[:-1]) if math.dist(point, end) >= distance]
    return outside[-1] if outside else 0


def _find_crossing(path: Sequence[Point], index: int, end: Point, distance: float) -> Point:
    """Return the point between two steps at `distance` from `end`, by linear interpolation."""
    p, q = path[index], path[index + 1]
    far, near = math.dist(p, end), math.dist(q, end)
    t = min(1.0, max(0.0, (far - distance) / (far - near))) if far > near else 0.0
    return _interpolate(p, q, t)
