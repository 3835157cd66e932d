"""Where the agents of a topology stand in a picture: by the graph's shape, never by its name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import networkx as nx

from debate.topologies.graph import Topology, speaking_order
from debate.types import AgentId

SPACING = 84.0
LETTER = 7.2
MAX_COLUMNS = 8


class Point(NamedTuple):
    """A place in pixels, x to the right and y upwards."""

    x: float
    y: float


Places = dict[AgentId, Point]


def places(topology: Topology) -> Places:
    """A place for each agent: judges in a row on top, the others by the shape of their graph.

    A graph without cycles stands in columns, a tree under its root, spokes around their hub, and
    everything else on a circle, clockwise in seat order from the top. Long names get more room.
    """
    longest = max(len(agent) for agent in topology)
    stretch = max(1.0, min(2.0, (LETTER * longest + 32) / SPACING))
    return {a: Point(p.x * stretch, p.y * stretch) for a, p in _places(topology).items()}


def _places(topology: Topology) -> Places:
    judges = speaking_order(topology, roles=["judge"])
    others = [agent for agent in topology if agent not in judges]
    if not judges or not others:
        return _shaped(_without_loops(topology, topology), in_row=False)
    below = _shaped(_without_loops(topology, others), in_row=True)
    left, right = min(p.x for p in below.values()), max(p.x for p in below.values())
    top = max(p.y for p in below.values()) + max(1.5 * SPACING, 0.35 * (right - left))
    row = _row(judges, spacing=max(SPACING, (right - left) / (len(judges) + 1)))
    return {**{j: Point(p.x + (left + right) / 2, top) for j, p in row.items()}, **below}


def _without_loops(topology: Topology, agents: Iterable[AgentId]) -> nx.DiGraph[AgentId]:
    graph: nx.DiGraph[AgentId] = nx.DiGraph()
    graph.add_nodes_from(agents)
    graph.add_edges_from((u, v) for u, v in topology.edges() if u != v and {u, v} <= set(graph))
    return graph


def _shaped(graph: nx.DiGraph[AgentId], *, in_row: bool) -> Places:
    if not graph.number_of_edges():
        return _row(list(graph)) if in_row else _circle(list(graph))
    hub = _hub(graph)
    if hub is not None:
        spokes = [agent for agent in graph if agent != hub]
        return {hub: Point(0.0, 0.0), **_circle(spokes, radius=1.4 * SPACING)}
    if nx.is_directed_acyclic_graph(graph):
        columns = [sorted(c, key=list(graph).index) for c in nx.topological_generations(graph)]
        if len(columns) <= MAX_COLUMNS:
            return _columns(columns)
    tree = _tree(graph) if nx.is_tree(graph.to_undirected()) else None
    return tree or _circle(list(graph))


def _hub(graph: nx.DiGraph[AgentId]) -> AgentId | None:
    """The agent that all edges share and that has one with everybody, if there is one."""
    for agent in graph:
        around = set(graph.succ[agent]) | set(graph.pred[agent])
        if len(around) == len(graph) - 1 > 2 and all(agent in pair for pair in graph.edges()):
            return agent
    return None


def _row(agents: Sequence[AgentId], *, spacing: float = SPACING) -> Places:
    start = -spacing * (len(agents) - 1) / 2
    return {agent: Point(start + spacing * i, 0.0) for i, agent in enumerate(agents)}


def _circle(agents: Sequence[AgentId], *, radius: float = 0.0) -> Places:
    needed = SPACING / (2 * math.sin(math.pi / len(agents))) if len(agents) > 1 else 0.0
    size = max(radius, needed)
    turns = {agent: 2 * math.pi * i / len(agents) for i, agent in enumerate(agents)}
    return {agent: Point(size * math.sin(t), size * math.cos(t)) for agent, t in turns.items()}


def _columns(columns: Sequence[Sequence[AgentId]]) -> Places:
    return {
        agent: Point(1.4 * SPACING * x, -place.x)
        for x, column in enumerate(columns)
        for agent, place in _row(column).items()
    }


def _tree(graph: nx.DiGraph[AgentId]) -> Places | None:
    """Downwards from the first seat, to the right if deeper than wide; None if far deeper."""
    root = next(iter(graph))
    children = nx.bfs_tree(graph.to_undirected(), root)
    depth: Mapping[AgentId, int] = nx.single_source_shortest_path_length(children, root)
    across = _slots(children, root)
    if max(depth.values()) >= MAX_COLUMNS:
        return None
    width = max(across.values()) - min(across.values())
    sideways = max(depth.values()) > width
    place = {agent: (SPACING * across[agent], 1.2 * SPACING * depth[agent]) for agent in graph}
    return {
        a: Point(down, -side) if sideways else Point(side, -down)
        for a, (side, down) in place.items()
    }


def _slots(children: nx.DiGraph[AgentId], root: AgentId) -> dict[AgentId, float]:
    """Leaves side by side, each parent over the middle of its children."""
    slots: dict[AgentId, float] = {}
    num_leaves = 0
    for agent in nx.dfs_postorder_nodes(children, root):
        below = [slots[child] for child in children.succ[agent]]
        slots[agent] = (min(below) + max(below)) / 2 if below else float(num_leaves)
        num_leaves += not below
    return slots
