"""What may be seen of a turn: by whom, under which name, and how much of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from debate.agents.templates import Visible
from debate.types import AgentId, DebateKey, Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown(Visible):
    """What a template may show of one turn; None where the edge does not carry it."""

    name: str
    own: bool
    kind: str
    text: str | None
    answer: str | None
    confidence: float | None
    accepts: bool | None = None


def speaker_names(
    debate: DebateKey, agents: Sequence[AgentId], *, anonymous: bool
) -> dict[AgentId, str]:
    """How agents are called in prompts. Anonymous ones are numbered in an order drawn by seed.

    The order depends on question and seed, not on the cell, so that cells stay paired.
    """
    if not anonymous:
        return {agent: agent for agent in agents}
    order = list(agents)
    random.Random(f"names/{debate.seed}/{debate.question}").shuffle(order)
    return {agent: f"Agent {number}" for number, agent in enumerate(order, start=1)}


def shown(
    turn: Turn, *, viewer: AgentId, name: str, carries: Sequence[str], confidence: bool
) -> Shown | None:
    """What the viewer sees of a turn; None where nothing of it can be shown.

    A failed turn is never shown; an abstention is shown only by its reasoning.
    """
    said = "critique" if turn.kind == "critique" else "reasoning"
    text = turn.text if said in carries and turn.text.strip() else None
    answer = turn.value if "answer" in carries or turn.kind == "critique" else None
    if turn.failure is not None or (text is None and answer is None):
        return None
    stated = turn.confidence() if confidence and "confidence" in carries else None
    return Shown(
        name=name,
        own=turn.agent == viewer,
        kind=turn.kind,
        text=text,
        answer=answer,
        confidence=stated,
        accepts=turn.accepts,
    )


def unnamed(what: Shown) -> Shown:
    """The same without a hint of who said it."""
    return replace(what, name="Somebody", own=False)
