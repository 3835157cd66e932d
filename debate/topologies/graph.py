"""Topologies as frozen graphs of who critiques whom, their edges, and look-ups in them.

A topology is a frozen `networkx.DiGraph` over agent ids, in seat order, so that all of networkx
works on it. An edge u → v says that u critiques v: u is the critic, v the author.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import networkx as nx

from debate.config.topology import Arrow, Carried, EdgeAttributes, EdgeExpression
from debate.errors import TopologyError
from debate.topologies.seats import Groups, Seat, list_members, make_debaters
from debate.types import AgentId

if TYPE_CHECKING:
    Topology: TypeAlias = nx.DiGraph[AgentId]
else:
    Topology: TypeAlias = nx.DiGraph

AgentPair = tuple[AgentId, AgentId]
"""A critic and its author."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """Attributes of an edge u → v, on which the critic u reads its author v and v hears u.

    `carries` names the parts of u's turn that v may hear, as far as the turn has them: an exchange
    has no critique, and confidence is there only where the protocol asks for it. `timeout_s`
    seconds after v is ready, v goes on without u. With `when="disagreement"`, the edge is used
    only while the latest answers of u and v differ. Without `feedback`, v does not hear u.
    """

    carries: tuple[Carried, ...] = ("answer", "reasoning", "critique", "confidence")
    timeout_s: float | None = None
    when: Literal["always", "disagreement"] = "always"
    feedback: bool = True


def make_edge(*layers: EdgeAttributes) -> Edge:
    """Return an edge with the attributes that are set; later layers win over earlier ones."""
    values = {
        name: value
        for layer in layers
        for name in EdgeAttributes.model_fields
        if (value := getattr(layer, name)) is not None
    }
    return Edge(**values)


def expand_pairs(expression: EdgeExpression, groups: Groups) -> tuple[AgentPair, ...]:
    """Return the (critic, author) pairs of a line of notation, each once, in seat order.

    Every name must be in `groups`.
    """
    operands = [list_members(names, groups) for names in expression.operands]
    if expression.each == "itself":
        return tuple((member, member) for member in operands[0])
    if expression.each == "partner":
        twos = zip(operands[0][::2], operands[0][1::2], strict=False)
        return tuple(dict.fromkeys(p for u, v in twos for p in _direct(u, v, expression.arrows[0])))
    steps = zip(operands, expression.arrows, operands[1:], strict=False)
    return tuple(dict.fromkeys(pair for step in steps for pair in _connect(*step)))


def _connect(
    left: tuple[AgentId, ...], arrow: Arrow, right: tuple[AgentId, ...]
) -> Iterator[AgentPair]:
    """Yield the pairs between two groups; nobody meets itself unless it is alone on both sides."""
    is_self_loop = left == right and len(left) == 1
    for u, v in product(left, right):
        if u != v or is_self_loop:
            yield from _direct(u, v, arrow)


def _direct(u: AgentId, v: AgentId, arrow: Arrow) -> Iterator[AgentPair]:
    if arrow != "<-":
        yield u, v
    if arrow != "->":
        yield v, u


def build_graph(edges: Mapping[AgentPair, Edge], seats: Sequence[Seat]) -> Topology:
    """Return the frozen graph of `edges` over `seats`; nodes and edges lie in seat order."""
    topology: Topology = nx.DiGraph()
    topology.add_nodes_from((seat.id, {"seat": seat}) for seat in seats)
    order = {seat.id: number for number, seat in enumerate(seats)}
    for critic, author in sorted(edges, key=lambda pair: (order[pair[0]], order[pair[1]])):
        topology.add_edge(critic, author, edge=edges[critic, author])
    return cast(Topology, nx.freeze(topology))


def from_graph(graph: nx.DiGraph[Any], seats: Sequence[Seat] | None = None) -> Topology:
    """Return a topology from any directed graph; an `Edge` under the attribute "edge" is kept.

    By default every node is a debater. Raises TopologyError for nodes without a seat.
    """
    table = make_debaters(*map(str, graph)) if seats is None else seats
    unknown = {str(node) for node in graph} - {seat.id for seat in table}
    if unknown:
        raise TopologyError(f"the graph has agents without a seat: {', '.join(sorted(unknown))}")
    edges = {(str(u), str(v)): data.get("edge", Edge()) for u, v, data in graph.edges(data=True)}
    return build_graph(edges, table)


def get_critics(topology: Topology, author: AgentId) -> tuple[AgentId, ...]:
    """Return the agents that critique `author`, in seat order.

    >>> get_critics(from_graph(nx.DiGraph([("a", "c"), ("b", "c")])), "c")
    ('a', 'b')
    """
    return _sort_by_seat(topology, topology.pred[author])


def get_authors(topology: Topology, critic: AgentId) -> tuple[AgentId, ...]:
    """Return the agents that `critic` critiques, in seat order.

    >>> get_authors(from_graph(nx.DiGraph([("a", "b"), ("a", "c")])), "a")
    ('b', 'c')
    """
    return _sort_by_seat(topology, topology.succ[critic])


def get_heard_critics(topology: Topology, author: AgentId) -> tuple[AgentId, ...]:
    """Return the critics whose edge to `author` gives feedback, in seat order."""
    return tuple(u for u in get_critics(topology, author) if get_edge(topology, u, author).feedback)


def get_edge(topology: Topology, critic: AgentId, author: AgentId) -> Edge:
    """Return the edge from `critic` to `author`. Raises KeyError where there is none."""
    return cast(Edge, topology.edges[critic, author]["edge"])


def get_seat(topology: Topology, agent: AgentId) -> Seat:
    """Return the seat of `agent`."""
    return cast(Seat, topology.nodes[agent]["seat"])


def _sort_by_seat(topology: Topology, agents: Iterable[AgentId]) -> tuple[AgentId, ...]:
    chosen = set(agents)
    return tuple(agent for agent in topology if agent in chosen)
