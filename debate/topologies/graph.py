"""Who critiques whom: a frozen graph and the questions that one asks of it.

A topology is a frozen `networkx.DiGraph` over agent ids, in seat order, so that all of networkx
works on it. An edge u → v says that u critiques v: u is the critic, v the author.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import networkx as nx

from debate.config.notation import parse_edges
from debate.errors import TopologyError
from debate.topologies.edges import Edge, Pair, pairs
from debate.topologies.seats import Seat, debaters, groups
from debate.types import AgentId, Role

if TYPE_CHECKING:
    Topology: TypeAlias = nx.DiGraph[AgentId]
else:
    Topology: TypeAlias = nx.DiGraph


def assemble(edges: Mapping[Pair, Edge], seats: Sequence[Seat]) -> Topology:
    """The frozen graph of `edges` over `seats`; nodes and edges lie in seat order."""
    topology: Topology = nx.DiGraph()
    topology.add_nodes_from((seat.id, {"seat": seat}) for seat in seats)
    order = {seat.id: number for number, seat in enumerate(seats)}
    for critic, author in sorted(edges, key=lambda pair: (order[pair[0]], order[pair[1]])):
        topology.add_edge(critic, author, edge=edges[critic, author])
    return cast(Topology, nx.freeze(topology))


def from_notation(*lines: str, seats: Sequence[Seat] | None = None) -> Topology:
    """A topology from lines of notation; by default over debaters, in order of appearance.

    >>> critics(from_notation("a -> b -> c -> a"), "b")
    ('a',)
    """
    expressions = [parse_edges(line) for line in lines]
    named = (name for e in expressions for operand in e.operands for name in operand)
    table = debaters(*dict.fromkeys(named)) if seats is None else seats
    known = groups(table)
    return assemble({pair: Edge() for e in expressions for pair in pairs(e, known)}, table)


def from_graph(graph: nx.DiGraph[Any], seats: Sequence[Seat] | None = None) -> Topology:
    """A topology from any directed graph; an `Edge` under the edge attribute "edge" is kept.

    By default every node is a debater. Raises TopologyError for nodes without a seat.
    """
    table = debaters(*map(str, graph)) if seats is None else seats
    unknown = {str(node) for node in graph} - {seat.id for seat in table}
    if unknown:
        raise TopologyError(f"the graph has agents without a seat: {', '.join(sorted(unknown))}")
    edges = {(str(u), str(v)): data.get("edge", Edge()) for u, v, data in graph.edges(data=True)}
    return assemble(edges, table)


def critics(topology: Topology, author: AgentId) -> tuple[AgentId, ...]:
    """The agents that critique `author`, in seat order.

    >>> critics(from_notation("a, b -> c"), "c")
    ('a', 'b')
    """
    return _in_seat_order(topology, topology.pred[author])


def authors(topology: Topology, critic: AgentId) -> tuple[AgentId, ...]:
    """The agents that `critic` critiques, in seat order.

    >>> authors(from_notation("a -> b, c"), "a")
    ('b', 'c')
    """
    return _in_seat_order(topology, topology.succ[critic])


def heard_critics(topology: Topology, author: AgentId) -> tuple[AgentId, ...]:
    """The critics that `author` hears: those whose edge gives feedback, in seat order."""
    return tuple(u for u in critics(topology, author) if edge(topology, u, author).feedback)


def edge(topology: Topology, critic: AgentId, author: AgentId) -> Edge:
    """The edge from `critic` to `author`. Raises KeyError where there is none."""
    return cast(Edge, topology.edges[critic, author]["edge"])


def seat(topology: Topology, agent: AgentId) -> Seat:
    """The seat of `agent`."""
    return cast(Seat, topology.nodes[agent]["seat"])


def speaking_order(
    topology: Topology, *, roles: Iterable[Role] | None = None
) -> tuple[AgentId, ...]:
    """The agents in the order in which they speak, which is seat order; of `roles` only, if given.

    >>> speaking_order(from_notation("b -> a"))
    ('b', 'a')
    """
    wanted = None if roles is None else set(roles)
    return tuple(id for id in topology if wanted is None or seat(topology, id).role in wanted)


def _in_seat_order(topology: Topology, agents: Iterable[AgentId]) -> tuple[AgentId, ...]:
    chosen = set(agents)
    return tuple(agent for agent in topology if agent in chosen)
