"""Protocols of one's own, as tests name them."""

from __future__ import annotations

from debate.orchestrator import Debate, Heard
from debate.types import AgentId, Turn


async def twice(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Hear the critics' answers, and in the last round also have each judged in private."""
    heard = await debate.hear(author, round, debate.answer_of)
    for turn in heard.turns if round == debate.cell.rounds else ():
        seen = debate.shown_to(author, turn, round)
        if seen is not None:
            await debate.judge(author, turn, round, seen=seen)
    return await debate.revise(author, round, heard)


async def defer_to_the_surer(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Revise in the light of those critics alone who are surer than oneself."""
    own = await debate.turn(author, round - 1)
    heard = await debate.hear(author, round, debate.answer_of)
    limit = (own.confidence() if own else None) or 0.0
    surer = tuple(turn for turn in heard.turns if (turn.confidence() or 0.0) > limit)
    return await debate.revise(author, round, Heard(turns=surer, late=heard.late))


async def broken(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Fail."""
    raise KeyError(author)
