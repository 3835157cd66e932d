"""Check that what an engine gave is a completion of what it was asked.

A text or a score that is none fails the request, as does a log-probability that is nan or well
above 0, which no probability has: the model's own computation went wrong. What else an engine says
beside a text costs no reply: a count, a time or a log-probability that is none becomes absent, with
a note where it is missed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from debate.engines.base import Completion, Request, Token, fail_request
from debate.engines.reasoning import split_reasoning
from debate.types import LOG_P_SLACK, MAX_TOKENS, Failure, Usage

_REASONS: Mapping[str, str] = {
    **dict.fromkeys(("eos", "eos_token", "end_turn", "stop_sequence"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "max_new_tokens"), "length"),
    **dict.fromkeys(("max_length", "model_length", "token_limit", "context_length"), "length"),
    "model_context_window_exceeded": "length",
    **dict.fromkeys(("content_filter", "content_filtered", "guardrail_intervened"), "refusal"),
    **dict.fromkeys(("safety", "sensitive", "blocklist", "prohibited_content"), "refusal"),
    **dict.fromkeys(("recitation", "spii"), "refusal"),
}
"""Other names that servers give to `stop`, `length` and `refusal`, in small letters."""

_BROKEN_OFF = ("abort", "error", "cancelled")
"""Finish reasons of replies that the engine broke off."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def validate_completion(completion: Completion, request: Request, place: str) -> Completion:
    """Return the completion, or a failure at `place` that says what is wrong with it.

    Of a text, reasoning between marks is told apart.

    >>> from debate.engines.base import Completion, Request, Token
    >>> spoilt = Completion(id="1", text="4", tokens=(Token(text="4", log_p=float("nan")),))
    >>> validate_completion(spoilt, Request(id="1", messages=()), "adder").failure.message
    'the engine gave a log-probability that is no number: nan'
    """
    if isinstance(completion.failure, Failure):
        return Completion(id=request.id, failure=completion.failure)
    fault = _find_fault(completion, request)
    if fault is not None:
        return fail_request(request, place, f"the engine gave {fault}")
    completion = _drop_false_usage(completion)
    if request.candidates:
        return replace(completion, text="", tokens=None)
    named = replace(completion, finish_reason=_normalize_finish_reason(completion.finish_reason))
    said = f"{named.text}{named.reasoning or ''}{''.join(named.notes)}"
    named = named if _is_text(said) else _replace_surrogates(named)
    return split_reasoning(_drop_false_tokens(named))


def _drop_false_tokens(completion: Completion) -> Completion:
    """Return the completion without tokens where one has a log-probability that is none."""
    tokens = completion.tokens
    if tokens is None:
        return completion
    wrong = [token.log_p for token in tokens if _find_log_p_fault([token.log_p])]
    if wrong:
        note = f"no log-probabilities: one of them was {type(wrong[0]).__name__}"
        return replace(completion, tokens=None, notes=(*completion.notes, note))
    if any(token.log_p > 0 for token in tokens):
        bounded = tuple(replace(token, log_p=min(0.0, token.log_p)) for token in tokens)
        return replace(completion, tokens=bounded)
    return completion


def _drop_false_usage(completion: Completion) -> Completion:
    """Return the completion without counts and times that are none."""
    usage = completion.usage
    if not isinstance(usage, Usage):
        return replace(completion, usage=Usage())
    wrong = [each.name for each in fields(usage) if _is_false(each.name, getattr(usage, each.name))]
    if not wrong and (usage.cached_tokens or 0) > (usage.prompt_tokens or math.inf):
        wrong = ["cached_tokens"]
    if not wrong:
        return completion
    return replace(completion, usage=replace(usage, **dict.fromkeys(wrong)))


def _is_false(name: str, number: Any) -> bool:
    if number is None:
        return False
    if name.endswith("_tokens"):
        return type(number) is not int or not 0 <= number <= MAX_TOKENS
    return not (_is_number(number) and math.isfinite(number))


def _normalize_finish_reason(given: str | None) -> str | None:
    """Return the finish reason as `stop`, `length` or `refusal` where it means one of them."""
    if given is None:
        return None
    word = given.lower()
    return _REASONS.get(word, word if word in ("stop", "length", "refusal") else given)


def _find_fault(completion: Completion, request: Request) -> str | None:
    """Describe what is wrong with a completion; None where nothing is."""
    if completion.failure is not None:
        return f"a failure that is none: {type(completion.failure).__name__}"
    if request.candidates:
        return _find_score_fault(completion.candidate_log_p, len(request.candidates))
    return _find_text_fault(completion)


def _find_text_fault(completion: Completion) -> str | None:
    """Describe what is wrong with a reply; None where nothing is.

    An empty text is a reply where there is a reason why it ended: the model ended at once.
    """
    text, tokens, reason = completion.text, completion.tokens, completion.finish_reason
    if not isinstance(text, str):
        return f"{type(text).__name__} in place of a text"
    if not isinstance(reason, str | None):
        return f"{type(reason).__name__} in place of a reason why the reply ended"
    if reason is not None and reason.lower() in _BROKEN_OFF:
        return f'a reply that it broke off ("{reason}")'
    if not text and not tokens and reason is None and not completion.reasoning:
        return "an empty reply without a reason"
    if not isinstance(tokens, Sequence | None) or not all(map(_is_token, tokens or ())):
        return "tokens that are none"
    return _find_impossible_log_p(token.log_p for token in tokens or ())


def _find_impossible_log_p(log_p: Iterable[Any]) -> str | None:
    for each in log_p:
        if _is_number(each) and each != each:
            return "a log-probability that is no number: nan"
        if _is_number(each) and each > LOG_P_SLACK:
            return f"a log-probability above 0: {float(min(each, 1e300)):g}"
    return None


def _find_score_fault(scores: Any, num_candidates: int) -> str | None:
    if scores is None:
        return "no candidate scores"
    if not isinstance(scores, Sequence) or len(scores) != num_candidates:
        return f"scores that are not one for each of {num_candidates} candidates"
    return _find_log_p_fault(scores)


def _find_log_p_fault(log_p: Sequence[Any]) -> str | None:
    """Describe a log-probability that is none; minus infinity, an impossible event, is one."""
    for each in log_p:
        if not _is_number(each) or each != each:
            return f"a log-probability that is no number: {str(each)[:40]}"
        if each > LOG_P_SLACK:
            return f"a log-probability above 0: {float(min(each, 1e300)):g}"
    return None


def _is_text(text: str) -> bool:
    """Whether no character is half of a surrogate pair, which no file can hold."""
    return text.isascii() or not _SURROGATES.search(text)


def _replace_surrogates(completion: Completion) -> Completion:
    """Return the completion with a replacement character for each half of a surrogate pair."""
    tokens = completion.tokens
    if tokens is not None:
        tokens = tuple(
            replace(token, text=_SURROGATES.sub("\ufffd", token.text)) for token in tokens
        )
    reasoning = completion.reasoning
    return replace(
        completion,
        text=_SURROGATES.sub("\ufffd", completion.text),
        tokens=tokens,
        reasoning=None if reasoning is None else _SURROGATES.sub("\ufffd", reasoning),
        notes=tuple(_SURROGATES.sub("\ufffd", note) for note in completion.notes),
    )


def _is_token(value: Any) -> bool:
    return isinstance(value, Token) and isinstance(value.text, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
