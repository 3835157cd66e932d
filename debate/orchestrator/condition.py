"""The condition of a debate, and what it lets each agent hear and see of the others' turns."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from debate.agents.agent import Agent
from debate.agents.edge_views import hides_answer, is_narrowed, narrow_turn, widen_parts
from debate.agents.noise import make_noise
from debate.agents.views import ShownTurn, name_speakers, show_turn
from debate.config.protocol import DecisionSpec, ProbeSpec, ProtocolSpec
from debate.topologies import Topology, TopologySchedule, get_edge, get_heard_critics
from debate.topologies.graph import Edge
from debate.types import AgentId, DebateKey, HeardAs, Question, Turn

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
        return self._limit_parts(viewer, carries)

    def _limit_parts(self, viewer: Agent, carries: Sequence[str]) -> tuple[str, ...]:
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
        self,
        viewer: AgentId,
        turns: Sequence[Turn],
        round: int,
        *,
        judging: bool = False,
        own_answers: Mapping[AgentId, str | None] = MappingProxyType({}),
    ) -> dict[str, ShownTurn]:
        """Return what the viewer, who heard or judges these turns, sees of them, by their refs.

        own_answers: the answer that each critic gives itself, which its critique may repeat.
        """
        agent, seen = self._cell.agents[viewer], {}
        donors = self._shuffle_confidences(viewer, turns, round, judging=judging)
        for turn in turns:
            edge = self._get_edge_between(viewer, turn, round, judging=judging)
            told = own_answers.get(turn.agent) if turn.kind == "critique" else None
            narrowed = self._narrow(turn, edge, donors.get(turn.ref), told)
            parts = self._limit_parts(agent, widen_parts(edge.carries))
            shown = self.show_turn(narrowed, viewer, parts)
            if shown is not None:
                seen[turn.ref] = shown
        return seen

    def show_subject(self, turn: Turn, critic: Agent) -> ShownTurn | None:
        """Return what a critic reads of the turn it reviews: all, whatever its author may hear."""
        return self.show_turn(turn, critic.id, self._limit_parts(critic, Edge().carries))

    def describe_views(
        self,
        viewer: AgentId,
        turns: Sequence[Turn],
        round: int,
        seen: Collection[str],
        *,
        judging: bool = False,
    ) -> tuple[HeardAs, ...]:
        """Return what is kept back from the viewer of those of these turns that it has seen."""
        found: list[HeardAs] = []
        donors = self._shuffle_confidences(viewer, turns, round, judging=judging)
        for turn in turns:
            carries = self._get_edge_between(viewer, turn, round, judging=judging).carries
            if turn.ref in seen and is_narrowed(carries, turn.kind):
                donor = donors.get(turn.ref)
                view = HeardAs(
                    ref=turn.ref,
                    carries=carries,
                    hides_answer=hides_answer(carries, turn.kind),
                    confidence_of=None if donor is None else donor.ref,
                    confidence=None if donor is None else donor.confidence(),
                )
                found.append(view)
        return tuple(found)

    def _get_edge_between(self, viewer: AgentId, turn: Turn, round: int, *, judging: bool) -> Edge:
        critic, author = (viewer, turn.agent) if judging else (turn.agent, viewer)
        return self.get_edge(critic, author, round)

    def _narrow(self, turn: Turn, edge: Edge, donor: Turn | None, told: str | None) -> Turn:
        """Return the turn without what the edge keeps back."""
        if not is_narrowed(edge.carries, turn.kind):
            return turn
        return narrow_turn(
            turn,
            edge.carries,
            question=self._question,
            format=self._cell.agents[turn.agent].prompts.format,
            view=self._cell.spec.view,
            donor=donor,
            answers=[each for each in dict.fromkeys((turn.value, told)) if each is not None],
        )

    def _shuffle_confidences(
        self, viewer: AgentId, turns: Sequence[Turn], round: int, *, judging: bool
    ) -> dict[str, Turn]:
        """Return the turn whose confidence is shown in place of each one's, by ref.

        A permutation, drawn by seed, of those that the viewer hears over edges that shuffle; a
        single one has nobody to change with and is kept back.
        """
        told = [
            turn
            for turn in turns
            if "shuffled_confidence"
            in self._get_edge_between(viewer, turn, round, judging=judging).carries
            and self.is_heard(turn, viewer)
            and turn.confidence() is not None
        ]
        if len(told) < 2 or not self._cell.spec.show_confidence:
            return {}
        place = f"confidence/{self._debate.seed}/{self._debate.question}/{viewer}/{round}"
        drawn = random.Random(place).sample(told, len(told))
        return {turn.ref: donor for turn, donor in zip(told, drawn, strict=True)}

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
