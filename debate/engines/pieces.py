"""Texts of tokens that join to the text of the whole."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence

from debate.engines.base import Token


def streamed_utf8(chunks: Iterable[bytes]) -> list[str]:
    """Decode chunks of UTF-8; a character belongs to the chunk that completes it.

    >>> streamed_utf8([b"a", b"\\xc3", b"\\xa9!"])
    ['a', '', 'é!']
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return [decoder.decode(chunk) for chunk in chunks]


def aligned(texts: Sequence[str], log_p: Sequence[float], text: str) -> tuple[Token, ...] | None:
    """Tokens whose texts join to `text` exactly, cut where it ends; None where they spell another.

    A server's tokens may run on past the text: a stop string, the end of the turn.

    >>> [token.text for token in aligned(["93", "6\\n", "<end>"], [-0.1, -0.2, -0.3], "936")]
    ['93', '6']
    """
    if not "".join(texts).startswith(text):
        return None
    kept, left = [], len(text)
    for piece, each in zip(texts, log_p, strict=True):
        if left == 0:
            break
        kept.append(Token(text=piece[:left], log_p=each))
        left -= len(kept[-1].text)
    return tuple(kept)


def earliest_stop(text: str, stops: Iterable[str], *, start: int = 0) -> int | None:
    """Where the first of the stop strings begins in the text from `start` on; None without one.

    >>> earliest_stop("936\\nV", ["V", "\\n"])
    3
    """
    places = (text.find(stop, start) for stop in stops if stop)
    return min((place for place in places if place >= 0), default=None)
