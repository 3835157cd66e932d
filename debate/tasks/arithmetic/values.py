"""The exact answers to arithmetic questions, from their texts."""

from __future__ import annotations

import re

RESIDUES = "abcdefghijklmnopqrstuvw"
"""One letter for each residue modulo 23."""

_NUMERIC = re.compile(r"([0-9]+)([+*%])([0-9]+)", re.ASCII)
_CHAIN = re.compile(r"[a-w](?:[+\-*][a-w])+")


def value(text: str) -> str:
    """The exact answer to a question text.

    >>> value("347+589"), value("947%558"), value("h+c-k")
    ('936', '389', 'w')
    """
    if match := _NUMERIC.fullmatch(text):
        return _numeric_value(int(match[1]), match[2], int(match[3]))
    if _CHAIN.fullmatch(text):
        return _chain_value(text)
    raise ValueError(f"{text!r} is no arithmetic question; expected e.g. 347+589, 34*7 or h+c-k")


def _numeric_value(first: int, symbol: str, second: int) -> str:
    """The value of one operation on decimal numbers."""
    if symbol == "+":
        return str(first + second)
    if symbol == "*":
        return str(first * second)
    if second == 0:
        raise ValueError(f"{first}%0 has no value; the modulus must be positive")
    return str(first % second)


def _chain_value(text: str) -> str:
    """The residue of a chain, evaluated from left to right modulo 23."""
    total = RESIDUES.index(text[0])
    for symbol, letter in zip(text[1::2], text[2::2], strict=True):
        residue = RESIDUES.index(letter)
        if symbol == "*":
            total *= residue
        else:
            total += residue if symbol == "+" else -residue
        total %= 23
    return RESIDUES[total]
