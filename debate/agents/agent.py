"""An agent: a seat with its prompts, its calls, and what is read out of its replies."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from debate.agents.prompt_sets import PromptSet
from debate.agents.sanitize import TrustedText
from debate.config.agents import AgentSpec
from debate.config.protocol import ProtocolSpec
from debate.engines.base import (
    Capabilities,
    Completion,
    DebateState,
    Guided,
    Request,
    Sampling,
    Token,
)
from debate.tasks.assessments import find_verdict_span, parse_confidence, parse_verdict
from debate.tasks.parsing import Span, find_answer
from debate.types import AgentId, Answer, CallResult, Confidence, Kind, Message, Question

_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A seat as the orchestrator uses it. `identity` tells its model's weights from others'."""

    spec: AgentSpec
    prompts: PromptSet
    protocol: ProtocolSpec
    identity: str
    capabilities: Capabilities

    @property
    def id(self) -> AgentId:
        """The seat's name."""
        return self.spec.id

    @property
    def answers_first(self) -> bool:
        """Whether the agent opens with an answer of its own."""
        return self.spec.role in ("debater", "tool", "human")

    @property
    def votes(self) -> bool:
        """Whether its answers are ballots: a tool's, a judge's, a confederate's are not."""
        return self.spec.role == "debater" and not self.spec.confederate

    @cached_property
    def sampling(self) -> Sampling:
        """Its sampling with the stops of its prompt set, without a seed."""
        spec = self.spec.sampling
        return Sampling(
            temperature=spec.temperature,
            top_p=spec.top_p,
            top_k=spec.top_k,
            max_tokens=spec.max_tokens,
            stop=(*self.prompts.spec.stop, *spec.stop),
            extra=tuple(spec.extra.items()),
        )

    @cached_property
    def guided(self) -> Guided | None:
        """The constraint on its replies, if there is one."""
        spec = self.spec.sampling
        return Guided(choice=spec.choice, regex=spec.regex) if spec.is_constrained else None

    @cached_property
    def system_messages(self) -> tuple[Message, ...]:
        """The system prompt as one message; none where the template renders to nothing."""
        values = {
            "system": self.spec.system and TrustedText(self.spec.system),
            "persona": self.spec.persona and TrustedText(self.spec.persona),
            "agreement": self.spec.agreement,
            "role": self.spec.role,
        }
        text = self.prompts.render("system", values).strip()
        if self.spec.tools is not None and self.prompts.has_template("tools"):
            told = self.prompts.render("tools", self.spec.tools.model_dump()).strip()
            text = "\n\n".join(filter(None, (text, told)))
        return (Message(role="system", content=text),) if text else ()


def make_sampling(agent: Agent, seed: int | None, *, temperature: float | None = None) -> Sampling:
    """Return the agent's sampling with a seed, which greedy sampling does not get.

    `temperature` overrides the agent's own.
    """
    base = agent.sampling
    used = base.temperature if temperature is None else temperature
    if used == base.temperature and (seed is None or is_greedy(used)):
        return base
    return replace(base, temperature=used, seed=None if is_greedy(used) else seed)


def is_greedy(temperature: float | None) -> bool:
    """Whether sampling at this temperature draws nothing; one that is left to the engine may."""
    return temperature is not None and temperature <= 0


def derive_call_seed(
    *,
    seed: int,
    question: str,
    agent: AgentId,
    round: int,
    kind: Kind,
    about: str | None = None,
) -> int:
    """Derive the seed of one call, in [0, 2³¹), from its place in the debate, not from the cell.

    Cells of one run therefore share whatever they ask alike, first of all the openings.
    """
    name = f"{seed}/{question}/{agent}/{round}/{kind}/{about or ''}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") >> 1


def hash_call(agent: Agent, request: Request) -> str:
    """Hash all that decides a call's outcome: model, messages, sampling, seed; 32 hex digits.

    For an engine that sees the scene, also the agent's place and what it has said and heard; for
    one that knows the truth, whether what it judges is right.
    """
    content: tuple[object, ...] = (
        agent.identity,
        request.messages,
        request.prefill,
        request.candidates,
        request.sampling,
        request.guided,
        _list_scene_content(request.debate_state) if request.debate_state else None,
    )
    if agent.capabilities.knows_truth and request.debate_state:
        subject = request.debate_state.subject
        content = (*content, subject.correct if subject else None)
    return hash_content(content)


def hash_content(content: object) -> str:
    """Hash the JSON encoding of a value; 32 hex digits."""
    return hashlib.blake2b(_ENCODER.encode(content), digest_size=16).hexdigest()


def _list_scene_content(debate_state: DebateState) -> tuple[object, ...]:
    said = [(turn.ref, turn.value, turn.accepts, turn.confidences) for turn in debate_state.turns]
    subject = debate_state.subject.ref if debate_state.subject else None
    question = (debate_state.question.id, debate_state.question.text, debate_state.question.target)
    place = (
        debate_state.seed,
        debate_state.round,
        debate_state.kind,
        debate_state.agent,
        debate_state.about,
    )
    told = () if debate_state.told_own is None else (debate_state.told_own,)
    withheld = (sorted(debate_state.withheld),) if debate_state.withheld else ()
    return (*question, *place, subject, debate_state.heard, *said, *told, *withheld)


def read_reply(agent: Agent, question: Question, kind: Kind, reply: Completion) -> CallResult:
    """Read answer, verdict and confidences by the prompt set's format; they are not yet scored.

    Nothing is guessed. A critique need not state an answer of its own; a turn that should state
    one and does not is an abstention. Of a reply that a limit ended, only what it has closed is
    read, and a confidence without the answer that it is in is none.
    """
    ended, usage = reply.finish_reason, reply.usage
    if reply.failure is not None:
        return CallResult(
            finish_reason="error", usage=usage, failure=reply.failure, notes=reply.notes
        )
    format, cut = agent.prompts.format, is_reply_cut(agent, reply)
    is_critique = kind == "critique"
    found = find_answer(reply.text, question, format, cut=cut, marked_only=is_critique)
    answer: Answer | None = found.answer
    is_open, accepts = found.is_open, None
    if is_critique:
        accepts = parse_verdict(reply.text, format, cut=cut)
        is_open = cut and accepts is None
        answer = None if found.span is None else answer
    if cut and reply.is_reasoning_open:
        # What stands before reasoning that was cut off may not be what the model ends with.
        is_open, accepts = True, None
        answer = answer and replace(answer, value=None)
    confidences = () if is_open else find_confidences(agent, reply, found.span, cut=cut)
    if accepts is not None:
        confidences += compute_p_true(agent, reply, accepts=accepts, cut=cut)
    return CallResult(
        text=reply.text,
        finish_reason=ended,
        is_cut=is_open and ended == "length",
        answer=answer,
        accepts=accepts,
        confidences=confidences,
        usage=usage,
        reasoning=reply.reasoning,
        notes=reply.notes,
        served_by=reply.served_by,
    )


def is_reply_cut(agent: Agent, reply: Completion) -> bool:
    """Return whether a limit or a filter ended the reply, which might have gone on.

    One that is constrained to a choice, and is one that no other continues, could not have.
    """
    if reply.finish_reason not in ("length", "refusal"):
        return False
    return is_open_ended(reply.text, agent.guided)


def is_open_ended(text: str, guided: Guided | None) -> bool:
    """Return whether a text that keeps to the constraint might go on.

    >>> is_open_ended("B", Guided(choice=("A", "B"))), is_open_ended("1", Guided(regex="[0-9]+"))
    (False, True)
    """
    choice = guided.choice if guided else ()
    return text not in choice or any(each != text and each.startswith(text) for each in choice)


def compute_p_true(
    agent: Agent, reply: Completion, *, accepts: bool, cut: bool = False
) -> tuple[Confidence, ...]:
    """Compute P(True) of what a critique judges, from the log-probability of its verdict's word.

    Whatever the critic would rather have written than that word counts as the other verdict.
    Empty where the engine gives no log-probabilities.
    """
    span = find_verdict_span(reply.text, agent.prompts.format, cut=cut)
    if span is None or not reply.tokens:
        return ()
    log_p = sum(token.log_p for token in find_tokens_within(reply.tokens, *span))
    right = math.exp(log_p) if accepts else -math.expm1(log_p)
    return (Confidence(source="p_true", value=min(1.0, max(0.0, right))),)


def find_confidences(
    agent: Agent, reply: Completion, answer: Span | None, *, cut: bool = False
) -> tuple[Confidence, ...]:
    """Find the confidences of a reply whose answer stands at this span, the primary one first.

    `verbal` is what the reply states. `answer_token` is the probability of the answer's tokens
    (with the text that ends an answer, where the prompt set names one), `sequence` its geometric
    mean per token; both at temperature 1, both only where the engine gives log-probabilities.
    """
    found = []
    stated = parse_confidence(reply.text, agent.prompts.format, cut=cut)
    if stated is not None:
        found.append(Confidence(source="verbal", value=stated))
    if answer is not None and reply.tokens:
        start, end = answer
        suffix = agent.prompts.spec.belief.suffix
        end += len(suffix) if reply.text.startswith(suffix, end) else 0
        log_p = [token.log_p for token in find_tokens_within(reply.tokens, start, end)]
        if log_p:
            joint, mean = math.exp(sum(log_p)), math.exp(sum(log_p) / len(log_p))
            found.append(Confidence(source="answer_token", value=min(1.0, joint)))
            found.append(Confidence(source="sequence", value=min(1.0, mean)))
    return tuple(found)


def find_tokens_within(tokens: Sequence[Token], start: int, end: int) -> list[Token]:
    """Find the tokens that overlap the characters [start, end) of their joined text."""
    inside, at = [], 0
    for token in tokens:
        if at < end and at + len(token.text) > start:
            inside.append(token)
        at += len(token.text)
    return inside
