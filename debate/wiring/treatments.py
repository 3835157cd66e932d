"""Cells as they will run: every cell of an expanded run is complete."""

from __future__ import annotations

from typing import NamedTuple

from debate.config.agents import AgentSpec
from debate.config.decision import DecisionSpec
from debate.config.protocol import ProtocolSpec
from debate.config.run import CellSpec, RunSpec
from debate.config.topology import TopologySpec
from debate.topologies import Seat


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
    """The run's cells by name, each with its members in the order in which the cell names them."""
    return {name: _treatment(spec, agents, cell) for name, cell in spec.cells.items()}


def _treatment(spec: RunSpec, agents: tuple[AgentSpec, ...], cell: CellSpec) -> Treatment:
    by_id = {agent.id: agent for agent in agents}
    named = by_id if cell.agents is None else cell.agents
    return Treatment(
        members=tuple(by_id[name] for name in named),
        topology=cell.topology or spec.topology,
        protocol=cell.protocol or spec.protocol,
        rounds=spec.rounds if cell.rounds is None else cell.rounds,
        decision=cell.decision or spec.decision,
    )
