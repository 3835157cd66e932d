"""Graphs by networkx generators: sized before they are made, and laid onto seats."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import networkx as nx

from debate.config.generators import call, described, filled, generators, is_seeded, signature
from debate.config.topology import TopologySpec
from debate.errors import TopologyError
from debate.topologies.edges import Pair
from debate.topologies.seats import MAX_SEATS
from debate.types import AgentId

MAX_NODES = 2 * MAX_SEATS

# Nodes that these make, at most, which no single argument of theirs bounds.
_NUM_NODES: Mapping[str, Callable[[Mapping[str, Any]], float]] = {
    "balanced_tree": lambda a: sum(a["r"] ** level for level in range(a["h"] + 1)),
    "binomial_tree": lambda a: 2 ** a["n"],
    "caveman_graph": lambda a: a["l"] * a["k"],
    "connected_caveman_graph": lambda a: a["l"] * a["k"],
    "dorogovtsev_goltsev_mendes_graph": lambda a: (3 ** a["n"] + 3) // 2,
    "grid_graph": lambda a: math.prod(a["dim"]),
    "hypercube_graph": lambda a: 2 ** a["n"],
    "kneser_graph": lambda a: math.comb(a["n"], a["k"]),
    "margulis_gabber_galil_graph": lambda a: a["n"] ** 2,
    "mycielski_graph": lambda a: 3 * 2 ** max(a["n"] - 2, 0),
    "navigable_small_world_graph": lambda a: a["n"] ** a.get("dim", 2),
    "planted_partition_graph": lambda a: a["l"] * a["k"],
    "random_cograph": lambda a: 2 ** a["n"],
    "relaxed_caveman_graph": lambda a: a["l"] * a["k"],
    "ring_of_cliques": lambda a: a["num_cliques"] * a["clique_size"],
    "sudoku_graph": lambda a: a.get("n", 3) ** 4,
    "windmill_graph": lambda a: a["n"] * a["k"],
}
# Arguments that count edges or attempts rather than nodes.
_NOT_NODES = {"m", "tries", "max_tries", "max_iters", "nkk", "joint_degrees"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """A generator and the seats that it connects."""

    spec: TopologySpec
    among: tuple[AgentId, ...]

    @property
    def changes(self) -> bool:
        """Whether each round draws anew."""
        return self.spec.resample == "each_round"

    def pairs(self, round: int, seed: int | str) -> tuple[Pair, ...]:
        """The (critic, author) pairs of one round. Raises TopologyError where it cannot be made.

        The graph depends on the spec's seed alone; resampled, on the run's seed and the round too.
        """
        if not self.among:
            return ()
        drawn = self.spec.seed
        if self.changes:
            drawn = random.Random(f"{self.spec.seed}/{seed}/{round}").getrandbits(32)
        graph = _make(self.spec, len(self.among), drawn)
        at = dict(zip(_ordered(graph), self.among, strict=True))
        number = {agent: position for position, agent in enumerate(self.among)}
        found = {(at[u], at[v]) for u, v in _directed(graph, self.spec, at, number)}
        return tuple(sorted(found, key=lambda pair: (number[pair[0]], number[pair[1]])))


def _make(spec: TopologySpec, num_seats: int, seed: int) -> Any:
    name = cast(str, spec.generator)
    arguments = filled(spec.args, num_seats)
    _check_size(name, arguments, num_seats)
    more: dict[str, Any] = {"seed": seed} if is_seeded(name) else {}
    if isinstance(arguments, dict) and "create_using" in arguments:
        arguments["create_using"] = {"Graph": nx.Graph, "DiGraph": nx.DiGraph}[
            arguments["create_using"]
        ]
    try:
        graph = call(generators()[name], arguments, **more)
    except Exception as cause:  # whatever the generator makes of a user's arguments
        raise TopologyError(_cannot(spec, num_seats, f"{type(cause).__name__}: {cause}")) from cause
    if not isinstance(graph, nx.Graph):
        raise TopologyError(_cannot(spec, num_seats, "it makes no graph"))
    if len(graph) != num_seats:
        raise TopologyError(_cannot(spec, num_seats, f"it makes {len(graph)} nodes"))
    return graph


def _cannot(spec: TopologySpec, num_seats: int, why: str) -> str:
    return (
        f"{spec.generator} with args {spec.args} does not fit {num_seats} seats "
        f"({spec.among}): {why}; it is {described(cast(str, spec.generator))}, and $n stands for "
        "the number of seats ($n-1, $n+1, $n*2, $n//2 too)"
    )


def _check_size(name: str, arguments: Any, num_seats: int) -> None:
    """Refuse what would make far more nodes than there are seats, before making it."""
    bound = call(signature(name).bind, arguments).arguments
    limit = max(num_seats, 100)
    for parameter, value in bound.items():
        most = limit**2 if parameter in _NOT_NODES else limit
        large = next((number for number in _numbers(value) if number > most), None)
        if large is not None:
            raise TopologyError(
                f"{name}: {parameter} is {large}, more than {num_seats} seats can use; "
                f"it is {described(name)}"
            )
    try:
        is_large = name in _NUM_NODES and _NUM_NODES[name](bound) > MAX_NODES
    except (TypeError, ValueError, OverflowError) as cause:
        raise TopologyError(
            f"{name} cannot take {bound}: {cause}; it is {described(name)}"
        ) from None
    if is_large:
        raise TopologyError(
            f"{name} with {bound} has more than {MAX_NODES} nodes for {num_seats} seats; "
            f"it is {described(name)}"
        )


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, (list, tuple)):
        yield len(value)
        yield from (number for item in value for number in _numbers(item))


def _ordered(graph: Any) -> list[Any]:
    """Nodes by number or coordinates where they have them, else as the generator made them."""
    nodes = list(graph)
    same = {type(node) for node in nodes}
    return sorted(nodes) if same in ({int}, {tuple}) else nodes


def _directed(
    graph: Any, spec: TopologySpec, at: Mapping[Any, AgentId], number: Mapping[AgentId, int]
) -> Iterator[tuple[Any, Any]]:
    """The graph's edges as the spec's direction has them."""
    direction = spec.direction or ("forward" if graph.is_directed() else "both")
    for u, v in graph.edges():
        if not graph.is_directed() and number[at[u]] > number[at[v]]:
            u, v = v, u
        if direction != "backward":
            yield u, v
        if direction != "forward":
            yield v, u
