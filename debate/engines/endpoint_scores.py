"""Scores of candidate replies by the prompt log-probabilities of a server's `/completions`.

The prompt with each candidate behind it is sent as a prompt to complete by one token, and the
server gives the log-probability of every token of it. What the candidate's tokens are is known in
one of two ways. Where the server turns chat messages into token ids, prompt and candidate are sent
as ids. Otherwise the model's chat template, given as a file, makes the prompt's text, and the
tokens that reach into the candidate count, as the server tells them.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from debate.config.models import OpenaiModel
from debate.engines.base import Completion, Request
from debate.engines.chat_reply import LOWEST_LOG_P, read_count
from debate.engines.chat_template import render_chat
from debate.engines.dialects import Dialect
from debate.engines.reasoning import SCORED_AS_THOUGHTS, ends_open
from debate.errors import EngineError
from debate.types import LOG_P_SLACK, Message, Usage

Post = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Sends a body to one of the endpoint's addresses, `completions` or a path from its root; gives the
JSON of the reply. Raises EngineError where that fails."""

TokenIds = list[int]

_NUM_END_TOKENS = 12
"""Tokens at the end of a prompt among which a mark that opens reasoning is looked for."""

_BYTE_MARKS = str.maketrans({"Ġ": " ", "▁": " ", "Ċ": "\n"})
"""Signs by which tokenizers write white space in the texts of their tokens."""

_ONE_TOKEN = {"max_tokens": 1, "temperature": 0.0}


async def score_candidates(
    request: Request, messages: Sequence[Message], spec: OpenaiModel, dialect: Dialect, post: Post
) -> Completion:
    """Score a request's candidates after the messages and its prefill.

    Raises EngineError where the server does not give one log-probability for each token of a
    prompt.
    """
    if spec.chat_template is not None:
        return await _score_texts(request, messages, spec, dialect, post)
    return await _score_ids(request, messages, spec, dialect, post)


async def _score_ids(
    request: Request, messages: Sequence[Message], spec: OpenaiModel, dialect: Dialect, post: Post
) -> Completion:
    """Score candidates by token ids that the server makes of the messages."""
    path = dialect.tokenize or "/tokenize"
    shared: dict[str, Any] = {"model": spec.model}
    kwargs = spec.extra_body.get("chat_template_kwargs")
    chat: dict[str, Any] = {
        "messages": [{"role": each.role, "content": each.content} for each in messages],
        "add_generation_prompt": True,
        "return_token_strs": True,
        **({"chat_template_kwargs": kwargs} if kwargs else {}),
    }

    async def encode(asked: Mapping[str, Any]) -> TokenIds:
        return _read_ids(await post(path, shared | dict(asked)))

    try:
        told = await post(path, shared | chat)
        begun = _read_ids(told)
    except EngineError as cause:
        raise EngineError(
            f"scores need the tokens of the prompt, and the endpoint does not give them: {cause}; "
            "name the model's chat template by chat_template"
        ) from cause

    _refuse_thoughts(_read_end(told), request)

    async def encode_text(text: str) -> TokenIds:
        return await encode({"prompt": text, "add_special_tokens": False}) if text else []

    prefill = await encode_text(request.prefill)
    prompts, starts = [], []
    for candidate in request.candidates:
        whole = await encode_text(request.prefill + candidate)
        if whole[: len(prefill)] != prefill:
            whole = [*prefill, *await encode_text(candidate)]
        if len(whole) == len(prefill):
            raise EngineError(f'the candidate "{candidate}" has no tokens, so it has no score')
        prompts.append([*begun, *whole])
        starts.append(len(begun) + len(prefill))
    reply = await post("completions", _make_body(spec, dialect, prompts))
    rows = read_prompt_logprobs(reply, dialect, prompts)
    scores = [sum(row[start:]) for row, start in zip(rows, starts, strict=True)]
    return _make_completion(request, scores, reply)


async def _score_texts(
    request: Request, messages: Sequence[Message], spec: OpenaiModel, dialect: Dialect, post: Post
) -> Completion:
    """Score candidates by the prompt's text, each by a call: not all servers take several."""
    assert spec.chat_template is not None
    kwargs = spec.extra_body.get("chat_template_kwargs") or {}
    chat = render_chat(spec.chat_template, messages, kwargs)
    _refuse_thoughts(chat, request)
    context = chat + request.prefill
    scores, replies = [], []
    for candidate in request.candidates:
        text = context + candidate
        body = {"model": spec.model, "prompt": text, "echo": True, "logprobs": 1, **_ONE_TOKEN}
        replies.append(await post("completions", body))
        scores.append(_read_echoed(replies[-1], text, len(context), dialect))
    return _make_completion(request, scores, *replies)


def _refuse_thoughts(chat: str, request: Request) -> None:
    if ends_open(chat, request.prefill):
        raise EngineError(SCORED_AS_THOUGHTS)


def _make_body(spec: OpenaiModel, dialect: Dialect, prompts: list[TokenIds]) -> dict[str, Any]:
    body: dict[str, Any] = {"model": spec.model, "prompt": prompts, **_ONE_TOKEN}
    return body | ({"echo": True, "logprobs": 1} if dialect.scores == "echo" else _ROWS)


_ROWS = {"prompt_logprobs": 0}


def _read_ids(reply: Any) -> TokenIds:
    ids = reply.get("tokens") if isinstance(reply, Mapping) else None
    if isinstance(ids, list) and len(ids) == 1 and isinstance(ids[0], list):
        ids = ids[0]
    if not isinstance(ids, list) or not all(type(each) is int for each in ids):
        raise EngineError("it gave no list of token ids")
    return ids


def _read_end(reply: Mapping[str, Any]) -> str:
    """Read the text with which a prompt ends, where the server tells the tokens' own."""
    texts = reply.get("token_strs")
    ends = texts[-_NUM_END_TOKENS:] if isinstance(texts, list) else []
    return "".join(map(str, ends)).translate(_BYTE_MARKS)


def read_prompt_logprobs(
    reply: Any, dialect: Dialect, prompts: Sequence[TokenIds]
) -> list[list[float]]:
    """Read the log-probabilities (nats) of each prompt's tokens; that of a first token is 0.

    Raises EngineError where there is not one for each token.
    """
    choices = reply.get("choices") if isinstance(reply, Mapping) else None
    found = [each for each in choices or () if isinstance(each, Mapping)]
    if len(found) != len(prompts):
        raise _refuse(f"{len(found)} choices came back for {len(prompts)} prompts")
    if all(type(each.get("index")) is int for each in found):
        found.sort(key=lambda each: int(each["index"]))
    read = _read_echoed_rows if dialect.scores == "echo" else _read_rows
    return [read(choice, ids) for choice, ids in zip(found, prompts, strict=True)]


def _read_rows(choice: Mapping[str, Any], ids: TokenIds) -> list[float]:
    """Read vLLM's rows: for each token but the first a mapping of ids to numbers."""
    rows = choice.get("prompt_logprobs")
    if not isinstance(rows, list) or len(rows) != len(ids):
        raise _refuse(_count_rows(rows, len(ids)))
    found = [0.0]
    for row, token in zip(rows[1:], ids[1:], strict=True):
        entry = row.get(str(token)) if isinstance(row, Mapping) else None
        found.append(_read_score(entry.get("logprob") if isinstance(entry, Mapping) else entry))
    return found


def _read_echoed_rows(choice: Mapping[str, Any], ids: TokenIds) -> list[float]:
    """Read the numbers of an echoed prompt, which those of the completion may follow."""
    logprobs = choice.get("logprobs")
    numbers = logprobs.get("token_logprobs") if isinstance(logprobs, Mapping) else None
    if not isinstance(numbers, list) or len(numbers) not in (len(ids), len(ids) + 1):
        raise _refuse(_count_rows(numbers, len(ids)))
    return [0.0, *map(_read_score, numbers[1 : len(ids)])]


def _read_echoed(reply: Any, text: str, start: int, dialect: Dialect) -> float:
    """Sum the log-probabilities of the echoed tokens that reach beyond the first characters."""
    choices = reply.get("choices") if isinstance(reply, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    logprobs = choice.get("logprobs") if isinstance(choice, Mapping) else None
    logprobs = logprobs if isinstance(logprobs, Mapping) else {}
    tokens, numbers = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(numbers, list) or len(tokens) < 3:
        raise _refuse("no log-probabilities of the prompt came back")
    if len(tokens) != len(numbers):
        raise _refuse(f"{len(numbers)} log-probabilities came back for {len(tokens)} tokens")
    texts = list(map(str, tokens))
    usage = _read_echo_usage(reply)
    if dialect.echo_lacks_bos or text not in "".join(texts):
        _refuse_shifted(len(texts), usage)
    total, at = 0.0, _find_echo(texts, text, start, usage.generated_tokens or 0)
    for token, number in zip(texts, numbers, strict=True):
        end = at + len(token)
        if end > start and at < len(text):
            total += _read_score(number)
        at = end
    return total


def _read_echo_usage(reply: Mapping[str, Any]) -> Usage:
    usage = reply.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    return Usage(
        prompt_tokens=read_count(usage.get("prompt_tokens")),
        generated_tokens=read_count(usage.get("completion_tokens")),
    )


def _refuse_shifted(num_echoed: int, usage: Usage) -> None:
    """Raise EngineError where llama-cpp-python gives each token the number of the next place.

    It leaves the token that begins a text out of its echo and pairs the others with its numbers as
    if it always had. In the echo of a prompt without that token all numbers are one place off.
    """
    num_tokens = (usage.prompt_tokens or math.inf) + (usage.generated_tokens or 0)
    if num_echoed >= num_tokens:
        raise _refuse(
            "its prompt begins without the token that begins a text (BOS), for which "
            "llama-cpp-python gives each token the number of the next place"
        )


def _find_echo(tokens: Sequence[str], text: str, start: int, num_generated: int) -> int:
    """Find at which character of the prompt the echoed tokens begin, counted back from its end.

    A server may echo a token for the beginning of the text that the text does not spell, and may
    leave control tokens out, or give them no text; so only what follows the last of them, with the
    candidate, is compared.
    """
    joined = "".join(tokens)
    extra = joined.find(text)
    if extra >= 0:
        return -extra
    echoed = "".join(tokens[: len(tokens) - num_generated])
    if not echoed.endswith(text[start:]):
        raise _refuse("the tokens that came back do not spell the prompt")
    return len(text) - len(echoed)


def _read_score(value: Any) -> float:
    """Return the log-probability of a token of the prompt; minus infinity is one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not value <= LOG_P_SLACK:
        raise _refuse(f"one log-probability was {str(value)[:40]}")
    return -math.inf if value <= LOWEST_LOG_P else min(0.0, float(value))


def _count_rows(rows: Any, num: int) -> str:
    count = len(rows) if isinstance(rows, list) else 0
    return f"{count} log-probabilities came back for the {num} tokens of the prompt"


def _refuse(what: str) -> EngineError:
    return EngineError(
        f"the endpoint cannot score candidates: {what}; leave `scores` out, or serve the model by "
        "vLLM, SGLang or llama-cpp-python"
    )


def _make_completion(request: Request, scores: Sequence[float], *replies: Any) -> Completion:
    counts = []
    for reply in replies:
        usage = reply.get("usage")
        counts.append(
            read_count(usage.get("prompt_tokens")) if isinstance(usage, Mapping) else None
        )
    known = [count for count in counts if count is not None]
    total = sum(known) if len(known) == len(counts) else None
    return Completion(
        id=request.id,
        candidate_log_p=tuple(scores),
        usage=Usage(prompt_tokens=total, generated_tokens=0),
    )
