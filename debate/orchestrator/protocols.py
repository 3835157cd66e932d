"""The shipped protocols, each a short coroutine function, and those of a user's own by name."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from debate.agents.noise import draw_other_answer
from debate.agents.views import ShownTurn, hide_speaker
from debate.config.registry import find
from debate.orchestrator.condition import Protocol
from debate.orchestrator.debate import Debate
from debate.orchestrator.shared_future import gather_futures
from debate.types import AgentId, Turn


async def exchange(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Hear the critics' own latest answers, then answer again (Du et al. 2305.14325)."""
    heard = await debate.hear(author, round, debate.answer_of)
    return await debate.revise(author, round, heard)


async def critique(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Hear what each critic writes about one's latest answer, then answer again."""
    heard = await debate.hear(author, round, debate.critique_by)
    return await debate.revise(author, round, heard)


async def repeat(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Hear nothing and answer anew: the control for mere resampling."""
    return await debate.answer_anew(author, round)


async def restate(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Be told one's own last answer alone, as somebody's: the control for ownership."""
    own = await debate.turn(author, round - 1)
    told = [] if own is None else [own]
    return await debate.answer_anew(author, round, told)


async def filter_answers(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Keep one's answer unless more critics reject than accept it; then answer anew, told nothing.

    Each critic judges the answer that stands, in private. What comes out in the end is the first
    answer that was accepted, or the last one: rejection sampling, a verifier at the gate.
    """
    own = await debate.turn(author, round - 1)
    if own is None:
        return None
    if own.value is None:
        return await debate.answer_anew(author, round)
    critics = _list_private(debate, author, round)
    said = await asyncio.gather(*(judge_turn(debate, critic, own, round) for critic in critics))
    verdicts = [turn.accepts for turn in said if turn is not None]
    if verdicts.count(False) > verdicts.count(True):
        return await debate.answer_anew(author, round)
    return await debate.keep(author, round)


async def cross_critique(debate: Debate, author: AgentId, round: int) -> Turn | None:
    """Be judged in private by each critic in round 1, hear none of it, and keep one's answer.

    Each critic judges each of its authors' openings, its own where the topology has a self-loop,
    without a past: it sees the question, the answer, and what it is told of whose answer that is.
    So the judgements of one answer by several critics, and of several answers by one critic,
    differ in nothing else.
    """
    opening = await debate.turn(author, 0) if round == 1 else None
    if opening is not None:
        critics = _list_private(debate, author, round)
        await asyncio.gather(*(judge_turn(debate, critic, opening, round) for critic in critics))
    return await debate.turn(author, round - 1)


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "exchange": exchange,
        "critique": critique,
        "repeat": repeat,
        "restate": restate,
        "filter": filter_answers,
        "cross_critique": cross_critique,
    }
)


def find_protocol(name: str) -> Protocol:
    """Find a protocol by its name, or the coroutine function that `module.function` names.

    Raises ConfigError. A dotted name imports that module: only what the user names runs.
    """
    protocol: Protocol = find("protocols", name).value
    return protocol


# Private judgements.


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternatives:
    """Alternatives to the answer that is judged, and the turns of others that they come from."""

    answers: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()


def _list_private(debate: Debate, author: AgentId, round: int) -> list[AgentId]:
    """List the author's critics that judge in private: all but those of role judge."""
    critics = debate.critics(author, round)
    return [critic for critic in critics if debate.cell.agents[critic].spec.role != "judge"]


async def judge_turn(debate: Debate, critic: AgentId, subject: Turn, round: int) -> Turn | None:
    """Have the critic judge an author's turn; None where there is no answer to judge."""
    seen = debate.shown_to(critic, subject, round) if subject.value is not None else None
    if seen is None or seen.answer is None:
        return None
    alternatives = await _find_alternatives(debate, critic, subject)
    return await debate.judge(
        critic,
        subject,
        round,
        seen=label_answer(debate, seen, critic=critic, author=subject.agent),
        alternatives=alternatives.answers,
        beside=alternatives.refs,
    )


def label_answer(debate: Debate, seen: ShownTurn, *, critic: AgentId, author: AgentId) -> ShownTurn:
    """Put the answer under nobody's name, its author's, or one that the labels ask for.

    Another's name is drawn by seed: with labels `others` the same one whoever wrote the answer, so
    that content and label can be told apart; with `swapped` one that is not the author's.
    """
    spec, labels = debate.cell.spec, debate.cell.spec.judging.labels
    if spec.anonymous:
        return hide_speaker(seen)
    if labels == "honest":
        return seen
    if labels == "own" or (labels == "swapped" and not seen.own):
        return replace(seen, own=True, name=critic)
    spared = author if labels == "swapped" else critic
    others = _list_others(debate, critic, spared) or [author]
    return replace(seen, own=False, name=_make_rng(debate, "labels", critic).choice(others))


async def _find_alternatives(debate: Debate, critic: AgentId, subject: Turn) -> Alternatives:
    kind = debate.cell.spec.judging.alternatives
    return Alternatives() if kind is None else await ALTERNATIVES[kind](debate, critic, subject)


async def sample_own_answers(debate: Debate, critic: AgentId, subject: Turn) -> Alternatives:
    """Sample fresh answers of the critic itself, at temperature 1, without those that abstain."""
    numbers = range(1, debate.cell.spec.judging.k + 1)
    samples = await gather_futures([debate.sample(critic, number) for number in numbers])
    said = (turn.value for turn in samples if turn is not None)
    return Alternatives(answers=tuple(value for value in said if value is not None))


async def draw_others_openings(debate: Debate, critic: AgentId, subject: Turn) -> Alternatives:
    """Draw openings of agents that are neither critic nor author, by seed."""
    pool = _list_others(debate, critic, subject.agent)
    rng = _make_rng(debate, "alternatives", f"{critic}/{subject.agent}")
    chosen = rng.sample(pool, min(debate.cell.spec.judging.k, len(pool)))
    openings = await gather_futures([debate.turn(agent, 0) for agent in chosen])
    said = {turn.ref: turn.value for turn in openings if turn and turn.value is not None}
    return Alternatives(answers=tuple(said.values()), refs=tuple(said))


async def make_padding(debate: Debate, critic: AgentId, subject: Turn) -> Alternatives:
    """Draw as many random answers as there would be alternatives, as long as the one judged."""
    rng = _make_rng(debate, "padding", subject.agent)
    numbers = range(debate.cell.spec.judging.k)
    drawn = [draw_other_answer(subject.value or "", debate.question, rng) for _ in numbers]
    return Alternatives(answers=tuple(drawn))


AlternativesRule = Callable[[Debate, AgentId, Turn], Awaitable[Alternatives]]

ALTERNATIVES: Mapping[str, AlternativesRule] = MappingProxyType(
    {"own": sample_own_answers, "others": draw_others_openings, "padding": make_padding}
)
"""The functions that find alternatives, by the name in the configuration."""


def _list_others(debate: Debate, critic: AgentId, author: AgentId) -> list[AgentId]:
    """List the agents with an opening of their own that are neither of the two, in seat order."""
    agents = debate.cell.agents
    return [a for a in agents if agents[a].answers_first and a not in (critic, author)]


def _make_rng(debate: Debate, what: str, place: str) -> random.Random:
    """Make the generator for one place in a debate, the same in all cells."""
    return random.Random(f"{what}/{debate.key.seed}/{debate.key.question}/{place}")
