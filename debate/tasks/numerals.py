"""Read the digits of one number: in any script, grouped or not, or as Chinese numerals."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

_SEPARATORS = {"’": "'", "_": "'", "٬": "'"}
_POINT = "٫"
_PART = re.compile(r"\d+|\D")

_HAN_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")}
_HAN_DIGITS |= {"〇": 0, "两": 2, "兩": 2}
_HAN_TENS = {"十": 10, "百": 100, "千": 1000, "십": 10, "백": 100, "천": 1000}
_HAN_MYRIADS = {"万": 10**4, "萬": 10**4, "만": 10**4, "亿": 10**8, "億": 10**8, "억": 10**8}

HAN_NUMERALS = "".join((*_HAN_DIGITS, *_HAN_TENS, *_HAN_MYRIADS))
"""The Chinese numerals that are read, with the Korean ones for powers of ten."""

_HAN = re.compile(rf"(?:\d[\d.,]*)?[{HAN_NUMERALS}](?:[{HAN_NUMERALS}]|\d)*")
_COEFFICIENT = re.compile(r"[\d.,]+")


def read_digits(text: str) -> Fraction | None:
    """Return the number written in the digits of one script; None where separators do not fit.

    A point that stands once is the decimal one: `1.234` is less than two. A comma that stands once
    groups thousands, `1,234`, and is never guessed to be a decimal one: `12,5` is not read. Where
    both stand, or a space or apostrophe groups, the last sign is the decimal one. Groups have
    three digits, in the Indian way two before the last three.

    >>> [str(read_digits(t)) for t in ("1,234.5", "1.234,5", "1,00,000", "1'000", "12,5", "१८")]
    ['2469/2', '2469/2', '100000', '1000', 'None', '18']
    """
    plain = _to_ascii(text)
    parts = _PART.findall(plain) if plain else []
    if not parts:
        return None
    if parts[0] == ".":
        parts.insert(0, "0")
    groups, signs = parts[::2], [_SEPARATORS.get(sign, sign) for sign in parts[1::2]]
    if len(groups) != len(signs) + 1 or not all(map(str.isdigit, groups)):
        return None
    decimals = groups.pop() if signs and _is_decimal_sign(signs, groups) else ""
    if decimals:
        signs.pop()
    if signs and not (len(set(signs)) == 1 and _are_thousands(groups, signs[0])):
        return None
    return Fraction("".join(groups) + ("." + decimals if decimals else ""))


def _to_ascii(text: str) -> str:
    """Write the digits in ASCII; empty where they are of two scripts."""
    if text.isascii():
        return text
    zeros = {ord(sign) - unicodedata.decimal(sign) for sign in text if sign.isdecimal()}
    if len(zeros) != 1:
        return ""
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def _is_decimal_sign(signs: list[str], groups: list[str]) -> bool:
    """Return whether the last sign parts whole from decimals; `groups` ends with what follows."""
    last, others = signs[-1], signs[:-1]
    if last == _POINT or (last == "." and "." not in others):
        return True
    if last != "," or not others or "," in others:
        return False
    return others[0] in ".'" or len(groups[-1]) != 3  # `1 234,567` may be two numbers


def _are_thousands(groups: list[str], sign: str) -> bool:
    """Return whether groups parted by the sign are those of one number."""
    first, *middle, last = groups
    if first.startswith("0") or len(last) != 3 or sign not in ",.' ":
        return False
    if all(len(group) == 3 for group in middle) and len(first) <= 3:
        return True
    return sign == "," and len(first) <= 2 and all(len(group) == 2 for group in middle)


def read_han(text: str) -> Fraction | None:
    """Return the number of Chinese numerals, also after ASCII digits; None where it is not clear.

    A digit that ends a number above twenty names its place only after 零: 三万五 is not read.

    >>> [str(read_han(t)) for t in ("十八", "1.2万", "三万五千", "二〇二四", "三万五", "三四")]
    ['18', '12000', '35000', '2024', 'None', 'None']
    """
    if not _HAN.fullmatch(text):
        return None
    if all(sign in _HAN_DIGITS for sign in text):
        is_number = len(text) == 1 or any(sign in "〇零" for sign in text[1:])
        return Fraction("".join(str(_HAN_DIGITS[sign]) for sign in text)) if is_number else None
    coefficient = _COEFFICIENT.match(text)
    if coefficient and set("., ") & set(coefficient[0]):
        number, factor = read_digits(coefficient[0]), _read_factor(text[coefficient.end() :])
        return None if number is None or factor is None else number * factor
    return _read_sections(text)


def _read_factor(units: str) -> int | None:
    """Return the product of units such as 千万, which grow; None for anything else."""
    sizes = [(_HAN_TENS | _HAN_MYRIADS).get(sign) for sign in units]
    known = [size for size in sizes if size]
    if len(known) != len(sizes) or len(known) > 2 or known != sorted(set(known)):
        return None
    return known[0] * (known[1] if len(known) == 2 else 1)


def _read_sections(text: str) -> Fraction | None:
    """Add up sections of four places, each before its 亿 or 万, in falling order."""
    total, limit = 0, 10**12
    *sections, rest = re.split(f"([{''.join(_HAN_MYRIADS)}])", text)
    for section, unit in zip(sections[::2], sections[1::2], strict=True):
        number, size = _read_section(section, is_first=limit == 10**12), _HAN_MYRIADS[unit]
        if not number or size >= limit:
            return None
        total, limit = total + number * size, size
    if not rest:
        return Fraction(total)
    number = _read_section(rest, is_first=limit == 10**12)
    return None if number is None else Fraction(total + number)


def _read_section(text: str, *, is_first: bool) -> int | None:
    """Return a number below ten thousand; one that is not the first must fix its place."""
    if re.fullmatch(r"[0-9]+", text):
        return int(text) if is_first or len(text) == 4 else None
    total, limit, digit, after_zero = 0, 10**4, "", False
    for place, sign in enumerate(text):
        size = _HAN_TENS.get(sign)
        if sign in "零〇":
            if digit:
                return None
            after_zero = True
        elif size is None:
            if digit:
                return None
            digit = sign
        elif size >= limit or not (digit or (size == 10 and place == 0)):
            return None
        else:
            total += _read_one(digit) * size
            digit, limit, after_zero = "", size, False
    if not digit:
        return total
    is_clear = after_zero or limit == 10 or (limit == 10**4 and is_first and len(text) == 1)
    return total + _read_one(digit) if is_clear else None


def _read_one(digit: str) -> int:
    """Return the value of one digit in either script; one where a unit has none, as in 十八."""
    if not digit:
        return 1
    return _HAN_DIGITS[digit] if digit in _HAN_DIGITS else int(digit)
