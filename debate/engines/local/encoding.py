"""Requests to token ids: chat template, beginning of the reply, candidates in their context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from debate.engines.base import Request
from debate.engines.local.control import Controls, controls
from debate.errors import EngineError

Ids = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A request as token ids; `candidates` holds each candidate's ids after the context."""

    request: Request
    ids: Ids
    candidates: tuple[Ids, ...] = ()


def encode(tokenizer: Any, requests: Sequence[Request]) -> list[Prompt]:
    """Encode many requests at once; the tokenizer adds nothing to what the template says."""
    tokens = controls(tokenizer)
    texts = prompt_texts(tokenizer, requests)
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    for text, ids in zip(texts, encoded, strict=True):
        tokens.refuse_others(text, ids)
    return [
        Prompt(
            request=request,
            ids=tuple(ids),
            candidates=_candidates(tokenizer, text, tuple(ids), _plain(tokens, request)),
        )
        for request, text, ids in zip(requests, texts, encoded, strict=True)
    ]


def prompt_texts(tokenizer: Any, requests: Sequence[Request]) -> list[str]:
    """The text before what the model is to write: the chat, its cue, the reply's beginning.

    The tokenizer's control tokens come from the chat template alone, never from a message.
    """
    plain = controls(tokenizer).plain
    chats = [[{"role": m.role, "content": plain(m.content)} for m in r.messages] for r in requests]
    rendered = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    return [text + plain(request.prefill) for text, request in zip(rendered, requests, strict=True)]


def _plain(tokens: Controls, request: Request) -> list[str]:
    return [tokens.plain(candidate) for candidate in request.candidates]


def _candidates(
    tokenizer: Any, context: str, context_ids: Ids, candidates: Sequence[str]
) -> tuple[Ids, ...]:
    """Each candidate's tokens as they continue the context.

    Where the context's own tokens would change with what follows (a merge across the boundary),
    the candidate is encoded on its own instead.
    """
    if not candidates:
        return ()
    wholes = _plain_ids(tokenizer, [context + candidate for candidate in candidates])
    stable = [whole[: len(context_ids)] == context_ids for whole in wholes]
    if all(stable):
        return tuple(whole[len(context_ids) :] for whole in wholes)
    alone = _plain_ids(tokenizer, list(candidates))
    return tuple(
        whole[len(context_ids) :] if is_stable else own
        for whole, is_stable, own in zip(wholes, stable, alone, strict=True)
    )


def _plain_ids(tokenizer: Any, texts: list[str]) -> list[Ids]:
    return [tuple(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]


def checked(prompt: Prompt, max_length: int | None) -> Prompt:
    """The prompt, if the model can take it. Raises EngineError otherwise."""
    longest = max(map(len, prompt.candidates), default=1)
    if not prompt.ids:
        raise EngineError("the prompt is empty")
    if max_length is not None and len(prompt.ids) + longest > max_length:
        raise EngineError(
            f"the prompt has {len(prompt.ids)} tokens and {longest} must follow; "
            f"the model takes {max_length}"
        )
    if prompt.request.sampling.extra:
        names = ", ".join(name for name, _ in prompt.request.sampling.extra)
        raise EngineError(f"the transformers engine has no sampling parameter {names}")
    return prompt
