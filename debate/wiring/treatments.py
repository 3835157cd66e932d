"""Cells as they will run: whatever a cell does not say is the run's."""

from __future__ import annotations

from typing import NamedTuple

from debate.config.agents import AgentSpec
from debate.config.decision import DecisionSpec
from debate.config.protocol import ProtocolSpec
from debate.config.run import CellSpec, RunSpec
from debate.config.topology import TopologySpec
from debate.topologies import Seat

MAIN = "main"


class Treatment(NamedTuple):
    """One cell, complete."""

    members: tuple[AgentSpec, ...]
    topology: TopologySpec
    protocol: ProtocolSpec
    rounds: int
    decision: DecisionSpec

    @property
    def seats(self) -> tuple[Seat, ...]:
        """The members as topologies know them."""
        return tuple(Seat(id=a.id, role=a.role, group=a.group) for a in self.members)


def treatments(spec: RunSpec, agents: tuple[AgentSpec, ...]) -> dict[str, Treatment]:
    """The run's cells by name; a run that names none has one, `main`."""
    cells = spec.cells or {MAIN: CellSpec()}
    return {name: _treatment(spec, agents, cell) for name, cell in cells.items()}


def _treatment(spec: RunSpec, agents: tuple[AgentSpec, ...], cell: CellSpec) -> Treatment:
    named = cell.agents
    return Treatment(
        members=tuple(a for a in agents if named is None or {a.id, a.group} & set(named)),
        topology=cell.topology or spec.topology,
        protocol=cell.protocol or spec.protocol,
        rounds=spec.rounds if cell.rounds is None else cell.rounds,
        decision=cell.decision or spec.decision,
    )
