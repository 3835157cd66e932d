"""One debate: turns as tasks that wait for nothing but the turns that they must hear."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard, TypeVar, cast

from debate.agents import views
from debate.agents.agent import Agent
from debate.agents.views import AgentPrompt, OwnTurn, ShownTurn
from debate.engines.base import Request
from debate.orchestrator.call_store import CallStore
from debate.orchestrator.condition import Condition, Visibility
from debate.orchestrator.shared_future import (
    NO_TURN,
    SharedFuture,
    TurnFuture,
    TurnTasks,
    gather_futures,
    wait_for_quorum,
)
from debate.orchestrator.turn_runner import TurnRequest, TurnRunner
from debate.topologies import get_authors as authors_of
from debate.topologies import get_critics as critics_of
from debate.topologies.graph import Edge
from debate.types import AgentId, DebateKey, Message, Question, Transcript, Turn, format_turn_ref

T = TypeVar("T")

SPARE: Final = "spare"
"""What a call is about that is made to no effect, so that conditions cost equally many."""

LATE: Final = object()
"""Stands for the turn of a critic that was not waited for."""

TurnSource = Callable[[AgentId, AgentId, int], Awaitable[Turn | None]]
"""Returns the turn that an author hears from a critic, as `source(critic, author, round)`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """The turns that an author hears in one round, and the critics that it did not wait for."""

    turns: tuple[Turn, ...] = ()
    late: tuple[str, ...] = ()


class Debate:
    """The state of one debate, and the verbs that protocols are written in.

    A protocol awaits each verb at once, or calls it and awaits the result later.
    """

    def __init__(self, question: Question, cell: Condition, calls: CallStore, *, seed: int) -> None:
        self.question = question
        self.cell = cell
        self.key = DebateKey(cell=cell.name, question=question.id, seed=seed)
        self._calls = calls
        self._runner = TurnRunner(question, cell, calls, self.key)
        self._visibility = Visibility(question, cell, self.key)
        self._tasks = TurnTasks()
        self._starts: dict[AgentId, tuple[Message, ...]] = {}
        self._own_turns: dict[AgentId, list[OwnTurn]] = {agent: [] for agent in cell.agents}

    # What a protocol is written in.

    def turn(self, agent: AgentId, round: int) -> TurnFuture:
        """Return the future of the agent's latest own turn as of the round.

        The turn is started if it was not. The result is None where the agent has no turn by then.
        """
        begun = self._tasks.get((agent, round))
        if begun is not None:
            return begun
        if round < 0 or agent not in self.cell.speakers:
            return NO_TURN
        return self._tasks.start((agent, round), self._take_turn(agent, round))

    def answer_of(self, critic: AgentId, author: AgentId, round: int) -> TurnFuture:
        """Return the critic's own latest turn, as the author hears it in this round."""
        return self.turn(critic, round if self.cell.speaks_before(critic, author) else round - 1)

    def critique_by(self, critic: AgentId, author: AgentId, round: int) -> TurnFuture:
        """Return the critique of the author's latest turn; of a judge, its own latest turn."""
        if self.cell.agents[critic].spec.role == "judge":
            return self.answer_of(critic, author, round)
        name = ("critique", critic, author, round)
        begun = self._tasks.get(name)
        return begun or self._tasks.start(name, self._take_critique(critic, author, round))

    async def hear(self, author: AgentId, round: int, source: TurnSource) -> Heard:
        """Wait for the turns of the author's critics, for each no longer than its edge allows.

        With a quorum, go on once so many have spoken; a turn on record heard whom it heard.
        A failed turn is not heard, nor, unless the protocol says so, one that was cut. On an edge
        `when: disagreement` nothing is heard, and nothing is asked, while critic and author agree.
        """
        ref = format_turn_ref(round=round, kind="revision", agent=author)
        before = self._calls.find_recorded(self.key, ref)
        was_late = before.late if before else ()

        def is_heard(turn: object) -> TypeGuard[Turn]:
            return isinstance(turn, Turn) and self._visibility.is_heard(turn, author)

        critics = [c for c in self._visibility.choose_critics(author, round) if c not in was_late]
        awaitables = [self._wait_for(critic, author, round, source) for critic in critics]
        quorum = self.cell.spec.quorum
        if before or quorum is None or quorum >= len(awaitables):
            said = await _gather(awaitables)
        else:
            said = await wait_for_quorum(awaitables, quorum, counts=is_heard, late=LATE)
        late = [critic for critic, turn in zip(critics, said, strict=True) if turn is LATE]
        return Heard(turns=tuple([t for t in said if is_heard(t)]), late=(*was_late, *late))

    async def revise(self, author: AgentId, round: int, heard: Heard) -> Turn | None:
        """Have the author answer again, told what it heard; silent where it heard nothing."""
        await self.turn(author, round - 1)
        own_answers = {each.agent: self._find_own_answer(each.agent, round) for each in heard.turns}
        seen = self._visibility.show_turns(author, heard.turns, round, own_answers=own_answers)
        if not seen:
            return await self.keep(author, round)
        shown, refs = list(seen.values()), tuple(seen)
        if self.cell.spec.view.noise:
            shown, refs = self._visibility.replace_by_noise(author, seen, round), ()
        agent = self.cell.agents[author]
        asked = TurnRequest(
            agent=agent,
            prompt=self._build_answer(agent, shown),
            round=round,
            kind="revision",
            heard=refs,
            late=heard.late,
            heard_as=self._visibility.describe_views(author, heard.turns, round, refs),
        )
        return await self._run_own(asked)

    async def keep(self, author: AgentId, round: int) -> Turn | None:
        """Return the author's latest turn, which stands in this round, too.

        With `equal_calls` an author that has critics is asked anew nevertheless: a call that nobody
        hears and no answer depends on, the same as that of `answer_anew`.
        """
        own = await self.turn(author, round - 1)
        if self.cell.spec.equal_calls and own is not None and self.critics(author, round):
            agent = self.cell.agents[author]
            prompt = views.build_fresh_answer(agent, self.question, ())
            await self._runner.run(
                TurnRequest(
                    agent=agent,
                    prompt=prompt,
                    round=round,
                    kind="probe",
                    about=SPARE,
                    drawn_as="revision",
                )
            )
        return own

    async def answer_anew(self, author: AgentId, round: int, told: Sequence[Turn] = ()) -> Turn:
        """Have the author answer as if for the first time, told these answers without a speaker.

        Told nothing, this is an independent new answer (at temperature 0, the same again).
        """
        await self.turn(author, round - 1)
        agent = self.cell.agents[author]
        parts = agent.prompts.spec.carries or ("answer", "reasoning")
        seen = {turn.ref: self._visibility.show_turn(turn, author, parts) for turn in told}
        shown = {ref: views.hide_speaker(each) for ref, each in seen.items() if each is not None}
        prompt = views.build_fresh_answer(agent, self.question, list(shown.values()))
        return await self._runner.run(
            TurnRequest(
                agent=agent, prompt=prompt, round=round, kind="revision", heard=tuple(shown)
            )
        )

    def critics(self, author: AgentId, round: int) -> tuple[AgentId, ...]:
        """Return all who critique the author, whether it hears them or not."""
        return critics_of(self._visibility.get_topology(round), author)

    def shown_to(self, critic: AgentId, subject: Turn, round: int) -> ShownTurn | None:
        """Return what the critic may read of the turn; None where that is nothing."""
        agent = self.cell.agents[critic]
        parts = self._visibility.find_parts(agent, critic, subject.agent, round)
        return self._visibility.show_turn(subject, critic, parts)

    async def judge(
        self,
        critic: AgentId,
        subject: Turn,
        round: int,
        *,
        seen: ShownTurn,
        alternatives: Sequence[str] = (),
        beside: Sequence[str] = (),
    ) -> Turn:
        """Have the critic judge a turn as it is shown, without a past and heard by nobody.

        `beside` names the turns that the alternatives come from.
        """
        await self.turn(critic, round - 1)
        agent = self.cell.agents[critic]
        return await self._runner.run(
            TurnRequest(
                agent=agent,
                prompt=views.build_judgement(agent, self.question, seen, alternatives),
                round=round,
                kind="critique",
                about=subject.agent,
                heard=(subject.ref, *beside),
                told_own=seen.told_own,
            )
        )

    def sample(self, agent: AgentId, number: int) -> TurnFuture:
        """Return one more opening of the agent at temperature 1, private, as a probe.

        `number`, from 1, tells the samples apart.
        """
        name = ("sample", agent, number)
        return self._tasks.get(name) or self._tasks.start(name, self._take_sample(agent, number))

    def opinion(self, turn: Turn | None) -> str | None:
        """Return the answer in the form in which answers are compared; None for an abstention."""
        value = turn.value if turn else None
        return None if value is None else self.cell.normalise(value, self.question)

    # What runs a debate and reads it.

    def start(self) -> None:
        """Start all turns of every speaker: each is taken as soon as what it hears is there."""
        for agent in self.cell.speakers:
            self._tasks.start_rounds(agent, range(self.cell.rounds + 1), self._take_turn)

    def cancel(self) -> None:
        """Cancel the turns that are still being taken: late critics, or all after an error."""
        self._tasks.cancel()

    def transcript(self, round: int) -> Transcript:
        """Return all turns up to and including the round, by round, kind and seat."""
        return self._runner.record.make_transcript(round)

    def request(self, ref: str) -> Request:
        """Return the request that a turn replied to."""
        return self._runner.record.get_request(ref)

    # How turns are taken and waited for.

    def _take_turn(self, agent: AgentId, round: int) -> Awaitable[Turn | None]:
        if self.cell.agents[agent].spec.role == "judge":
            return self._take_judge_turn(agent, round)
        if round == 0:
            return self._take_opening(agent)
        return self.cell.protocol(self, agent, round)

    async def _take_opening(self, author: AgentId) -> Turn:
        agent = self.cell.agents[author]
        prompt = AgentPrompt(messages=self._get_start(agent))
        asked = TurnRequest(agent=agent, prompt=prompt, round=0, kind="opening")
        turn = await self._runner.run(asked)
        self._own_turns[author].append(views.make_own_turn(agent, turn))
        return turn

    async def _take_judge_turn(self, judge: AgentId, round: int) -> Turn | None:
        own = await self.turn(judge, round - 1)
        judged = authors_of(self._visibility.get_topology(round), judge)
        said = await gather_futures([self.turn(author, round) for author in judged])
        turns = [turn for turn in said if turn is not None]
        seen = self._visibility.show_turns(judge, turns, round, judging=True)
        if not seen or (own is not None and set(seen) <= set(own.heard)):
            return own
        agent = self.cell.agents[judge]
        views = self._visibility.describe_views(judge, turns, round, seen, judging=True)
        return await self._run_own(
            TurnRequest(
                agent=agent,
                prompt=self._build_answer(agent, list(seen.values())),
                round=round,
                kind="judgment",
                heard=tuple(seen),
                heard_as=views,
            )
        )

    async def _take_critique(self, critic: AgentId, author: AgentId, round: int) -> Turn | None:
        """Take one critique; None where there is nothing to review."""
        await self.turn(critic, round - 1)
        subject = await self.turn(author, round - 1)
        if subject is None:
            return None
        agent = self.cell.agents[critic]
        seen = self._visibility.show_subject(subject, agent)
        if seen is None:
            return None
        start = self._get_start(agent)
        own_turns = [own for own in self._own_turns[critic] if own.turn.round < round]
        return await self._runner.run(
            TurnRequest(
                agent=agent,
                prompt=views.build_critique(agent, self.question, own_turns, seen, start=start),
                round=round,
                kind="critique",
                about=author,
                heard=(subject.ref,),
                told_own=seen.told_own,
            )
        )

    async def _take_sample(self, author: AgentId, number: int) -> Turn:
        await self.turn(author, 0)
        agent = self.cell.agents[author]
        return await self._runner.run(
            TurnRequest(
                agent=agent,
                prompt=views.build_opening(agent, self.question),
                round=0,
                kind="probe",
                about=f"sample-{number}",
                temperature=1.0,
                asked_as="opening",
            )
        )

    async def _run_own(self, asked: TurnRequest) -> Turn:
        """Take a turn that becomes part of its agent's own context."""
        turn = await self._runner.run(asked)
        own = views.make_own_turn(asked.agent, turn, asked.prompt.messages[-1])
        self._own_turns[asked.agent.id].append(own)
        return turn

    def _build_answer(self, agent: Agent, shown: Sequence[ShownTurn]) -> AgentPrompt:
        own_turns, start = self._own_turns[agent.id], self._get_start(agent)
        return views.build_answer(agent, self.question, own_turns, shown, start=start)

    def _find_own_answer(self, agent: AgentId, round: int) -> str | None:
        """Return the answer of the agent's latest own turn before the round."""
        before = [own.turn for own in self._own_turns[agent] if own.turn.round < round]
        return before[-1].value if before else None

    def _get_start(self, agent: Agent) -> tuple[Message, ...]:
        """Return the beginning of all of the agent's prompts in this debate."""
        if agent.id not in self._starts:
            self._starts[agent.id] = views.build_start(agent, self.question)
        return self._starts[agent.id]

    def _wait_for(
        self, critic: AgentId, author: AgentId, round: int, source: TurnSource
    ) -> Awaitable[Turn | object | None]:
        edge = self._visibility.get_edge(critic, author, round)
        if edge.when == "always" and edge.timeout_s is None:
            return source(critic, author, round)
        return self._wait_as_edge_allows(edge, critic, author, round, source)

    async def _wait_as_edge_allows(
        self, edge: Edge, critic: AgentId, author: AgentId, round: int, source: TurnSource
    ) -> Turn | object | None:
        if edge.when == "disagreement" and await self._agree(critic, author, round):
            return None
        if edge.timeout_s is None:
            return await source(critic, author, round)
        speaking = asyncio.ensure_future(source(critic, author, round))
        try:
            return await asyncio.wait_for(asyncio.shield(speaking), edge.timeout_s)
        except TimeoutError:
            return LATE

    async def _agree(self, critic: AgentId, author: AgentId, round: int) -> bool:
        theirs = self.opinion(await self.answer_of(critic, author, round))
        own = self.opinion(await self.turn(author, round - 1))
        return theirs is not None and theirs == own


async def _gather(awaitables: Sequence[Awaitable[T]]) -> Sequence[T]:
    """Await all of them at once; shared futures are set by tasks of their own and need no more."""
    if all(isinstance(each, SharedFuture) for each in awaitables):
        return await gather_futures(cast("Sequence[SharedFuture[T]]", awaitables))
    return await asyncio.gather(*awaitables)
