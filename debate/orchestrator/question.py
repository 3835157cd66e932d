"""All cells of one question and seed: debated side by side, probed, decided, logged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace

from debate.errors import RunEnded
from debate.orchestrator.call_store import CallStore
from debate.orchestrator.condition import Condition
from debate.orchestrator.debate import Debate
from debate.orchestrator.decisions import compute_expected_score, decide, get_outcome
from debate.orchestrator.probing import (
    find_stated_answers,
    find_valid_further_refs,
    note_further_scores,
    run_probes,
)
from debate.orchestrator.shared_future import gather_futures
from debate.tasks import list_candidates
from debate.types import (
    BELIEF_AFTER,
    AgentId,
    Belief,
    Question,
    Transcript,
    Turn,
    Verdict,
    format_turn_ref,
)


async def debate_question(
    question: Question, cells: Sequence[Condition], calls: CallStore, *, seed: int
) -> list[Verdict]:
    """Debate the question in every cell at once; return all verdicts, by cell and round.

    Returns once every turn and verdict is on disk. Raises LogError where the disk fails, and
    RunEnded where a call was not made any more, once every cell has ended or come to such a call.
    """
    by_cell = await asyncio.gather(
        *(_debate_or_stop(Debate(question, cell, calls, seed=seed), calls) for cell in cells)
    )
    for stopped in by_cell:
        if isinstance(stopped, RunEnded):
            raise stopped
    return [verdict for verdicts in by_cell if isinstance(verdicts, list) for verdict in verdicts]


async def _debate_or_stop(debate: Debate, calls: CallStore) -> list[Verdict] | RunEnded:
    """Debate to the end, or until the run is ended in order."""
    try:
        return await _debate_in_cell(debate, calls)
    except RunEnded as stopped:
        return stopped


async def _debate_in_cell(debate: Debate, calls: CallStore) -> list[Verdict]:
    transcripts = [transcript async for transcript in run_debate(debate)]
    note_further_scores(debate, transcripts[-1], calls)
    probes = await run_probes(debate, transcripts[-1], calls)
    ended = find_stop_reason(debate, transcripts[-1].round)
    verdicts = [_make_verdict(debate, transcript, probes) for transcript in transcripts]
    verdicts[-1] = replace(verdicts[-1], final=True, stopped_by=ended)
    await calls.log.append_verdicts(verdicts)
    _settle_log(debate, transcripts[-1], calls)
    calls.watcher.on_verdicts(verdicts)
    return verdicts


async def run_debate(debate: Debate) -> AsyncIterator[Transcript]:
    """Yield the transcript after the opening and after each round, until the debate ends.

    There is no barrier unless an early stop needs one: all rounds are started at once, and each
    turn is taken as soon as what it must hear is there.
    """
    cell = debate.cell
    if not cell.has_barrier:
        debate.start()
    try:
        for round in range(cell.rounds + 1):
            await gather_futures([debate.turn(agent, round) for agent in cell.speakers])
            yield debate.transcript(round)
            if find_stop_reason(debate, round) is not None:
                return
    finally:
        debate.cancel()


def find_stop_reason(debate: Debate, round: int) -> str | None:
    """Return why the debate ends early after this round: a stop's name; None if it does not."""
    if not debate.cell.has_barrier:
        return None
    spec, transcript = debate.cell.spec, debate.transcript(round)
    if round == 0 and spec.debate_if and not is_worth_debating(debate, spec.debate_if):
        return "debate_if"
    voters = debate.cell.voters
    now = [debate.opinion(transcript.latest(agent)) for agent in voters]
    if spec.stop == "consensus" and None not in now and len(set(now)) == 1:
        return "consensus"
    if spec.stop == "no_change" and round > 0:
        before = [debate.opinion(transcript.latest(agent, by=round - 1)) for agent in voters]
        if now == before:
            return "no_change"
    return None


def is_worth_debating(debate: Debate, condition: str) -> bool:
    """Return whether the openings meet `debate_if`: any of its terms, joined by `or`.

    `disagreement`: not all openings agree (an abstention disagrees). `confidence < x`: the mean
    confidence of the openings is below x; an opening without one counts as unsure.
    """
    transcript = debate.transcript(0)
    openings = [transcript.latest(agent) for agent in debate.cell.voters]
    opinions = [debate.opinion(turn) for turn in openings]
    stated = [turn.confidence() if turn else None for turn in openings]
    confidences = [0.0 if value is None else value for value in stated]
    for term in condition.split(" or "):
        _, _, limit = term.partition("<")
        if limit:
            if sum(confidences) / len(confidences) < float(limit):
                return True
        elif None in opinions or len(set(opinions)) > 1:
            return True
    return False


def _settle_log(debate: Debate, last: Transcript, calls: CallStore) -> None:
    """Tell the log which turns the debate has; others may stand there if a failure led elsewhere.

    A critique that came too late for its author is no part of the debate, but was made.
    """
    late = {
        format_turn_ref(round=turn.round, kind="critique", agent=critic, about=turn.agent)
        for turn in last.turns
        for critic in turn.late
    }
    further = find_valid_further_refs(last.turns, calls.get_recorded(debate.key))
    whole = calls.get_reached(debate.key) | late | further
    calls.log.prune(debate.key, turns=whole, rounds=range(last.round + 1))


def _make_verdict(debate: Debate, transcript: Transcript, probes: Sequence[Turn]) -> Verdict:
    """Make the verdict on the transcript's last round."""
    cell, question = debate.cell, debate.question
    score = _score_by_turns(debate, transcript) if question.kind == "code" else cell.score
    known = list_candidates(question) or find_stated_answers(transcript)
    decided = decide(
        cell.decision,
        ballots=_find_latest(transcript, cell.voters, probes, known),
        judgments=_find_latest(transcript, cell.judges, probes, known),
        normalise=lambda value: cell.normalise(value, question),
        rng_key=f"{debate.key.seed}/{question.id}/{transcript.round}",
    )
    outcome = get_outcome(
        decided.value,
        failed=decided.failed,
        correct=score(decided.value, question),
        tied=bool(decided.tied),
    )
    return Verdict(
        cell=cell.name,
        question=question.id,
        seed=debate.key.seed,
        round=transcript.round,
        method=cell.decision.name,
        value=decided.value,
        outcome=outcome,
        tally=decided.tally,
        tied=decided.tied,
        score=compute_expected_score(decided, lambda answer: score(answer, question)),
        confidence=decided.confidence,
        num_failed=decided.num_failed,
    )


def _score_by_turns(
    debate: Debate, transcript: Transcript
) -> Callable[[str | None, Question], bool | None]:
    """Score programs as the turns that stated them were scored: none is run again."""
    normalise, question = debate.cell.normalise, debate.question
    known = {
        normalise(turn.value, question): turn.correct
        for turn in transcript.turns
        if turn.value is not None
    }
    is_scored = any(correct is not None for correct in known.values())

    def score(value: str | None, question: Question) -> bool | None:
        if value is None:
            return False if is_scored else None
        return known.get(normalise(value, question))

    return score


def _find_latest(
    transcript: Transcript,
    seats: Sequence[AgentId],
    probes: Sequence[Turn],
    known: Collection[str],
) -> list[Turn]:
    """Find the latest own turn of each seat, with what its probes found of the `known` answers."""
    latest = [turn for turn in map(transcript.latest, seats) if turn is not None]
    return [_add_probes(turn, probes, known) for turn in latest] if probes else latest


def _add_probes(turn: Turn, probes: Sequence[Turn], known: Collection[str]) -> Turn:
    """Add to the turn the belief and the confidences that its probes found.

    A belief decides only among answers that somebody could name: of an open question, those
    stated. The target is a candidate too, for measurement; no decision may learn it from there.
    """
    mine = [p for p in probes if (p.agent, p.round) == (turn.agent, turn.round) and not p.failure]
    beliefs = [p.belief for p in mine if p.belief is not None and p.about != BELIEF_AFTER]
    found = tuple(confidence for probe in mine for confidence in probe.confidences)
    belief = _keep_answers(beliefs[0], known) if beliefs else turn.belief
    own = belief.normalised().get(turn.value or "") if belief else None
    confidences = tuple(
        replace(each, value=own) if each.source == "belief" and own is not None else each
        for each in found
    )
    return replace(turn, belief=belief, confidences=(*turn.confidences, *confidences))


def _keep_answers(belief: Belief, known: Collection[str]) -> Belief:
    return Belief(log_p={answer: p for answer, p in belief.log_p.items() if answer in known})
