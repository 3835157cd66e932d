"""Texts without their dress: markdown, quotes, mathematics signs, spacing, case."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_LENGTH = 1000
"""A longer text is no answer."""

_QUOTES = "\"'`“”‘’„«»"
_LEFT = "*_ " + _QUOTES
_RIGHT = _LEFT + ".,;:"
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
_MATHEMATICS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_COMMAND = re.compile(r"\\(?:boxed|fbox|text|textbf|mathrm|mathbf|mbox)\s?\{([^{}]*)\}")


def tidy(text: str) -> str:
    """The text without surrounding emphasis, quotes, mathematics signs, and a closing stop.

    Empty where nothing is left or the text is longer than MAX_LENGTH. Idempotent.

    >>> tidy('**"Paris".** '), tidy(r"$\\text{B}$")
    ('Paris', 'B')
    """
    if len(text) > MAX_LENGTH:
        return ""
    plain = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    while (shorter := _undress(plain)) != plain:
        plain = shorter
    return plain


def _undress(text: str) -> str:
    """One layer off; never longer than before."""
    text = " ".join(text.split()).lstrip(_LEFT).rstrip(_RIGHT)
    for opening, closing in _MATHEMATICS:
        inner = text[len(opening) : -len(closing)]
        if inner and text == f"{opening}{inner}{closing}" and opening not in inner:
            return inner
    command = _COMMAND.fullmatch(text)
    return command[1] if command else text


def fold(text: str) -> str:
    """The tidy text without differences of case; two texts that fold alike are one answer.

    >>> fold("Straße") == fold("STRASSE.")
    True
    """
    return _fold(text) if len(text) <= MAX_LENGTH else ""


@lru_cache(maxsize=4096)
def _fold(text: str) -> str:
    """`fold` for a short text; the same answers and options come again and again in a debate."""
    return tidy(unicodedata.normalize("NFC", tidy(text).casefold()))
