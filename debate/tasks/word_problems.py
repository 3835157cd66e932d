"""Word problems in plain English with exact answers: families, near answers, a split by step.

A step is one calculation that a problem takes, such as 7 * 8. Its split is decided by a hash of the
operation and its sorted operands, and a problem belongs to a split with all its steps: no step of a
test problem occurs in a training problem of any family.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from debate.tasks.arithmetic import Split, apportion

NAMES = ("Ada", "Boris", "Clara", "Dina", "Emil", "Farah", "Gus", "Hana", "Ines", "Jonas", "Kofi")
THINGS = ("apples", "beads", "books", "buttons", "cards", "coins", "nuts", "pens", "shells")
HOLDERS = ("bags", "boxes", "crates", "drawers", "jars", "trays")

MOST_DRAWS = 20_000
"""Draws in a row that bring no new problem, after which a family has no more of them."""


class Step(NamedTuple):
    """One calculation: `+`, `-` or `*`, and two numbers."""

    operation: str
    left: int
    right: int

    @property
    def name(self) -> str:
        """The step with its operands sorted, so that 7 * 8 and 8 * 7 are the same.

        >>> Step("*", 8, 7).name
        '7*8'
        """
        low, high = sorted((self.left, self.right))
        return f"{low}{self.operation}{high}"


@dataclass(frozen=True, kw_only=True)
class WordProblem:
    """A problem. `expression` is what is to be calculated, as in `60 - 7 * 8`; `unit` its unit."""

    family: str
    text: str
    expression: str
    unit: str
    answer: int
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        """A name derived from the text."""
        return f"{self.family}/{hashlib.blake2b(self.text.encode(), digest_size=5).hexdigest()}"

    @property
    def split(self) -> Split | None:
        """The split of all its steps; None where they differ, and the problem is in none."""
        splits = {assign_step_split(step) for step in self.steps}
        return splits.pop() if len(splits) == 1 else None


def assign_step_split(step: Step) -> Split:
    """Return a step's split by the hash of its name: 50 % train, 20 % validation, 30 % test."""
    bucket = int.from_bytes(hashlib.blake2b(step.name.encode(), digest_size=4).digest()) % 10
    if bucket < 5:
        return "train"
    return "validation" if bucket < 7 else "test"


class Words(NamedTuple):
    """The words of one story: two people, a thing, and what holds things."""

    who: str
    other: str
    thing: str
    holder: str


def _make_one_step_problem(
    family: str, text: str, unit: str, step: Step, answer: int
) -> WordProblem:
    expression = f"{step.left} {step.operation} {step.right}"
    return WordProblem(
        family=family, text=text, expression=expression, unit=unit, answer=answer, steps=(step,)
    )


def _draw_sum(rng: random.Random, words: Words) -> WordProblem:
    """Two numbers to add, the second of one digit."""
    who, other, thing, holder = words
    a, b = rng.randint(2, 60), rng.randint(2, 9)
    stories = (
        f"{who} has {a} {thing} and finds {b} more. How many {thing} does {who} have now?",
        f"{who} owns {a} {thing}, {other} owns {b}. How many {thing} do the two own together?",
        f"On a shelf lie {a} {thing}. {other} adds {b}. How many {thing} lie on the shelf then?",
        f"{who} put {a} {thing} into the {holder} and {other} put in {b}. How many are in there?",
    )
    step, answer = Step("+", a, b), a + b
    return _make_one_step_problem("sum", rng.choice(stories), thing, step, answer)


def _draw_product(rng: random.Random, words: Words) -> WordProblem:
    """A number of equal parts."""
    who, _, thing, holder = words
    k, n = rng.randint(2, 9), rng.randint(2, 12)
    stories = (
        f"{who} has {k} {holder}, each with {n} {thing}. How many {thing} does {who} have?",
        f"There are {n} {thing} in each of {k} {holder}. How many {thing} are there in all?",
        f"{who} makes {k} rows of {n} {thing}. How many {thing} does {who} need?",
        f"For {k} days {who} collects {n} {thing} a day. How many {thing} does that make?",
    )
    step, answer = Step("*", k, n), k * n
    return _make_one_step_problem("product", rng.choice(stories), thing, step, answer)


def _draw_remainder(rng: random.Random, words: Words) -> WordProblem:
    """Things that are left over, which takes a product and a difference."""
    who, _, thing, holder = words
    k, whole = rng.randint(3, 9), rng.randint(2, 12)
    n = k * whole + rng.randrange(k)
    stories = (
        f"{who} fills {holder} with {k} {thing} each out of {n}. How many {thing} are left over?",
        f"{who} deals {n} {thing} evenly to {k} people. How many {thing} remain undealt?",
    )
    return WordProblem(
        family="remainder",
        text=rng.choice(stories),
        expression=f"{n} mod {k}",
        unit=thing,
        answer=n % k,
        steps=(Step("*", k, whole), Step("-", n, k * whole)),
    )


def _draw_shopping(rng: random.Random, words: Words) -> WordProblem:
    """The change after buying several things at one price."""
    who, _, thing, _ = words
    k, price = rng.randint(2, 9), rng.randint(2, 12)
    paid = k * price + rng.randint(1, 30)
    stories = (
        f"{who} buys {k} {thing} for {price} euros each and pays with {paid} euros. "
        "How many euros of change are due?",
        f"{who} has {paid} euros and takes {k} {thing} at {price} euros apiece. "
        f"How many euros does {who} keep?",
    )
    return WordProblem(
        family="shopping",
        text=rng.choice(stories),
        expression=f"{paid} - {k} * {price}",
        unit="euros",
        answer=paid - k * price,
        steps=(Step("*", k, price), Step("-", paid, k * price)),
    )


WORD_FAMILIES: Mapping[str, Callable[[random.Random, Words], WordProblem]] = MappingProxyType(
    {
        "sum": _draw_sum,
        "product": _draw_product,
        "remainder": _draw_remainder,
        "shopping": _draw_shopping,
    }
)
"""Draws a problem of each family, of whatever split."""


def draw_word_problem(family: str, rng: random.Random, *, split: Split) -> WordProblem:
    """Draw a problem of a family and split. Raises ValueError for an unknown family."""
    if family not in WORD_FAMILIES:
        raise ValueError(
            f"family {family!r} is unknown; known families: {', '.join(WORD_FAMILIES)}"
        )
    while True:
        who, other = rng.sample(NAMES, 2)
        words = Words(who, other, rng.choice(THINGS), rng.choice(HOLDERS))
        problem = WORD_FAMILIES[family](rng, words)
        if problem.split == split:
            return problem


def draw_word_problems(
    families: Mapping[str, float] | Sequence[str], n: int, seed: int, split: Split = "test"
) -> list[WordProblem]:
    """Draw `n` different problems of a split, in shuffled order.

    `families` names families, with relative shares if it is a mapping; the counts follow the shares
    exactly up to rounding. Raises ValueError for an unknown family, or where a family cannot supply
    its number of different problems.
    """
    shares = families if isinstance(families, Mapping) else dict.fromkeys(families, 1.0)
    rng = random.Random(f"word problems/{seed}/{split}")
    drawn = [
        problem
        for family, count in apportion(shares, n).items()
        for problem in _draw_distinct(family, count, rng, split)
    ]
    rng.shuffle(drawn)
    return drawn


def _draw_distinct(family: str, count: int, rng: random.Random, split: Split) -> list[WordProblem]:
    """Draw `count` problems of one family whose texts differ."""
    found: dict[str, WordProblem] = {}
    misses = 0
    while len(found) < count:
        problem = draw_word_problem(family, rng, split=split)
        misses = misses + 1 if problem.text in found else 0
        if misses > MOST_DRAWS:
            raise ValueError(
                f"family {family!r} has only about {len(found)} {split} problems; "
                f"{count} were asked for"
            )
        found.setdefault(problem.text, problem)
    return list(found.values())


def list_near_answers(answer: int, count: int) -> tuple[int, ...]:
    """List the `count` non-negative numbers nearest to an answer, itself among them, ascending.

    >>> list_near_answers(56, 5), list_near_answers(1, 5)
    ((54, 55, 56, 57, 58), (0, 1, 2, 3, 4))
    """
    first = max(0, answer - count // 2)
    return tuple(range(first, first + count))


def draw_slip(answer: int, rng: random.Random) -> int:
    """Draw a plausible wrong answer: a near number, ten more or less, or one other digit."""
    digits = str(answer)
    place = rng.randrange(len(digits))
    other_digit = int(digits[:place] + str(rng.randrange(10)) + digits[place + 1 :])
    near = [answer + offset for offset in (-3, -2, -1, 1, 2, 3)]
    wrong = rng.choice((rng.choice(near), rng.choice(near), answer + 10, answer - 10, other_digit))
    return wrong if wrong >= 0 and wrong != answer else draw_slip(answer, rng)
