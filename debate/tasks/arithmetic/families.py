"""Families of arithmetic questions: how operands are drawn, and how they are written."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from debate.tasks.arithmetic.values import RESIDUES, value

Operands = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of question: how operands are drawn and how they are written."""

    name: str
    description: str
    sample: Callable[[random.Random], Operands]
    text: Callable[[Operands], str]

    def answer(self, operands: Operands) -> str:
        """The exact answer as text."""
        return value(self.text(operands))


def _binary(symbol: str) -> Callable[[Operands], str]:
    """Write two operands with an infix symbol."""
    return lambda operands: f"{operands[0]}{symbol}{operands[1]}"


def _pair(first: range, second: range) -> Callable[[random.Random], Operands]:
    """Draw two operands uniformly and independently."""
    return lambda rng: (rng.choice(first), rng.choice(second))


def _sample_chain(rng: random.Random) -> Operands:
    """One or two operations: residue, then (operation, residue) for each."""
    operands = [rng.randrange(23)]
    for _ in range(rng.choice((1, 2, 2, 2))):
        operands += [rng.randrange(2), rng.randrange(23)]
    return tuple(operands)


def _chain_text(operands: Operands) -> str:
    """Write a chain; operations sit at odd places."""
    return "".join("+-"[o] if i % 2 else RESIDUES[o] for i, o in enumerate(operands))


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            Family(
                name="add",
                description="three digits + three digits",
                sample=_pair(range(100, 1000), range(100, 1000)),
                text=_binary("+"),
            ),
            Family(
                name="mul",
                description="two or three digits * one digit (2-9)",
                sample=_pair(range(10, 1000), range(2, 10)),
                text=_binary("*"),
            ),
            Family(
                name="mod",
                description="500-999 % 500-699",
                sample=_pair(range(500, 1000), range(500, 700)),
                text=_binary("%"),
            ),
            Family(
                name="chain23",
                description="one or two operations (+ -) modulo 23 from left to right, in letters",
                sample=_sample_chain,
                text=_chain_text,
            ),
        )
    }
)


def family(name: str) -> Family:
    """The family of a name; `mul/7` is the part of `mul` whose second operand is 7."""
    base, slash, operand = name.partition("/")
    if base not in FAMILIES:
        raise ValueError(f"family {name!r} is unknown; known families: {', '.join(FAMILIES)}")
    return _region(FAMILIES[base], operand) if slash else FAMILIES[base]


def _region(whole: Family, operand: str) -> Family:
    """The questions of a family whose second operand is fixed."""
    if whole.name not in ("mul", "mod") or not operand.isdecimal() or int(operand) < 1:
        raise ValueError(
            f"family '{whole.name}/{operand}' is unknown; expected e.g. mul/7 or mod/558"
        )
    return Family(
        name=f"{whole.name}/{operand}",
        description=f"{whole.description}, second operand {operand}",
        sample=lambda rng: (whole.sample(rng)[0], int(operand)),
        text=whole.text,
    )
