"""How many model calls cells make at most, and which of them are one and the same.

Each call that a debate can make gets a name out of all that decides its content: the agent with
its prompts and sampling, the round, and by name the turns that it hears. Calls of the same name in
several cells are made once. Nothing is rendered, so calls with different names may still turn out
alike (two openings' answers, say): the counts are upper bounds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from debate.agents.agent import Agent
from debate.agents.probes import num_calls
from debate.orchestrator.cell import Cell
from debate.topologies import Topology
from debate.topologies import authors as authors_of
from debate.types import AgentId

Names = dict[str, int]
"""The names of calls, and how many calls go by each."""

_HEARING = ("exchange", "critique")
_SILENT = ("repeat", "restate")


def named_calls(cell: Cell, seed: int) -> Names:
    """The most calls that one debate of the cell can make with this seed, by name."""
    return _Walk(cell, seed).names()


def num_distinct(cells: Iterable[Names]) -> int:
    """The calls of several cells on one question, those of one name made once."""
    merged: Names = {}
    for names in cells:
        merged |= names
    return sum(merged.values())


class _Walk:
    """Goes through one debate in which nothing fails, nothing is agreed on and all speak."""

    def __init__(self, cell: Cell, seed: int) -> None:
        self.cell = cell
        self.seed = seed
        self.made: Names = {}
        self._turns: dict[tuple[AgentId, int], str | None] = {}
        self._bases = {agent.id: _base(agent) for agent in cell.agents.values()}
        shown = cell.spec.model_dump(exclude={"name", "stop", "debate_if", "judging"})
        self._place = _digest(shown, list(cell.agents))

    def names(self) -> Names:
        """The calls of the whole debate."""
        for round in range(self.cell.rounds + 1):
            for agent in self.cell.speakers:
                self._turn(agent, round)
        if self.cell.spec.name == "cross_critique":
            self._judgements()
        for turn, speaker in self._answers():
            for probe in self.cell.probes if not speaker.spec.confederate else ():
                own = self.cell.name if probe.name == "belief" else ""
                name = _digest("probe", probe.model_dump(), turn, own)
                self.made[name] = num_calls(probe, speaker)
        return self.made

    def _answers(self) -> list[tuple[str, Agent]]:
        """Every different answer, and who gives it."""
        given = {name: agent for (agent, _), name in self._turns.items() if name is not None}
        return [(name, self.cell.agents[agent]) for name, agent in given.items()]

    def _call(self, *content: object) -> str:
        name = _digest(*content)
        self.made[name] = 1
        return name

    def _turn(self, agent: AgentId, round: int) -> str | None:
        if round < 0 or self.cell.agents[agent].spec.role == "critic":
            return None
        if (agent, round) not in self._turns:
            self._turns[agent, round] = self._taken(agent, round)
        return self._turns[agent, round]

    def _taken(self, agent: AgentId, round: int) -> str | None:
        if self.cell.agents[agent].spec.role == "judge":
            return self._judged(agent, round)
        if round == 0:
            return self._call("opening", self._bases[agent], self.cell.spec.show_confidence)
        protocol, own = self.cell.spec.name, self._turn(agent, round - 1)
        if protocol == "cross_critique":
            return own
        if protocol in _SILENT:
            told = own if protocol == "restate" else None
            stated = self.cell.spec.show_confidence
            return self._call("anew", self._bases[agent], round, told, stated)
        heard = self._heard(agent, round)
        if not heard and protocol in _HEARING:
            return own
        unknown = None if protocol in _HEARING else self.cell.name
        return self._call("revision", self._bases[agent], round, own, heard, self._place, unknown)

    def _heard(self, author: AgentId, round: int) -> list[list[str]]:
        """What the author hears, each with the edge that it comes along."""
        topology = self._topology(round)
        critics: Sequence[AgentId] = self.cell.heard_critics(topology, author)
        critics = critics[: self.cell.spec.view.max_critics]
        found = []
        for critic in critics:
            said = self._said(critic, author, round)
            if said is not None:
                found.append([said, repr(self.cell.edge(topology, critic, author))])
        return found

    def _said(self, critic: AgentId, author: AgentId, round: int) -> str | None:
        judges = self.cell.agents[critic].spec.role == "judge"
        if self.cell.spec.name == "critique" and not judges:
            subject, own = self._turn(author, round - 1), self._turn(critic, round - 1)
            content = (self._bases[critic], author, round, subject, own, self._place)
            return None if subject is None else self._call("critique", *content)
        before = self.cell.speaks_before(critic, author)
        return self._turn(critic, round if before else round - 1)

    def _judged(self, judge: AgentId, round: int) -> str | None:
        own = self._turn(judge, round - 1)
        judged = authors_of(self._topology(max(round, 1)), judge)
        said = [self._turn(author, round) for author in judged]
        before = [self._turn(author, round - 1) for author in judged] if own else []
        if not any(said) or said == before:
            return own
        return self._call("judgment", self._bases[judge], round, own, said, self._place)

    def _judgements(self) -> None:
        """Private judgements of round 1, and the samples that they are compared with."""
        spec, topology = self.cell.spec, self._topology(1)
        critics = [u for u, _ in topology.edges() if self.cell.agents[u].spec.role != "judge"]
        samples = spec.judging.k * len(set(critics)) if spec.judging.alternatives == "own" else 0
        self.made[_digest("judgements", self.cell.name)] = len(critics) + samples

    def _topology(self, round: int) -> Topology:
        return self.cell.schedule.at(round, seed=self.seed)


def _base(agent: Agent) -> str:
    """What of an agent goes into its calls."""
    spec = agent.spec
    said = spec.model_dump(include={"id", "role", "prompts", "system", "persona", "agreement"})
    return _digest(agent.identity, said, spec.sampling.model_dump())


def _digest(*content: object) -> str:
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()
