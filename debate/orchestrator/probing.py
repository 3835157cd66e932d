"""Confidence probes of a debate: asked in private after its last round, on record like turns.

A debate scores the candidate answers that came up in it. What others said of the same question may
be scored later, by further probes of the same turns, about `belief/1`, `belief/2` and so on;
nothing in a debate reads those.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from debate.agents.agent import Agent, hash_call, hash_content
from debate.agents.probes import (
    PROBES,
    ProbeSubject,
    build_belief_request,
    hash_probe_code,
    probe_belief,
    run_probe,
)
from debate.config.protocol import ProbeSpec
from debate.engines.base import Completion, CompletionClient, Request
from debate.errors import BoundaryError, EngineError
from debate.orchestrator.call_store import (
    CallStore,
    PendingTurn,
    ScoreStore,
    complete_or_raise,
    sum_usages,
)
from debate.orchestrator.debate import Debate
from debate.tasks import list_candidates
from debate.types import (
    BELIEF_AFTER,
    Belief,
    CallResult,
    Question,
    Transcript,
    Turn,
    Usage,
    states_answer,
)

NOTHING_SPENT = Usage(prompt_tokens=0, cached_tokens=0, generated_tokens=0)
BELIEF = ProbeSpec(name="belief")
FURTHER_PREFIX = f"{BELIEF.name}/"


async def run_probes(debate: Debate, transcript: Transcript, calls: CallStore) -> list[Turn]:
    """Run every probe of every turn that states an answer; return the probes' turns.

    Probes run after the last round, so that the candidates are the same in every round.
    """
    if not debate.cell.probes:
        return []
    spoken = [turn for turn in transcript.turns if states_answer(turn) and turn.failure is None]
    asked = [turn for turn in spoken if not debate.cell.agents[turn.agent].spec.confederate]
    candidates = collect_candidates(debate.question, transcript)
    return await asyncio.gather(
        *(
            _run_probe(debate, turn, spec, candidates, calls)
            for turn in asked
            for spec in debate.cell.probes
            if spec.name == "belief" or turn.value is not None
        )
    )


def find_stated_answers(transcript: Transcript) -> set[str]:
    """Find every answer that an agent has stated as its own."""
    return {
        turn.value for turn in transcript.turns if states_answer(turn) and turn.value is not None
    }


def collect_candidates(question: Question, transcript: Transcript) -> tuple[str, ...]:
    """Collect the closed set of answers, or else every answer stated, and the target."""
    values = find_stated_answers(transcript)
    target = set() if question.target is None else {question.target}
    return list_candidates(question) or tuple(sorted(values | target))


async def _run_probe(
    debate: Debate, turn: Turn, spec: ProbeSpec, candidates: tuple[str, ...], calls: CallStore
) -> Turn:
    """Run one probe of one turn: found in the log, shared, or asked now."""
    subject = ProbeSubject(
        agent=debate.cell.agents[turn.agent],
        question=debate.question,
        turn=turn,
        request=debate.request(turn.ref),
        candidates=candidates if _scores_candidates(spec) else (),
    )
    content: list[object] = [turn.prompt_hash, turn.text, spec.model_dump(), subject.candidates]
    content += [] if turn.final_line is None else [turn.final_line]
    content += [[step.said, step.told] for step in turn.tool_steps]
    digest = hash_content([*content, *hash_probe_code(spec)])
    begun = make_probe_turn(turn, spec.name, digest)
    compute = partial(_compute_probe, subject, spec, calls)
    crosses_runs = not subject.agent.capabilities.human
    pending = PendingTurn(turn=begun, compute=compute, crosses_runs=crosses_runs)
    found = await calls.get_or_compute(pending)
    if found.belief is not None and spec.name != BELIEF_AFTER:
        note_scores(calls.scores, subject, found.belief)
    return found


def _scores_candidates(spec: ProbeSpec) -> bool:
    return spec.name in (BELIEF.name, BELIEF_AFTER) or spec.name not in PROBES


def make_probe_turn(turn: Turn, about: str, digest: str) -> Turn:
    """Make the probe of a turn before it is asked; `about` names it in its debate."""
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


def note_scores(scores: ScoreStore, subject: ProbeSubject, belief: Belief) -> None:
    """Add a recorded belief of the subject's turn to the scores."""
    request = build_belief_request(replace(subject, candidates=tuple(belief.log_p)))
    ended = dict(zip(request.candidates, belief.log_p.values(), strict=True))
    scores.note(hash_scoring_context(subject.agent, request), ended)


def hash_scoring_context(agent: Agent, request: Request) -> str:
    """Hash what the scores of a request's candidates depend on; 32 hex digits."""
    return hash_call(agent, replace(request, candidates=()))


async def _compute_probe(subject: ProbeSubject, spec: ProbeSpec, calls: CallStore) -> CallResult:
    """Run the probe by as many calls as it takes, made now."""
    client = calls.clients[subject.turn.model]
    metered = MeteredCalls(client=client, probe=spec.name, agent=subject.agent, scores=calls.scores)
    try:
        found = await run_probe(subject, spec, metered)
    except BoundaryError as error:
        return CallResult(failure=error.failure, finish_reason="error", usage=metered.usage)
    return CallResult(
        text=found.text,
        belief=found.belief,
        confidences=() if found.confidence is None else (found.confidence,),
        usage=metered.usage,
    )


@dataclass(kw_only=True, slots=True)
class MeteredCalls:
    """Makes a probe's calls under ids of their own, and keeps what each cost.

    What was scored before in the same place, by whichever probe, is not asked again.
    """

    client: CompletionClient
    probe: str
    agent: Agent
    scores: ScoreStore
    num_calls: int = 0
    usages: list[Usage] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        """The cost of all calls together; nothing where none was needed."""
        return sum_usages(self.usages) if self.num_calls else NOTHING_SPENT

    async def __call__(self, request: Request) -> Completion:
        """Return the reply. Raises EngineError where the call fails."""
        if not request.candidates:
            return await self._call(request)

        async def compute(missing: tuple[str, ...]) -> Sequence[float]:
            scored = (await self._call(replace(request, candidates=missing))).candidate_log_p
            if scored is None:
                raise EngineError("the engine returned no scores", boundary=self.agent.id)
            return scored

        context = hash_scoring_context(self.agent, request)
        log_p = await self.scores.get_or_compute(context, request.candidates, compute)
        scores = tuple([log_p[candidate] for candidate in request.candidates])
        return Completion(id=request.id, candidate_log_p=scores)

    async def _call(self, request: Request) -> Completion:
        named = replace(request, id=f"{request.id}/{self.probe}/{self.num_calls}")
        self.num_calls += 1
        reply = await complete_or_raise(self.client, named)
        self.usages.append(reply.usage)
        return reply


# Further probes, made when the debate was over.


async def run_further_probe(
    subject: ProbeSubject, number: int, *, client: CompletionClient, scores: ScoreStore
) -> Turn:
    """Score the subject's candidates as its further probe of this number, from 1.

    Raises EngineError where the call fails.
    """
    turn, about, started = subject.turn, f"{FURTHER_PREFIX}{number}", time.time()
    metered = MeteredCalls(client=client, probe=about, agent=subject.agent, scores=scores)
    found = (await probe_belief(subject, BELIEF, metered)).belief
    if found is None:
        raise EngineError("no belief was found", boundary=turn.agent)
    begun = make_probe_turn(turn, about, hash_further_probe(turn, tuple(found.log_p)))
    return replace(
        begun, belief=found, usage=metered.usage, started_at=started, finished_at=time.time()
    )


def hash_further_probe(turn: Turn, candidates: tuple[str, ...]) -> str:
    """Hash what decides a further probe: the turn's call and the candidates; 32 hex digits."""
    return hash_content([turn.prompt_hash, "further", candidates])


def is_further_probe(turn: Turn) -> bool:
    """Return whether the turn is a further probe."""
    return turn.kind == "probe" and (turn.about or "").startswith(FURTHER_PREFIX)


def find_further_probes(turn: Turn, recorded: Iterable[Turn]) -> list[Turn]:
    """Find a turn's further probes on record that were asked of this very call and candidates."""
    return [
        probe
        for probe in recorded
        if (probe.agent, probe.round) == (turn.agent, turn.round)
        and is_further_probe(probe)
        and probe.belief is not None
        and probe.prompt_hash == hash_further_probe(turn, tuple(probe.belief.log_p))
    ]


def find_valid_further_refs(turns: Sequence[Turn], recorded: Mapping[str, Turn]) -> set[str]:
    """Return the refs of all further probes on record that are of these turns."""
    further = [turn for turn in recorded.values() if is_further_probe(turn)]
    spoken = [turn for turn in turns if states_answer(turn)] if further else []
    return {probe.ref for turn in spoken for probe in find_further_probes(turn, further)}


def note_further_scores(debate: Debate, last: Transcript, calls: CallStore) -> None:
    """Add what further probes of this debate have scored, for cells that ask the same."""
    recorded = calls.get_recorded(debate.key).values()
    further = [turn for turn in recorded if is_further_probe(turn)]
    for turn in last.turns if further else ():
        if states_answer(turn) and turn.failure is None:
            subject = ProbeSubject(
                agent=debate.cell.agents[turn.agent],
                question=debate.question,
                turn=turn,
                request=debate.request(turn.ref),
                candidates=(),
            )
            note_recorded_scores(calls.scores, subject, further)


def note_recorded_scores(
    scores: ScoreStore, subject: ProbeSubject, recorded: Iterable[Turn]
) -> set[str]:
    """Add every score of the subject's turn that is on record; return the candidates."""
    turn, known = subject.turn, set[str]()
    for probe in (*_find_own_probes(turn, recorded), *find_further_probes(turn, recorded)):
        if probe.belief is not None:
            note_scores(scores, subject, probe.belief)
            known |= set(probe.belief.log_p)
    return known


def _find_own_probes(turn: Turn, recorded: Iterable[Turn]) -> Iterator[Turn]:
    """Find the debate's own probe of the turn's belief."""
    for probe in recorded:
        place = (probe.agent, probe.round, probe.kind, probe.about)
        if place == (turn.agent, turn.round, "probe", BELIEF.name):
            yield probe


def find_next_number(turn: Turn, recorded: Iterable[Turn]) -> int:
    """Return the number of the turn's next further probe."""
    taken = [
        int((probe.about or "").removeprefix(FURTHER_PREFIX))
        for probe in recorded
        if is_further_probe(probe) and (probe.agent, probe.round) == (turn.agent, turn.round)
    ]
    return max(taken, default=0) + 1
