"""A debate from its opening to its last round, and what ends it early."""

from __future__ import annotations

from collections.abc import AsyncIterator

from debate.orchestrator.debate import Debate
from debate.orchestrator.promise import all_kept
from debate.types import Transcript


async def run_debate(debate: Debate) -> AsyncIterator[Transcript]:
    """The transcript after the opening and after each round, until the debate ends.

    There is no barrier unless an early stop needs one: all rounds are under way at once, each
    turn as soon as what it must hear is there.
    """
    cell = debate.cell
    if not cell.has_barrier:
        debate.begin()
    try:
        for round in range(cell.rounds + 1):
            await all_kept([debate.turn(agent, round) for agent in cell.speakers])
            yield debate.transcript(round)
            if stopped_by(debate, round) is not None:
                return
    finally:
        debate.abandon()


def stopped_by(debate: Debate, round: int) -> str | None:
    """Why the debate ends after this round before its number of rounds is reached, if it does."""
    if not debate.cell.has_barrier:
        return None
    spec, transcript = debate.cell.spec, debate.transcript(round)
    if round == 0 and spec.debate_if and not worth_debating(debate, spec.debate_if):
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


def worth_debating(debate: Debate, condition: str) -> bool:
    """Whether the openings meet `debate_if`: any of its terms, joined by `or`.

    `disagreement`: not all openings agree (an abstention disagrees). `confidence < x`: the mean
    confidence of the openings is below x; an opening without one counts as unsure.
    """
    transcript = debate.transcript(0)
    openings = [transcript.latest(agent) for agent in debate.cell.voters]
    opinions = [debate.opinion(turn) for turn in openings]
    stated = [turn.confidence() if turn else None for turn in openings]
    sure = [0.0 if value is None else value for value in stated]
    for term in condition.split(" or "):
        _, _, limit = term.partition("<")
        if limit:
            if sum(sure) / len(sure) < float(limit):
                return True
        elif None in opinions or len(set(opinions)) > 1:
            return True
    return False
