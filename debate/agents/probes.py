"""Confidence probes: questions in a private fork of the context that no agent hears."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from debate.agents.agent import Agent, call_seed
from debate.agents.reading import was_cut
from debate.agents.untrusted import plain
from debate.config.protocol import ProbeSpec
from debate.engines.base import Capabilities, Completion, Request
from debate.errors import EngineError
from debate.tasks import normalise
from debate.tasks.parsing import parse_answer, parse_confidence
from debate.types import Belief, Confidence, Message, Question, Turn

Ask = Callable[[Request], Awaitable[Completion]]
"""Makes one call; raises EngineError where it fails."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is probed: a turn that states an answer, the request that it replied to, and the
    candidate answers of its debate."""

    agent: Agent
    question: Question
    turn: Turn
    request: Request
    candidates: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a probe found; `confidence` is None where the reply could not be read."""

    confidence: Confidence | None = None
    belief: Belief | None = None
    text: str = ""


Probe = Callable[[Subject, ProbeSpec, Ask], Awaitable[Finding]]


async def belief(subject: Subject, spec: ProbeSpec, ask: Ask) -> Finding:
    """Log-probability of every candidate as the reply to the very prompt of the turn."""
    scores = await _scored(belief_request(subject), subject, ask)
    found = Belief(log_p=dict(zip(subject.candidates, scores, strict=True)))
    own = found.log_p.get(subject.turn.value or "")
    level = None if own is None else math.exp(min(0.0, own)) if own == own else own
    return Finding(belief=found, confidence=_confidence("belief", level))


def belief_request(subject: Subject) -> Request:
    """The call that scores the candidates where the turn's reply stands."""
    placing = subject.agent.prompts.spec.belief
    ended = tuple([candidate + placing.suffix for candidate in subject.candidates])
    asked = _fork(subject, subject.request.messages)
    return replace(asked, prefill=placing.prefill, candidates=ended)


async def verbal(subject: Subject, spec: ProbeSpec, ask: Ask) -> Finding:
    """The percentage that the agent states when asked in private."""
    reply = await ask(_fork(subject, _after(subject, "verbal")))
    cut = was_cut(subject.agent, reply)
    stated = parse_confidence(reply.text, subject.agent.prompts.format, cut=cut)
    return Finding(confidence=_confidence("verbal", stated), text=reply.text)


async def p_true(subject: Subject, spec: ProbeSpec, ask: Ask) -> Finding:
    """P(True | question, answer), by both polarities where the prompts ask both (2207.05221)."""
    # A simulated agent has an opinion of the answer, not of how the question was put.
    can = subject.agent.capabilities
    both = subject.agent.prompts.spec.p_true.both_polarities and not can.simulated
    polarities = (True, False) if both else (True,)
    found = await asyncio.gather(*(_truth(subject, polarity, ask) for polarity in polarities))
    values = [finding.confidence.value for finding in found if finding.confidence]
    text = "\n".join(filter(None, (finding.text for finding in found)))
    mean = sum(values) / len(values) if values else None
    return Finding(confidence=_confidence("p_true", mean), text=text)


async def _truth(subject: Subject, positive: bool, ask: Ask) -> Finding:
    """One polarity: the probability that the answer is right, from the odds of two words."""
    asked, text = subject.agent.prompts.spec.p_true, ""
    messages = _after(subject, "p_true", answer=subject.turn.value, positive=positive)
    if asked.reason:
        stop = (asked.prefill,) if asked.prefill else ()
        text = (await ask(_fork(subject, messages, stop=stop))).text
    words = [*asked.positive, *asked.negative]
    prefill = plain(text) + asked.prefill
    request = replace(_fork(subject, messages), prefill=prefill, candidates=tuple(words))
    scores = await _scored(request, subject, ask)
    split = len(asked.positive)
    log_odds = _log_sum(scores[:split]) - _log_sum(scores[split:])
    against = -log_odds if positive else log_odds
    right = against if math.isnan(against) else 1 / (1 + math.exp(min(700.0, against)))
    return Finding(confidence=_confidence("p_true", right), text=text)


async def consistency(subject: Subject, spec: ProbeSpec, ask: Ask) -> Finding:
    """Share of m fresh samples that agree with the turn's answer, (k + ½) / (m + 1)."""
    replies = await asyncio.gather(
        *(ask(_resampled(subject, spec, sample)) for sample in range(spec.samples))
    )
    answers = [_opinion(subject, reply) for reply in replies]
    own = normalise(subject.turn.value or "", subject.question)
    share = (answers.count(own) + 0.5) / (spec.samples + 1)
    return Finding(confidence=_confidence("consistency", share))


def _opinion(subject: Subject, reply: Completion) -> str | None:
    format, cut = subject.agent.prompts.format, was_cut(subject.agent, reply)
    value = parse_answer(reply.text, subject.question, format, cut=cut).value
    return None if value is None else normalise(value, subject.question)


PROBES: Mapping[str, Probe] = MappingProxyType(
    {"belief": belief, "verbal": verbal, "p_true": p_true, "consistency": consistency}
)


def shortcoming(probe: ProbeSpec, agent: Agent) -> str | None:
    """Why this agent cannot be probed so; None where it can."""
    can: Capabilities = agent.capabilities
    if probe.name in ("belief", "p_true") and not can.scores:
        return f"its engine cannot score candidate texts, which the probe {probe.name} needs"
    if probe.name in ("verbal", "p_true") and not agent.prompts.has(probe.name):
        return f"its prompt set {agent.spec.prompts} has no {probe.name}.j2"
    return None


def num_calls(probe: ProbeSpec, agent: Agent) -> int:
    """Model calls that one probe of one turn makes."""
    if probe.name == "consistency":
        return probe.samples
    if probe.name == "p_true":
        asked = agent.prompts.spec.p_true
        return (1 + asked.both_polarities) * (1 + asked.reason)
    return 1


def _confidence(source: str, value: float | None) -> Confidence | None:
    """None also where impossible log-probabilities leave no number."""
    return None if value is None or math.isnan(value) else Confidence(source=source, value=value)


def _after(subject: Subject, template: str, **values: object) -> tuple[Message, ...]:
    """The conversation up to and including the turn, then one more question."""
    said = Message(role="assistant", content=plain(subject.turn.text))
    own = (said,) if subject.agent.prompts.spec.own_turns else ()
    asked = Message(role="user", content=subject.agent.prompts.render(template, values))
    return (*subject.request.messages, *own, asked)


def _fork(
    subject: Subject, messages: tuple[Message, ...], *, stop: tuple[str, ...] = ()
) -> Request:
    """A greedy call beside the debate, with the agent's own limits; it may write what it likes."""
    base, scene = subject.request.sampling, subject.request.scene
    greedy = replace(base, temperature=0.0, seed=None, stop=(*base.stop, *stop))
    scene = None if scene is None else replace(scene, subject=subject.turn)
    return replace(
        subject.request, messages=messages, sampling=greedy, guided=None, scene=scene
    )  # fmt: skip


async def _scored(request: Request, subject: Subject, ask: Ask) -> tuple[float, ...]:
    scores = (await ask(request)).candidate_log_p
    if scores is None:
        raise EngineError("the engine returned no candidate scores", boundary=subject.agent.id)
    return scores


def _log_sum(log_p: Sequence[float]) -> float:
    top = max(log_p)
    if math.isinf(top):
        return top
    return top + math.log(sum(math.exp(lp - top) for lp in log_p))


def _resampled(subject: Subject, spec: ProbeSpec, sample: int) -> Request:
    """The turn's own request with a fresh seed."""
    turn = subject.turn
    seed = call_seed(
        seed=turn.seed,
        question=turn.question,
        agent=turn.agent,
        round=turn.round,
        kind="probe",
        about=f"consistency/{sample}",
    )
    sampled = replace(subject.request.sampling, temperature=spec.temperature, seed=seed)
    return replace(subject.request, sampling=sampled)
