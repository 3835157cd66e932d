"""The way from a prompt to a turn: its request, id and digest, and the parsing of its reply."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias, get_args

from debate.agents.agent import (
    Agent,
    derive_call_seed,
    hash_call,
    is_greedy,
    make_sampling,
    read_reply,
)
from debate.agents.final_line import (
    add_final_line,
    build_final_line_request,
    hash_call_with_line,
    lacks_final_line,
    may_ask_final_line,
)
from debate.agents.human_reply import make_reply_form
from debate.agents.tool_use import (
    build_next_request,
    count_most_calls,
    hash_call_with_tools,
    list_tools,
    make_step,
    plan_calls,
)
from debate.agents.views import AgentPrompt
from debate.engines.base import Completion, DebateState, Request
from debate.errors import BoundaryError
from debate.orchestrator.call_store import CallStore, PendingTurn, sum_usages
from debate.orchestrator.condition import Condition
from debate.types import (
    NO_FINAL_LINE,
    AgentId,
    CallResult,
    DebateKey,
    Failure,
    HeardAs,
    Kind,
    Question,
    ToolStep,
    Transcript,
    Turn,
    format_turn_ref,
    states_answer,
)

KINDS: Final = {kind: number for number, kind in enumerate(get_args(Kind))}

TurnOrder: TypeAlias = tuple[int, int, int, str]
"""Round, kind, seat and whom it is about: no two turns of a debate have all in common."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnRequest:
    """A prompt for an agent, and its place in the debate.

    `heard` names turns by their ref, `late` critics; `heard_as` says what was kept back of them.
    `told_own`: whether a critic is told that what it reviews is its own; None where it is told
    nothing.
    `temperature` and `asked_as` override the agent's own and the turn's kind. With `drawn_as` its
    call is the very one of a turn of that kind about nobody: with that one's seed, shared with it.
    """

    agent: Agent
    prompt: AgentPrompt
    round: int
    kind: Kind
    about: AgentId | None = None
    heard: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    heard_as: tuple[HeardAs, ...] = ()
    temperature: float | None = None
    asked_as: Kind | None = None
    drawn_as: Kind | None = None
    told_own: bool | None = None

    @property
    def call_kind(self) -> Kind:
        """The kind of turn that the call is made for."""
        return self.drawn_as or self.asked_as or self.kind

    @property
    def may_ask_final_line(self) -> bool:
        """Whether it is asked for its final line if its reply states no answer."""
        return may_ask_final_line(self.agent, self.call_kind)


class TurnRecord:
    """The turns of one debate that have been taken so far, and the requests behind them."""

    def __init__(self, debate: DebateKey, seat_numbers: Mapping[AgentId, int]) -> None:
        self.debate = debate
        self._seat_numbers = seat_numbers
        self._turns: dict[str, Turn] = {}
        self._requests: dict[str, Request] = {}
        self._ordered: list[tuple[TurnOrder, Turn]] = []

    def add(self, ref: str, turn: Turn, request: Request) -> None:
        """Add a turn that was taken."""
        self._turns[ref] = turn
        self._requests[ref] = request
        seat = self._seat_numbers[turn.agent]
        insort(self._ordered, ((turn.round, KINDS[turn.kind], seat, turn.about or ""), turn))

    def get_request(self, ref: str) -> Request:
        """Return the request that a turn replied to."""
        return self._requests[ref]

    def make_transcript(self, round: int) -> Transcript:
        """Return all turns up to and including the round, by round, kind and seat."""
        end = bisect_left(self._ordered, (round + 1, 0, 0, ""), key=_get_order)
        turns = tuple([turn for _, turn in self._ordered[:end]])
        return Transcript(debate=self.debate, round=round, turns=turns)

    def make_scene(
        self,
        question: Question,
        *,
        agent: AgentId,
        round: int,
        kind: Kind,
        about: AgentId | None,
        heard: tuple[str, ...],
        told_own: bool | None = None,
        heard_as: tuple[HeardAs, ...] = (),
    ) -> DebateState:
        """Return what a simulated agent may know: its own turns, and all that it has heard."""
        before = round + 1 if kind == "probe" else round
        own = {
            ref: turn
            for ref, turn in self._turns.items()
            if turn.agent == agent and turn.round < before and states_answer(turn)
        }
        known = {*own, *heard}.union(*(turn.heard for turn in own.values()))
        turns = [(self._turns[ref].round, ref) for ref in known]
        return DebateState(
            question=question,
            seed=self.debate.seed,
            round=round,
            kind=kind,
            agent=agent,
            about=about,
            subject=self._turns[heard[0]] if kind == "critique" else None,
            heard=heard,
            withheld=find_withheld(
                [(heard, heard_as), *((turn.heard, turn.heard_as) for turn in own.values())]
            ),
            turns=tuple([self._turns[ref] for _, ref in sorted(turns)]),
            told_own=told_own,
        )


def find_withheld(
    hearings: Iterable[tuple[Collection[str], Collection[HeardAs]]],
) -> frozenset[str]:
    """Return the refs of the turns whose answer was kept back each time that they were heard."""
    hidden: set[str] = set()
    told: set[str] = set()
    for heard, views in hearings:
        kept = {each.ref for each in views if each.hides_answer}
        hidden |= kept
        told.update(ref for ref in heard if ref not in kept)
    return frozenset(hidden - told)


def _get_order(ordered: tuple[TurnOrder, Turn]) -> TurnOrder:
    return ordered[0]


class TurnRunner:
    """Takes the turns of one debate, each on record as soon as it is taken."""

    def __init__(
        self, question: Question, cell: Condition, calls: CallStore, debate: DebateKey
    ) -> None:
        self.record = TurnRecord(debate, cell.seat_numbers)
        self._question = question
        self._cell = cell
        self._calls = calls
        self._debate = debate
        self._path = f"{debate.cell}/{debate.question}/{debate.seed}"
        self._affinity = f"{debate.question}/{debate.seed}"

    async def run(self, asked: TurnRequest) -> Turn:
        """Return the turn that the agent takes: found in the log, shared, or computed."""
        ref = format_turn_ref(
            round=asked.round, kind=asked.kind, agent=asked.agent.id, about=asked.about
        )
        seed = self._derive_seed(asked)
        request = self._make_request(asked, ref, seed)
        begun = self._make_turn(asked, self._hash(asked, request), seed)
        pending = PendingTurn(
            turn=begun,
            compute=partial(self._call_model, asked, request),
            crosses_runs=not asked.agent.capabilities.human,
        )
        turn = await self._calls.get_or_compute(pending)
        self.record.add(ref, turn, request)
        return turn

    def _hash(self, asked: TurnRequest, request: Request) -> str:
        """Hash all that decides the turn's calls."""
        if asked.may_ask_final_line:
            digest = hash_call_with_line(asked.agent, self._question, request)
        else:
            digest = hash_call(asked.agent, request)
        return hash_call_with_tools(asked.agent, digest)

    def _derive_seed(self, asked: TurnRequest) -> int | None:
        """Derive the call's seed; None for greedy sampling, which draws nothing."""
        temperature = asked.temperature
        if temperature is None:
            temperature = asked.agent.sampling.temperature
        if is_greedy(temperature):
            return None
        return derive_call_seed(
            seed=self._debate.seed,
            question=self._debate.question,
            agent=asked.agent.id,
            round=asked.round,
            kind=asked.drawn_as or asked.kind,
            about=None if asked.drawn_as else asked.about,
        )

    def _make_request(self, asked: TurnRequest, ref: str, seed: int | None) -> Request:
        return Request(
            id=f"{self._path}/{ref}",
            messages=asked.prompt.messages,
            sampling=make_sampling(asked.agent, seed, temperature=asked.temperature),
            guided=asked.agent.guided,
            affinity=self._affinity,
            tools=list_tools(asked.agent),
            debate_state=self._make_scene(asked)
            if asked.agent.capabilities.needs_debate_state
            else None,
            form=make_reply_form(asked.agent, self._question, asked.asked_as or asked.kind)
            if asked.agent.capabilities.human
            else None,
        )

    def _make_scene(self, asked: TurnRequest) -> DebateState:
        return self.record.make_scene(
            self._question,
            agent=asked.agent.id,
            round=asked.round,
            kind=asked.call_kind,
            about=None if asked.drawn_as else asked.about,
            heard=asked.heard,
            told_own=asked.told_own if asked.agent.capabilities.reads_owner else None,
            heard_as=asked.heard_as,
        )

    def _make_turn(self, asked: TurnRequest, digest: str, seed: int | None) -> Turn:
        """Return the turn before its call."""
        agent, debate = asked.agent, self._debate
        return Turn(
            cell=debate.cell,
            question=debate.question,
            seed=debate.seed,
            round=asked.round,
            kind=asked.kind,
            agent=agent.id,
            about=asked.about,
            model=agent.spec.model,
            heard=asked.heard,
            late=asked.late,
            heard_as=asked.heard_as,
            dropped=asked.prompt.dropped,
            prompt=asked.prompt.messages if self._cell.keep_prompts else None,
            prompt_hash=digest,
            sampling_seed=seed,
            simulated=agent.capabilities.simulated,
            started_at=time.time(),
        )

    async def _call_model(self, asked: TurnRequest, request: Request) -> CallResult:
        """Call the agent's model now; return its last reply, read and scored."""
        client = self._calls.clients[asked.agent.spec.model]
        result = await self._converse(asked, request)
        if asked.may_ask_final_line and lacks_final_line(result):
            agent, question = asked.agent, self._question
            line = build_final_line_request(agent, question, request, result)
            result = self._add_final_line(asked, result, await client.complete(line))
        return await self._score(asked, result)

    async def _converse(self, asked: TurnRequest, request: Request) -> CallResult:
        """Call the model, and again after each reply that uses tools; return the last, read.

        Where a later call fails, or a tool does, the turn fails and keeps the parts before it.
        """
        client = self._calls.clients[asked.agent.spec.model]
        steps: list[ToolStep] = []
        reply = await client.complete(request)
        usages, failure = [reply.usage], None
        while reply.failure is None and len(steps) < count_most_calls(asked.agent.spec.tools):
            try:
                step = await self._use_tools(asked, reply, steps)
            except BoundaryError as error:
                failure = Failure(
                    boundary=f"{asked.agent.id}: {error.boundary}", message=str(error)
                )
                break
            if step is None:
                break
            steps.append(step)
            request = build_next_request(request, step, len(steps))
            reply = await client.complete(request)
            usages += [reply.usage] if reply.failure is None else []
        result = self._read(asked, reply)
        if failure is not None:
            result = CallResult(finish_reason="error", text=reply.text, failure=failure)
        elif not steps:
            return result
        return replace(result, tool_steps=tuple(steps), usage=sum_usages(usages))

    async def _use_tools(
        self, asked: TurnRequest, reply: Completion, steps: Sequence[ToolStep]
    ) -> ToolStep | None:
        """Make the calls of a reply; None where it makes none. Raises EngineError for a sandbox."""
        agent = asked.agent
        planned = plan_calls(agent, self._question, reply.text, steps)
        if not planned:
            return None
        return await asyncio.to_thread(
            make_step, agent, reply.text, planned, steps, reply.reasoning
        )

    async def _score(self, asked: TurnRequest, result: CallResult) -> CallResult:
        """Score a result's answer. An answer that cannot be scored fails its turn.

        A program is tested in a thread, as others go on meanwhile.
        """
        if result.answer is None:
            return result
        score = partial(self._cell.score, result.answer.value, self._question)
        try:
            is_program = self._question.kind == "code"
            correct = await asyncio.to_thread(score) if is_program else score()
        except Exception as cause:
            failure = _describe_fault(asked, "score", "the answer cannot be scored", cause)
            return CallResult(finish_reason="error", usage=result.usage, failure=failure)
        return replace(result, correct=correct)

    def _read(self, asked: TurnRequest, reply: Completion) -> CallResult:
        """Read a reply. Whatever a model says may stop its own turn, and nothing else."""
        try:
            return read_reply(asked.agent, self._question, asked.kind, reply)
        except Exception as cause:
            failure = _describe_fault(asked, "read", "the reply cannot be read", cause)
            return CallResult(finish_reason="error", usage=reply.usage, failure=failure)

    def _add_final_line(
        self, asked: TurnRequest, result: CallResult, reply: Completion
    ) -> CallResult:
        """Add the final line that a reply gives, if it gives one, and what it cost, if it is told.

        A call that failed leaves the turn as its reply has it.
        """
        try:
            added = add_final_line(asked.agent, self._question, result, reply)
        except Exception as cause:
            told = f"{NO_FINAL_LINE}: it cannot be read: {type(cause).__name__}: {cause}"
            added = replace(result, notes=(*result.notes, told))
        if reply.failure is not None:
            return added
        return replace(added, usage=sum_usages([result.usage, reply.usage]))


def _describe_fault(asked: TurnRequest, where: str, what: str, cause: Exception) -> Failure:
    told = f"{what}: {type(cause).__name__}: {cause}"
    return Failure(boundary=f"{asked.agent.id}: {where}", message=told)
