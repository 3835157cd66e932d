"""The compact notation for edges: who critiques whom, in one line.

    a -> b                    a critiques b
    a <- b                    b critiques a
    a <-> b                   each critiques the other
    a -> b -> c               a chain: a critiques b, b critiques c
    a -> a                    a critiques itself
    judges -> debaters        every judge critiques every debater
    debaters -> debaters      every debater critiques every other one
    a, b -> judges            names joined by commas are a group
    each debaters -> itself   every debater critiques itself
    each debaters <-> partner debaters in twos, by seat: the first and second, the third and fourth

A name is an agent's id or a group's name. Between groups nobody meets itself; a self-loop is
written as `a -> a` or `each … -> itself`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

Arrow = Literal["->", "<-", "<->"]
Target = Literal["itself", "partner"]

_ARROW = re.compile(r"(<->|->|<-)")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_EACH = re.compile(r"each\s+(?=[^\s,])")
_TARGETS = ("itself", "partner")


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """One line of notation. `arrows[i]` stands between `operands[i]` and `operands[i + 1]`.

    With `each`, there is one operand and one arrow, from each of its members to the target.
    """

    operands: tuple[tuple[str, ...], ...]
    arrows: tuple[Arrow, ...]
    each: Target | None = None


def parse_edges(text: str) -> Expression:
    """Read one line of notation. Raises ValueError that says what would be right.

    >>> parse_edges("a -> b, c").operands
    (('a',), ('b', 'c'))
    """
    first, *rest = map(str.strip, _ARROW.split(text))
    if not rest:
        raise ValueError(f'"{text}" has no arrow; write "a -> b" for "a critiques b"')
    operands, arrows = [first, *rest[1::2]], tuple(cast(Arrow, arrow) for arrow in rest[::2])
    if _EACH.match(first):
        return _each(text, operands, arrows)
    return Expression(operands=tuple(parse_names(o, text) for o in operands), arrows=arrows)


def parse_names(operand: str, text: str | None = None) -> tuple[str, ...]:
    """The names of one operand. Raises ValueError that quotes `text`, the whole line.

    >>> parse_names("a, judges")
    ('a', 'judges')
    """
    names = tuple(name.strip() for name in operand.split(","))
    whole = f' in "{text}"' if text is not None else ""
    for name in names:
        if not name:
            raise ValueError(f'a name is missing{whole}; write "a -> b", "a, b -> c"')
        if not _NAME.fullmatch(name):
            raise ValueError(f'"{name}"{whole} is no name; names are of letters, digits and _ . -')
    if len(set(names)) < len(names):
        raise ValueError(f'"{operand}"{whole} names somebody twice; write each name once')
    return names


def _each(text: str, operands: list[str], arrows: tuple[Arrow, ...]) -> Expression:
    if len(operands) != 2 or operands[1] not in _TARGETS:
        raise ValueError(
            f'"{text}": after "each" comes one group and "-> itself" or "<-> partner"; '
            'write "a -> b" without "each" for everybody in a and everybody in b'
        )
    members = parse_names(_EACH.sub("", operands[0], count=1), text)
    return Expression(operands=(members,), arrows=arrows, each=cast(Target, operands[1]))
