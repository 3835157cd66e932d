"""One treatment, resolved, and what it says about who hears what of whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from debate.agents.agent import Agent
from debate.config.decision import DecisionSpec
from debate.config.protocol import ProbeSpec, ProtocolSpec
from debate.topologies import Schedule, Topology, edge, heard_critics
from debate.topologies.edges import Edge
from debate.types import AgentId, Question, Role

if TYPE_CHECKING:
    from debate.orchestrator.debate import Protocol

MAX_CACHED = 4096
"""Answers about graphs that are kept; a graph that is drawn anew each round is asked few times."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One treatment, resolved: who debates, along which edges, by which protocol, how long."""

    name: str
    agents: Mapping[AgentId, Agent]
    schedule: Schedule
    protocol: Protocol
    spec: ProtocolSpec
    rounds: int
    decision: DecisionSpec
    probes: tuple[ProbeSpec, ...] = ()
    score: Callable[[str | None, Question], bool | None] = field(repr=False)
    normalise: Callable[[str, Question], str] = field(repr=False)
    keep_prompts: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: the fields, without what has been looked up so far."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def seat_numbers(self) -> Mapping[AgentId, int]:
        """Each agent's place in the order in which they speak."""
        return {agent: number for number, agent in enumerate(self.agents)}

    @cached_property
    def speakers(self) -> tuple[AgentId, ...]:
        """The agents that take turns of their own."""
        return tuple(id for id, agent in self.agents.items() if agent.spec.role != "critic")

    @cached_property
    def voters(self) -> tuple[AgentId, ...]:
        """The agents whose answers are ballots."""
        return tuple(id for id, agent in self.agents.items() if agent.votes)

    @cached_property
    def has_barrier(self) -> bool:
        """Whether a round must be over before the next begins, because it may be the last."""
        return self.spec.stop != "never" or self.spec.debate_if is not None

    def of_role(self, role: Role) -> tuple[AgentId, ...]:
        """The agents of a role, in seat order."""
        return self._by_role.get(role, ())

    @cached_property
    def _by_role(self) -> Mapping[Role, tuple[AgentId, ...]]:
        roles = {agent.spec.role for agent in self.agents.values()}
        return {
            role: tuple(id for id, agent in self.agents.items() if agent.spec.role == role)
            for role in roles
        }

    @cached_property
    def heard_critics(self) -> Callable[[Topology, AgentId], tuple[AgentId, ...]]:
        """The critics that an author hears in a graph, in seat order; known as long as the cell."""
        return lru_cache(maxsize=MAX_CACHED)(heard_critics)

    @cached_property
    def edge(self) -> Callable[[Topology, AgentId, AgentId], Edge]:
        """The edge from a critic to an author in a graph; known as long as the cell."""
        return lru_cache(maxsize=MAX_CACHED)(edge)

    def speaks_before(self, critic: AgentId, author: AgentId) -> bool:
        """Whether the author hears the critic's turn of the same round; judges speak last."""
        if self.spec.speaking != "sequential" or self.agents[critic].spec.role == "judge":
            return False
        return self.seat_numbers[critic] < self.seat_numbers[author]


@lru_cache(maxsize=MAX_CACHED)
def passing(
    edge: Sequence[str], prompts: Sequence[str] | None, *, answers_only: bool
) -> tuple[str, ...]:
    """What edge, prompt set and protocol all let through.

    >>> passing(("reasoning", "answer", "confidence"), ("answer", "reasoning"), answers_only=False)
    ('answer', 'reasoning')
    """
    allowed = set(edge) if prompts is None else set(edge) & set(prompts)
    return tuple(sorted(allowed - {"reasoning"} if answers_only else allowed))
