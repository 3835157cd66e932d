"""Read texts, numbers and choices as people and models write them, into values of one form."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

MAX_TEXT_LENGTH = 1000
"""A longer text is no answer."""

_QUOTES = "\"'`“”‘’„«»"
_LEFT = "*_ " + _QUOTES
_RIGHT = _LEFT + ".,;:"
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
_MATHEMATICS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_COMMAND = re.compile(r"\\(?:boxed|fbox|text|textbf|mathrm|mathbf|mbox)\s?\{([^{}]*)\}")


def strip_formatting(text: str) -> str:
    """Return the text without the emphasis, quotes, mathematics signs and closing stop around it.

    Empty where nothing is left or the text is longer than MAX_TEXT_LENGTH. Idempotent.

    >>> strip_formatting('**"Paris".** '), strip_formatting(r"$\\text{B}$")
    ('Paris', 'B')
    """
    if len(text) > MAX_TEXT_LENGTH:
        return ""
    plain = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
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
    return command[1] if command else text


def fold_case(text: str) -> str:
    """Return the stripped text without differences of case; equal results are one answer.

    >>> fold_case("Straße") == fold_case("STRASSE.")
    True
    """
    return _fold_case(text) if len(text) <= MAX_TEXT_LENGTH else ""


@lru_cache(maxsize=4096)
def _fold_case(text: str) -> str:
    """Fold a short text; the same answers and options come again and again in a debate."""
    return strip_formatting(unicodedata.normalize("NFC", strip_formatting(text).casefold()))


MAX_NUMBER_LENGTH = 200
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
    """Return the one number that the text states, exactly; None where it states none or several.

    Currency, units, percent and degree signs, thousands separators and one closing stop are
    stripped: `50%` is 50, `$1,234.50` is 1234.5. Read are decimals, fractions, mixed numbers,
    exponents, the LaTeX forms of these, `thousand` to `trillion`, and the right-hand side of a
    single equation. A comma that groups no thousands, a second number, a range or an algebraic
    term is not guessed at.

    >>> parse_number("$70,000.00 per year"), parse_number("−3/4 cup"), parse_number("5 or 6")
    (Fraction(70000, 1), Fraction(-3, 4), None)
    """
    return _parse_number(text) if len(text) <= MAX_NUMBER_LENGTH else None


@lru_cache(maxsize=10_000)
def _parse_number(text: str) -> Fraction | None:
    """Parse a short text; the same answers come again and again in a debate."""
    *rest, plain = _to_plain(text).split("=")
    match = _NUMBER.match(plain.strip()) if len(rest) <= 1 else None
    if match is None:
        return None
    scale = _parse_scale(plain.strip()[match.end() :])
    number = _to_fraction(match)
    return None if scale is None or number is None else number * scale


def _to_plain(text: str) -> str:
    """Write ASCII signs for their look-alikes, and plain text for LaTeX."""
    text = text.translate(_CHARACTERS)
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    return strip_formatting(text)


def _to_fraction(match: re.Match[str]) -> Fraction | None:
    """Return the matched parts as one exact value; None for a division by zero or a huge size."""
    divisor = Fraction(match["divisor"] or 1)
    if divisor == 0 or (match["sign"] and match["inner_sign"]):
        return None
    digits = match["digits"].replace(",", "").removesuffix(".")
    size = Fraction(int(match["whole"] or 0)) + Fraction(digits) / divisor
    size *= Fraction(10) ** int(match["exponent"] or match["power"] or 0)
    if max(size.numerator, size.denominator) > _LARGEST:
        return None
    return -size if "-" in (match["sign"], match["inner_sign"]) else size


def _parse_scale(rest: str) -> int | None:
    """Return the factor that follows a number: 1 for a unit; None where it is more than a unit."""
    if not rest.strip(" ."):
        return 1
    words = _WORD.findall(rest)
    if not _UNIT.fullmatch(rest) or _NOT_A_UNIT.intersection(map(str.lower, words)):
        return None
    first = words[0] if words and rest.lstrip().startswith(words[0]) else ""
    if first in _UNCLEAR:
        return None
    return _SCALES.get(first.lower(), 1)


def normalise_number(text: str) -> str | None:
    """Return the canonical form of the one number that the text states; None where it states none.

    >>> normalise_number("1,234.0"), normalise_number("many")
    ('1234', None)
    """
    if _CANONICAL_INTEGER.fullmatch(text):
        return text
    number = parse_number(text)
    return None if number is None else format_number(number)


def format_number(number: Fraction) -> str:
    """Write an integer, a terminating decimal, or else a fraction in lowest terms.

    >>> format_number(Fraction(1234)), format_number(Fraction(-3, 4)), format_number(Fraction(1, 3))
    ('1234', '-0.75', '1/3')
    """
    for decimals in range(_MAX_DECIMALS + 1):
        scaled = number * 10**decimals
        if scaled.denominator == 1:
            digits = str(abs(scaled.numerator)).rjust(decimals + 1, "0")
            whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
            return ("-" if number < 0 else "") + whole + ("." + part if part else "")
    return str(number)


LETTERS = string.ascii_uppercase
"""The options' letters in order; a question has at most as many options."""

_BARE = re.compile(r"(?:option |choice )?[(\[]?([A-Za-z])[)\].:]?", re.IGNORECASE)
_LABELLED = re.compile(r"(?:option |choice )?[(\[]?([A-Za-z])[)\].:]{1,2} ?(\S.*)", re.IGNORECASE)

_FURTHER = re.compile(
    r"[(\[]([A-Z])[)\]]|(?:[,;/&+]|\b(?:and|or))\s*([A-Z])[).:\]]|^(?:[,;/&+]|and|or)\s*([A-Z])\b"
)
"""A further letter after the first: in brackets, or joined on and marked, or joined on at once."""


def parse_choice(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of the option that the text picks; None where it picks none or several.

    A letter alone is that letter, also where some option's text is a letter. Then comes an
    option's whole text, then a letter with a text, unless that text is another option's.

    >>> [parse_choice(text, ["Rome", "Paris"]) for text in ("(b)", "Paris", "B) Paris", "A) Paris")]
    ['B', 'B', 'B', None]
    """
    plain = strip_formatting(text)
    if bare := _BARE.fullmatch(plain):
        return _to_letter(bare[1], options)
    texts = [fold_case(option) for option in options]
    same = [LETTERS[i] for i, option in enumerate(texts) if option == fold_case(plain)]
    if same:
        return same[0] if len(same) == 1 else None
    labelled = _LABELLED.fullmatch(plain)
    if not labelled:
        return None
    letter = _to_letter(labelled[1], options)
    others = [option for i, option in enumerate(texts) if LETTERS[i] != letter]
    return None if fold_case(labelled[2]) in others else letter


def _to_letter(letter: str, options: Sequence[str]) -> str | None:
    return letter.upper() if letter.upper() in LETTERS[: len(options)] else None


def parse_letter(text: str) -> str | None:
    """Return the letter that the text picks where options are unknown; None for none or several.

    >>> [parse_letter(text) for text in ("(b)", "B.", "B) Paris", "A. and C.", "(A)(B)", "Paris")]
    ['B', 'B', 'B', None, None, None]
    """
    plain = strip_formatting(text)
    if bare := _BARE.fullmatch(plain):
        return bare[1].upper()
    labelled = _LABELLED.fullmatch(plain)
    if not labelled:
        return None
    letter = labelled[1].upper()
    further = {found for match in _FURTHER.finditer(labelled[2]) for found in match.groups()}
    return letter if further <= {letter, None} else None


def find_target_letter(target: object, options: Sequence[str], *, written_as: str = "auto") -> str:
    """Return the letter of a reference answer written as a letter, an index, a number or a text.

    `index` counts from 0, `number` from 1. With `auto`, all readings but `number` are tried.
    Raises ValueError where none fits, or where readings disagree.
    """
    readings = ("letter", "index", "text") if written_as == "auto" else (written_as,)
    found = {how: letter for how in readings if (letter := _read_target(target, options, how))}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    offered = f"options A to {LETTERS[len(options) - 1]}: {', '.join(map(repr, options))}"
    if not found:
        raise ValueError(f"target {target!r} is none of the {offered} (`target_as: {written_as}`)")
    said = " or ".join(f"{letter} as {how}" for how, letter in found.items())
    raise ValueError(
        f"target {target!r} may mean {said}; set `target_as` to letter, index, number or text"
    )


def _read_target(target: object, options: Sequence[str], how: str) -> str | None:
    """Return the letter under one reading; None where it does not fit."""
    text = str(target).strip()
    if how in ("index", "number"):
        place = int(text) - (how == "number") if re.fullmatch(r"[0-9]{1,2}", text) else -1
        return LETTERS[place] if 0 <= place < len(options) else None
    if how == "letter":
        bare = _BARE.fullmatch(text)
        return _to_letter(bare[1], options) if bare else None
    same = [LETTERS[i] for i, option in enumerate(options) if fold_case(option) == fold_case(text)]
    return same[0] if len(same) == 1 else None
