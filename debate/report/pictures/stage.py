"""Where agents stand in a drawing, how the lines between them run, and how agents are marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from debate.analysis.text import short
from debate.topologies import from_graph
from debate.topologies.curves import Curve, curves
from debate.topologies.layout import Places, Point, places

RADIUS, LETTER, MARGIN = 17.0, 3.5, 46.0
"""In pixels: the least radius of a node, half a letter, and room around everything."""
ROOM = 1.35
"""Drawings that are no single row are stretched by this, so that numbers fit between the lines."""
LONGEST_MARK, MOST_IN_KEY, IN_LINE = 10, 24, 3
Edge = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """places, lines, radius: in pixels. marks: what stands at each agent: its name, or its number.

    key: lines that tell the numbers' names; empty where names stand at the agents.
    """

    places: Places
    lines: Mapping[Edge, Curve]
    marks: Mapping[str, str]
    radius: float
    key: Sequence[str]

    @property
    def box(self) -> tuple[list[float], list[float]]:
        """The ends of the drawing from left to right and from bottom to top."""
        points = [*self.places.values(), *(p for line in self.lines.values() for p in line.points)]
        x, y = [p.x for p in points], [p.y for p in points]
        return [min(x) - MARGIN, max(x) + MARGIN], [min(y) - MARGIN, max(y) + MARGIN]


def staged(agents: Sequence[str], edges: Sequence[Edge]) -> Stage:
    """Agents and the edges (critic, author) between them; long names become numbers with a key.

    >>> staged(["a", "b"], [("a", "b")]).marks, staged(["a" * 30], []).key
    ({'a': 'a', 'b': 'b'}, ['1 = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'])
    """
    is_short = max(map(len, agents)) <= LONGEST_MARK
    numbers = {agent: f"{k:04d}" for k, agent in enumerate(agents, start=1)}
    node = {agent: agent if is_short else numbers[agent] for agent in agents}
    agent_at = {name: agent for agent, name in node.items()}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(node.values())
    graph.add_edges_from((node[u], node[v]) for u, v in edges)
    topology = from_graph(graph)
    marks = {a: short(a, LONGEST_MARK) if is_short else str(int(numbers[a])) for a in agents}
    radius = max(RADIUS, 4 + LETTER * max(map(len, marks.values())))
    where = roomy(places(topology))
    lines = {(agent_at[c.critic], agent_at[c.author]): c for c in curves(topology, where, radius)}
    return Stage(
        places={agent_at[name]: place for name, place in where.items()},
        lines=lines,
        marks=marks,
        radius=radius,
        key=[] if is_short else _key(marks),
    )


def roomy(where: Places) -> Places:
    """The same places further apart, but for agents in one row."""
    if len({place.y for place in where.values()}) < 2:
        return where
    return {name: Point(ROOM * place.x, ROOM * place.y) for name, place in where.items()}


def _key(marks: Mapping[str, str]) -> list[str]:
    told = [f"{mark} = {short(agent, 40)}" for agent, mark in marks.items()]
    rest = [f"and {len(told) - MOST_IN_KEY} more"] if len(told) > MOST_IN_KEY else []
    shown = [*told[:MOST_IN_KEY], *rest]
    return [" · ".join(shown[k : k + IN_LINE]) for k in range(0, len(shown), IN_LINE)]
