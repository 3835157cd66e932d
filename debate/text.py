"""Text made fit to be shown: without control characters, of bounded length; numbers in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

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
MOST_DIGITS = 9
"""Of a share in per cent that is all but none or all."""


def clean(text: str, *, keep: str = "") -> str:
    r"""The text without terminal sequences; other control and bidi characters become a mark.

    `keep` names control characters that stay, such as line ends.

    >>> clean("\x1b[31mred\x1b[0m\x07 \u202egnp")
    'red� �gnp'
    """
    plain = _TERMINAL.sub("", text)
    return _UNUSUAL.sub(lambda found: _replace_hidden(found[0], keep), plain)


def _replace_hidden(character: str, keep: str) -> str:
    if character in keep:
        return character
    if character in _HIDDEN or unicodedata.category(character) in _CATEGORIES:
        return "\N{REPLACEMENT CHARACTER}"
    return character


def shorten(value: object, length: int = SHORT) -> str:
    """One line of at most `length` characters; absent values are a dash.

    >>> shorten("a" * 5, 4), shorten(None)
    ('aaa…', '–')
    """
    if value is None:
        return "–"
    text = clean(" ".join(str(value)[: 4 * length].split()))
    return text if len(text) <= length else text[: length - 1] + "…"


def quote(text: str, length: int = SHORT) -> str:
    """A sample of a text on one line, in quotation marks: its beginning and its end, whole words.

    >>> quote("So it is 4, I think. " + "Then it goes on and on. " * 9 + "The answer is 15.", 50)
    '“So it is 4, I … goes on and on. The answer is 15.”'
    >>> quote("It is right.\\n"), quote("")
    ('“It is right.”', 'an empty text')
    """
    words = clean(" ".join(text.split()))
    if not words:
        return "an empty text"
    if len(words) <= length:
        return f"“{words}”"
    first = _cut_at_word(words[: length // 3], from_end=False)
    last = _cut_at_word(words[len(words) - (length - 3 - len(first)) :], from_end=True)
    return f"“{first} … {last}”"


def _cut_at_word(part: str, *, from_end: bool) -> str:
    """The part without the word that was cut, unless it is all one word."""
    before, blank, after = part.partition(" ") if from_end else part.rpartition(" ")
    return (after if from_end else before) if blank else part


def format_decimal(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """A number to so many digits; absent ones are a dash.

    >>> format_decimal(0.1234), format_decimal(0.5, 2, signed=True), format_decimal(None)
    ('0.123', '+0.50', '–')
    """
    if value is None:
        return "–"
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def format_percent(share: float, *, blank: str = "") -> str:
    """A share in per cent: whole, but finer where it is neither none nor all and would read so.

    >>> format_percent(0.123), format_percent(0.0049), format_percent(0.9996), format_percent(0)
    ('12%', '0.5%', '99.96%', '0%')
    >>> format_percent(0.04, blank=" ")
    '4 %'
    """
    told = f"{100 * share:.0f}"
    digits = 1
    while 0 < share < 1 and float(told) in (0, 100) and digits < MOST_DIGITS:
        told, digits = f"{100 * share:.{digits}f}", digits + 1
    return f"{told}{blank}%"


def split_names(text: str, *, separator: str | None = None) -> tuple[str, ...]:
    """Names written in one text, parted by blanks or by `separator`.

    >>> split_names("ece brier"), split_names("vote, end|p (Holm)", separator="|")
    (('ece', 'brier'), ('vote, end', 'p (Holm)'))
    """
    return tuple(text.split(separator))


def join_names(names: Sequence[str], *, most: int = 8) -> str:
    """Names as a sentence gives them.

    >>> join_names(["a", "b", "c"]), join_names(["a", "b", "c"], most=1)
    ('a, b and c', 'a and 2 more')
    """
    shown, rest = list(names[:most]), len(names) - most
    if rest > 0:
        shown.append(f"{rest} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def name_with_ties(first: str, others: Sequence[str], *, most: int = 3) -> str:
    """A name of the largest or least of several values, with those whose value is the same.

    >>> name_with_ties("ring", []), name_with_ties("ring", ["star", "chain"])
    ('ring', 'ring (tied with star and chain)')
    """
    return f"{first} (tied with {join_names(others, most=most)})" if others else first


def count_noun(num: int, noun: str, plural: str = "") -> str:
    """A number with its noun in the right form.

    >>> count_noun(1, "trajectory", "trajectories"), count_noun(1200, "question")
    ('1 trajectory', '1,200 questions')
    """
    return f"{format_count(num)} {noun if num == 1 else plural or noun + 's'}"


def format_count(value: int | float | None) -> str:
    """A whole number with thin groups of thousands; absent ones are a dash.

    >>> format_count(1234567)
    '1,234,567'
    """
    return "–" if value is None else f"{value:,.0f}"


def format_dollars(amount: Decimal | float) -> str:
    """An amount of money, to the cent, or finer below a dollar.

    >>> format_dollars(Decimal("1.2")), format_dollars(0.01234567)
    ('$1.20', '$0.0123')
    """
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def format_duration(seconds: float) -> str:
    """A duration in words.

    >>> format_duration(3723)
    '1 h 2 min'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
