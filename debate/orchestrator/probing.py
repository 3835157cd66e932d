"""Confidence probes of a debate: asked in private after its last round, on record like turns."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TypeVar

from debate.agents.agent import ENCODER, Agent, call_hash
from debate.agents.probes import PROBES, Subject, belief_request
from debate.config.protocol import ProbeSpec
from debate.engines.base import Completion, Request
from debate.errors import BoundaryError, EngineError
from debate.orchestrator.calls import Calls, Client, Draft, ask
from debate.orchestrator.debate import Debate
from debate.orchestrator.scores import Scores
from debate.tasks import closed_candidates
from debate.types import Belief, CallResult, Question, Transcript, Turn, Usage, speaks

N = TypeVar("N", int, float)

NOTHING_SPENT = Usage(prompt_tokens=0, cached_tokens=0, generated_tokens=0)


async def probe(debate: Debate, transcript: Transcript, calls: Calls) -> list[Turn]:
    """Every probe of every turn that states an answer, over the debate's whole candidate set.

    Probes run after the last round, so that the candidates are the same in every round.
    """
    if not debate.cell.probes:
        return []
    spoken = [turn for turn in transcript.turns if speaks(turn) and turn.failure is None]
    asked = [turn for turn in spoken if not debate.cell.agents[turn.agent].spec.confederate]
    candidates = candidate_answers(debate.question, transcript)
    return await asyncio.gather(
        *(
            _take(debate, turn, spec, candidates, calls)
            for turn in asked
            for spec in debate.cell.probes
            if spec.name == "belief" or turn.value is not None
        )
    )


def stated_answers(transcript: Transcript) -> set[str]:
    """Every answer that an agent has stated as its own."""
    return {turn.value for turn in transcript.turns if speaks(turn) and turn.value is not None}


def candidate_answers(question: Question, transcript: Transcript) -> tuple[str, ...]:
    """The closed set of answers, or every answer that turned up, and the target for scoring."""
    values = stated_answers(transcript)
    target = set() if question.target is None else {question.target}
    return closed_candidates(question) or tuple(sorted(values | target))


async def _take(
    debate: Debate, turn: Turn, spec: ProbeSpec, candidates: tuple[str, ...], calls: Calls
) -> Turn:
    """One probe of one turn; found in the log, shared, or asked now."""
    subject = Subject(
        agent=debate.cell.agents[turn.agent],
        question=debate.question,
        turn=turn,
        request=debate.request(turn.ref),
        candidates=candidates if spec.name == "belief" else (),
    )
    content = ENCODER.encode([turn.prompt_hash, turn.text, spec.model_dump(), subject.candidates])
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    begun = begin_probe(turn, spec.name, digest)
    found = await calls.take(Draft(turn=begun, compute=partial(_compute, subject, spec, calls)))
    if found.belief is not None:
        note_scores(calls.scores, subject, found.belief)
    return found


def begin_probe(turn: Turn, about: str, digest: str) -> Turn:
    """The probe of a turn before it is asked; `about` names it in its debate."""
    return Turn(
        cell=turn.cell,
        question=turn.question,
        seed=turn.seed,
        round=turn.round,
        kind="probe",
        agent=turn.agent,
        about=about,
        model=turn.model,
        prompt_hash=digest,
        simulated=turn.simulated,
        started_at=time.time(),
    )


def note_scores(scores: Scores, subject: Subject, belief: Belief) -> None:
    """Take over what is on record of a belief in the subject's place."""
    request = belief_request(replace(subject, candidates=tuple(belief.log_p)))
    ended = dict(zip(request.candidates, belief.log_p.values(), strict=True))
    scores.note(scoring_context(subject.agent, request), ended)


def scoring_context(agent: Agent, request: Request) -> str:
    """The digest of what the scores of a request's candidates depend on."""
    return call_hash(agent, replace(request, candidates=()))


async def _compute(subject: Subject, spec: ProbeSpec, calls: Calls) -> CallResult:
    """What the probe finds, by as many calls as it takes, made now."""
    client = calls.clients[subject.turn.model]
    paid = Paid(client=client, probe=spec.name, agent=subject.agent, scores=calls.scores)
    try:
        found = await PROBES[spec.name](subject, spec, paid)
    except BoundaryError as error:
        return CallResult(failure=error.failure, finish_reason="error", usage=paid.usage)
    return CallResult(
        text=found.text,
        belief=found.belief,
        confidences=() if found.confidence is None else (found.confidence,),
        usage=paid.usage,
    )


@dataclass(kw_only=True, slots=True)
class Paid:
    """Makes a probe's calls under names of their own, and keeps what each cost.

    What was scored before in the same place, by whichever probe, is not asked again.
    """

    client: Client
    probe: str
    agent: Agent
    scores: Scores
    num_calls: int = 0
    usages: list[Usage] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        """What all calls cost together; nothing where none was needed."""
        return total(self.usages) if self.num_calls else NOTHING_SPENT

    async def __call__(self, request: Request) -> Completion:
        """The reply. Raises EngineError where the call fails."""
        if not request.candidates:
            return await self._made(request)

        async def score(missing: tuple[str, ...]) -> Sequence[float]:
            scored = (await self._made(replace(request, candidates=missing))).candidate_log_p
            if scored is None:
                raise EngineError("the engine returned no scores", boundary=self.agent.id)
            return scored

        context = scoring_context(self.agent, request)
        log_p = await self.scores.of(context, request.candidates, score)
        scores = tuple([log_p[candidate] for candidate in request.candidates])
        return Completion(id=request.id, candidate_log_p=scores)

    async def _made(self, request: Request) -> Completion:
        named = replace(request, id=f"{request.id}/{self.probe}/{self.num_calls}")
        self.num_calls += 1
        reply = await ask(self.client, named)
        self.usages.append(reply.usage)
        return reply


def total(usages: Sequence[Usage]) -> Usage:
    """The cost of several calls as one; a count that any of them lacks is unknown."""
    if not usages:
        return Usage()
    counted = {
        each.name: _sum([getattr(usage, each.name) for usage in usages])
        for each in fields(usages[0])
    }
    return replace(usages[0], **counted)


def _sum(values: Sequence[N | None]) -> N | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(values) else None
