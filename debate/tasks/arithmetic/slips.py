"""Plausible wrong answers to arithmetic questions."""

from __future__ import annotations

import random

from debate.tasks.arithmetic.values import RESIDUES


def slip(answer: str, rng: random.Random, *, below: int | None = None) -> str:
    """A plausible wrong answer: a digit changed, an offset, or an unrelated value.

    `below` bounds the value, as for a remainder. A one-letter answer becomes another residue.
    """
    if not answer.isdecimal():
        return rng.choice(RESIDUES.replace(answer, ""))
    while True:
        wrong = _slip_once(answer, rng)
        if wrong >= 0 and str(wrong) != answer and (below is None or wrong < below):
            return str(wrong)


def _slip_once(answer: str, rng: random.Random) -> int:
    """One candidate slip; it may be negative, too large, or no slip at all."""
    kind = rng.randrange(5)
    number, length = int(answer), len(answer)
    if kind == 0:
        place_value = int(10 ** rng.randrange(length))
        return number + rng.choice((-1, 1)) * place_value
    if kind == 1:
        return number + rng.choice((-1, 1)) * rng.randrange(1, 10)
    if kind == 2:
        return rng.randrange(10 ** (length - 1) if length > 1 else 0, 10**length)
    digits = list(answer)
    for place in rng.sample(range(length), min(length, kind - 2)):
        digits[place] = str(rng.randrange(10))
    return int("".join(digits))
