"""A topology as text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from debate.topologies.graph import AgentPair, Edge, Topology, get_edge, get_seat
from debate.types import AgentId, Role

ROLE_MARKS: dict[Role, str] = {
    "debater": "●",
    "critic": "■",
    "judge": "◆",
    "tool": "▲",
    "human": "★",
}


def draw_text(topology: Topology, *, width: int = 80) -> str:
    """Return a line for each agent: whom it critiques and who critiques it; then unusual edges.

    >>> import networkx as nx
    >>> from debate.topologies import from_graph
    >>> print(draw_text(from_graph(nx.DiGraph([("a", "b"), ("b", "a"), ("b", "c")]))))
    3 agents, 3 edges (a → b: a critiques b)
    ● a  debater  ⇄ b
    ● b  debater  ⇄ a  → c
    ● c  debater  ← b
    """
    edges = topology.number_of_edges()
    head = f"{_count(len(topology), 'agent')}, {_count(edges, 'edge')}"
    lines = [head + (" (a → b: a critiques b)" if edges else ""), *_write_agents(topology, width)]
    unusual = list(_write_unusual_edges(topology, width))
    return "\n".join([*lines, *(["", *unusual] if unusual else [])])


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _write_agents(topology: Topology, width: int) -> Iterator[str]:
    longest = max(len(agent) for agent in topology)
    role_width = max(len(get_seat(topology, agent).role) for agent in topology)
    for agent in topology:
        role = get_seat(topology, agent).role
        head = f"{ROLE_MARKS[role]} {agent:<{longest}}  {role:<{role_width}}  "
        yield _wrap(head, "  ".join(_list_relations(topology, agent)) or "·", width)


def _list_relations(topology: Topology, agent: AgentId) -> Iterator[str]:
    out, into = set(topology.succ[agent]), set(topology.pred[agent])
    if agent in out:
        yield "↻ itself"
    for mark, group in (("⇄", out & into), ("→", out - into), ("←", into - out)):
        if group - {agent}:
            yield f"{mark} {_join_names(topology, group - {agent})}"


def _join_names(topology: Topology, group: set[AgentId]) -> str:
    """Return the group in seat order, or its size where it is long and everybody else."""
    if len(group) > 3 and len(group) == len(topology) - 1:
        return f"all {len(group)} others"
    return ", ".join(other for other in topology if other in group)


def _wrap(head: str, body: str, width: int) -> str:
    indent = " " * min(len(head), max(4, width // 2))
    return textwrap.fill(
        head + body,
        max(width, 40),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _write_unusual_edges(topology: Topology, width: int) -> Iterator[str]:
    """Yield the edges with attributes of their own, those alike together."""
    alike: dict[str, list[AgentPair]] = {}
    for u, v in topology.edges():
        said = describe_edge(get_edge(topology, u, v))
        if said:
            alike.setdefault(said, []).append((u, v))
    for said, pairs in alike.items():
        everywhere = len(pairs) == topology.number_of_edges() > 1
        which = "all edges" if everywhere else ", ".join(_join_by_critic(pairs))
        yield _wrap("", f"{which}: {said}", width)


def _join_by_critic(pairs: Iterable[AgentPair]) -> Iterator[str]:
    authors: dict[AgentId, list[AgentId]] = {}
    for u, v in pairs:
        authors.setdefault(u, []).append(v)
    return (f"{u} → {' '.join(vs)}" for u, vs in authors.items())


def describe_edge(edge: Edge) -> str:
    """Return what is unusual about an edge, in words; empty where nothing is.

    >>> describe_edge(Edge(timeout_s=5, feedback=False))
    'not heard, waits at most 5 s'
    """
    said = [] if edge.feedback else ["not heard"]
    if edge.carries != Edge().carries:
        said.append(f"carries {' + '.join(edge.carries)}")
    if edge.timeout_s is not None:
        said.append(f"waits at most {edge.timeout_s:g} s")
    if edge.when != "always":
        said.append(f"on {edge.when} only")
    return ", ".join(said)
