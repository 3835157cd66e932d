"""One debate: turns as tasks that wait for nothing but the turns that they must hear."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, get_args

from debate.agents import view
from debate.agents.agent import Agent, call_hash, call_seed, sampling
from debate.agents.reading import read
from debate.agents.view import Shown, Step, View
from debate.config.decision import DecisionSpec
from debate.config.protocol import ProbeSpec, ProtocolSpec
from debate.engines.base import Request, Scene
from debate.orchestrator.calls import Calls, Draft
from debate.topologies import Schedule, Topology, edge, heard_critics
from debate.topologies import authors as authors_of
from debate.types import AgentId, DebateKey, Kind, Question, Transcript, Turn, speaks, turn_ref

KINDS: Final = get_args(Kind)
LATE: Final = object()
"""Stands for a critic that an edge's time-out did not wait for."""

Protocol = Callable[["Debate", AgentId, int], Awaitable[Turn | None]]
"""How one agent takes its turn of one round: `await` what it must hear, then speak."""

Source = Callable[[AgentId, AgentId, int], Awaitable[Turn | None]]
"""What an author hears from a critic in a round."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What an author hears in one round, and which critics it did not wait for."""

    turns: tuple[Turn, ...] = ()
    late: tuple[str, ...] = ()


class Debate:
    """The state of one debate, and the verbs that protocols are written in."""

    def __init__(self, question: Question, cell: Cell, calls: Calls, *, seed: int) -> None:
        self.question = question
        self.cell = cell
        self.key = DebateKey(cell=cell.name, question=question.id, seed=seed)
        self._calls = calls
        self._tasks: dict[tuple[str, ...], asyncio.Task[Turn | None]] = {}
        self._steps: dict[AgentId, list[Step]] = {agent: [] for agent in cell.agents}
        self._requests: dict[str, Request] = {}
        self._turns: dict[str, Turn] = {}
        self._names = view.speaker_names(self.key, list(cell.agents), anonymous=cell.spec.anonymous)

    # What a protocol asks.

    def speaks(self, agent: AgentId) -> bool:
        """Whether the agent takes a turn of its own in each round: critics do not."""
        return self.cell.agents[agent].spec.role != "critic"

    async def turn(self, agent: AgentId, round: int) -> Turn | None:
        """The agent's latest own turn as of the round; None where it has none."""
        return await self._once(("turn", agent, str(round)), lambda: self._turn(agent, round))

    async def answer_of(self, critic: AgentId, author: AgentId, round: int) -> Turn | None:
        """The critic's own latest answer, as the author hears it in this round."""
        return await self.turn(critic, round if self._speaks_before(critic, author) else round - 1)

    async def critique_by(self, critic: AgentId, author: AgentId, round: int) -> Turn | None:
        """What the critic says of the author's latest turn; a judge's feedback is its judgment."""
        if self.cell.agents[critic].spec.role == "judge":
            return await self.answer_of(critic, author, round)
        place = ("critique", critic, author, str(round))
        return await self._once(place, lambda: self._critique(critic, author, round))

    async def hear(self, author: AgentId, round: int, source: Source) -> Heard:
        """Wait for what the author's critics say, each no longer than its edge allows.

        A failed turn is not heard. On an edge `when: disagreement` nothing is heard, and nothing
        is asked, while critic and author agree.
        """
        before = self._calls.recorded(
            self.key, turn_ref(round=round, kind="revision", agent=author)
        )
        critics = [c for c in self._heard_critics(author, round) if not _was_late(before, c)]
        said = await asyncio.gather(*(self._said(c, author, round, source) for c in critics))
        late = tuple(c for c, turn in zip(critics, said, strict=True) if turn is LATE)
        turns = tuple(turn for turn in said if isinstance(turn, Turn) and turn.failure is None)
        return Heard(turns=turns, late=(*(before.late if before else ()), *late))

    async def revise(self, author: AgentId, round: int, heard: Heard) -> Turn | None:
        """The author answers again in the light of what it heard; silent where it heard nothing."""
        own = await self.turn(author, round - 1)
        seen = self._show(author, heard.turns, round)
        if not seen:
            return own
        agent = self.cell.agents[author]
        shown = list(seen.values())
        made = view.respond(agent, self.question, self._steps[author], shown)
        turn = await self._take(
            agent, made, round=round, kind="revision", heard=tuple(seen), late=heard.late
        )
        self._steps[author].append(Step(turn=turn, asked=made.messages[-1]))
        return turn

    async def answer_anew(self, author: AgentId, round: int, told: Sequence[Turn] = ()) -> Turn:
        """The author answers as if for the first time, told these answers without a speaker.

        Told nothing, this is an independent new answer (at temperature 0, the same again).
        """
        await self.turn(author, round - 1)
        agent = self.cell.agents[author]
        carries = agent.prompts.spec.carries or ("answer", "reasoning")
        seen = {turn.ref: self._shown(turn, author, carries) for turn in told}
        shown = {ref: view.unnamed(what) for ref, what in seen.items() if what is not None}
        made = view.afresh(agent, self.question, list(shown.values()))
        return await self._take(agent, made, round=round, kind="revision", heard=tuple(shown))

    # How turns come about.

    async def _turn(self, agent: AgentId, round: int) -> Turn | None:
        role = self.cell.agents[agent].spec.role
        if round < 0 or role == "critic":
            return None
        if role == "judge":
            return await self._judge(agent, round)
        if round == 0:
            return await self._open(agent)
        return await self.cell.protocol(self, agent, round)

    async def _open(self, author: AgentId) -> Turn:
        agent = self.cell.agents[author]
        turn = await self._take(agent, view.opening(agent, self.question), round=0, kind="opening")
        self._steps[author].append(Step(turn=turn))
        return turn

    async def _judge(self, judge: AgentId, round: int) -> Turn | None:
        own = await self.turn(judge, round - 1)
        judged = authors_of(self._topology(max(round, 1)), judge)
        said = await asyncio.gather(*(self.turn(author, round) for author in judged))
        turns = [turn for turn in said if turn is not None and turn.failure is None]
        seen = self._show(judge, turns, max(round, 1), judging=True)
        if not seen or (own is not None and set(seen) <= set(own.heard)):
            return own
        agent = self.cell.agents[judge]
        shown = list(seen.values())
        made = view.respond(agent, self.question, self._steps[judge], shown)
        turn = await self._take(agent, made, round=round, kind="judgment", heard=tuple(seen))
        self._steps[judge].append(Step(turn=turn, asked=made.messages[-1]))
        return turn

    async def _critique(self, critic: AgentId, author: AgentId, round: int) -> Turn | None:
        """One critique; None where there is nothing to review."""
        await self.turn(critic, round - 1)
        subject = await self.turn(author, round - 1)
        if subject is None or subject.failure is not None:
            return None
        agent = self.cell.agents[critic]
        carries = self._carries(agent, critic, author, round)
        seen = self._shown(subject, critic, carries)
        if seen is None:
            return None
        steps = [step for step in self._steps[critic] if step.turn.round < round]
        made = view.review(agent, self.question, steps, seen)
        return await self._take(
            agent, made, round=round, kind="critique", about=author, heard=(subject.ref,)
        )

    async def _take(
        self,
        agent: Agent,
        made: View,
        *,
        round: int,
        kind: Kind,
        about: AgentId | None = None,
        heard: tuple[str, ...] = (),
        late: tuple[str, ...] = (),
    ) -> Turn:
        seed = call_seed(
            seed=self.key.seed,
            question=self.key.question,
            agent=agent.id,
            round=round,
            kind=kind,
            about=about,
        )
        blank = Turn(
            cell=self.key.cell,
            question=self.key.question,
            seed=self.key.seed,
            round=round,
            kind=kind,
            agent=agent.id,
            about=about,
            model=agent.spec.model,
            heard=heard,
            late=late,
            dropped=made.dropped,
            prompt=made.messages if self.cell.keep_prompts else None,
            sampling_seed=seed if agent.spec.sampling.temperature > 0 else None,
            simulated=agent.capabilities.simulated,
        )
        request = Request(
            id=f"{self.key.cell}/{self.key.question}/{self.key.seed}/{blank.ref}",
            messages=made.messages,
            sampling=sampling(agent, seed),
            affinity=f"{self.key.question}/{self.key.seed}",
            scene=self._scene(agent, blank) if agent.capabilities.needs_scene else None,
        )

        async def compute(blank: Turn) -> Turn:
            reply = await self._calls.clients[agent.spec.model].complete(request)
            said = read(agent, self.question, kind, reply)
            value = said.answer.value if said.answer else None
            scored = said.answer is not None
            return replace(
                blank,
                text=reply.text,
                answer=said.answer,
                accepts=said.accepts,
                correct=self.cell.score(value, self.question) if scored else None,
                confidences=said.confidences,
                usage=reply.usage,
                failure=reply.failure,
            )

        digest = call_hash(agent, request)
        turn = await self._calls.take(Draft(turn=blank, digest=digest, compute=compute))
        self._turns[turn.ref] = turn
        self._requests[turn.ref] = request
        return turn

    # What is heard of whom.

    def _topology(self, round: int) -> Topology:
        return self.cell.schedule.at(round, seed=self.key.seed)

    def _speaks_before(self, critic: AgentId, author: AgentId) -> bool:
        """Whether the author hears the critic's turn of the same round; judges speak last."""
        order = list(self.cell.agents)
        sequential = self.cell.spec.speaking == "sequential"
        judges = self.cell.agents[critic].spec.role == "judge"
        return sequential and not judges and order.index(critic) < order.index(author)

    def _heard_critics(self, author: AgentId, round: int) -> list[AgentId]:
        """The critics that the author hears; beyond `max_critics`, as many drawn by seed."""
        critics = list(heard_critics(self._topology(round), author))
        most = self.cell.spec.view.max_critics
        if most is None or len(critics) <= most:
            return critics
        name = f"critics/{self.key.seed}/{self.key.question}/{author}/{round}"
        return random.Random(name).sample(critics, most)

    async def _said(
        self, critic: AgentId, author: AgentId, round: int, source: Source
    ) -> Turn | object | None:
        along = edge(self._topology(round), critic, author)
        if along.when == "disagreement" and await self._agree(critic, author, round):
            return None
        if along.timeout_s is None:
            return await source(critic, author, round)
        speaking = asyncio.ensure_future(source(critic, author, round))
        try:
            return await asyncio.wait_for(asyncio.shield(speaking), along.timeout_s)
        except TimeoutError:
            return LATE

    async def _agree(self, critic: AgentId, author: AgentId, round: int) -> bool:
        theirs = await self.answer_of(critic, author, round)
        own = await self.turn(author, round - 1)
        values = [self.opinion(turn) for turn in (theirs, own)]
        return None not in values and values[0] == values[1]

    def opinion(self, turn: Turn | None) -> str | None:
        """The answer in the form in which answers are compared; None for an abstention."""
        value = turn.value if turn else None
        return None if value is None else self.cell.normalise(value, self.question)

    def _show(
        self, viewer: AgentId, turns: Sequence[Turn], round: int, *, judging: bool = False
    ) -> dict[str, Shown]:
        """What the viewer is shown of these turns, by their refs."""
        agent, seen = self.cell.agents[viewer], {}
        for turn in turns:
            critic, author = (viewer, turn.agent) if judging else (turn.agent, viewer)
            what = self._shown(turn, viewer, self._carries(agent, critic, author, round))
            if what is not None:
                seen[turn.ref] = what
        return seen

    def _shown(self, turn: Turn, viewer: AgentId, carries: Sequence[str]) -> Shown | None:
        return view.shown(
            turn,
            viewer=viewer,
            name=self._names[turn.agent],
            carries=carries,
            confidence=self.cell.spec.show_confidence,
        )

    def _carries(
        self, viewer: Agent, critic: AgentId, author: AgentId, round: int
    ) -> tuple[str, ...]:
        """What edge, protocol and prompt set all let through."""
        topology = self._topology(max(round, 1))
        allowed = set(edge(topology, critic, author).carries)
        if viewer.prompts.spec.carries is not None:
            allowed &= set(viewer.prompts.spec.carries)
        if self.cell.spec.view.answers_only:
            allowed -= {"reasoning"}
        return tuple(sorted(allowed))

    def _scene(self, agent: Agent, blank: Turn) -> Scene:
        """What a simulated agent may know: its own turns, and all that it has heard."""
        own = [turn for turn in self._turns.values() if turn.agent == agent.id and speaks(turn)]
        known = {ref for turn in own for ref in turn.heard} | set(blank.heard)
        turns = [*own, *(self._turns[ref] for ref in known if self._turns[ref] not in own)]
        subject = self._turns[blank.heard[0]] if blank.kind == "critique" else None
        return Scene(
            question=self.question,
            seed=blank.seed,
            round=blank.round,
            kind=blank.kind,
            agent=agent.id,
            about=blank.about,
            subject=subject,
            heard=blank.heard,
            turns=tuple(sorted(turns, key=lambda turn: (turn.round, turn.ref))),
        )

    # The whole.

    async def _once(
        self, place: tuple[str, ...], take: Callable[[], Coroutine[Any, Any, Turn | None]]
    ) -> Turn | None:
        """The turn at this place, taken at its first mention and only then."""
        if place not in self._tasks:
            self._tasks[place] = asyncio.ensure_future(take())
        return await asyncio.shield(self._tasks[place])

    def transcript(self, round: int) -> Transcript:
        """All turns up to and including the round, by round, kind and seat."""
        order = {agent: number for number, agent in enumerate(self.cell.agents)}
        turns = [turn for turn in self._turns.values() if turn.round <= round]
        turns.sort(key=lambda t: (t.round, KINDS.index(t.kind), order[t.agent], t.about or ""))
        return Transcript(debate=self.key, round=round, turns=tuple(turns))

    def request(self, ref: str) -> Request:
        """The request that a turn replied to."""
        return self._requests[ref]

    def abandon(self) -> None:
        """Stop whatever is still under way: late critics, or all of it after an error."""
        for task in self._tasks.values():
            task.cancel()
            task.add_done_callback(_noted)


def _was_late(turn: Turn | None, critic: AgentId) -> bool:
    return turn is not None and critic in turn.late


def _noted(task: asyncio.Task[Turn | None]) -> None:
    """Look at how a task ended, so that an error which others have told is not told again."""
    if not task.cancelled():
        task.exception()
