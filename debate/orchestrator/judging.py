"""Private judgements: critics on authors' openings, one by one, heard by nobody.

Each critic judges each of its authors, itself where the topology has a self-loop, without a past:
it sees the question, the answer, and what it is told of whose answer that is. So the judgements of
one answer by several critics, and of several answers by one critic, differ in nothing else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from debate.agents.noise import other_answer
from debate.agents.sight import Shown, unnamed
from debate.orchestrator.debate import Debate
from debate.orchestrator.promise import all_kept
from debate.types import AgentId, Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """Alternatives to the answer that is judged, and the turns of others that they come from."""

    answers: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()


async def cross_critique(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Be judged in private by each critic in round 1, hear none of it, and keep one's answer."""
    if round == 1:
        critics = debate.critics(author, round)
        private = [c for c in critics if debate.cell.agents[c].spec.role != "judge"]
        await asyncio.gather(*(judge(debate, critic, author) for critic in private))
    return await debate.turn(author, round - 1)


async def judge(debate: Debate, critic: AgentId, author: AgentId) -> Turn | None:
    """The critic's judgement of the author's opening; None where there is no answer to judge."""
    subject = await debate.turn(author, 0)
    seen = debate.shown_to(critic, subject, 1) if subject and subject.value is not None else None
    if subject is None or seen is None or seen.answer is None:
        return None
    beside = await _beside(debate, critic, subject)
    return await debate.judge(
        critic,
        subject,
        1,
        seen=labelled(debate, seen, critic=critic, author=author),
        alternatives=beside.answers,
        beside=beside.refs,
    )


def labelled(debate: Debate, seen: Shown, *, critic: AgentId, author: AgentId) -> Shown:
    """The answer under nobody's name, its author's, or, with swapped labels, a false one.

    Swapped, one's own answer passes for that of another debater, drawn by seed, and everybody
    else's for one's own: content and label can then be told apart.
    """
    spec = debate.cell.spec
    if spec.anonymous:
        return unnamed(seen)
    if spec.judging.labels == "honest":
        return seen
    others = _others(debate, critic, author) or [author]
    named = _randomness(debate, "labels", critic).choice(others)
    return replace(seen, own=not seen.own, name=named if seen.own else critic)


async def _beside(debate: Debate, critic: AgentId, subject: Turn) -> Beside:
    kind = debate.cell.spec.judging.alternatives
    return Beside() if kind is None else await ALTERNATIVES[kind](debate, critic, subject)


async def own_samples(debate: Debate, critic: AgentId, subject: Turn) -> Beside:
    """Fresh answers of the critic itself, at temperature 1; a sample without one is left out."""
    numbers = range(1, debate.cell.spec.judging.k + 1)
    samples = await all_kept([debate.sample(critic, number) for number in numbers])
    said = (turn.value for turn in samples if turn is not None)
    return Beside(answers=tuple(value for value in said if value is not None))


async def others_openings(debate: Debate, critic: AgentId, subject: Turn) -> Beside:
    """Openings of agents that are neither critic nor author, drawn by seed."""
    pool = _others(debate, critic, subject.agent)
    rng = _randomness(debate, "alternatives", f"{critic}/{subject.agent}")
    chosen = rng.sample(pool, min(debate.cell.spec.judging.k, len(pool)))
    openings = await all_kept([debate.turn(agent, 0) for agent in chosen])
    said = {turn.ref: turn.value for turn in openings if turn and turn.value is not None}
    return Beside(answers=tuple(said.values()), refs=tuple(said))


async def padding(debate: Debate, critic: AgentId, subject: Turn) -> Beside:
    """As many answers as alternatives would be, as long as the one judged, that tell nothing."""
    rng = _randomness(debate, "padding", subject.agent)
    numbers = range(debate.cell.spec.judging.k)
    drawn = [other_answer(subject.value or "", debate.question, rng) for _ in numbers]
    return Beside(answers=tuple(drawn))


Alternatives = Callable[[Debate, AgentId, Turn], Awaitable[Beside]]

ALTERNATIVES: Mapping[str, Alternatives] = MappingProxyType(
    {"own": own_samples, "others": others_openings, "padding": padding}
)
"""Where alternatives come from, by the name in the configuration."""


def _others(debate: Debate, critic: AgentId, author: AgentId) -> list[AgentId]:
    """Agents with an opening of their own that are neither of the two, in seat order."""
    agents: Sequence[AgentId] = list(debate.cell.agents)
    return [a for a in agents if debate.cell.agents[a].answers_first and a not in (critic, author)]


def _randomness(debate: Debate, what: str, place: str) -> random.Random:
    """What is drawn for one place in a debate, alike in all cells."""
    return random.Random(f"{what}/{debate.key.seed}/{debate.key.question}/{place}")
