"""Write texts in a form in which equal answers are equal, whatever dress they stand in."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_TEXT_LENGTH = 1000
"""A longer text is no answer."""

_QUOTES = "\"'`“”‘’„«»"
_LEFT = "*_ " + _QUOTES
_RIGHT = _LEFT + ".,;:。"
_FORMS: dict[int, str | int | None] = {
    **dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad")),
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **{code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)},
}
"""Invisible characters are dropped; full-width letters and ligatures are written as plain ones."""
_TYPOGRAPHY = str.maketrans("‘’ʼ“”‐‑–", "'''\"\"---")
_MATHEMATICS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_COMMAND = re.compile(
    r"\\(?:boxed|fbox|text|textbf|mathrm|mathbf|mbox)\s?\{(.*)\}(?<!\\\})", re.DOTALL
)


def strip_formatting(text: str) -> str:
    """Return the text without the emphasis, quotes, mathematics signs and closing stop around it.

    Empty where nothing is left or the text is longer than MAX_TEXT_LENGTH. Idempotent.

    >>> strip_formatting('**"Paris".** '), strip_formatting(r"$\\text{B}$")
    ('Paris', 'B')
    """
    if len(text) > MAX_TEXT_LENGTH:
        return ""
    plain = unicodedata.normalize("NFC", text.translate(_FORMS))
    while (shorter := _strip_layer(plain)) != plain:
        plain = shorter
    return plain


def _strip_layer(text: str) -> str:
    """Return the text without its outermost layer; never longer than before."""
    text = " ".join(text.split()).lstrip(_LEFT).rstrip(_RIGHT)
    for opening, closing in _MATHEMATICS:
        inner = text[len(opening) : -len(closing)]
        if inner and text == f"{opening}{inner}{closing}" and opening not in inner:
            return inner
    command = _COMMAND.fullmatch(text)
    return command[1] if command and _is_balanced(command[1]) else text


def _is_balanced(text: str) -> bool:
    """Return whether no brace in the text closes one before it, or stays open."""
    depth = 0
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return False
    return depth == 0


def fold_case(text: str) -> str:
    """Return the stripped text without differences of case; equal results are one answer.

    Neither do curly quotes, hyphens and dashes make a difference; an article does.

    >>> fold_case("Straße") == fold_case("STRASSE.")
    True
    """
    return _fold_case(text) if len(text) <= MAX_TEXT_LENGTH else ""


@lru_cache(maxsize=4096)
def _fold_case(text: str) -> str:
    """Fold a short text; the same answers and options come again and again in a debate."""
    plain = strip_formatting(text).translate(_TYPOGRAPHY).casefold()
    return strip_formatting(unicodedata.normalize("NFC", plain))
