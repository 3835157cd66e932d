"""All cells of one question and seed: debated side by side, probed, decided, logged."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

from debate.orchestrator.calls import Calls
from debate.orchestrator.cell import Cell
from debate.orchestrator.debate import Debate
from debate.orchestrator.decisions import decide, expected_score, outcome
from debate.orchestrator.further import standing, take_over
from debate.orchestrator.probing import probe, stated_answers
from debate.orchestrator.rounds import run_debate, stopped_by
from debate.tasks import closed_candidates
from debate.types import AgentId, Belief, Question, Transcript, Turn, Verdict, turn_ref


async def debate_question(
    question: Question, cells: Sequence[Cell], calls: Calls, *, seed: int
) -> list[Verdict]:
    """Debate the question in every cell at once; return all verdicts, by cell and round.

    Returns once every turn and verdict is on disk. Raises LogError where the disk fails.
    """
    by_cell = await asyncio.gather(
        *(_debate(Debate(question, cell, calls, seed=seed), calls) for cell in cells)
    )
    return [verdict for verdicts in by_cell for verdict in verdicts]


async def _debate(debate: Debate, calls: Calls) -> list[Verdict]:
    transcripts = [transcript async for transcript in run_debate(debate)]
    take_over(debate, transcripts[-1], calls)
    probes = await probe(debate, transcripts[-1], calls)
    ended = stopped_by(debate, transcripts[-1].round)
    verdicts = [_verdict(debate, transcript, probes) for transcript in transcripts]
    verdicts[-1] = replace(verdicts[-1], final=True, stopped_by=ended)
    await calls.log.append_verdicts(verdicts)
    _settle(debate, transcripts[-1], calls)
    calls.watcher.on_verdicts(verdicts)
    return verdicts


def _settle(debate: Debate, last: Transcript, calls: Calls) -> None:
    """Leave nothing in the log that this debate has not: a failure may have led it elsewhere.

    A critique that came too late for its author is no part of the debate, but was made.
    """
    late = {
        turn_ref(round=turn.round, kind="critique", agent=critic, about=turn.agent)
        for turn in last.turns
        for critic in turn.late
    }
    further = standing(last.turns, calls.all_recorded(debate.key))
    whole = calls.taken(debate.key) | late | further
    calls.log.settle(debate.key, turns=whole, rounds=range(last.round + 1))


def _verdict(debate: Debate, transcript: Transcript, probes: Sequence[Turn]) -> Verdict:
    """The team's answer as of the transcript's round."""
    cell, question = debate.cell, debate.question
    known = closed_candidates(question) or stated_answers(transcript)
    ballots = _latest(transcript, cell.voters, probes, known)
    judgments = _latest(transcript, cell.of_role("judge"), probes, known)
    decided = decide(
        cell.decision,
        ballots=ballots,
        judgments=judgments,
        normalise=lambda value: cell.normalise(value, question),
        rng_key=f"{debate.key.seed}/{question.id}/{transcript.round}",
    )
    became = outcome(
        decided.value,
        failed=decided.failed,
        correct=cell.score(decided.value, question),
        tied=bool(decided.tied),
    )
    return Verdict(
        cell=cell.name,
        question=question.id,
        seed=debate.key.seed,
        round=transcript.round,
        method=cell.decision.name,
        value=decided.value,
        outcome=became,
        tally=decided.tally,
        tied=decided.tied,
        score=expected_score(decided, lambda answer: cell.score(answer, question)),
        confidence=decided.confidence,
        num_failed=decided.num_failed,
    )


def _latest(
    transcript: Transcript,
    seats: Sequence[AgentId],
    probes: Sequence[Turn],
    known: Collection[str],
) -> list[Turn]:
    """The latest own turn of each seat, with what its probes found of the `known` answers."""
    latest = [turn for turn in map(transcript.latest, seats) if turn is not None]
    return [_with_probes(turn, probes, known) for turn in latest] if probes else latest


def _with_probes(turn: Turn, probes: Sequence[Turn], known: Collection[str]) -> Turn:
    """Beliefs decide among answers that somebody could name: of an open question, those stated.

    The target is a candidate too, for measurement; no decision may learn it from there.
    """
    mine = [p for p in probes if (p.agent, p.round) == (turn.agent, turn.round) and not p.failure]
    beliefs = [probe.belief for probe in mine if probe.belief is not None]
    found = tuple(confidence for probe in mine for confidence in probe.confidences)
    belief = _among(beliefs[0], known) if beliefs else turn.belief
    own = belief.normalised().get(turn.value or "") if belief else None
    sure = tuple(
        replace(each, value=own) if each.source == "belief" and own is not None else each
        for each in found
    )
    return replace(turn, belief=belief, confidences=(*turn.confidences, *sure))


def _among(belief: Belief, known: Collection[str]) -> Belief:
    return Belief(log_p={answer: p for answer, p in belief.log_p.items() if answer in known})
