"""One debate: turns as tasks that wait for nothing but the turns that they must hear."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias, TypeGuard, TypeVar, cast, get_args

from debate.agents import view
from debate.agents.agent import Agent, call_hash, call_seed, sampling
from debate.agents.noise import noise
from debate.agents.reading import read
from debate.agents.view import Shown, Step, View
from debate.engines.base import Request, Scene
from debate.orchestrator.calls import Calls, Draft
from debate.orchestrator.cell import Cell, along, heard_by, passing
from debate.orchestrator.promise import Promise, all_kept
from debate.orchestrator.quorum import enough
from debate.topologies import Topology
from debate.topologies import authors as authors_of
from debate.topologies import critics as critics_of
from debate.types import (
    AgentId,
    DebateKey,
    Kind,
    Message,
    Question,
    Transcript,
    Turn,
    speaks,
    turn_ref,
)

__all__ = ["Cell", "Debate", "Heard", "Protocol", "Source"]

T = TypeVar("T")
KINDS: Final = {kind: number for number, kind in enumerate(get_args(Kind))}
LATE: Final = object()
"""Stands for a critic that an edge's time-out did not wait for."""

Spoken: TypeAlias = Promise[Turn | None]
NOTHING: Final[Spoken] = Promise.kept(None)
"""The turn of whoever has none."""

Protocol = Callable[["Debate", AgentId, int], Awaitable[Turn | None]]
"""How one agent takes its turn of one round: `await` what it must hear, then speak."""

Source = Callable[[AgentId, AgentId, int], Awaitable[Turn | None]]
"""What an author hears from a critic in a round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What an author hears in one round, and which critics it did not wait for."""

    turns: tuple[Turn, ...] = ()
    late: tuple[str, ...] = ()


class Placed(NamedTuple):
    """A turn and where it stands in a transcript."""

    place: tuple[int, int, int, str]
    turn: Turn


class Debate:
    """The state of one debate, and the verbs that protocols are written in."""

    def __init__(self, question: Question, cell: Cell, calls: Calls, *, seed: int) -> None:
        self.question = question
        self.cell = cell
        self.key = DebateKey(cell=cell.name, question=question.id, seed=seed)
        self._calls = calls
        self._tasks: list[asyncio.Task[None]] = []
        self._promised: dict[tuple[AgentId, int], Spoken] = {}
        self._critiques: dict[tuple[AgentId, AgentId, int], Spoken] = {}
        self._samples: dict[tuple[AgentId, int], Spoken] = {}
        self._topologies: dict[int, Topology] = {}
        self._starts: dict[AgentId, tuple[Message, ...]] = {}
        self._steps: dict[AgentId, list[Step]] = {agent: [] for agent in cell.agents}
        self._requests: dict[str, Request] = {}
        self._turns: dict[str, Turn] = {}
        self._order: list[Placed] = []
        self._names = view.speaker_names(self.key, list(cell.agents), anonymous=cell.spec.anonymous)

    # What a protocol asks. Each verb may be awaited at once, or begun here and awaited later.

    def speaks(self, agent: AgentId) -> bool:
        """Whether the agent takes a turn of its own in each round: critics do not."""
        return self.cell.agents[agent].spec.role != "critic"

    def turn(self, agent: AgentId, round: int) -> Spoken:
        """The agent's latest own turn as of the round; None where it has none."""
        if round < 0 or not self.speaks(agent):
            return NOTHING
        promise = self._promised.get((agent, round))
        if promise is None:
            promise = self._promised[agent, round] = Promise()
            self._begin(_keep(promise, self._turn(agent, round)))
        return promise

    def answer_of(self, critic: AgentId, author: AgentId, round: int) -> Spoken:
        """The critic's own latest answer, as the author hears it in this round."""
        return self.turn(critic, round if self.cell.speaks_before(critic, author) else round - 1)

    def critique_by(self, critic: AgentId, author: AgentId, round: int) -> Spoken:
        """What the critic says of the author's latest turn; a judge's feedback is its judgment."""
        if self.cell.agents[critic].spec.role == "judge":
            return self.answer_of(critic, author, round)
        promise = self._critiques.get((critic, author, round))
        if promise is None:
            promise = self._critiques[critic, author, round] = Promise()
            self._begin(_keep(promise, self._critique(critic, author, round)))
        return promise

    def begin(self) -> None:
        """Set every speaker going, through all rounds: each turn as soon as it can be taken."""
        for agent in self.cell.speakers:
            rounds = range(self.cell.rounds + 1)
            promises: list[Spoken] = [Promise() for _ in rounds]
            self._promised.update(zip(((agent, round) for round in rounds), promises, strict=True))
            self._begin(self._speak_through(agent, promises))

    async def _speak_through(self, agent: AgentId, promises: Sequence[Spoken]) -> None:
        """Take the agent's turns in their order; if one fails, none that follow can be taken."""
        for round, promise in enumerate(promises):
            try:
                turn = await self._turn(agent, round)
            except BaseException as error:
                for missing in promises[round:]:
                    missing.fail(error)
                raise
            promise.keep(turn)

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(coroutine))

    async def hear(self, author: AgentId, round: int, source: Source) -> Heard:
        """Wait for what the author's critics say, each no longer than its edge allows.

        With a quorum, go on once so many have spoken; a turn on record heard whom it heard.
        A failed turn is not heard. On an edge `when: disagreement` nothing is heard, and nothing
        is asked, while critic and author agree.
        """
        before = self._calls.recorded(
            self.key, turn_ref(round=round, kind="revision", agent=author)
        )
        critics = [c for c in self._heard_critics(author, round) if not _was_late(before, c)]
        voices = [self._said(c, author, round, source) for c in critics]
        quorum = None if before else self.cell.spec.quorum
        if quorum is None or quorum >= len(voices):
            said = await _all(voices)
        else:
            said = await enough(voices, quorum, counts=_is_heard, late=LATE)
        late = tuple(c for c, turn in zip(critics, said, strict=True) if turn is LATE)
        turns = tuple(turn for turn in said if _is_heard(turn))
        return Heard(turns=turns, late=(*(before.late if before else ()), *late))

    async def revise(self, author: AgentId, round: int, heard: Heard) -> Turn | None:
        """The author answers again in the light of what it heard; silent where it heard nothing."""
        own = await self.turn(author, round - 1)
        seen = self._show(author, heard.turns, round)
        if not seen:
            return own
        agent = self.cell.agents[author]
        shown, refs = list(seen.values()), tuple(seen)
        if self.cell.spec.view.noise:
            shown, refs = self._noise(author, seen, round), ()
        start = self._start(agent)
        made = view.respond(agent, self.question, self._steps[author], shown, start=start)
        turn = await self._take(
            agent, made, round=round, kind="revision", heard=refs, late=heard.late
        )
        self._steps[author].append(Step(turn=turn, asked=made.messages[-1]))
        return turn

    def _noise(self, author: AgentId, seen: Mapping[str, Shown], round: int) -> list[Shown]:
        """Noise in place of all that the author would hear, drawn anew for each turn."""
        place = f"noise/{self.key.seed}/{self.key.question}/{author}/{round}"
        return [
            noise(what, self.question, random.Random(f"{place}/{ref}"))
            for ref, what in seen.items()
        ]

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

    def critics(self, author: AgentId, round: int) -> tuple[AgentId, ...]:
        """All who critique the author, whether it hears them or not."""
        return critics_of(self._topology(round), author)

    def shown_to(self, critic: AgentId, subject: Turn, round: int) -> Shown | None:
        """What the critic may read of the turn; None where that is nothing."""
        carries = self._carries(self.cell.agents[critic], critic, subject.agent, round)
        return self._shown(subject, critic, carries)

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
        return await self._take(
            agent, made, round=round, kind="critique", about=subject.agent, heard=read
        )

    def sample(self, agent: AgentId, number: int) -> Spoken:
        """One more opening of the agent at temperature 1, private, as a probe; `number` from 1."""
        promise = self._samples.get((agent, number))
        if promise is None:
            promise = self._samples[agent, number] = Promise()
            self._begin(_keep(promise, self._sample(agent, number)))
        return promise

    async def _sample(self, author: AgentId, number: int) -> Turn | None:
        await self.turn(author, 0)
        agent = self.cell.agents[author]
        made = view.opening(agent, self.question)
        return await self._take(
            agent, made, round=0, kind="probe", about=f"sample-{number}", temperature=1.0,
            asked_as="opening",
        )  # fmt: skip

    # How turns come about.

    async def _turn(self, agent: AgentId, round: int) -> Turn | None:
        if self.cell.agents[agent].spec.role == "judge":
            return await self._judge(agent, round)
        if round == 0:
            return await self._open(agent)
        return await self.cell.protocol(self, agent, round)

    async def _open(self, author: AgentId) -> Turn:
        agent = self.cell.agents[author]
        made = View(messages=self._start(agent))
        turn = await self._take(agent, made, round=0, kind="opening")
        self._steps[author].append(Step(turn=turn))
        return turn

    async def _judge(self, judge: AgentId, round: int) -> Turn | None:
        own = await self.turn(judge, round - 1)
        judged = authors_of(self._topology(max(round, 1)), judge)
        said = await all_kept([self.turn(author, round) for author in judged])
        turns = [turn for turn in said if turn is not None and turn.failure is None]
        seen = self._show(judge, turns, max(round, 1), judging=True)
        if not seen or (own is not None and set(seen) <= set(own.heard)):
            return own
        agent = self.cell.agents[judge]
        shown = list(seen.values())
        start = self._start(agent)
        made = view.respond(agent, self.question, self._steps[judge], shown, start=start)
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
        made = view.review(agent, self.question, steps, seen, start=self._start(agent))
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
        temperature: float | None = None,
        asked_as: Kind | None = None,
    ) -> Turn:
        """A turn; `temperature` and `asked_as` stand over the agent's own and the turn's kind."""
        key, spec = self.key, agent.spec
        ref = turn_ref(round=round, kind=kind, agent=agent.id, about=about)
        seed = None
        if (spec.sampling.temperature if temperature is None else temperature) > 0:
            seed = call_seed(
                seed=key.seed,
                question=key.question,
                agent=agent.id,
                round=round,
                kind=kind,
                about=about,
            )
        scene = None
        if agent.capabilities.needs_scene:
            asked = asked_as or kind
            scene = self._scene(agent, round=round, kind=asked, about=about, heard=heard)
        request = Request(
            id=f"{key.cell}/{key.question}/{key.seed}/{ref}",
            messages=made.messages,
            sampling=sampling(agent, seed, temperature=temperature),
            affinity=f"{key.question}/{key.seed}",
            scene=scene,
        )
        digest = call_hash(agent, request)
        fields = {
            "cell": key.cell,
            "question": key.question,
            "seed": key.seed,
            "round": round,
            "kind": kind,
            "agent": agent.id,
            "about": about,
            "model": spec.model,
            "heard": heard,
            "late": late,
            "dropped": made.dropped,
            "prompt": made.messages if self.cell.keep_prompts else None,
            "prompt_hash": digest,
            "sampling_seed": seed,
            "simulated": agent.capabilities.simulated,
            "started_at": time.time(),
        }

        async def compute(fields: Mapping[str, Any]) -> Turn:
            reply = await self._calls.clients[spec.model].complete(request)
            said = read(agent, self.question, kind, reply)
            correct = None
            if said.answer is not None:
                correct = self.cell.score(said.answer.value, self.question)
            return Turn(
                **fields,
                text=reply.text,
                answer=said.answer,
                accepts=said.accepts,
                correct=correct,
                confidences=said.confidences,
                usage=reply.usage,
                failure=reply.failure,
                finished_at=time.time(),
            )

        draft = Draft(debate=key, ref=ref, digest=digest, fields=fields, compute=compute)
        turn = await self._calls.take(draft)
        self._note(ref, turn, request)
        return turn

    def _note(self, ref: str, turn: Turn, request: Request) -> None:
        """Remember a turn that was taken."""
        self._turns[ref] = turn
        self._requests[ref] = request
        seat = self.cell.seat_numbers[turn.agent]
        place = (turn.round, KINDS[turn.kind], seat, turn.about or "")
        insort(self._order, Placed(place, turn), key=itemgetter(0))

    def _start(self, agent: Agent) -> tuple[Message, ...]:
        """How all of the agent's prompts in this debate begin."""
        if agent.id not in self._starts:
            self._starts[agent.id] = view.start(agent, self.question)
        return self._starts[agent.id]

    # What is heard of whom.

    def _topology(self, round: int) -> Topology:
        if round not in self._topologies:
            self._topologies[round] = self.cell.schedule.at(round, seed=self.key.seed)
        return self._topologies[round]

    def _heard_critics(self, author: AgentId, round: int) -> list[AgentId]:
        """The critics that the author hears; beyond `max_critics`, as many drawn by seed."""
        critics = list(heard_by(self._topology(round), author))
        most = self.cell.spec.view.max_critics
        if most is None or len(critics) <= most:
            return critics
        name = f"critics/{self.key.seed}/{self.key.question}/{author}/{round}"
        return random.Random(name).sample(critics, most)

    def _said(
        self, critic: AgentId, author: AgentId, round: int, source: Source
    ) -> Awaitable[Turn | object | None]:
        by = along(self._topology(round), critic, author)
        if by.when == "always" and by.timeout_s is None:
            return source(critic, author, round)
        return self._said_in_time(critic, author, round, source)

    async def _said_in_time(
        self, critic: AgentId, author: AgentId, round: int, source: Source
    ) -> Turn | object | None:
        by = along(self._topology(round), critic, author)
        if by.when == "disagreement" and await self._agree(critic, author, round):
            return None
        if by.timeout_s is None:
            return await source(critic, author, round)
        speaking = asyncio.ensure_future(source(critic, author, round))
        try:
            return await asyncio.wait_for(asyncio.shield(speaking), by.timeout_s)
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
        by = along(self._topology(max(round, 1)), critic, author)
        limit = viewer.prompts.spec.carries
        return passing(by.carries, limit, answers_only=self.cell.spec.view.answers_only)

    def _scene(
        self,
        agent: Agent,
        *,
        round: int,
        kind: Kind,
        about: AgentId | None,
        heard: tuple[str, ...],
    ) -> Scene:
        """What a simulated agent may know: its own turns, and all that it has heard."""
        before = round + 1 if kind == "probe" else round
        own = [
            turn
            for turn in self._turns.values()
            if turn.agent == agent.id and turn.round < before and speaks(turn)
        ]
        known = {ref for turn in own for ref in turn.heard} | set(heard)
        turns = [*own, *(self._turns[ref] for ref in known if self._turns[ref] not in own)]
        return Scene(
            question=self.question,
            seed=self.key.seed,
            round=round,
            kind=kind,
            agent=agent.id,
            about=about,
            subject=self._turns[heard[0]] if kind == "critique" else None,
            heard=heard,
            turns=tuple(sorted(turns, key=lambda turn: (turn.round, turn.ref))),
        )

    # The whole.

    def transcript(self, round: int) -> Transcript:
        """All turns up to and including the round, by round, kind and seat."""
        end = bisect_left(self._order, (round + 1,), key=itemgetter(0))
        turns = tuple(placed.turn for placed in self._order[:end])
        return Transcript(debate=self.key, round=round, turns=turns)

    def request(self, ref: str) -> Request:
        """The request that a turn replied to."""
        return self._requests[ref]

    def abandon(self) -> None:
        """Stop whatever is still under way: late critics, or all of it after an error."""
        for task in self._tasks:
            task.cancel()
            task.add_done_callback(_noted)


async def _keep(promise: Promise[T], coroutine: Awaitable[T]) -> None:
    """Keep the promise with what the coroutine returns, or fail it with what it raises."""
    try:
        value = await coroutine
    except BaseException as error:
        promise.fail(error)
        raise
    promise.keep(value)


async def _all(awaitables: Sequence[Awaitable[T]]) -> Sequence[T]:
    """Await all of them at once. What is promised is under way by itself and needs no task."""
    if all(isinstance(each, Promise) for each in awaitables):
        return await all_kept(cast("Sequence[Promise[T]]", awaitables))
    return await asyncio.gather(*awaitables)


def _is_heard(turn: object) -> TypeGuard[Turn]:
    return isinstance(turn, Turn) and turn.failure is None


def _was_late(turn: Turn | None, critic: AgentId) -> bool:
    return turn is not None and critic in turn.late


def _noted(task: asyncio.Task[None]) -> None:
    """Look at how a task ended, so that an error which others have told is not told again."""
    if not task.cancelled():
        task.exception()
