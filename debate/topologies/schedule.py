"""Topologies by round: a frozen graph for each round, made of written and generated edges."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import networkx as nx

from debate.config.document import Problem
from debate.config.graph_generators import (
    call_with,
    fill_counts,
    find_generator,
    format_call,
    get_signature,
    is_seeded,
    list_generators,
)
from debate.config.topology import TopologySpec
from debate.errors import TopologyError
from debate.limits import call_limited
from debate.topologies.graph import AgentPair, Edge, Topology, build_graph
from debate.topologies.seats import MAX_SEATS, Seat
from debate.types import AgentId

MAX_CACHED = 4096
MAX_NODES = 2 * MAX_SEATS


@dataclass(frozen=True, kw_only=True)
class TopologySchedule:
    """The graph of each round. The last phase stays, or with `cycle` the first begins again."""

    seats: tuple[Seat, ...]
    phases: tuple[Phase, ...]
    cycle: bool = False
    _drawn: dict[tuple[int, int, int | str], Topology] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels to another process: the phases; graphs are drawn anew there."""
        return {**vars(self), "_drawn": {}}

    @property
    def changes(self) -> bool:
        """Whether two rounds may have different graphs."""
        return len(self.phases) > 1 or any(phase.changes for phase in self.phases)

    def at(self, round: int, *, seed: int | str = 0) -> Topology:
        """Return the graph of `round`, from 1; round 0, the opening, is heard by nobody.

        `seed` is the run's, and matters for graphs that are drawn anew each round. Raises
        ValueError for round 0.
        """
        if round < 1:
            raise ValueError(f"round {round} has no topology; the first that does is 1")
        index = self._find_phase(round)
        phase = self.phases[index]
        key = (index, round, seed) if phase.changes else (index, 0, 0)
        if key not in self._drawn:
            if len(self._drawn) >= MAX_CACHED:
                self._drawn.clear()
            self._drawn[key] = phase.draw(round, seed)
        return self._drawn[key]

    def _find_phase(self, round: int) -> int:
        if self.cycle:
            return (round - 1) % len(self.phases)
        return min(round, len(self.phases)) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One entry of a list by round, with ids in place of names.

    `idle` are lines that connect nobody because a group in them is empty. `is_deliberate` says
    that a lack of edges was written as such, `allows_uncritiqued` that it is meant for some.
    """

    seats: tuple[Seat, ...]
    written: Mapping[AgentPair, Edge] = field(default_factory=dict)
    generator: GraphGenerator | None = None
    generated_edge: Edge = field(default_factory=Edge)
    idle: tuple[Problem, ...] = ()
    is_deliberate: bool = False
    allows_uncritiqued: bool = False

    @property
    def changes(self) -> bool:
        """Whether each round of this phase draws its graph anew."""
        return self.generator is not None and self.generator.changes

    def draw(self, round: int, seed: int | str) -> Topology:
        """Return the graph of one round; written edges win over generated ones."""
        drawn = self.generator.draw_pairs(round, seed) if self.generator else ()
        generated = dict.fromkeys(drawn, self.generated_edge)
        return build_graph({**generated, **self.written}, self.seats)


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphGenerator:
    """A generator, as the spec names it, and the seats that it connects."""

    spec: TopologySpec
    among: tuple[AgentId, ...]

    @property
    def changes(self) -> bool:
        """Whether each round draws anew."""
        return self.spec.resample == "each_round"

    def draw_pairs(self, round: int, seed: int | str) -> tuple[AgentPair, ...]:
        """Return the (critic, author) pairs of one round. Raises TopologyError for bad arguments.

        The graph depends on the spec's seed alone; resampled, on the run's seed and the round too.
        """
        if not self.among:
            return ()
        drawn = self.spec.seed
        if self.changes:
            drawn = random.Random(f"{self.spec.seed}/{seed}/{round}").getrandbits(32)
        graph = _generate_graph(self.spec, len(self.among), drawn)
        at = dict(zip(_sort_nodes(graph), self.among, strict=True))
        number = {agent: position for position, agent in enumerate(self.among)}
        found = {(at[u], at[v]) for u, v in _direct_edges(graph, self.spec, at, number)}
        return tuple(sorted(found, key=lambda pair: (number[pair[0]], number[pair[1]])))


_known_to_end: set[str] = set()
"""The calls of networkx that have ended once, but for the seed."""


def _call_generator(name: str, arguments: Any, more: dict[str, Any]) -> Any:
    """Call a generator; the first time in a child with limits, since some of networkx never end."""

    def call() -> Any:
        return call_with(find_generator(name), arguments, **more)

    key = f"{name} {arguments!r}"
    if name not in list_generators() or key in _known_to_end:
        return call()
    graph = call_limited(call)
    _known_to_end.add(key)
    return graph


def _generate_graph(spec: TopologySpec, num_seats: int, seed: int) -> Any:
    name = cast(str, spec.generator)
    arguments = fill_counts(spec.args, num_seats)
    if name in list_generators():
        _refuse_large(name, arguments, num_seats)
    more: dict[str, Any] = {"seed": seed} if is_seeded(name) else {}
    if isinstance(arguments, dict) and "create_using" in arguments:
        classes = {"Graph": nx.Graph, "DiGraph": nx.DiGraph}
        arguments["create_using"] = classes[arguments["create_using"]]
    try:
        graph = _call_generator(name, arguments, more)
    except Exception as cause:  # whatever the generator makes of a user's arguments
        why = f"{type(cause).__name__}: {cause}"
        raise TopologyError(_explain_misfit(spec, num_seats, why)) from cause
    if not isinstance(graph, nx.Graph):
        raise TopologyError(_explain_misfit(spec, num_seats, "it makes no graph"))
    if len(graph) != num_seats:
        raise TopologyError(_explain_misfit(spec, num_seats, f"it makes {len(graph)} nodes"))
    return graph


def _explain_misfit(spec: TopologySpec, num_seats: int, why: str) -> str:
    return (
        f"{spec.generator} with args {spec.args} does not fit {num_seats} seats "
        f"({spec.among}): {why}; it is {format_call(cast(str, spec.generator))}, and $n stands for "
        "the number of seats ($n-1, $n+1, $n*2, $n//2 too)"
    )


# The most nodes that these make, where no single argument of theirs bounds them.
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


def _refuse_large(name: str, arguments: Any, num_seats: int) -> None:
    """Raise TopologyError for arguments that would make far more nodes than there are seats."""
    bound = call_with(get_signature(name).bind, arguments).arguments
    limit = max(num_seats, 100)
    for parameter, value in bound.items():
        most = limit**2 if parameter in _NOT_NODES else limit
        large = next((number for number in _list_numbers(value) if number > most), None)
        if large is not None:
            raise TopologyError(
                f"{name}: {parameter} is {large}, more than {num_seats} seats can use; "
                f"it is {format_call(name)}"
            )
    try:
        is_large = name in _NUM_NODES and _NUM_NODES[name](bound) > MAX_NODES
    except (TypeError, ValueError, OverflowError) as cause:
        raise TopologyError(
            f"{name} cannot take {bound}: {cause}; it is {format_call(name)}"
        ) from None
    if is_large:
        raise TopologyError(
            f"{name} with {bound} has more than {MAX_NODES} nodes for {num_seats} seats; "
            f"it is {format_call(name)}"
        )


def _list_numbers(value: Any) -> Iterator[float]:
    """Yield the numbers in a value, and the lengths of its lists."""
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, (list, tuple)):
        yield len(value)
        yield from (number for item in value for number in _list_numbers(item))


def _sort_nodes(graph: Any) -> list[Any]:
    """Sort nodes that are numbers or coordinates; leave others as the generator made them."""
    nodes = list(graph)
    same = {type(node) for node in nodes}
    return sorted(nodes) if same in ({int}, {tuple}) else nodes


def _direct_edges(
    graph: Any, spec: TopologySpec, at: Mapping[Any, AgentId], number: Mapping[AgentId, int]
) -> Iterator[tuple[Any, Any]]:
    """Yield the graph's edges in the spec's direction."""
    direction = spec.direction or ("forward" if graph.is_directed() else "both")
    for u, v in graph.edges():
        if not graph.is_directed() and number[at[u]] > number[at[v]]:
            u, v = v, u
        if direction != "backward":
            yield u, v
        if direction != "forward":
            yield v, u
