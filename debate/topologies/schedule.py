"""Topologies by round: a frozen graph for each round, drawn when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from debate.topologies.edges import Edge, Pair
from debate.topologies.generated import Generated
from debate.topologies.graph import Topology, assemble, edge
from debate.topologies.problem import Problem
from debate.topologies.seats import Seat

MAX_CACHED = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """What one entry of a list by round stands for, names replaced by ids.

    `idle` are lines that connect nobody because a group in them is empty. `is_deliberate` says
    that a lack of edges was written as such, `allows_uncritiqued` that it is meant for some.
    """

    seats: tuple[Seat, ...]
    written: Mapping[Pair, Edge] = field(default_factory=dict)
    generated: Generated | None = None
    generated_edge: Edge = field(default_factory=Edge)
    idle: tuple[Problem, ...] = ()
    is_deliberate: bool = False
    allows_uncritiqued: bool = False

    @property
    def changes(self) -> bool:
        """Whether each round of this phase draws its graph anew."""
        return self.generated is not None and self.generated.changes

    def draw(self, round: int, seed: int | str) -> Topology:
        """The graph of one round; written edges win over generated ones."""
        drawn = self.generated.pairs(round, seed) if self.generated else ()
        return assemble({**dict.fromkeys(drawn, self.generated_edge), **self.written}, self.seats)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Who critiques whom in each round. After the last phase it stays, or begins again."""

    seats: tuple[Seat, ...]
    phases: tuple[Phase, ...]
    cycle: bool = False
    _drawn: dict[tuple[int, int, int | str], Topology] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: the phases; graphs are drawn anew there."""
        return {**vars(self), "_drawn": {}}

    @property
    def changes(self) -> bool:
        """Whether two rounds may have different graphs."""
        return len(self.phases) > 1 or any(phase.changes for phase in self.phases)

    def at(self, round: int, *, seed: int | str = 0) -> Topology:
        """The graph of `round`, from 1; the opening, round 0, is heard by nobody and has none.

        `seed` is the run's, and matters for graphs that are drawn anew each round.
        """
        if round < 1:
            raise ValueError(f"round {round} has no topology; the first that does is 1")
        index = self._index(round)
        phase = self.phases[index]
        key = (index, round, seed) if phase.changes else (index, 0, 0)
        if key not in self._drawn:
            if len(self._drawn) >= MAX_CACHED:
                self._drawn.clear()
            self._drawn[key] = phase.draw(round, seed)
        return self._drawn[key]

    def _index(self, round: int) -> int:
        if self.cycle:
            return (round - 1) % len(self.phases)
        return min(round, len(self.phases)) - 1


def fixed(topology: Topology) -> Schedule:
    """The same graph in every round, e.g. one made by hand with `from_graph`."""
    seats = tuple(data["seat"] for _, data in topology.nodes(data=True))
    written = {(u, v): edge(topology, u, v) for u, v in topology.edges()}
    phase = Phase(seats=seats, written=written, is_deliberate=True, allows_uncritiqued=True)
    return Schedule(seats=seats, phases=(phase,))
