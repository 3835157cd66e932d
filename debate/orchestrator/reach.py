"""What of whose turns reaches whom in one debate: edges, protocol and prompt sets together."""

from __future__ import annotations

import random
from collections.abc import Sequence

from debate.agents.agent import Agent
from debate.agents.noise import noise
from debate.agents.sight import Shown, shown, speaker_names
from debate.orchestrator.cell import Cell, passing
from debate.topologies import Topology
from debate.topologies.edges import Edge
from debate.types import AgentId, DebateKey, Question, Turn


class Reach:
    """Who hears whom in which round of a debate, and how much of it."""

    def __init__(self, question: Question, cell: Cell, debate: DebateKey) -> None:
        self._question = question
        self._cell = cell
        self._debate = debate
        self._topologies: dict[int, Topology] = {}
        self._names = speaker_names(debate, list(cell.agents), anonymous=cell.spec.anonymous)

    def topology(self, round: int) -> Topology:
        """Who critiques whom in the round; the opening has the first round's graph."""
        round = max(round, 1)
        if round not in self._topologies:
            self._topologies[round] = self._cell.schedule.at(round, seed=self._debate.seed)
        return self._topologies[round]

    def edge(self, critic: AgentId, author: AgentId, round: int) -> Edge:
        """The edge from critic to author in the round."""
        return self._cell.edge(self.topology(round), critic, author)

    def heard_critics(self, author: AgentId, round: int) -> list[AgentId]:
        """The critics that the author hears; beyond `max_critics`, as many drawn by seed."""
        critics = list(self._cell.heard_critics(self.topology(round), author))
        most = self._cell.spec.view.max_critics
        if most is None or len(critics) <= most:
            return critics
        name = f"critics/{self._debate.seed}/{self._debate.question}/{author}/{round}"
        return random.Random(name).sample(critics, most)

    def carries(
        self, viewer: Agent, critic: AgentId, author: AgentId, round: int
    ) -> tuple[str, ...]:
        """What edge, protocol and the viewer's prompt set all let through."""
        by = self.edge(critic, author, round)
        limit = viewer.prompts.spec.carries
        return passing(by.carries, limit, answers_only=self._cell.spec.view.answers_only)

    def is_heard(self, turn: Turn, viewer: AgentId) -> bool:
        """Whether the turn is an opinion for the viewer: not a failure, nor another's cut reply."""
        if turn.failure is not None:
            return False
        return not turn.is_cut or turn.agent == viewer or self._cell.spec.hear_cut

    def shown(self, turn: Turn, viewer: AgentId, carries: Sequence[str]) -> Shown | None:
        """What the viewer sees of a turn; None where nothing of it can be shown."""
        if not self.is_heard(turn, viewer):
            return None
        return shown(
            turn,
            viewer=viewer,
            name=self._names[turn.agent],
            carries=carries,
            confidence=self._cell.spec.show_confidence,
        )

    def show(
        self, viewer: AgentId, turns: Sequence[Turn], round: int, *, judging: bool = False
    ) -> dict[str, Shown]:
        """What the viewer, who heard or judges these turns, sees of them, by their refs."""
        agent, seen = self._cell.agents[viewer], {}
        for turn in turns:
            critic, author = (viewer, turn.agent) if judging else (turn.agent, viewer)
            what = self.shown(turn, viewer, self.carries(agent, critic, author, round))
            if what is not None:
                seen[turn.ref] = what
        return seen

    def as_noise(self, author: AgentId, seen: dict[str, Shown], round: int) -> list[Shown]:
        """Noise in place of all that the author would hear, drawn anew for each turn."""
        place = f"noise/{self._debate.seed}/{self._debate.question}/{author}/{round}"
        return [
            noise(what, self._question, random.Random(f"{place}/{ref}"))
            for ref, what in seen.items()
        ]
