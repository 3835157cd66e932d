"""Numbers as people and models write them, read exactly."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from debate.tasks.wording import tidy

MAX_LENGTH = 200
"""A longer text is not read as a number."""

_LARGEST = 10**90

_MAX_DECIMALS = 30
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑‒﹣-", "-"),
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
        **{"，": ",", "．": ".", "％": "%", "＋": "+", "＝": "=", "⁄": "/", "∕": "/"},
        **{"½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4"},
    }
)
_LATEX = (
    (re.compile(r"\\[dt]?frac\s?\{\s?([0-9]+)\s?\}\s?\{\s?([0-9]+)\s?\}"), r" \1/\2"),
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\s?\{([^{}]*)\}"), r" \1"),
    (re.compile(r"\{,\}|(?<=[0-9])(?:\\[,!]|[\u00a0\u2009\u202f_'’])(?=[0-9]{3})"), ","),
    (re.compile(r"\\[,;:! ]|~"), " "),
    (re.compile(r"\\times|\\cdot"), "×"),
    (re.compile(r"\^\s?\\circ|\^\s?\{\\circ\}"), "°"),
    (re.compile(r"\\([$%€£])"), r"\1"),
    (re.compile(r"\\approx"), "≈"),
)
_NUMBER = re.compile(
    r"""
    [≈]?\s?(?P<sign>[+-]?)\s?
    (?:(?:US|AU|CA)?[$€£¥₹]\s?(?P<inner_sign>-?))?
    (?:(?P<whole>[0-9]+)\s(?=[0-9]+\s?/))?
    (?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)
    (?:\s?/\s?(?P<divisor>[0-9]+(?:\.[0-9]+)?))?
    (?:[eE](?P<exponent>[+-]?[0-9]{1,2})|\s?[×x*]\s?10\s?\^\s?\{?(?P<power>[+-]?[0-9]{1,2})\}?)?
    """,
    re.VERBOSE,
)
_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,29}")
_UNIT = re.compile(r"(?:\s?[/(%°$€£¥₹]|\s?[^\W\d_])(?:[^\W\d_]|[ .'’/()%°$€£¥₹·²³-]|\^[0-9])*")
_WORD = re.compile(r"[^\W\d_]+")
_SCALES = {"k": 10**3, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NOT_A_UNIT = {"and", "or", "to", "plus", "minus", "times", "over", "point"}
_UNCLEAR = {"x", "y", "z", "n", "i", "e", "pi", "π", "K", "M", "B", "T", "bn", "mn"}


def parse_number(text: str) -> Fraction | None:
    """The one number that the text states, exactly; None where it states none or several.

    Currency, units, percent and degree signs, thousands separators and one closing stop are
    stripped: `50%` is 50, `$1,234.50` is 1234.5. Read are decimals, fractions, mixed numbers,
    exponents, the LaTeX forms of these, `thousand` to `trillion`, and the right-hand side of a
    single equation. A comma that groups no thousands, a second number, a range or an algebraic
    term is not guessed at.

    >>> parse_number("$70,000.00 per year"), parse_number("−3/4 cup"), parse_number("5 or 6")
    (Fraction(70000, 1), Fraction(-3, 4), None)
    """
    return _parse(text) if len(text) <= MAX_LENGTH else None


@lru_cache(maxsize=10_000)
def _parse(text: str) -> Fraction | None:
    """`parse_number` for a short text; the same answers come again and again in a debate."""
    *rest, plain = _plain(text).split("=")
    match = _NUMBER.match(plain.strip()) if len(rest) <= 1 else None
    if match is None:
        return None
    scale = _scale(plain.strip()[match.end() :])
    number = _number(match)
    return None if scale is None or number is None else number * scale


def _plain(text: str) -> str:
    """ASCII signs in place of their look-alikes, plain text in place of LaTeX."""
    text = text.translate(_CHARACTERS)
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    return tidy(text)


def _number(match: re.Match[str]) -> Fraction | None:
    """The matched parts as one exact value; None for a division by zero or an absurd size."""
    divisor = Fraction(match["divisor"] or 1)
    if divisor == 0 or (match["sign"] and match["inner_sign"]):
        return None
    digits = match["digits"].replace(",", "").removesuffix(".")
    size = Fraction(int(match["whole"] or 0)) + Fraction(digits) / divisor
    size *= Fraction(10) ** int(match["exponent"] or match["power"] or 0)
    if max(size.numerator, size.denominator) > _LARGEST:
        return None
    return -size if "-" in (match["sign"], match["inner_sign"]) else size


def _scale(rest: str) -> int | None:
    """What follows a number multiplies it: 1 for a unit; None where it is more than a unit."""
    if not rest.strip(" ."):
        return 1
    words = _WORD.findall(rest)
    if not _UNIT.fullmatch(rest) or _NOT_A_UNIT.intersection(map(str.lower, words)):
        return None
    first = words[0] if words and rest.lstrip().startswith(words[0]) else ""
    if first in _UNCLEAR:
        return None
    return _SCALES.get(first.lower(), 1)


def read_number(text: str) -> str | None:
    """The canonical form of the one number that the text states; None where it states none.

    >>> read_number("1,234.0"), read_number("many")
    ('1234', None)
    """
    if _CANONICAL_INTEGER.fullmatch(text):
        return text
    number = parse_number(text)
    return None if number is None else write_number(number)


def write_number(number: Fraction) -> str:
    """The canonical form: an integer, a terminating decimal, or a fraction in lowest terms.

    >>> write_number(Fraction(1234)), write_number(Fraction(-3, 4)), write_number(Fraction(1, 3))
    ('1234', '-0.75', '1/3')
    """
    for decimals in range(_MAX_DECIMALS + 1):
        scaled = number * 10**decimals
        if scaled.denominator == 1:
            digits = str(abs(scaled.numerator)).rjust(decimals + 1, "0")
            whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
            return ("-" if number < 0 else "") + whole + ("." + part if part else "")
    return str(number)
