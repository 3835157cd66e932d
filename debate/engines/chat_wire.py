"""The OpenAI chat-completions protocol: requests to JSON, JSON to completions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from debate.config.models import OpenaiModel
from debate.engines.base import Completion, Guided, Request, Token
from debate.engines.pieces import aligned, streamed_utf8
from debate.types import Usage


class TokenLogprob(msgspec.Struct):
    """A generated token; `bytes` are given because a token may end inside a character."""

    token: str
    logprob: float | None = None
    bytes: list[int] | None = None


class Logprobs(msgspec.Struct):
    content: list[TokenLogprob] | None = None


class ReplyMessage(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    message: ReplyMessage
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class ReplyUsage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None


class Reply(msgspec.Struct):
    """What a server answers with status 200, as far as it is read."""

    choices: list[Choice]
    usage: ReplyUsage | None = None


_REPLIES = msgspec.json.Decoder(Reply)


def request_body(request: Request, spec: OpenaiModel) -> bytes:
    """The JSON of a request. `Sampling.extra` and then `extra_body` have the last word.

    A beginning of the reply and constraints go by the names that vLLM's server gives them.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": spec.model,
        "messages": list(request.messages),
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    optional = {"top_k": sampling.top_k, "seed": sampling.seed, "stop": sampling.stop or None}
    body |= {name: value for name, value in optional.items() if value is not None}
    if spec.logprobs:
        body["logprobs"] = True
    if request.prefill:
        body["messages"].append({"role": "assistant", "content": request.prefill})
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    if request.guided is not None:
        body["structured_outputs"] = _constraint(request.guided)
    return msgspec.json.encode(body | dict(sampling.extra) | spec.extra_body)


def _constraint(guided: Guided) -> dict[str, Any]:
    return {"choice": guided.choice} if guided.choice else {"regex": guided.regex}


def parse_reply(request_id: str, body: bytes, *, queued_s: float, running_s: float) -> Completion:
    """The completion in a server's reply.

    Raises msgspec.DecodeError for broken JSON and its subclass ValidationError for JSON that is
    no chat completion.
    """
    reply = _REPLIES.decode(body)
    if not reply.choices:
        raise msgspec.ValidationError("the reply has no choices")
    choice = reply.choices[0]
    text = choice.message.content or ""
    return Completion(
        id=request_id,
        text=text,
        tokens=_tokens(choice.logprobs, text),
        finish_reason=choice.finish_reason,
        usage=_usage(reply.usage or ReplyUsage(), queued_s=queued_s, running_s=running_s),
    )


def _usage(usage: ReplyUsage, *, queued_s: float, running_s: float) -> Usage:
    details = usage.prompt_tokens_details
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=details.cached_tokens if details else None,
        generated_tokens=usage.completion_tokens,
        queued_s=queued_s,
        running_s=running_s,
    )


def _tokens(logprobs: Logprobs | None, text: str) -> tuple[Token, ...] | None:
    """The tokens of the text; None where the server gives none, or none that spell the text."""
    content = logprobs.content if logprobs else None
    if not content:
        return None
    log_p = [entry.logprob for entry in content if entry.logprob is not None]
    if len(log_p) < len(content) or not all(map(math.isfinite, log_p)):
        return None
    return aligned(_texts(content), log_p, text)


def _texts(content: Sequence[TokenLogprob]) -> list[str]:
    """Texts that join to the whole, also where a character is spread over tokens."""
    if any(entry.bytes is None for entry in content):
        return [entry.token for entry in content]
    return streamed_utf8(bytes(entry.bytes or ()) for entry in content)
