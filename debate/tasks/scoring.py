"""Whether an answer is right, and when two answers are one."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from debate.config.task import ScoringSpec
from debate.tasks.choice import LETTERS, parse_choice
from debate.tasks.number import parse_number, read_number
from debate.tasks.patterns import matches
from debate.tasks.wording import fold, tidy
from debate.types import Question

EXACT = ScoringSpec()


def readable(text: str, question: Question) -> str | None:
    """What the text answers, as recorded; None where it is no answer to this kind of question.

    A number is written canonically, a choice is its letter, a text is tidied and keeps its
    spelling. Where a text question has options, it must be one of them.

    >>> readable("$1,234.0", Question(id="q", text="?", kind="number"))
    '1234'
    """
    if question.kind == "number":
        return read_number(text)
    if question.kind == "choice":
        return parse_choice(text, question.options)
    plain = tidy(text)
    if not question.options:
        return plain or None
    return _by_fold(question.options).get(fold(plain))


@lru_cache(maxsize=256)
def _by_fold(options: tuple[str, ...]) -> Mapping[str, str]:
    """The options under what they fold to; of two that fold alike, the first."""
    return {fold(option): option for option in reversed(options)}


def closed_candidates(question: Question) -> tuple[str, ...]:
    """Every answer that can be given, as recorded; empty where the question is open.

    >>> closed_candidates(Question(id="q", text="?", kind="choice", options=("Rome", "Paris")))
    ('A', 'B')
    """
    if question.kind == "choice":
        return tuple(LETTERS[: len(question.options)])
    return question.options


def normalise(value: str, question: Question) -> str:
    """The form under which equal answers are equal texts: for agreement, tallies and flips.

    Idempotent. For numbers and choices it is the recorded value; for texts it ignores case.

    >>> options = ("Rome", "Paris")
    >>> {normalise(v, Question(id="q", text="?", kind="choice", options=options))
    ...  for v in ("B", "(B)", "paris")}
    {'B'}
    """
    found = readable(value, question)
    if found is None or question.kind == "text":
        return fold(value if found is None else found)
    return found


def score(value: str | None, question: Question, scoring: ScoringSpec = EXACT) -> bool:
    """Whether the answer is right. No answer, or one that cannot be read, is not.

    A number is right within max(absolute, relative · |target|), computed exactly. A pattern must
    match the whole answer. The question must have a target.
    """
    assert question.target is not None, f"question {question.id} has no target to score against"
    if value is None:
        return False
    if value == question.target and scoring.match == "exact":
        return True
    if question.kind == "number" and not (scoring.absolute or scoring.relative):
        number = read_number(value)
        return number is not None and number == read_number(question.target)
    if question.kind == "number":
        return _near(parse_number(value), parse_number(question.target), scoring)
    if scoring.match == "regex":
        return matches(question.target, tidy(value))
    found = readable(value, question)
    return found is not None and normalise(found, question) == normalise(question.target, question)


def _near(number: Fraction | None, target: Fraction | None, scoring: ScoringSpec) -> bool:
    if number is None or target is None:
        return False
    absolute, relative = _exactly(scoring.absolute), _exactly(scoring.relative)
    return abs(number - target) <= max(absolute, relative * abs(target))


@lru_cache(maxsize=64)
def _exactly(tolerance: float) -> Fraction:
    """A tolerance as it is written: 0.1 is one tenth."""
    return Fraction(str(tolerance))


def correct(value: str | None, question: Question, scoring: ScoringSpec = EXACT) -> bool | None:
    """Whether the answer is right, or None where the question has no target.

    An abstention is not right; that it is an abstention is kept apart, by `outcome`.
    """
    return None if question.target is None else score(value, question, scoring)
