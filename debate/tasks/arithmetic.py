"""Arithmetic questions with exact answers: families, wrong answers, and a split by hash.

A question is a short text such as `347+589`, `347*8`, `947%558` or `h+c-k`; its answer is a
string. Letters `a` to `w` stand for the residues 0 to 22 of the chains modulo 23. Whether a
question belongs to the train, validation or test split depends on its text alone.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

RESIDUES = "abcdefghijklmnopqrstuvw"
"""One letter for each residue modulo 23."""

Split = Literal["train", "validation", "test"]
Operands = tuple[int, ...]

_NUMERIC = re.compile(r"([0-9]+)([+*%])([0-9]+)", re.ASCII)
_CHAIN = re.compile(r"[a-w](?:[+\-*][a-w])+")
_SHARES: Mapping[Split, float] = MappingProxyType({"train": 0.75, "validation": 0.05, "test": 0.2})
_MAX_MISSES = 5_000


def compute_answer(text: str) -> str:
    """Return the exact answer to a question text. Raises ValueError where it is no question.

    >>> compute_answer("347+589"), compute_answer("947%558"), compute_answer("h+c-k")
    ('936', '389', 'w')
    """
    if match := _NUMERIC.fullmatch(text):
        return _compute_numeric(int(match[1]), match[2], int(match[3]))
    if _CHAIN.fullmatch(text):
        return _compute_chain(text)
    raise ValueError(f"{text!r} is no arithmetic question; expected e.g. 347+589, 34*7 or h+c-k")


def _compute_numeric(first: int, symbol: str, second: int) -> str:
    if symbol == "+":
        return str(first + second)
    if symbol == "*":
        return str(first * second)
    if second == 0:
        raise ValueError(f"{first}%0 has no value; the modulus must be positive")
    return str(first % second)


def _compute_chain(text: str) -> str:
    """Return the residue of a chain, evaluated from left to right modulo 23."""
    total = RESIDUES.index(text[0])
    for symbol, letter in zip(text[1::2], text[2::2], strict=True):
        residue = RESIDUES.index(letter)
        if symbol == "*":
            total *= residue
        else:
            total += residue if symbol == "+" else -residue
        total %= 23
    return RESIDUES[total]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of question: `sample` draws its operands, `write` writes them as a text."""

    name: str
    num_texts: int
    """Different questions that there are, in all splits together."""
    sample: Callable[[random.Random], Operands]
    write: Callable[[Operands], str]


def _make_binary(name: str, first: range, symbol: str, second: range) -> Family:
    """Return a family of two operands, drawn uniformly and independently, with a symbol between."""
    return Family(
        name=name,
        num_texts=len(first) * len(second),
        sample=lambda rng: (rng.choice(first), rng.choice(second)),
        write=lambda operands: f"{operands[0]}{symbol}{operands[1]}",
    )


def _sample_chain(rng: random.Random) -> Operands:
    """Draw a residue, and then one or two times an operation and a residue."""
    operands = [rng.randrange(23)]
    for _ in range(rng.choice((1, 2, 2, 2))):
        operands += [rng.randrange(2), rng.randrange(23)]
    return tuple(operands)


def _write_chain(operands: Operands) -> str:
    """Write a chain; operations sit at odd places."""
    return "".join("+-"[o] if i % 2 else RESIDUES[o] for i, o in enumerate(operands))


_HUNDREDS, _TENS, _DIGITS = range(100, 1000), range(10, 1000), range(2, 10)
_UPPER, _MODULI = range(500, 1000), range(500, 700)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            _make_binary("add", _HUNDREDS, "+", _HUNDREDS),
            _make_binary("mul", _TENS, "*", _DIGITS),
            _make_binary("mod", _UPPER, "%", _MODULI),
            Family(
                name="chain23",
                num_texts=23 * 46 + 23 * 46**2,
                sample=_sample_chain,
                write=_write_chain,
            ),
        )
    }
)


def get_family(name: str) -> Family:
    """Return the family of a name; `mul/7` is the part of `mul` whose second operand is 7.

    Raises ValueError for any other name.
    """
    base, slash, operand = name.partition("/")
    if base not in FAMILIES:
        raise ValueError(f"family {name!r} is unknown; known families: {', '.join(FAMILIES)}")
    return _fix_operand(FAMILIES[base], operand) if slash else FAMILIES[base]


def _fix_operand(whole: Family, operand: str) -> Family:
    """Return the part of a family whose second operand is `operand`."""
    if whole.name not in ("mul", "mod") or not operand.isdecimal() or int(operand) < 1:
        raise ValueError(
            f"family '{whole.name}/{operand}' is unknown; expected e.g. mul/7 or mod/558"
        )
    return Family(
        name=f"{whole.name}/{operand}",
        num_texts=len(_TENS if whole.name == "mul" else _UPPER),
        sample=lambda rng: (whole.sample(rng)[0], int(operand)),
        write=whole.write,
    )


@dataclass(frozen=True, kw_only=True)
class ArithmeticQuestion:
    """One question with its exact answer; `id` is derived from the text."""

    id: str
    text: str
    answer: str
    family: str


def assign_split(text: str) -> Split:
    """Return a question's split by a hash of its text: 75 % train, 5 % validation, 20 % test."""
    bucket = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) % 100
    if bucket < 75:
        return "train"
    return "validation" if bucket < 80 else "test"


def draw_question(source: Family, rng: random.Random, *, split: Split) -> str:
    """Draw the text of one question of a split, uniformly over the family's sampler."""
    while True:
        text = source.write(source.sample(rng))
        if assign_split(text) == split:
            return text


def draw_questions(
    families: Mapping[str, float] | Sequence[str],
    n: int,
    seed: int,
    split: Split = "test",
) -> list[ArithmeticQuestion]:
    """Draw `n` different questions of a split, in shuffled order.

    `families` names families, with relative shares if it is a mapping; the counts follow the
    shares exactly up to rounding. Raises ValueError for an unknown family, or when a family
    cannot supply its number of different questions.
    """
    shares = families if isinstance(families, Mapping) else dict.fromkeys(families, 1.0)
    rng = random.Random(f"arithmetic/{seed}/{split}")
    counts = {name: (get_family(name), count) for name, count in apportion(shares, n).items()}
    for source, count in counts.values():
        _check_supply(source, count, split)
    drawn = [
        question
        for source, count in counts.values()
        for question in _draw_distinct(source, count, rng, split)
    ]
    rng.shuffle(drawn)
    return drawn


def apportion(shares: Mapping[str, float], n: int) -> dict[str, int]:
    """Split `n` into whole numbers in proportion to the shares."""
    total = sum(shares.values())
    if n < 1 or total <= 0 or min(shares.values()) < 0:
        raise ValueError(f"need n >= 1 and shares >= 0 of positive sum; got n={n}, {dict(shares)}")
    bounds, cumulative = [0], 0.0
    for share in shares.values():
        cumulative += share
        bounds.append(round(n * cumulative / total))
    return {name: high - low for name, low, high in zip(shares, bounds, bounds[1:], strict=False)}


def _check_supply(source: Family, count: int, split: Split) -> None:
    """Refuse at once what drawing could only find out after minutes.

    Which texts fall into a split is as good as random; six standard deviations are allowed for.
    """
    expected = source.num_texts * _SHARES[split]
    if count > expected + 6 * math.sqrt(expected):
        raise _make_shortage(source, round(expected), count, split)


def _make_shortage(source: Family, supply: int, count: int, split: Split) -> ValueError:
    """Say that a family has too few questions."""
    return ValueError(
        f"family {source.name!r} has only about {supply} {split} questions; {count} were asked for"
    )


def _draw_distinct(
    source: Family, count: int, rng: random.Random, split: Split
) -> list[ArithmeticQuestion]:
    """Draw `count` different questions of one family."""
    found: dict[str, ArithmeticQuestion] = {}
    misses = 0
    while len(found) < count:
        text = draw_question(source, rng, split=split)
        misses = misses + 1 if text in found else 0
        if misses > _MAX_MISSES:
            raise _make_shortage(source, len(found), count, split)
        found[text] = ArithmeticQuestion(
            id=f"{source.name.partition('/')[0]}/{text}",
            text=text,
            answer=compute_answer(text),
            family=source.name,
        )
    return list(found.values())


def draw_wrong_answer(answer: str, rng: random.Random, *, below: int | None = None) -> str:
    """Draw a plausible wrong answer: a digit changed, an offset, or an unrelated value.

    `below` bounds the value, as for a remainder. A one-letter answer becomes another residue.
    """
    if not answer.isdecimal():
        return rng.choice(RESIDUES.replace(answer, ""))
    while True:
        wrong = _perturb(answer, rng)
        if wrong >= 0 and str(wrong) != answer and (below is None or wrong < below):
            return str(wrong)


def _perturb(answer: str, rng: random.Random) -> int:
    """Draw a number near the answer; it may be negative, too large, or the answer itself."""
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
