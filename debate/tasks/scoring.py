"""Read an answer by the kind of its question, compare it with others, and score it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

import polars

from debate.config.task import ScoringSpec
from debate.sandbox import SandboxName, passes_tests
from debate.sandbox.values import Limits
from debate.tasks.choice import LETTERS, parse_choice
from debate.tasks.code_blocks import normalise_code
from debate.tasks.mathematics import are_equal, normalise_math
from debate.tasks.number import normalise_number, parse_number
from debate.tasks.values import fold_case, strip_formatting
from debate.types import Question

EXACT = ScoringSpec()
MAX_PATTERN_LENGTH = 1000
"""A longer pattern is refused."""


def parse_value(text: str, question: Question) -> str | None:
    """Return what the text answers, as recorded; None where it is no answer of this kind.

    A number is written canonically, a choice is its letter; a text and an expression are stripped
    of formatting and keep their spelling. Where a text question has options, it must be one of
    them.

    >>> parse_value("$1,234.0", Question(id="q", text="?", kind="number"))
    '1234'
    """
    if question.kind == "number":
        return normalise_number(text)
    if question.kind == "choice":
        return parse_choice(text, question.options)
    if question.kind == "code":
        return normalise_code(text) or None
    plain = strip_formatting(text)
    if question.kind == "math":
        return plain if normalise_math(text) is not None else None
    if not question.options:
        return plain or None
    return _index_options(question.options).get(fold_case(plain))


@lru_cache(maxsize=256)
def _index_options(options: tuple[str, ...]) -> Mapping[str, str]:
    """Map each option's folded form to the option; of two that fold alike, to the first."""
    return {fold_case(option): option for option in reversed(options)}


def list_candidates(question: Question) -> tuple[str, ...]:
    """Return every answer that can be given, as recorded; empty where the question is open.

    >>> list_candidates(Question(id="q", text="?", kind="choice", options=("Rome", "Paris")))
    ('A', 'B')
    """
    if question.kind == "choice":
        return tuple(LETTERS[: len(question.options)])
    return question.options


def normalise(value: str, question: Question) -> str:
    """Return the form under which equal answers are equal texts: for agreement, tallies and flips.

    Idempotent. For numbers and choices it is the recorded value; for texts it ignores case, and
    for mathematics it is `normalise_math`.

    >>> options = ("Rome", "Paris")
    >>> {normalise(v, Question(id="q", text="?", kind="choice", options=options))
    ...  for v in ("B", "(B)", "paris")}
    {'B'}
    """
    found = parse_value(value, question)
    if found is None or question.kind == "text":
        return fold_case(value if found is None else found)
    if question.kind == "math":
        return normalise_math(found) or fold_case(found)
    return found


def score_answer(
    value: str | None, question: Question, scoring: ScoringSpec = EXACT
) -> bool | None:
    """Return whether the answer is right, or None where the question has no target, or no tests.

    An abstention is not right; that it is an abstention is kept apart, by `outcome`.
    """
    known = question.tests if question.kind == "code" else question.target
    return None if known is None else is_correct(value, question, scoring)


def is_correct(value: str | None, question: Question, scoring: ScoringSpec = EXACT) -> bool:
    """Return whether the answer is right. No answer, or one that cannot be read, is not.

    A number is right within max(absolute, relative · |target|), computed exactly. A pattern must
    match the whole answer. Expressions are compared by math-verify. A program must pass the tests,
    in a sandbox alone. The question must have a target, or tests.
    """
    if question.kind == "code":
        assert question.tests is not None, f"question {question.id} has no tests to score against"
        place = scoring.code
        return value is not None and _passes_tests(
            value, question.tests, place.sandbox, place.limits
        )
    assert question.target is not None, f"question {question.id} has no target to score against"
    if value is None:
        return False
    if value == question.target and scoring.match == "exact":
        return True
    if question.kind == "number" and not (scoring.absolute or scoring.relative):
        number = normalise_number(value)
        return number is not None and number == normalise_number(question.target)
    if question.kind == "number":
        return _is_near(parse_number(value), parse_number(question.target), scoring)
    if question.kind == "math":
        return are_equal(question.target, value)
    if scoring.match == "regex":
        return matches_pattern(question.target, strip_formatting(value))
    found = parse_value(value, question)
    return found is not None and normalise(found, question) == normalise(question.target, question)


@lru_cache(maxsize=4096)
def _passes_tests(code: str, tests: str, sandbox: SandboxName, limits: Limits) -> bool:
    return passes_tests(code, tests, sandbox=sandbox, limits=limits)


def _is_near(number: Fraction | None, target: Fraction | None, scoring: ScoringSpec) -> bool:
    if number is None or target is None:
        return False
    absolute, relative = _to_exact(scoring.absolute), _to_exact(scoring.relative)
    return abs(number - target) <= max(absolute, relative * abs(target))


@lru_cache(maxsize=64)
def _to_exact(tolerance: float) -> Fraction:
    """Return a tolerance as it is written: 0.1 is one tenth."""
    return Fraction(str(tolerance))


def validate_pattern(pattern: str) -> None:
    """Raise ValueError where the pattern cannot be used.

    The engine is Rust's `regex`, which has no look-around and no back-references, and therefore
    no pattern that takes exponential time.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise ValueError(
            f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN_LENGTH} can be used"
        )
    try:
        _search(pattern, "")
    except polars.exceptions.ComputeError as cause:
        raise ValueError(f"the pattern {pattern!r} cannot be used: {cause}") from None


def matches_pattern(pattern: str, text: str) -> bool:
    """Return whether the pattern matches the whole text, ignoring case.

    >>> matches_pattern(r"(a+)+", "a" * 500 + "!"), matches_pattern("colou?r", "Color")
    (False, True)
    """
    return _search(rf"(?i)\A(?:{pattern})\z", text)


def _search(pattern: str, text: str) -> bool:
    return bool(polars.Series([text]).str.contains(pattern, literal=False, strict=True).item())
