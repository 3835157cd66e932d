"""A topology as text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from debate.topologies.edges import Edge
from debate.topologies.graph import Topology, edge, seat
from debate.types import AgentId, Role

ROLE_MARKS: dict[Role, str] = {
    "debater": "●",
    "critic": "■",
    "judge": "◆",
    "tool": "▲",
    "human": "★",
}


def draw_text(topology: Topology, *, width: int = 80) -> str:
    """One line for each agent: whom it critiques and who critiques it; then unusual edges.

    >>> from debate.topologies import from_notation
    >>> print(draw_text(from_notation("a <-> b", "b -> c")))
    3 agents, 3 edges (a → b: a critiques b)
    ● a  debater  ⇄ b
    ● b  debater  ⇄ a  → c
    ● c  debater  ← b
    """
    edges = topology.number_of_edges()
    head = f"{_counted(len(topology), 'agent')}, {_counted(edges, 'edge')}"
    lines = [head + (" (a → b: a critiques b)" if edges else ""), *_rows(topology, width)]
    unusual = list(_unusual(topology, width))
    return "\n".join([*lines, *(["", *unusual] if unusual else [])])


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _rows(topology: Topology, width: int) -> Iterator[str]:
    longest = max(len(agent) for agent in topology)
    role_width = max(len(seat(topology, agent).role) for agent in topology)
    for agent in topology:
        role = seat(topology, agent).role
        head = f"{ROLE_MARKS[role]} {agent:<{longest}}  {role:<{role_width}}  "
        yield _wrapped(head, "  ".join(_relations(topology, agent)) or "·", width)


def _relations(topology: Topology, agent: AgentId) -> Iterator[str]:
    out, into = set(topology.succ[agent]), set(topology.pred[agent])
    if agent in out:
        yield "↻ itself"
    for mark, group in (("⇄", out & into), ("→", out - into), ("←", into - out)):
        if group - {agent}:
            yield f"{mark} {_listed(topology, group - {agent})}"


def _listed(topology: Topology, group: set[AgentId]) -> str:
    """The group in seat order, or in a word where it is long and everybody else."""
    if len(group) > 3 and len(group) == len(topology) - 1:
        return f"all {len(group)} others"
    return ", ".join(other for other in topology if other in group)


def _wrapped(head: str, body: str, width: int) -> str:
    indent = " " * min(len(head), max(4, width // 2))
    return textwrap.fill(
        head + body,
        max(width, 40),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _unusual(topology: Topology, width: int) -> Iterator[str]:
    """Edges with attributes of their own, those alike together."""
    alike: dict[str, list[tuple[AgentId, AgentId]]] = {}
    for u, v in topology.edges():
        said = attributes(edge(topology, u, v))
        if said:
            alike.setdefault(said, []).append((u, v))
    for said, pairs in alike.items():
        everywhere = len(pairs) == topology.number_of_edges() > 1
        which = "all edges" if everywhere else ", ".join(_compact(pairs))
        yield _wrapped("", f"{which}: {said}", width)


def _compact(pairs: Iterable[tuple[AgentId, AgentId]]) -> Iterator[str]:
    authors: dict[AgentId, list[AgentId]] = {}
    for u, v in pairs:
        authors.setdefault(u, []).append(v)
    return (f"{u} → {' '.join(vs)}" for u, vs in authors.items())


def attributes(edge: Edge) -> str:
    """What is unusual about an edge, in words; empty where nothing is.

    >>> attributes(Edge(timeout_s=5, feedback=False))
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
