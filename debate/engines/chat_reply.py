"""Replies of chat-completions servers, in all their shapes, as completions.

What a server says beside its text costs no reply that was answered and paid: a count, a time or a
log-probability that is none is taken for absent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from debate.engines.base import Completion, Token, align_tokens, decode_utf8_chunks
from debate.types import LOG_P_SLACK, MAX_TOKENS, Usage

LOWEST_LOG_P = -9999.0
"""The number that servers send where a log-probability is minus infinity."""


TOOL_NAMES = ("python", "calculator")
MAX_TOOL_CALLS = 20
"""Tools whose calls are written as blocks, and the most calls of a reply that are."""


class NoCompletion(ValueError):
    """JSON that is no chat completion."""


def read_json(content: bytes) -> Any:
    """Read the JSON of a reply, also with a byte-order mark, NaN or infinities in it.

    Raises ValueError (UnicodeDecodeError for bytes that are no text) or RecursionError.
    """
    content = content.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        return _unwrap(msgspec.json.decode(content))
    except msgspec.DecodeError as refusal:
        try:
            return _unwrap(json.loads(content.decode(), parse_int=_read_int))
        except json.JSONDecodeError:
            raise ValueError(str(refusal)) from refusal


def _unwrap(read: Any) -> Any:
    """Return the object in a list of one, as which some servers send their errors."""
    return read[0] if is_list(read) and len(read) == 1 and isinstance(read[0], Mapping) else read


def _read_int(digits: str) -> int | float:
    return int(digits) if len(digits) < 400 else math.inf


def parse_chat_completion(
    request_id: str, reply: Any, *, queued_s: float | None = None, running_s: float | None = None
) -> Completion:
    """Parse the completion in the JSON of a reply. Raises NoCompletion where there is none."""
    if not isinstance(reply, Mapping):
        raise NoCompletion(f"{type(reply).__name__} in place of an object")
    choice = choose(reply.get("choices"))
    if not choice:
        raise NoCompletion("the reply has no choices")
    message = choose_message(choice)
    if not message and not isinstance(choice.get("text"), str):
        raise NoCompletion("its choice has no message")
    logprobs = _find_logprobs(reply, choice, message)
    if (above := find_impossible_log_p(logprobs)) is not None:
        raise NoCompletion(
            f"its log-probability {above:g} is above 0; `logprobs: false` does without them"
        )
    parts = _read_content(message.get("content", choice.get("text")))
    text, refusal = parts["text"], parts["refusal"] or _as_text(message.get("refusal"))
    reasoning = _read_reasoning(message) or parts["reasoning"]
    reason = choice.get("finish_reason")
    if refusal and not text:
        text, reason = refusal, "refusal"
    elif reason is not None and not isinstance(reason, str):
        reason = None
    if called := _write_tool_calls(message):
        text, logprobs = "\n\n".join(filter(None, (text, called))), None
    read = _read_tokens(logprobs, text, bool(reasoning))
    return Completion(
        id=request_id,
        text=text,
        tokens=read.tokens,
        finish_reason=reason,
        usage=_read_usage(reply.get("usage"), queued_s=queued_s, running_s=running_s),
        reasoning=reasoning or None,
        is_reasoning_open=bool(reasoning) and not text and reason == "length",
        notes=() if read.fault is None else (read.fault,),
    )


def choose(choices: Any) -> Mapping[str, Any]:
    """Return the choice of least index; of those without one, the first."""
    given = [each for each in choices if isinstance(each, Mapping)] if is_list(choices) else []
    numbered = [each for each in given if type(each.get("index")) is int]
    return min(numbered, key=lambda each: int(each["index"]), default=given[0] if given else {})


def choose_message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    message = choice.get("message") or choice.get("delta")
    if isinstance(message, str):
        return {"content": message}
    return message if isinstance(message, Mapping) else {}


def _read_content(content: Any) -> dict[str, str]:
    """Read a text, or a list of parts, as what is said, thought and refused."""
    found: dict[str, list[str]] = {"text": [], "reasoning": [], "refusal": []}
    for part in content if is_list(content) else [content]:
        if not isinstance(part, Mapping):
            found["text"].append(_as_text(part))
            continue
        kind = str(part.get("type", "text"))
        if "think" in kind or "reason" in kind:
            found["reasoning"].append(_join_texts(part, kind))
        elif kind == "refusal":
            found["refusal"].append(_as_text(part.get("refusal")))
        else:
            found["text"].append(_join_texts(part, "text"))
    return {name: "".join(texts) for name, texts in found.items()}


def _join_texts(part: Any, kind: str = "text") -> str:
    """Join all texts that a part holds, in whichever of the usual fields."""
    if isinstance(part, str):
        return part
    if is_list(part):
        return "".join(map(_join_texts, part))
    if not isinstance(part, Mapping):
        return ""
    names = (kind, "thinking", "reasoning", "text", "summary", "content", "value", "parts")
    return next((found for name in names if (found := _join_texts(part.get(name)))), "")


def _read_reasoning(message: Mapping[str, Any]) -> str:
    """Read the reasoning that a server has told apart, in the first field that has some."""
    names = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
    return next((found for name in names if (found := _join_texts(message.get(name)))), "")


def _write_tool_calls(message: Mapping[str, Any]) -> str:
    """Write the calls of tools in a message as the fenced blocks that stand for them in a text."""
    given: Any = message.get("tool_calls")
    calls = given if is_list(given) else [{"function": message.get("function_call")}]
    blocks = []
    for call in calls[:MAX_TOOL_CALLS]:
        function = call.get("function") if isinstance(call, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if name in TOOL_NAMES and isinstance(function, Mapping):
            source = _read_tool_source(function.get("arguments"))
            fence = "~~~" if "```" in source else "```"
            blocks.append(f"{fence}{name}\n{source}\n{fence}")
    return "\n\n".join(blocks)


def _read_tool_source(arguments: Any) -> str:
    """Return the one text in a call's arguments, JSON or not."""
    if isinstance(arguments, str):
        try:
            read = read_json(arguments.encode())
        except (ValueError, RecursionError):
            return arguments
        arguments = read if isinstance(read, Mapping) else arguments
    if isinstance(arguments, Mapping):
        texts = [each for each in arguments.values() if isinstance(each, str)]
        return texts[0] if len(texts) == 1 else ""
    return _as_text(arguments)


def _read_usage(usage: Any, *, queued_s: float | None, running_s: float | None) -> Usage:
    usage = usage if isinstance(usage, Mapping) else {}
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    return Usage(
        prompt_tokens=read_count(usage.get("prompt_tokens")),
        cached_tokens=read_count(cached),
        generated_tokens=read_count(usage.get("completion_tokens")),
        queued_s=queued_s,
        running_s=running_s,
    )


def read_count(value: Any) -> int | None:
    """Return a number of tokens; None for anything else, such as -1, 5.5 or 2⁷⁰.

    >>> read_count(7), read_count(7.0), read_count(5.5), read_count(-1), read_count(True)
    (7, 7, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= MAX_TOKENS or value != int(value):
        return None
    return int(value)


@dataclass(frozen=True, kw_only=True)
class _Tokens:
    """The tokens of a reply, or why there are none although some were sent."""

    tokens: tuple[Token, ...] | None = None
    fault: str | None = None


def _find_logprobs(reply: Any, choice: Mapping[str, Any], message: Mapping[str, Any]) -> Any:
    for place in (choice, message, reply):
        if found := place.get("logprobs"):
            return found
    return None


def _read_tokens(logprobs: Any, text: str, has_reasoning: bool) -> _Tokens:
    """Read the tokens of the text; none where they spell another one, or have no numbers."""
    read = list_token_logprobs(logprobs)
    if not read:
        return _Tokens()
    texts, numbers = [each[0] for each in read], [each[1] for each in read]
    if has_reasoning or not "".join(texts).startswith(text):
        start = _find_first_token(texts, text, has_reasoning)
        texts, numbers = _drop_characters(texts, start), numbers
    log_p = [read_log_p(number) for number in numbers]
    if None in log_p:
        wrong = next(number for number, each in zip(numbers, log_p, strict=True) if each is None)
        return _Tokens(fault=f"no log-probabilities: one of them was {_describe_number(wrong)}")
    kept = [each for each in log_p if each is not None]
    tokens = align_tokens(texts, kept, text)
    if tokens is None:
        return _Tokens(fault="no log-probabilities: their tokens spell another text")
    return _Tokens(tokens=tokens)


def _find_first_token(texts: Sequence[str], text: str, has_reasoning: bool) -> int:
    """Find where the text begins in the joined tokens: after reasoning, or after white space."""
    joined = "".join(texts)
    start = joined.rfind(text) if text else len(joined)
    if start < 0 or (not has_reasoning and joined[:start].strip()):
        return 0
    return start


def _drop_characters(texts: Sequence[str], num: int) -> list[str]:
    """Drop the first characters of joined texts; a text of which none is left stays, empty."""
    left = []
    for each in texts:
        left.append(each[num:])
        num = max(0, num - len(each))
    return left


def list_token_logprobs(logprobs: Any) -> list[tuple[str, Any]]:
    """Return tokens with their log-probabilities, as sent, from any of the shapes in use.

    One is a list of objects, by itself or as `content`; the other two lists side by side.

    >>> list_token_logprobs({"tokens": ["4"], "token_logprobs": [-0.3]})
    [('4', -0.3)]
    """
    if isinstance(logprobs, Mapping):
        if is_list(logprobs.get("content")) and logprobs["content"]:
            return list_token_logprobs(logprobs["content"])
        tokens, numbers = logprobs.get("tokens"), logprobs.get("token_logprobs")
        if not isinstance(tokens, list) or not isinstance(numbers, list):
            return []
        if len(tokens) != len(numbers):
            return []
        return list(zip(map(_as_text, tokens), numbers, strict=True))
    entries = [each for each in logprobs if isinstance(each, Mapping)] if is_list(logprobs) else []
    if not all("logprob" in each for each in entries):
        return []
    return list(zip(_decode_token_texts(entries), [e["logprob"] for e in entries], strict=True))


def _decode_token_texts(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Decode texts that join to the whole, also where a character is spread over tokens."""
    try:
        return decode_utf8_chunks([bytes(entry["bytes"]) for entry in entries])
    except (KeyError, TypeError, ValueError):
        return [_as_text(entry.get("token")) for entry in entries]


def _describe_number(value: Any) -> str:
    """Describe what is no log-probability; a text is not quoted, for it may be anything."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{float(max(value, -1e300)):g}" if is_number else type(value).__name__


def find_impossible_log_p(logprobs: Any) -> float | None:
    """Find a log-probability well above 0, which no probability has; None where there is none.

    >>> find_impossible_log_p([{"token": "4", "logprob": 0.5}])
    0.5
    """
    for _, value in list_token_logprobs(logprobs):
        if isinstance(value, int | float) and not isinstance(value, bool) and value > LOG_P_SLACK:
            return float(min(value, 1e300))
    return None


def read_log_p(value: Any) -> float | None:
    """Return a log-probability (nats); None for what is none, or stands for minus infinity.

    >>> read_log_p(-0.5), read_log_p(0.001), read_log_p(1000.0), read_log_p(None)
    (-0.5, 0.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not LOWEST_LOG_P < value <= LOG_P_SLACK:
        return None
    return min(0.0, float(value))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def is_list(value: Any) -> bool:
    return isinstance(value, list)
