"""Text from outside, made fit to be shown: without control characters, of bounded length."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequences, such as colours
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating-system commands, such as links
    r"|\x1b[@-Z\\-_]?"
)
_UNUSUAL = re.compile(r"[^\x20-\x7e]")
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_HIDDEN = frozenset(_BIDI + "\u2028\u2029\ufeff")
_CATEGORIES = ("Cc", "Cs", "Co", "Cn")
SHORT = 60


def clean(text: str, *, keep: str = "") -> str:
    r"""The text without terminal sequences; other control and bidi characters become a mark.

    `keep` names control characters that stay, such as line ends.

    >>> clean("\x1b[31mred\x1b[0m\x07 \u202egnp")
    'red� �gnp'
    """
    plain = _TERMINAL.sub("", text)
    return _UNUSUAL.sub(lambda found: _shown(found[0], keep), plain)


def _shown(character: str, keep: str) -> str:
    if character in keep:
        return character
    if character in _HIDDEN or unicodedata.category(character) in _CATEGORIES:
        return "\N{REPLACEMENT CHARACTER}"
    return character


def short(value: object, length: int = SHORT) -> str:
    """One line of at most `length` characters; absent values are a dash.

    >>> short("a" * 5, 4), short(None)
    ('aaa…', '–')
    """
    if value is None:
        return "–"
    text = clean(" ".join(str(value)[: 4 * length].split()))
    return text if len(text) <= length else text[: length - 1] + "…"


def number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """A number to so many digits; absent ones are a dash.

    >>> number(0.1234), number(0.5, 2, signed=True), number(None)
    ('0.123', '+0.50', '–')
    """
    if value is None:
        return "–"
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def listed(names: Sequence[str], *, most: int = 8) -> str:
    """Names as a sentence gives them.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=1)
    ('a, b and c', 'a and 2 more')
    """
    shown, rest = list(names[:most]), len(names) - most
    if rest > 0:
        shown.append(f"{rest} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def count(value: int | float | None) -> str:
    """A whole number with thin groups of thousands; absent ones are a dash.

    >>> count(1234567)
    '1,234,567'
    """
    return "–" if value is None else f"{value:,.0f}"
