"""The sides of an equation: where it is parted, and which of its left-hand sides name a number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from debate.tasks.notation import Token
from debate.tasks.units import CURRENCIES, is_plain_word, may_follow_number, split_words

_EQUAL = ("=", "==", ":=")
_OPERATORS = frozenset("+-*×·÷/^()[]{}%!|√") | CURRENCIES
_NO_LABELS = split_words(
    """
    and or not no if than sin cos tan cot sec log ln lg exp sqrt abs mod squared cubed times
    plus minus about approximately
    """
)
_LETTER_COMMAND = re.compile(
    r"\\(?:angle|triangle|alpha|beta|gamma|delta|theta|lambda|mu|sigma|phi|omega)"
)
_PRODUCT = re.compile(r"[a-z]{2}|[abcxyz]{3}")
"""A name such as `xy` that may be a product of two."""


def split_sides(tokens: Sequence[Token]) -> list[list[Token]]:
    """Part the tokens at the signs of equality; `!=` and `>=` are other tokens."""
    sides: list[list[Token]] = [[]]
    for token in tokens:
        if token.text in _EQUAL:
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def is_label(side: Sequence[Token]) -> bool:
    """Return whether the tokens name something, as `x`, `f(3)` or `total cost` do."""
    names: list[str] = []
    depth = 0
    for previous, token in zip((None, *side), side, strict=False):
        depth += (token.text in ("(", "{")) - (token.text in (")", "}"))
        if token.text in ("(", ")", "{", "}"):
            is_script = token.text != "{" or (previous is not None and previous.text == "_")
            if previous is None or depth not in (0, 1) or not is_script:
                return False
        elif depth or (previous is not None and previous.text == "_"):
            if not (token.kind in ("word", "number") or token.text in (",", "/", *CURRENCIES)):
                return False
        elif token.kind == "word" and (
            token.text[0] != "\\" or _LETTER_COMMAND.fullmatch(token.text)
        ):
            names.append(token.text)
        elif token.text not in ("_", "'", "∠", "△"):
            return False
    is_product = all(len(name) == 1 for name in names) and len(names) > 1
    is_product = is_product or (len(names) == 1 and bool(_PRODUCT.fullmatch(names[0])))
    return bool(names) and not is_product and _NO_LABELS.isdisjoint(map(str.lower, names))


def is_calculation(side: Sequence[Token]) -> bool:
    """Return whether the tokens compute with numbers alone, which may have units."""
    has_operator = False
    after_number = False
    for token in side:
        if token.kind == "word":
            if token.text in (r"\frac", r"\sqrt"):
                has_operator = True
                continue
            if not (after_number and is_plain_word(token.text) and may_follow_number(token)):
                return False
        elif token.kind == "sign":
            if token.text not in _OPERATORS:
                return False
            has_operator, after_number = True, token.text in CURRENCIES
        else:
            after_number = True
    return has_operator
