"""Encode requests as token ids and decode token ids, with no control token read from a message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple

from debate.engines.base import Request
from debate.engines.reasoning import SCORED_AS_THOUGHTS, ends_open
from debate.engines.roles import FOLDED, fold_roles, is_role_refusal
from debate.errors import EngineError
from debate.types import Message

TokenIds = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class EncodedPrompt:
    """A request as token ids; `candidates` holds each candidate's ids after the context.

    `opens_reasoning` says that what follows is the model's reasoning, which the chat template has
    begun, `notes` what of the messages was said otherwise.
    """

    request: Request
    ids: TokenIds
    candidates: tuple[TokenIds, ...] = ()
    opens_reasoning: bool = False
    notes: tuple[str, ...] = ()


NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


def encode_requests(
    tokenizer: Any, requests: Sequence[Request], *, template_options: Mapping[str, Any] = NO_OPTIONS
) -> list[EncodedPrompt]:
    """Encode many requests at once; the tokenizer adds nothing to what the template says.

    `template_options` are passed to the chat template by name.
    """
    tokens = get_control_tokens(tokenizer)
    rendered = render_prompts(tokenizer, requests, template_options=template_options)
    if any(p.opens_reasoning and r.candidates for p, r in zip(rendered, requests, strict=True)):
        raise EngineError(SCORED_AS_THOUGHTS)
    texts = [prompt.text for prompt in rendered]
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    for text, ids in zip(texts, encoded, strict=True):
        tokens.refuse_hidden(text, ids)
    return [
        EncodedPrompt(
            request=request,
            ids=tuple(ids),
            candidates=_encode_candidates(
                tokenizer, text, tuple(ids), _escape_candidates(tokens, request)
            ),
            opens_reasoning=prompt.opens_reasoning,
            notes=prompt.notes,
        )
        for request, prompt, text, ids in zip(requests, rendered, texts, encoded, strict=True)
    ]


class RenderedPrompt(NamedTuple):
    """The text that a model is to continue, and what of the messages is said otherwise in it.

    `opens_reasoning` says that what follows is the model's reasoning, which is begun in it.
    """

    text: str
    notes: tuple[str, ...] = ()
    opens_reasoning: bool = False


def render_prompts(
    tokenizer: Any, requests: Sequence[Request], *, template_options: Mapping[str, Any] = NO_OPTIONS
) -> list[RenderedPrompt]:
    """Render the text that the model is to continue: the chat, its cue, the reply's beginning.

    The tokenizer's control tokens come from the chat template alone, never from a message. Messages
    whose roles the template refuses are folded.
    """
    chats = [request.messages for request in requests]
    try:
        texts = _apply_template(tokenizer, chats, template_options)
        prompts = [RenderedPrompt(text) for text in texts]
    except Exception as cause:
        if not is_role_refusal(str(cause)):
            raise
        prompts = [_render_or_fold(tokenizer, chat, template_options) for chat in chats]
    escape = get_control_tokens(tokenizer).escape
    return [
        prompt._replace(
            text=prompt.text + escape(request.prefill),
            opens_reasoning=ends_open(prompt.text, request.prefill),
        )
        for prompt, request in zip(prompts, requests, strict=True)
    ]


def _render_or_fold(
    tokenizer: Any, chat: Sequence[Message], options: Mapping[str, Any]
) -> RenderedPrompt:
    """Render one chat, folded where the template refuses its roles."""
    try:
        return RenderedPrompt(_apply_template(tokenizer, [chat], options)[0])
    except Exception as cause:
        folded = fold_roles(chat)
        if folded == tuple(chat) or not is_role_refusal(str(cause)):
            raise
        return RenderedPrompt(_apply_template(tokenizer, [folded], options)[0], (FOLDED,))


def _apply_template(
    tokenizer: Any, chats: Sequence[Sequence[Message]], options: Mapping[str, Any]
) -> list[str]:
    escape = get_control_tokens(tokenizer).escape
    said = [[{"role": m.role, "content": escape(m.content)} for m in chat] for chat in chats]
    rendered: list[str] = tokenizer.apply_chat_template(
        said, **{**options, "tokenize": False, "add_generation_prompt": True}
    )
    return rendered


def _escape_candidates(tokens: ControlTokens, request: Request) -> list[str]:
    return [tokens.escape(candidate) for candidate in request.candidates]


def _encode_candidates(
    tokenizer: Any, context: str, context_ids: TokenIds, candidates: Sequence[str]
) -> tuple[TokenIds, ...]:
    """Encode each candidate as it continues the context.

    Where the context's own tokens would change with what follows (a merge across the boundary),
    the candidate is encoded on its own instead.
    """
    if not candidates:
        return ()
    wholes = _encode_texts(tokenizer, [context + candidate for candidate in candidates])
    stable = [whole[: len(context_ids)] == context_ids for whole in wholes]
    if all(stable):
        return tuple(whole[len(context_ids) :] for whole in wholes)
    alone = _encode_texts(tokenizer, list(candidates))
    return tuple(
        whole[len(context_ids) :] if is_stable else own
        for whole, is_stable, own in zip(wholes, stable, alone, strict=True)
    )


def _encode_texts(tokenizer: Any, texts: list[str]) -> list[TokenIds]:
    return [tuple(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]


def validate_prompt(prompt: EncodedPrompt, max_length: int | None) -> EncodedPrompt:
    """Return the prompt, if the model can take it. Raises EngineError otherwise."""
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


GROUP_SIZE = 64
"""Prompts encoded at a time: so few that nothing else waits for long meanwhile."""


class GroupEncoder:
    """Encodes requests with distinct ids in groups, a group when one of its prompts is wanted.

    One by one, encoding costs several times as much.
    """

    def __init__(
        self,
        tokenizer: Any,
        requests: Sequence[Request],
        *,
        template_options: Mapping[str, Any] = NO_OPTIONS,
    ) -> None:
        self._encode = partial(encode_requests, tokenizer, template_options=template_options)
        groups = [
            requests[start : start + GROUP_SIZE] for start in range(0, len(requests), GROUP_SIZE)
        ]
        self._groups: dict[str, Sequence[Request]] = {
            request.id: group for group in groups for request in group
        }
        self._prompts: dict[str, EncodedPrompt] = {}

    def encode(self, request: Request) -> EncodedPrompt:
        """Encode one of the requests, together with its group.

        Raises an error of this request alone.
        """
        if request.id not in self._prompts:
            self._encode_group(self._groups[request.id])
        if request.id in self._prompts:
            return self._prompts.pop(request.id)
        return self._encode([request])[0]

    def _encode_group(self, group: Sequence[Request]) -> None:
        """Encode a group; where one of them cannot be, each is left to be encoded alone."""
        if not group:
            return
        try:
            prompts = self._encode(group)
        except Exception:
            self._groups |= {request.id: () for request in group}
        else:
            self._prompts |= {prompt.request.id: prompt for prompt in prompts}


LOOK_ALIKES = dict(zip("<>[]|", "‹›⟦⟧¦", strict=True))

JOINER = "\N{WORD JOINER}"

MAX_PASSES = 8


@dataclass(frozen=True)
class ControlTokens:
    """The control tokens of one tokenizer: their texts, and the ids that stand for them.

    The token for unknown characters is no control token by its id, but its text is escaped.
    """

    texts: tuple[str, ...]
    ids: frozenset[int]

    def escape(self, text: str) -> str:
        """Replace the first character of each control token in a text by a look-alike.

        >>> ControlTokens(("<eos>",), frozenset({2})).escape("4<eos>")
        '4‹eos>'
        """
        for _ in range(MAX_PASSES):
            if self._pattern is None or not self._pattern.search(text):
                return text
            text = self._pattern.sub(_replace_first_character, text)
        raise EngineError("the text cannot be told apart from the tokenizer's control tokens")

    def refuse_hidden(self, text: str, ids: Sequence[int]) -> None:
        """Raise EngineError where the ids hold more control tokens than the prompt's text spells.

        A tokenizer that rewrites text before it looks for its tokens could read some out of it.
        """
        read = sum(id in self.ids for id in ids)
        if read and read > self.count(text):
            raise EngineError("part of a message would be read as control tokens")

    def count(self, text: str) -> int:
        """Count the control tokens that the text spells."""
        return 0 if self._pattern is None else sum(1 for _ in self._pattern.finditer(text))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        longest_first = sorted(self.texts, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


@lru_cache(maxsize=32)
def get_control_tokens(tokenizer: Any) -> ControlTokens:
    """Return the tokenizer's control tokens; one of a single character is text like any other."""
    added = {id: token for id, token in tokenizer.added_tokens_decoder.items() if token.special}
    unknown = getattr(tokenizer, "unk_token_id", None)
    marked = {
        id: token.content
        for id, token in added.items()
        if len(token.content.strip()) > 1 and id != unknown
    }
    texts = {*marked.values(), *(t for t in (getattr(tokenizer, "unk_token", None),) if t)}
    return ControlTokens(tuple(sorted(texts)), frozenset(marked))


def _replace_first_character(match: re.Match[str]) -> str:
    first, rest = match[0][0], match[0][1:]
    return LOOK_ALIKES.get(first, first + JOINER) + rest


_NUM_CONTEXT_IDS = 6
"""Prompt tokens before a reply from which its first token's leading space is decoded."""


class IncrementalDetokenizer:
    """Decodes tokens one after another; a character belongs to the token that completes it."""

    def __init__(self, tokenizer: Any, prompt: TokenIds) -> None:
        from tokenizers.decoders import DecodeStream

        self._tokenizer = tokenizer
        self._backend = getattr(tokenizer, "backend_tokenizer", None)
        self._ids = [*prompt[-_NUM_CONTEXT_IDS:]]
        self._stream = DecodeStream(ids=self._ids, skip_special_tokens=True)
        self._said = "" if self._backend else self._decode_all()

    def step(self, token_id: int) -> str:
        """Return the text that this token completes, which may be empty."""
        if self._backend is not None:
            return self._stream.step(self._backend, token_id) or ""
        self._ids.append(token_id)
        text = self._decode_all()
        if text.endswith("\ufffd"):
            return ""
        said, self._said = self._said, text
        return text[len(said) :]

    def _decode_all(self) -> str:
        text: str = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        return text
