"""From a completion to what a turn records: answer, verdict, confidences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from debate.agents.agent import Agent
from debate.engines.base import Completion, Token
from debate.tasks.parsing import (
    Span,
    find_answer,
    parse_confidence,
    parse_verdict,
    verdict_span,
)
from debate.types import Answer, CallResult, Confidence, Kind, Question

Score = Callable[[Answer, Question], bool | None]


def read(agent: Agent, question: Question, kind: Kind, completion: Completion) -> CallResult:
    """What the reply says, by the prompt set's format, not yet scored. Nothing is guessed.

    A critique need not state an answer of its own; an answer-stating turn without one abstains.
    Of a reply that did not come to its own end, only what it has closed is read, and a confidence
    without the answer that it is in is none.
    """
    ended, usage = completion.finish_reason, completion.usage
    if completion.failure is not None:
        return CallResult(finish_reason="error", usage=usage, failure=completion.failure)
    format, cut = agent.prompts.format, was_cut(agent, completion)
    found = find_answer(completion.text, question, format, cut=cut)
    answer: Answer | None = found.answer
    is_open, accepts = found.is_open, None
    if kind == "critique":
        accepts = parse_verdict(completion.text, format, cut=cut)
        is_open = cut and accepts is None
        answer = None if found.span is None else answer
    sure = () if is_open else confidences(agent, completion, found.span, cut=cut)
    if accepts is not None:
        sure += truth(agent, completion, accepts=accepts, cut=cut)
    return CallResult(
        text=completion.text,
        finish_reason=ended,
        is_cut=is_open and ended == "length",
        answer=answer,
        accepts=accepts,
        confidences=sure,
        usage=usage,
    )


def was_cut(agent: Agent, completion: Completion) -> bool:
    """Whether a limit or a filter ended the reply, which might have gone on.

    One that is constrained to a choice, and is one that no other continues, could not have.
    """
    if completion.finish_reason not in ("length", "refusal"):
        return False
    choice, text = agent.guided.choice if agent.guided else (), completion.text
    return text not in choice or any(each != text and each.startswith(text) for each in choice)


def truth(
    agent: Agent, completion: Completion, *, accepts: bool, cut: bool = False
) -> tuple[Confidence, ...]:
    """P(True) of what a critique judges, from the log-probability of its verdict's word.

    Whatever the critic would rather have written than that word counts as the other verdict.
    Nothing where the engine gives no log-probabilities.
    """
    span = verdict_span(completion.text, agent.prompts.format, cut=cut)
    if span is None or not completion.tokens:
        return ()
    log_p = sum(token.log_p for token in tokens_within(completion.tokens, *span))
    right = math.exp(log_p) if accepts else -math.expm1(log_p)
    return (Confidence(source="p_true", value=min(1.0, max(0.0, right))),)


def confidences(
    agent: Agent, completion: Completion, answer: Span | None, *, cut: bool = False
) -> tuple[Confidence, ...]:
    """The confidences that a reply carries whose answer stands there, the primary one first.

    `verbal` is what the reply states. `answer_token` is the probability of the answer's tokens
    (with the text that ends an answer, where the prompt set names one), `sequence` its geometric
    mean per token; both at temperature 1, both only where the engine gives log-probabilities.
    """
    found = []
    stated = parse_confidence(completion.text, agent.prompts.format, cut=cut)
    if stated is not None:
        found.append(Confidence(source="verbal", value=stated))
    if answer is not None and completion.tokens:
        start, end = answer
        suffix = agent.prompts.spec.belief.suffix
        end += len(suffix) if completion.text.startswith(suffix, end) else 0
        log_p = [token.log_p for token in tokens_within(completion.tokens, start, end)]
        if log_p:
            joint, mean = math.exp(sum(log_p)), math.exp(sum(log_p) / len(log_p))
            found.append(Confidence(source="answer_token", value=min(1.0, joint)))
            found.append(Confidence(source="sequence", value=min(1.0, mean)))
    return tuple(found)


def tokens_within(tokens: Sequence[Token], start: int, end: int) -> list[Token]:
    """The tokens that overlap the characters [start, end) of their joined text."""
    inside, at = [], 0
    for token in tokens:
        if at < end and at + len(token.text) > start:
            inside.append(token)
        at += len(token.text)
    return inside
