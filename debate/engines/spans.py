"""Spans of a reply replaced in its text and in its tokens alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from debate.engines.base import Completion, Token

CharacterSpan = tuple[int, int]
"""First character, and the one after the last."""


def replace_spans(
    text: str,
    tokens: Sequence[Token] | None,
    spans: Sequence[CharacterSpan],
    replacement: str = "",
) -> tuple[str, tuple[Token, ...] | None]:
    """Replace spans, in order and apart, in a text and in the tokens that spell it.

    Of a token that reaches into a span the part outside is kept; one that lies within it goes,
    unless the replacement is written in its place.

    >>> tokens = (Token(text="a<b", log_p=-1.0), Token(text=">c", log_p=-2.0))
    >>> replace_spans("a<b>c", tokens, [(1, 4)])[1]
    (Token(text='a', log_p=-1.0), Token(text='c', log_p=-2.0))
    """
    if not spans:
        return text, None if tokens is None else tuple(tokens)
    kept, at = [], 0
    for start, end in spans:
        kept += [text[at:start], replacement]
        at = end
    shown = "".join([*kept, text[at:]])
    return shown, None if tokens is None else _replace_in_tokens(tokens, spans, replacement)


def _replace_in_tokens(
    tokens: Sequence[Token], spans: Sequence[CharacterSpan], replacement: str
) -> tuple[Token, ...]:
    changed, at = [], 0
    for token in tokens:
        end = at + len(token.text)
        pieces, last = [], at
        for first, after in spans:
            if first < end and after > at:
                pieces.append(token.text[last - at : max(first, last) - at])
                pieces.append(replacement if at <= first else "")
                last = min(after, end)
        piece = "".join([*pieces, token.text[last - at :]])
        if piece or not pieces:
            changed.append(replace(token, text=piece))
        at = end
    return tuple(changed)


def hide_texts(completion: Completion, secrets: Sequence[str], replacement: str) -> Completion:
    """Return the completion with each occurrence of a secret in its texts replaced.

    White space and invisible characters between the letters of a secret do not conceal it.
    """
    pattern = _compile_secrets(tuple(secrets))
    if pattern is None:
        return completion

    def hide(text: str) -> str:
        return pattern.sub(replacement, text)

    def hide_any(text: str | None) -> str | None:
        return None if text is None else hide(text)

    spans = [match.span() for match in pattern.finditer(completion.text)]
    text, tokens = replace_spans(completion.text, completion.tokens, spans, replacement)
    failure = completion.failure
    if failure is not None:
        failure = replace(failure, boundary=hide(failure.boundary), message=hide(failure.message))
    return replace(
        completion,
        text=text,
        tokens=tokens,
        reasoning=hide_any(completion.reasoning),
        failure=failure,
        finish_reason=hide_any(completion.finish_reason),
        served_by=hide_any(completion.served_by),
        notes=tuple(map(hide, completion.notes)),
    )


@lru_cache(maxsize=64)
def _compile_secrets(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    longest_first = sorted(filter(None, secrets), key=len, reverse=True)
    between = r"[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
    patterns = [between.join(map(re.escape, each)) for each in longest_first]
    return re.compile("|".join(patterns)) if patterns else None
