"""Arithmetic questions drawn from families, and their split by hash."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from debate.tasks.arithmetic.families import Family, family
from debate.tasks.arithmetic.values import value

Split = Literal["train", "validation", "test"]

_MAX_MISSES = 5_000


@dataclass(frozen=True, kw_only=True)
class ArithmeticQuestion:
    """One question with its exact answer; `id` is derived from the text."""

    id: str
    text: str
    answer: str
    family: str


def split(text: str) -> Split:
    """The split of a question: 75 % train, 5 % validation, 20 % test, by hash of the text."""
    bucket = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) % 100
    if bucket < 75:
        return "train"
    return "validation" if bucket < 80 else "test"


def draw(source: Family, rng: random.Random, *, split_name: Split) -> str:
    """Draw one question text of a split, uniformly over the family's sampler."""
    while True:
        text = source.text(source.sample(rng))
        if split(text) == split_name:
            return text


def questions(
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
    found = [
        question
        for name, count in _counts(shares, n).items()
        for question in _distinct(family(name), count, rng, split)
    ]
    rng.shuffle(found)
    return found


def _counts(shares: Mapping[str, float], n: int) -> dict[str, int]:
    """Split `n` into whole numbers in proportion to the shares."""
    total = sum(shares.values())
    if n < 1 or total <= 0 or min(shares.values()) < 0:
        raise ValueError(f"need n >= 1 and shares >= 0 of positive sum; got n={n}, {dict(shares)}")
    bounds, cumulative = [0], 0.0
    for share in shares.values():
        cumulative += share
        bounds.append(round(n * cumulative / total))
    return {name: high - low for name, low, high in zip(shares, bounds, bounds[1:], strict=False)}


def _distinct(
    source: Family, count: int, rng: random.Random, split_name: Split
) -> list[ArithmeticQuestion]:
    """Draw `count` different questions of one family."""
    found: dict[str, ArithmeticQuestion] = {}
    misses = 0
    while len(found) < count:
        text = draw(source, rng, split_name=split_name)
        misses = misses + 1 if text in found else 0
        if misses > _MAX_MISSES:
            raise ValueError(
                f"family {source.name!r} has only about {len(found)} {split_name} questions; "
                f"{count} were asked for"
            )
        found[text] = ArithmeticQuestion(
            id=f"{source.name.partition('/')[0]}/{text}",
            text=text,
            answer=value(text),
            family=source.name,
        )
    return list(found.values())
