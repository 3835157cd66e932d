"""The condition of a debate, and what it lets each agent hear and see of the others' turns."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import Any

from debate.agents.agent import Agent
from debate.agents.noise import make_noise
from debate.agents.views import ShownTurn, name_speakers, show_turn
from debate.config.protocol import DecisionSpec, ProbeSpec, ProtocolSpec
from debate.topologies import Topology, TopologySchedule, get_edge, get_heard_critics
from debate.topologies.graph import Edge
from debate.types import AgentId, DebateKey, Question, Turn

MAX_CACHED = 4096
"""Answers about graphs that are kept; a graph that is drawn anew each round is asked few times."""

Protocol = Callable[[Any, AgentId, int], Awaitable[Turn | None]]
"""Takes an author's turn of a round, called as `protocol(debate, author, round)`.

`debate` is a `debate.orchestrator.Debate`: await what the author must hear, then speak.
"""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A cell of a run, resolved: who debates, along which edges, by which protocol, how long."""

    name: str
    agents: Mapping[AgentId, Agent]
    schedule: TopologySchedule
    protocol: Protocol
    spec: ProtocolSpec
    rounds: int
    decision: DecisionSpec
    probes: tuple[ProbeSpec, ...] = ()
    score: Callable[[str | None, Question], bool | None] = field(repr=False)
    normalise: Callable[[str, Question], str] = field(repr=False)
    keep_prompts: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the fields, without the cached properties."""
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
    def judges(self) -> tuple[AgentId, ...]:
        """The agents that judge, in seat order."""
        return tuple(id for id, agent in self.agents.items() if agent.spec.role == "judge")

    @cached_property
    def has_barrier(self) -> bool:
        """Whether a round must be over before the next begins, because it may be the last."""
        return self.spec.stop != "never" or self.spec.debate_if is not None

    @cached_property
    def find_heard_critics(self) -> Callable[[Topology, AgentId], tuple[AgentId, ...]]:
        """A cached function: the critics that an author hears in a graph, in seat order."""
        return lru_cache(maxsize=MAX_CACHED)(get_heard_critics)

    @cached_property
    def find_edge(self) -> Callable[[Topology, AgentId, AgentId], Edge]:
        """A cached function: the edge from a critic to an author in a graph."""
        return lru_cache(maxsize=MAX_CACHED)(get_edge)

    def speaks_before(self, critic: AgentId, author: AgentId) -> bool:
        """Return whether the author hears the critic's turn of the same round; judges are last."""
        if self.spec.speaking != "sequential" or self.agents[critic].spec.role == "judge":
            return False
        return self.seat_numbers[critic] < self.seat_numbers[author]


class Visibility:
    """Which turns each agent of one debate hears in which round, and how much of them it sees."""

    def __init__(self, question: Question, cell: Condition, debate: DebateKey) -> None:
        self._question = question
        self._cell = cell
        self._debate = debate
        self._topologies: dict[int, Topology] = {}
        self._names = name_speakers(debate, list(cell.agents), anonymous=cell.spec.anonymous)

    def get_topology(self, round: int) -> Topology:
        """Return who critiques whom in the round; the opening has the first round's graph."""
        round = max(round, 1)
        if round not in self._topologies:
            self._topologies[round] = self._cell.schedule.at(round, seed=self._debate.seed)
        return self._topologies[round]

    def get_edge(self, critic: AgentId, author: AgentId, round: int) -> Edge:
        """Return the edge from critic to author in the round."""
        return self._cell.find_edge(self.get_topology(round), critic, author)

    def choose_critics(self, author: AgentId, round: int) -> list[AgentId]:
        """Return the critics that the author hears; beyond `max_critics`, as many drawn by seed."""
        critics = list(self._cell.find_heard_critics(self.get_topology(round), author))
        most = self._cell.spec.view.max_critics
        if most is None or len(critics) <= most:
            return critics
        name = f"critics/{self._debate.seed}/{self._debate.question}/{author}/{round}"
        return random.Random(name).sample(critics, most)

    def is_heard(self, turn: Turn, viewer: AgentId) -> bool:
        """Return whether the viewer hears the turn: neither a failure nor another's cut reply."""
        if turn.failure is not None:
            return False
        return not turn.is_cut or turn.agent == viewer or self._cell.spec.hear_cut

    def find_parts(
        self, viewer: Agent, critic: AgentId, author: AgentId, round: int
    ) -> tuple[str, ...]:
        """Return the parts of a turn that edge, protocol and the viewer's prompt set all allow."""
        carries = self.get_edge(critic, author, round).carries
        limit = viewer.prompts.spec.carries
        return intersect_parts(carries, limit, answers_only=self._cell.spec.view.answers_only)

    def show_turn(self, turn: Turn, viewer: AgentId, parts: Sequence[str]) -> ShownTurn | None:
        """Return these parts of a turn for the viewer; None where nothing of it can be shown."""
        if not self.is_heard(turn, viewer):
            return None
        return show_turn(
            turn,
            viewer=viewer,
            name=self._names[turn.agent],
            parts=parts,
            confidence=self._cell.spec.show_confidence,
            view=self._cell.spec.view,
        )

    def show_turns(
        self, viewer: AgentId, turns: Sequence[Turn], round: int, *, judging: bool = False
    ) -> dict[str, ShownTurn]:
        """Return what the viewer, who heard or judges these turns, sees of them, by their refs."""
        agent, seen = self._cell.agents[viewer], {}
        for turn in turns:
            critic, author = (viewer, turn.agent) if judging else (turn.agent, viewer)
            parts = self.find_parts(agent, critic, author, round)
            shown = self.show_turn(turn, viewer, parts)
            if shown is not None:
                seen[turn.ref] = shown
        return seen

    def replace_by_noise(
        self, author: AgentId, seen: Mapping[str, ShownTurn], round: int
    ) -> list[ShownTurn]:
        """Return noise in place of all that the author would hear, drawn anew for each turn."""
        place = f"noise/{self._debate.seed}/{self._debate.question}/{author}/{round}"
        return [
            make_noise(shown, self._question, random.Random(f"{place}/{ref}"))
            for ref, shown in seen.items()
        ]


@lru_cache(maxsize=MAX_CACHED)
def intersect_parts(
    edge: Sequence[str], prompts: Sequence[str] | None, *, answers_only: bool
) -> tuple[str, ...]:
    """Return the parts of a turn that edge, prompt set and protocol all let through, sorted.

    >>> parts = ("reasoning", "answer", "confidence")
    >>> intersect_parts(parts, ("answer", "reasoning"), answers_only=False)
    ('answer', 'reasoning')
    """
    allowed = set(edge) if prompts is None else set(edge) & set(prompts)
    return tuple(sorted(allowed - {"reasoning"} if answers_only else allowed))
