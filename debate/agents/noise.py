"""Random text in place of what an agent would hear: as long, of the same form, saying nothing."""

from __future__ import annotations

import random
from dataclasses import replace

from debate.agents.views import ShownTurn
from debate.engines.sync_engine import ANSWER_MARK
from debate.tasks import list_candidates
from debate.types import Question

_WORDS = (
    "and again also at both by each first for from further given here in it its later left like "
    "more next now of on one or other our out over part rest right same second since so some such "
    "that the then there these this those thus to two under up we what when where which with"
)
WORDS = tuple(_WORDS.split())
"""Words that belong to no subject."""

DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def make_noise(heard: ShownTurn, question: Question, rng: random.Random) -> ShownTurn:
    """Return what is shown instead: words without a subject, then a random answer if it had one.

    Nothing of what was said is left but its length and the form of its answer, so that the answer
    shown is right no more often than chance.
    """
    answer = None if heard.answer is None else draw_answer(heard.answer, question, rng)
    accepts = None if heard.accepts is None else rng.random() < 0.5
    closing = [] if answer is None or heard.kind == "critique" else [f"{ANSWER_MARK}{answer}"]
    if accepts is not None:
        closing.append(f"Verdict: {'correct' if accepts else 'incorrect'}")
    text = None if heard.text is None else _make_text(heard.text, closing, rng)
    confidence = None if heard.confidence is None else rng.random()
    return replace(heard, text=text, answer=answer, accepts=accepts, confidence=confidence)


def draw_answer(like: str, question: Question, rng: random.Random) -> str:
    """Draw an answer of the same form: one of the options, or as many digits.

    >>> yes_no = Question(id="q", text="?", kind="choice", options=("yes", "no"))
    >>> draw_answer("A", yes_no, random.Random(0)) in ("A", "B")
    True
    >>> len(draw_answer("1,024.5", Question(id="q", text="?"), random.Random(0)))
    7
    """
    closed = list_candidates(question)
    if closed:
        return rng.choice(closed)
    digits = sum(character.isdecimal() for character in like)
    drawn = [_draw_like(character, rng) for character in like]
    leading = next((n for n, character in enumerate(like) if character.isdecimal()), None)
    if leading is not None and digits > 1 and drawn[leading] == "0":
        drawn[leading] = rng.choice(DIGITS[1:])
    return "".join(drawn)


def draw_other_answer(answer: str, question: Question, rng: random.Random) -> str:
    """Draw an answer of the same form that is not this one; this one where there is no other.

    >>> draw_other_answer("936", Question(id="q", text="347+589"), random.Random(1))
    '291'
    """
    closed = list_candidates(question)
    if closed:
        others = [option for option in closed if option != answer]
        return rng.choice(others) if others else answer
    if not any(character.isdecimal() or character.isalpha() for character in answer):
        return answer
    while (drawn := draw_answer(answer, question, rng)) == answer:
        pass
    return drawn


def _draw_like(character: str, rng: random.Random) -> str:
    if character.isdecimal():
        return rng.choice(DIGITS)
    if character.isalpha():
        letter = rng.choice(LETTERS)
        return letter.upper() if character.isupper() else letter
    return character


def _make_text(text: str, closing: list[str], rng: random.Random) -> str:
    """Make words up to the text's length, the closing lines included."""
    end = "".join(f"\n{line}" for line in closing)
    room, words = len(text) - len(end), ""
    while len(words) < room:
        words += rng.choice(WORDS) + " "
    body = words[: max(0, room)]
    return (body[:-1] + "." if body.endswith(" ") else body) + (end if body else end.lstrip())
