"""From what an agent is asked to a turn: the request, its name and digest, and the reply read."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial

from debate.agents.agent import Agent, call_hash, call_seed, sampling
from debate.agents.reading import read
from debate.agents.view import View
from debate.engines.base import Request, Scene
from debate.orchestrator.calls import Calls, Draft
from debate.orchestrator.cell import Cell
from debate.orchestrator.record import Record
from debate.types import AgentId, CallResult, DebateKey, Kind, Question, Turn, turn_ref


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompted:
    """What an agent is asked, and where in the debate. `heard` and `late` name turns and critics.

    `temperature` and `asked_as` stand over the agent's own and over the turn's kind.
    """

    agent: Agent
    view: View
    round: int
    kind: Kind
    about: AgentId | None = None
    heard: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    temperature: float | None = None
    asked_as: Kind | None = None


class Taking:
    """Takes the turns of one debate, each on record as soon as it is taken."""

    def __init__(self, question: Question, cell: Cell, calls: Calls, debate: DebateKey) -> None:
        self.record = Record(debate, cell.seat_numbers)
        self._question = question
        self._cell = cell
        self._calls = calls
        self._debate = debate
        self._path = f"{debate.cell}/{debate.question}/{debate.seed}"
        self._affinity = f"{debate.question}/{debate.seed}"

    async def take(self, ask: Prompted) -> Turn:
        """The turn that the agent takes; found in the log, shared, or computed."""
        ref = turn_ref(round=ask.round, kind=ask.kind, agent=ask.agent.id, about=ask.about)
        seed = self._seed(ask)
        request = self._request(ask, ref, seed)
        begun = self._begun(ask, call_hash(ask.agent, request), seed)
        draft = Draft(turn=begun, compute=partial(self._compute, ask, request))
        turn = await self._calls.take(draft)
        self.record.note(ref, turn, request)
        return turn

    def _seed(self, ask: Prompted) -> int | None:
        """The call's seed; None for greedy sampling, which draws nothing."""
        heat = ask.temperature
        if heat is None:
            heat = ask.agent.sampling.temperature
        if heat <= 0:
            return None
        return call_seed(
            seed=self._debate.seed,
            question=self._debate.question,
            agent=ask.agent.id,
            round=ask.round,
            kind=ask.kind,
            about=ask.about,
        )

    def _request(self, ask: Prompted, ref: str, seed: int | None) -> Request:
        return Request(
            id=f"{self._path}/{ref}",
            messages=ask.view.messages,
            sampling=sampling(ask.agent, seed, temperature=ask.temperature),
            guided=ask.agent.guided,
            affinity=self._affinity,
            scene=self._scene(ask) if ask.agent.capabilities.needs_scene else None,
        )

    def _scene(self, ask: Prompted) -> Scene:
        return self.record.scene(
            self._question,
            agent=ask.agent.id,
            round=ask.round,
            kind=ask.asked_as or ask.kind,
            about=ask.about,
            heard=ask.heard,
        )

    def _begun(self, ask: Prompted, digest: str, seed: int | None) -> Turn:
        """The turn before its call."""
        agent, debate = ask.agent, self._debate
        return Turn(
            cell=debate.cell,
            question=debate.question,
            seed=debate.seed,
            round=ask.round,
            kind=ask.kind,
            agent=agent.id,
            about=ask.about,
            model=agent.spec.model,
            heard=ask.heard,
            late=ask.late,
            dropped=ask.view.dropped,
            prompt=ask.view.messages if self._cell.keep_prompts else None,
            prompt_hash=digest,
            sampling_seed=seed,
            simulated=agent.capabilities.simulated,
            started_at=time.time(),
        )

    async def _compute(self, ask: Prompted, request: Request) -> CallResult:
        """What a call made now gives, its reply read and scored."""
        reply = await self._calls.clients[ask.agent.spec.model].complete(request)
        said = read(ask.agent, self._question, ask.kind, reply)
        if said.answer is None:
            return said
        return replace(said, correct=self._cell.score(said.answer.value, self._question))
