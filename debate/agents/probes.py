"""Confidence probes: questions put in a private copy of an agent's context, heard by nobody."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from debate.agents.agent import Agent, derive_call_seed, is_reply_cut
from debate.agents.human_reply import make_confidence_form
from debate.agents.sanitize import sanitize_text
from debate.agents.tool_use import list_step_messages
from debate.agents.views import insert_examples, make_own_turn, make_values
from debate.config.protocol import ProbeSpec
from debate.config.registry import find, get_required, hash_code
from debate.engines.base import Completion, Request
from debate.errors import ConfigError, DebateError, EngineError, boundary
from debate.tasks import normalise
from debate.tasks.assessments import parse_confidence
from debate.tasks.parsing import find_answer, parse_answer
from debate.types import BELIEF_AFTER, Belief, Confidence, Message, Question, Turn

CallModel = Callable[[Request], Awaitable[Completion]]
"""Makes one call; raises EngineError where it fails."""


@dataclass(frozen=True, kw_only=True)
class ProbeSubject:
    """A turn that states an answer, the request that it replied to, and the candidate answers.

    Candidates are the closed set of answers, or all that were stated in the debate and the target;
    `verbal`, `p_true` and `consistency` are given none.
    """

    agent: Agent
    question: Question
    turn: Turn
    request: Request
    candidates: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProbeFinding:
    """The result of a probe; `confidence` is None where the reply could not be read."""

    confidence: Confidence | None = None
    belief: Belief | None = None
    text: str = ""


class ProbeFunction(Protocol):
    """Asks an agent in private how sure it is: a probe.

    It is given a turn that states an answer, with the request that it replied to; the entry of
    `probes:` in the configuration; and `ask`, which makes one call to the agent's model and may be
    awaited any number of times. A request to ask is best made from `subject.request` by
    `dataclasses.replace`. It returns a confidence under a source name of its own, such as
    `Confidence(source="hedging", value=0.4)`, or none where the reply cannot be read, and the text
    to keep. What it asks is heard by nobody. A call that fails raises EngineError, which fails the
    probe and nothing else. `requires = {"scores"}` as its attribute says that it asks for scores
    of candidates, so that engines without are refused.
    """

    def __call__(
        self, subject: ProbeSubject, spec: ProbeSpec, ask: CallModel, /
    ) -> Awaitable[ProbeFinding]:
        """Return the finding."""


async def probe_belief(subject: ProbeSubject, spec: ProbeSpec, ask: CallModel) -> ProbeFinding:
    """Score every candidate as the reply to the very prompt of the turn, in log-probability."""
    scores = await _score_candidates(build_belief_request(subject), subject, ask)
    found = Belief(log_p=dict(zip(subject.candidates, scores, strict=True)))
    own = found.log_p.get(subject.turn.value or "")
    level = own if own is None or math.isnan(own) else math.exp(min(0.0, own))
    return ProbeFinding(belief=found, confidence=_make_confidence("belief", level))


async def probe_belief_after(
    subject: ProbeSubject, spec: ProbeSpec, ask: CallModel
) -> ProbeFinding:
    """Score every candidate where the answer stands in the reply, after the turn's own working.

    Without a working before the answer it is `belief`. Where the working states the answer already,
    it measures copying. Raises EngineError where private reasoning came before the reply.
    """
    _refuse_reasoning(subject.turn.reasoning, subject.agent)
    turn, format = subject.turn, subject.agent.prompts.format
    cut = turn.finish_reason in ("length", "refusal")
    span = find_answer(turn.text, subject.question, format, cut=cut).span
    if span is None:
        return ProbeFinding()
    working = sanitize_text(turn.text[: span.start])
    before = build_belief_request(subject)
    messages = (*before.messages, *list_step_messages(turn.tool_steps))
    request = replace(before, messages=messages, prefill=working)
    scores = await _score_candidates(request, subject, ask)
    found = Belief(log_p=dict(zip(subject.candidates, scores, strict=True)))
    own = found.log_p.get(turn.value or "")
    level = None if own is None else math.exp(min(0.0, own)) if not math.isnan(own) else own
    return ProbeFinding(belief=found, confidence=_make_confidence(BELIEF_AFTER, level))


def _refuse_reasoning(reasoning: str | None, agent: Agent) -> None:
    """Raise EngineError where a reply that is to be continued has lost what it was led to by."""
    if reasoning is not None:
        raise EngineError(
            "a candidate cannot be scored as the end of this reply: the model wrote private "
            "reasoning before it, which is kept apart from the text; use the probe belief, or let "
            "the model not reason",
            boundary=agent.id,
        )


def build_belief_request(subject: ProbeSubject) -> Request:
    """Build the call that scores the candidates in place of the turn's reply."""
    placing = subject.agent.prompts.spec.belief
    ended = tuple([candidate + placing.suffix for candidate in subject.candidates])
    asked = _fork_request(subject, subject.request.messages)
    return replace(asked, prefill=placing.prefill, candidates=ended)


async def probe_verbal(subject: ProbeSubject, spec: ProbeSpec, ask: CallModel) -> ProbeFinding:
    """Ask the agent in private for a percentage."""
    request = _fork_request(subject, _append_question(subject, "verbal"))
    if subject.agent.capabilities.human:
        form = make_confidence_form(subject.agent, subject.turn.value)
        request = replace(request, form=form)
    reply = await ask(request)
    cut = is_reply_cut(subject.agent, reply)
    stated = parse_confidence(
        reply.text,
        subject.agent.prompts.format,
        cut=cut,
        asked=True,
        answer=subject.turn.value,
    )
    return ProbeFinding(confidence=_make_confidence("verbal", stated), text=reply.text)


async def probe_p_true(subject: ProbeSubject, spec: ProbeSpec, ask: CallModel) -> ProbeFinding:
    """Score P(True | question, answer), in both polarities if the prompts ask so (2207.05221)."""
    # A simulated agent has an opinion of the answer, not of how the question was put.
    can = subject.agent.capabilities
    both = subject.agent.prompts.spec.p_true.both_polarities and not can.simulated
    polarities = (True, False) if both else (True,)
    found = await asyncio.gather(*(_score_truth(subject, polarity, ask) for polarity in polarities))
    values = [finding.confidence.value for finding in found if finding.confidence]
    text = "\n".join(filter(None, (finding.text for finding in found)))
    mean = sum(values) / len(values) if values else None
    return ProbeFinding(confidence=_make_confidence("p_true", mean), text=text)


async def _score_truth(subject: ProbeSubject, positive: bool, ask: CallModel) -> ProbeFinding:
    """Score one polarity: the probability that the answer is right, from the odds of two words."""
    asked, text = subject.agent.prompts.spec.p_true, ""
    messages = _append_question(subject, "p_true", answer=subject.turn.value, positive=positive)
    if asked.reason:
        stop = (asked.prefill,) if asked.prefill else ()
        reply = await ask(_fork_request(subject, messages, stop=stop))
        _refuse_reasoning(reply.reasoning, subject.agent)
        text = reply.text
    words = [*asked.positive, *asked.negative]
    prefill = sanitize_text(text) + asked.prefill
    request = replace(_fork_request(subject, messages), prefill=prefill, candidates=tuple(words))
    scores = await _score_candidates(request, subject, ask)
    split = len(asked.positive)
    log_odds = _log_sum_exp(scores[:split]) - _log_sum_exp(scores[split:])
    against = -log_odds if positive else log_odds
    right = against if math.isnan(against) else 1 / (1 + math.exp(min(700.0, against)))
    return ProbeFinding(confidence=_make_confidence("p_true", right), text=text)


async def probe_consistency(subject: ProbeSubject, spec: ProbeSpec, ask: CallModel) -> ProbeFinding:
    """Count the k of m fresh samples that agree with the turn's answer, as (k + ½) / (m + 1)."""
    replies = await asyncio.gather(
        *(ask(_resample_request(subject, spec, sample)) for sample in range(spec.samples))
    )
    answers = [_parse_opinion(subject, reply) for reply in replies]
    own = normalise(subject.turn.value or "", subject.question)
    share = (answers.count(own) + 0.5) / (spec.samples + 1)
    return ProbeFinding(confidence=_make_confidence("consistency", share))


def _parse_opinion(subject: ProbeSubject, reply: Completion) -> str | None:
    format, cut = subject.agent.prompts.format, is_reply_cut(subject.agent, reply)
    value = parse_answer(reply.text, subject.question, format, cut=cut).value
    return None if value is None else normalise(value, subject.question)


PROBES: Mapping[str, ProbeFunction] = MappingProxyType(
    {
        "belief": probe_belief,
        BELIEF_AFTER: probe_belief_after,
        "verbal": probe_verbal,
        "p_true": probe_p_true,
        "consistency": probe_consistency,
    }
)


OWN_SOURCES = (*PROBES, "answer_token", "sequence", "belief_normalised", "source")
"""Names that a custom probe's confidence cannot have: estimators of this package, and a column."""


def find_unsupported(probe: ProbeSpec, agent: Agent) -> str | None:
    """Return why this agent cannot be probed so; None where it can."""
    if needs_scores(probe) and not agent.capabilities.scores:
        return (
            f"its engine cannot score candidate texts, which the probe {probe.name} needs (an "
            "endpoint can with `scores`, a dialect that has them, and, where that has no "
            "`/tokenize`, `chat_template`)"
        )
    if probe.name == "consistency" and agent.capabilities.human:
        return "a person does not answer afresh a question that was answered before"
    if probe.name in ("verbal", "p_true") and not agent.prompts.has_template(probe.name):
        return f"its prompt set {agent.spec.prompts} has no {probe.name}.j2"
    return None


def needs_scores(probe: ProbeSpec) -> bool:
    """Whether a probe asks for scores of candidates. Imports a custom one."""
    if probe.name in PROBES:
        return probe.name in ("belief", BELIEF_AFTER, "p_true")
    return "scores" in get_required(find("probes", probe.name).value, ("scores",))


async def run_probe(subject: ProbeSubject, spec: ProbeSpec, ask: CallModel) -> ProbeFinding:
    """Run the probe that a spec names.

    Raises EngineError where a call fails or its reply cannot be read, ConfigError where a custom
    probe raises anything else or finds what is no confidence.
    """
    if spec.name in PROBES:
        with boundary(EngineError, f"{subject.agent.id}: probe {spec.name}"):
            return await PROBES[spec.name](subject, spec, ask)
    try:
        found = await find("probes", spec.name).value(subject, spec, ask)
    except DebateError:
        raise
    except Exception as cause:
        told = f"{type(cause).__name__}: {cause}"
        raise ConfigError(f'probe "{spec.name}" raised {told}') from cause
    if not isinstance(found, ProbeFinding):
        what = type(found).__name__
        raise ConfigError(f'probe "{spec.name}" returned {what}; it must return a ProbeFinding')
    _check_confidence(spec.name, found.confidence)
    return found


def _check_confidence(probe: str, found: Confidence | None) -> None:
    if found is None:
        return
    if found.source in OWN_SOURCES or not re.fullmatch(r"\w+", found.source):
        raise ConfigError(
            f'probe "{probe}" calls its source "{found.source}"; it must be a word of its own, '
            f"none of {', '.join(OWN_SOURCES)}"
        )
    if not 0 <= found.value <= 1:
        raise ConfigError(f'probe "{probe}" found the confidence {found.value}, outside [0, 1]')


def hash_probe_code(spec: ProbeSpec) -> tuple[str, ...]:
    """Return what a custom probe adds to the hash of its calls: the digest of its code."""
    return () if spec.name in PROBES else (hash_code("probes", spec.name),)


def _make_confidence(source: str, value: float | None) -> Confidence | None:
    """Return the confidence; None also where impossible log-probabilities leave no number."""
    return None if value is None or math.isnan(value) else Confidence(source=source, value=value)


def _append_question(subject: ProbeSubject, template: str, **values: object) -> tuple[Message, ...]:
    """Return the conversation up to and including the turn, then one more question."""
    agent, question = subject.agent, subject.question
    own = make_own_turn(agent, subject.turn).said
    asked = Message(role="user", content=agent.prompts.render(template, values))
    named = {**make_values(agent, question), **values}
    messages = insert_examples(agent, question, template, subject.request.messages, named)
    return (*messages, *((own,) if own else ()), asked)


def _fork_request(
    subject: ProbeSubject, messages: tuple[Message, ...], *, stop: tuple[str, ...] = ()
) -> Request:
    """Make a greedy call beside the debate, with the agent's own limits and no constraint."""
    base, sampling = subject.request, subject.request.sampling
    greedy = replace(sampling, temperature=0.0, seed=None, stop=(*sampling.stop, *stop))
    debate_state = (
        None if base.debate_state is None else replace(base.debate_state, subject=subject.turn)
    )
    return replace(base, messages=messages, sampling=greedy, guided=None, debate_state=debate_state)


async def _score_candidates(
    request: Request, subject: ProbeSubject, ask: CallModel
) -> tuple[float, ...]:
    scores = (await ask(request)).candidate_log_p
    if scores is None:
        raise EngineError("the engine returned no candidate scores", boundary=subject.agent.id)
    return scores


def _log_sum_exp(log_p: Sequence[float]) -> float:
    top = max(log_p)
    if math.isinf(top):
        return top
    return top + math.log(sum(math.exp(lp - top) for lp in log_p))


def _resample_request(subject: ProbeSubject, spec: ProbeSpec, sample: int) -> Request:
    """Return the turn's own request with a fresh seed."""
    turn = subject.turn
    seed = derive_call_seed(
        seed=turn.seed,
        question=turn.question,
        agent=turn.agent,
        round=turn.round,
        kind="probe",
        about=f"consistency/{sample}",
    )
    sampled = replace(subject.request.sampling, temperature=spec.temperature, seed=seed)
    return replace(subject.request, sampling=sampled)
