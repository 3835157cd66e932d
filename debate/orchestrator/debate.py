"""One debate: turns as tasks that wait for nothing but the turns that they must hear."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from debate.agents import view
from debate.agents.agent import Agent
from debate.agents.sight import Shown, unnamed
from debate.agents.view import Step, View
from debate.engines.base import Request
from debate.orchestrator.calls import Calls
from debate.orchestrator.cell import Cell
from debate.orchestrator.hearing import Heard, Hearing, Source
from debate.orchestrator.promise import all_kept
from debate.orchestrator.reach import Reach
from debate.orchestrator.taking import Prompted, Taking
from debate.orchestrator.underway import NOTHING, Spoken, Underway
from debate.topologies import authors as authors_of
from debate.topologies import critics as critics_of
from debate.types import AgentId, DebateKey, Message, Question, Transcript, Turn

__all__ = ["Cell", "Debate", "Heard", "Protocol", "Source"]

Protocol = Callable[["Debate", AgentId, int], Awaitable[Turn | None]]
"""How one agent takes its turn of one round: `await` what it must hear, then speak."""


class Debate:
    """The state of one debate, and the verbs that protocols are written in.

    Each verb may be awaited at once, or begun here and awaited later.
    """

    def __init__(self, question: Question, cell: Cell, calls: Calls, *, seed: int) -> None:
        self.question = question
        self.cell = cell
        self.key = DebateKey(cell=cell.name, question=question.id, seed=seed)
        self._taking = Taking(question, cell, calls, self.key)
        self._reach = Reach(question, cell, self.key)
        self._hearing = Hearing(self._reach, calls, quorum=cell.spec.quorum)
        self._underway = Underway()
        self._starts: dict[AgentId, tuple[Message, ...]] = {}
        self._steps: dict[AgentId, list[Step]] = {agent: [] for agent in cell.agents}

    def turn(self, agent: AgentId, round: int) -> Spoken:
        """The agent's latest own turn as of the round; None where it has none."""
        begun = self._underway.get((agent, round))
        if begun is not None:
            return begun
        if round < 0 or agent not in self.cell.speakers:
            return NOTHING
        return self._underway.begin((agent, round), self._turn(agent, round))

    def answer_of(self, critic: AgentId, author: AgentId, round: int) -> Spoken:
        """The critic's own latest answer, as the author hears it in this round."""
        return self.turn(critic, round if self.cell.speaks_before(critic, author) else round - 1)

    def critique_by(self, critic: AgentId, author: AgentId, round: int) -> Spoken:
        """What the critic says of the author's latest turn; a judge's feedback is its judgment."""
        if self.cell.agents[critic].spec.role == "judge":
            return self.answer_of(critic, author, round)
        name = ("critique", critic, author, round)
        begun = self._underway.get(name)
        return begun or self._underway.begin(name, self._critique(critic, author, round))

    def hear(self, author: AgentId, round: int, source: Source) -> Awaitable[Heard]:
        """Wait for what the author's critics say, each no longer than its edge allows.

        With a quorum, go on once so many have spoken; a turn on record heard whom it heard.
        A failed turn is not heard, nor, unless the protocol says so, one that was cut. On an edge
        `when: disagreement` nothing is heard, and nothing is asked, while critic and author agree.
        """
        return self._hearing.hear(self, author, round, source)

    async def revise(self, author: AgentId, round: int, heard: Heard) -> Turn | None:
        """The author answers again in the light of what it heard; silent where it heard nothing."""
        own = await self.turn(author, round - 1)
        seen = self._reach.show(author, heard.turns, round)
        if not seen:
            return own
        shown, refs = list(seen.values()), tuple(seen)
        if self.cell.spec.view.noise:
            shown, refs = self._reach.as_noise(author, seen, round), ()
        agent = self.cell.agents[author]
        made = self._respond(agent, shown)
        ask = Prompted(
            agent=agent, view=made, round=round, kind="revision", heard=refs, late=heard.late
        )  # fmt: skip
        return await self._step(ask)

    async def answer_anew(self, author: AgentId, round: int, told: Sequence[Turn] = ()) -> Turn:
        """The author answers as if for the first time, told these answers without a speaker.

        Told nothing, this is an independent new answer (at temperature 0, the same again).
        """
        await self.turn(author, round - 1)
        agent = self.cell.agents[author]
        carries = agent.prompts.spec.carries or ("answer", "reasoning")
        seen = {turn.ref: self._reach.shown(turn, author, carries) for turn in told}
        shown = {ref: unnamed(what) for ref, what in seen.items() if what is not None}
        made = view.afresh(agent, self.question, list(shown.values()))
        return await self._taking.take(
            Prompted(agent=agent, view=made, round=round, kind="revision", heard=tuple(shown))
        )

    def critics(self, author: AgentId, round: int) -> tuple[AgentId, ...]:
        """All who critique the author, whether it hears them or not."""
        return critics_of(self._reach.topology(round), author)

    def shown_to(self, critic: AgentId, subject: Turn, round: int) -> Shown | None:
        """What the critic may read of the turn; None where that is nothing."""
        agent = self.cell.agents[critic]
        carries = self._reach.carries(agent, critic, subject.agent, round)
        return self._reach.shown(subject, critic, carries)

    async def judge(
        self,
        critic: AgentId,
        subject: Turn,
        round: int,
        *,
        seen: Shown,
        alternatives: Sequence[str] = (),
        beside: Sequence[str] = (),
    ) -> Turn:
        """The critic's judgement of a turn as it is shown, without a past and heard by nobody.

        `beside` names the turns that the alternatives come from.
        """
        await self.turn(critic, round - 1)
        agent = self.cell.agents[critic]
        made = view.judge_alone(agent, self.question, seen, alternatives)
        read = (subject.ref, *beside)
        return await self._taking.take(
            Prompted(
                agent=agent, view=made, round=round, kind="critique", about=subject.agent,
                heard=read,
            )
        )  # fmt: skip

    def sample(self, agent: AgentId, number: int) -> Spoken:
        """One more opening of the agent at temperature 1, private, as a probe; `number` from 1."""
        name = ("sample", agent, number)
        return self._underway.get(name) or self._underway.begin(name, self._sample(agent, number))

    def opinion(self, turn: Turn | None) -> str | None:
        """The answer in the form in which answers are compared; None for an abstention."""
        value = turn.value if turn else None
        return None if value is None else self.cell.normalise(value, self.question)

    # The whole.

    def begin(self) -> None:
        """Set every speaker going, through all rounds: each turn as soon as it can be taken."""
        for agent in self.cell.speakers:
            self._underway.begin_all(agent, range(self.cell.rounds + 1), self._turn)

    def transcript(self, round: int) -> Transcript:
        """All turns up to and including the round, by round, kind and seat."""
        return self._taking.record.transcript(round)

    def request(self, ref: str) -> Request:
        """The request that a turn replied to."""
        return self._taking.record.request(ref)

    def abandon(self) -> None:
        """Stop whatever is still under way: late critics, or all of it after an error."""
        self._underway.abandon()

    # How turns come about.

    def _turn(self, agent: AgentId, round: int) -> Awaitable[Turn | None]:
        if self.cell.agents[agent].spec.role == "judge":
            return self._judge(agent, round)
        if round == 0:
            return self._open(agent)
        return self.cell.protocol(self, agent, round)

    async def _open(self, author: AgentId) -> Turn:
        agent = self.cell.agents[author]
        made = View(messages=self._start(agent))
        turn = await self._taking.take(Prompted(agent=agent, view=made, round=0, kind="opening"))
        self._steps[author].append(view.step(agent, turn))
        return turn

    async def _judge(self, judge: AgentId, round: int) -> Turn | None:
        own = await self.turn(judge, round - 1)
        judged = authors_of(self._reach.topology(round), judge)
        said = await all_kept([self.turn(author, round) for author in judged])
        turns = [turn for turn in said if turn is not None]
        seen = self._reach.show(judge, turns, round, judging=True)
        if not seen or (own is not None and set(seen) <= set(own.heard)):
            return own
        agent = self.cell.agents[judge]
        made = self._respond(agent, list(seen.values()))
        return await self._step(
            Prompted(agent=agent, view=made, round=round, kind="judgment", heard=tuple(seen))
        )

    async def _critique(self, critic: AgentId, author: AgentId, round: int) -> Turn | None:
        """One critique; None where there is nothing to review."""
        await self.turn(critic, round - 1)
        subject = await self.turn(author, round - 1)
        if subject is None:
            return None
        agent = self.cell.agents[critic]
        seen = self.shown_to(critic, subject, round)
        if seen is None:
            return None
        steps = [step for step in self._steps[critic] if step.turn.round < round]
        made = view.review(agent, self.question, steps, seen, start=self._start(agent))
        return await self._taking.take(
            Prompted(
                agent=agent, view=made, round=round, kind="critique", about=author,
                heard=(subject.ref,),
            )
        )  # fmt: skip

    async def _sample(self, author: AgentId, number: int) -> Turn:
        await self.turn(author, 0)
        agent = self.cell.agents[author]
        made = view.opening(agent, self.question)
        return await self._taking.take(
            Prompted(
                agent=agent, view=made, round=0, kind="probe", about=f"sample-{number}",
                temperature=1.0, asked_as="opening",
            )
        )  # fmt: skip

    async def _step(self, ask: Prompted) -> Turn:
        """A turn that becomes part of its agent's own context."""
        turn = await self._taking.take(ask)
        self._steps[ask.agent.id].append(view.step(ask.agent, turn, ask.view.messages[-1]))
        return turn

    def _respond(self, agent: Agent, shown: Sequence[Shown]) -> View:
        steps = self._steps[agent.id]
        return view.respond(agent, self.question, steps, shown, start=self._start(agent))

    def _start(self, agent: Agent) -> tuple[Message, ...]:
        """How all of the agent's prompts in this debate begin."""
        if agent.id not in self._starts:
            self._starts[agent.id] = view.start(agent, self.question)
        return self._starts[agent.id]
