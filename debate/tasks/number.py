"""Read the one number that a text states, exactly, by a small grammar; never guess one.

    answer   = [side "="]* quantity     a side is a name or a calculation
    quantity = sign? currency? sign? size scale* unit?
    size     = decimal | decimal power | decimal "×" "10" power | fraction | whole fraction
    fraction = whole "/" decimal | \\frac{decimal}{decimal}

Anything else in the text, such as a second number, a relation or a word of doubt, makes it none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from debate.tasks.equation import is_calculation, is_label, split_sides
from debate.tasks.notation import Token, tokenise, write_plainly
from debate.tasks.numerals import read_digits, read_han
from debate.tasks.units import CURRENCIES, SCALES, is_unit, read_scales, split_words

MAX_NUMBER_LENGTH = 200
"""A longer text is not read as a number."""

_LARGEST = 10**90
_MAX_POWER = 300
_MAX_DECIMALS = 30
_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,29}")

_RAISED = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_BULLET = re.compile(r"[\s*_]*[-–—•]\s")
"""A dash with a space after it may begin a list: `- 18` may be 18."""
_SIGN_WORDS = {"minus": "-", "negative": "-"}
_CURRENCY_WORDS = split_words(
    """
    USD EUR GBP INR JPY CNY RMB CHF AUD CAD Rs US AU CA HK NZ A C R
    """
)
_ONE = frozenset(("a", "an", "one"))


def parse_number(text: str) -> Fraction | None:
    """Return the one number that the text states, exactly; None where it states none or several.

    Currency, units, percent and degree signs, thousands separators and one closing stop are
    stripped: `50%` is 50, `$1,234.50` is 1234.5. Read are decimals in the digits of any script,
    Chinese numerals, fractions, mixed numbers, powers, the LaTeX forms of these, words that
    multiply, such as `million` and `lakh`, and the right-hand side of an equation. A relation, an
    approximation, a range, a second number and an algebraic term are not read.

    >>> parse_number("$70,000.00 per year"), parse_number("−3/4 cup"), parse_number("5 or 6")
    (Fraction(70000, 1), Fraction(-3, 4), None)
    """
    return _parse_number(text) if len(text) <= MAX_NUMBER_LENGTH else None


@lru_cache(maxsize=10_000)
def _parse_number(text: str) -> Fraction | None:
    """Parse a short text; the same answers come again and again in a debate."""
    if _BULLET.match(text) or "..." in text or "…" in text:
        return None
    *sides, last = split_sides(tokenise(write_plainly(text)))
    number = _read_quantity(last)
    if number is None or max(abs(number.numerator), number.denominator) > _LARGEST:
        return None
    fits = all(_states(side, number, is_first=i == 0) for i, side in enumerate(sides))
    return number if fits else None


class _Cursor:
    """A place in a list of tokens, which moves on as they are read."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._place = 0

    def peek(self, ahead: int = 0) -> Token:
        """Return a coming token; an empty one at the end."""
        place = self._place + ahead
        return self._tokens[place] if place < len(self._tokens) else Token("end", "", False)

    def advance(self) -> Token:
        token = self.peek()
        self._place += 1
        return token

    def take(self, *texts: str) -> bool:
        """Return whether the next token is one of these, and step over it if so."""
        found = self.peek().text in texts
        self._place += found
        return found

    def get_rest(self) -> Sequence[Token]:
        return self._tokens[self._place :]


def _read_quantity(tokens: Sequence[Token]) -> Fraction | None:
    """Return the number that all the tokens together state."""
    cursor = _Cursor(tokens)
    sign = _read_sign(cursor)
    money = _skip_currency(cursor)
    inner_sign = _read_sign(cursor)
    size = _read_size(cursor, is_negative="-" in (sign, inner_sign))
    if size is None or (sign and inner_sign):
        return None
    factor, rest = read_scales(cursor.get_rest(), money=money)
    if not is_unit(rest, money=money) or _is_kilo(tokens):
        return None
    return -size * factor if "-" in (sign, inner_sign) else size * factor


def _read_sign(cursor: _Cursor) -> str:
    word = cursor.peek().text
    sign = _SIGN_WORDS.get(word.lower(), word if word in ("+", "-") else "")
    if sign:
        cursor.advance()
    return sign


def _skip_currency(cursor: _Cursor) -> bool:
    """Step over `$`, `US$`, `EUR` or `Rs.`, and return whether one was there."""
    if cursor.peek().text in _CURRENCY_WORDS:
        is_code = len(cursor.peek().text) == 3 or cursor.peek().text == "Rs"
        if not is_code and cursor.peek(1).text not in CURRENCIES:
            return False
        cursor.advance()
        return cursor.take(*CURRENCIES, ".") or True
    return cursor.take(*CURRENCIES)


def _is_kilo(tokens: Sequence[Token]) -> bool:
    """Return whether 千 may begin a unit, as in 5千克."""
    texts = [token.text for token in tokens]
    return any(one.endswith("千") and two[0] in "克米瓦" for one, two in pairwise(texts))


def _read_size(cursor: _Cursor, *, is_negative: bool) -> Fraction | None:
    """Return the number without its sign; None where what stands there is none."""
    if cursor.peek().text == r"\frac":
        return _read_fraction(cursor)
    if cursor.peek().text.lower() in _ONE and cursor.peek(1).text.lower() in SCALES:
        cursor.advance()
        return Fraction(1)
    token = cursor.advance()
    if token.kind == "han":
        return read_han(token.text)
    number = _read_decimal(token)
    if number is None:
        return None
    following = cursor.peek()
    if following.text == r"\frac" or (following.kind == "number" and cursor.peek(1).text == "/"):
        return _read_mixed(token, number, cursor)
    if following.text == "/" and cursor.peek(1).kind == "number":
        cursor.advance()
        divisor = None if " " in token.text else _read_decimal(cursor.advance())
        return number / divisor if divisor else None
    return _read_power(number, cursor, is_negative=is_negative)


def _read_power(number: Fraction, cursor: _Cursor, *, is_negative: bool) -> Fraction | None:
    """Return a number raised by the exponent that follows, or times a power of ten, or itself."""
    following = cursor.peek()
    if following.text == "^" or (following.kind == "raised" and not following.spaced):
        exponent = _read_exponent(cursor)
        if exponent is None or (is_negative and exponent % 2 == 0):
            return None  # −2² is −4 to some and 4 to others
        return _raise(number, exponent)
    if following.text in ("×", "·", "*") and cursor.peek(1).text == "10":
        cursor.advance()
        ten, exponent = _read_decimal(cursor.advance()), _read_exponent(cursor)
        power = None if ten is None or exponent is None else _raise(ten, exponent)
        return None if power is None else number * power
    return number


def _read_decimal(token: Token) -> Fraction | None:
    """Return the value of a number token such as `1,234.5` or `1.5e-3`."""
    if token.kind != "number":
        return None
    digits, _, exponent = token.text.lower().partition("e")
    number, power = read_digits(digits), _raise(Fraction(10), int(exponent or 0))
    return None if number is None or power is None else number * power


def _read_mixed(token: Token, whole: Fraction, cursor: _Cursor) -> Fraction | None:
    """Return a whole number with a proper fraction after it: `2 1/2`, `2\\frac{1}{2}`."""
    if cursor.peek().text == r"\frac":
        part = _read_fraction(cursor)
    else:
        above, below = _read_decimal(cursor.advance()), None
        if cursor.take("/"):
            below = _read_decimal(cursor.advance())
        part = above / below if above and below else None
    is_proper = part is not None and 0 < part < 1
    return whole + part if part and is_proper and token.text.isdecimal() else None


def _read_fraction(cursor: _Cursor) -> Fraction | None:
    r"""Return the value of `\frac{a}{b}`, where both are decimals."""
    cursor.advance()
    above, below = _read_argument(cursor), _read_argument(cursor)
    return above / below if above is not None and below else None


def _read_argument(cursor: _Cursor) -> Fraction | None:
    if not cursor.take("{"):
        return None
    is_negative = cursor.take("-")
    number = _read_decimal(cursor.advance())
    if number is None or not cursor.take("}"):
        return None
    return -number if is_negative else number


def _read_exponent(cursor: _Cursor) -> int | None:
    """Return the exponent in `^3`, `^{-3}` or raised digits; None where it is no whole number."""
    if cursor.peek().kind == "raised":
        return int(cursor.advance().text.translate(_RAISED))
    if not cursor.take("^"):
        return None
    is_braced = cursor.take("{")
    is_negative = cursor.take("-")
    token = cursor.advance()
    if not (token.kind == "number" and re.fullmatch("[0-9]{1,4}", token.text)):
        return None
    if is_braced and not cursor.take("}"):
        return None
    return -int(token.text) if is_negative else int(token.text)


def _raise(base: Fraction, exponent: int) -> Fraction | None:
    """Return a power; None where it is huge, or not defined."""
    digits = max(base.numerator, base.denominator).bit_length() * abs(exponent)
    if digits > 4 * _MAX_POWER or (base == 0 and exponent <= 0):
        return None
    return base**exponent


def _states(side: Sequence[Token], number: Fraction, *, is_first: bool) -> bool:
    """Return whether a left-hand side leaves what stands right of it as the answer.

    A name does so, and a calculation, which is not checked; a plain number only if it is the same.
    """
    if not side or is_label(side):
        return is_first
    stated = _read_quantity(side)
    return stated == number if stated is not None else is_calculation(side)


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
