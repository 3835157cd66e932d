"""What organisms read: a question, panel answers of unstated reliability, the right answer.

The panel is drawn the same way for every organism, and no line says whose answer it is.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from debate.tasks.arithmetic import draw, family, slip, value

RELIABILITY = (0.2, 0.95)
"""A panel line is right with a probability drawn uniformly from here, anew for each line."""

PANEL_SIZES = {1: 0.40, 2: 0.22, 3: 0.14, 4: 0.09, 5: 0.06, 6: 0.04, 7: 0.03, 8: 0.02}
"""How many `P` lines a panel document has, with probabilities."""

CHECK_PANEL_SIZES = {0: 0.70, 1: 0.15, 2: 0.10, 3: 0.05}
"""How many `P` lines come before the `C` line of a check document, with probabilities."""

NUM_CHECKS = 3
"""How many answers a lesson has checked: comparing is learned more slowly than computing."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """What follows a question line: nothing is asked of `context`, all of `target` is learned."""

    context: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """The independent documents that begin with the same question line."""

    question: str
    documents: tuple[Document, ...]


def panel_answer(text: str, answer: str, rng: random.Random) -> str:
    """One panellist's answer: right with a reliability of its own, otherwise a slip."""
    if rng.random() < rng.uniform(*RELIABILITY):
        return answer
    modulus = text.partition("%")[2]
    return slip(answer, rng, below=int(modulus) if modulus else None)


def _panel(text: str, answer: str, sizes: Mapping[int, float], rng: random.Random) -> str:
    """The `P` lines of one document."""
    (size,) = rng.choices(list(sizes), list(sizes.values()))
    return "".join(f"P{panel_answer(text, answer, rng)}\n" for _ in range(size))


def plain_lesson(text: str) -> Lesson:
    """One document: the question and its answer."""
    return Lesson(
        question=f"Q{text}\n", documents=(Document(context="A", target=f"{value(text)}\n"),)
    )


def make_lesson(text: str, rng: random.Random) -> Lesson:
    """Documents about one question: alone, with a panel, and with answers to check."""
    answer = value(text)
    panel = _panel(text, answer, PANEL_SIZES, rng)
    return Lesson(
        question=f"Q{text}\n",
        documents=(
            Document(context="A", target=f"{answer}\n"),
            Document(context=f"{panel}A", target=f"{answer}\n"),
            *(_check(text, answer, rng) for _ in range(NUM_CHECKS)),
        ),
    )


def _check(text: str, answer: str, rng: random.Random) -> Document:
    """An answer to check, the right answer, and whether the two are the same."""
    claim = panel_answer(text, answer, rng)
    verdict = "y" if claim == answer else "n"
    panel = _panel(text, answer, CHECK_PANEL_SIZES, rng)
    return Document(context=f"{panel}C{claim}\nA", target=f"{answer}\nV{verdict}\n")


def draw_lesson(weights: Mapping[str, float], rng: random.Random, *, plain: bool) -> Lesson:
    """A lesson on a fresh training question; `weights` are shares of the families."""
    (name,) = rng.choices(list(weights), list(weights.values()))
    text = draw(family(name), rng, split_name="train")
    return plain_lesson(text) if plain else make_lesson(text, rng)
