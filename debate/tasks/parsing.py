"""Read answers, confidences and verdicts from replies. No match, or two that differ, is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import NamedTuple, TypeVar

from debate.tasks.answer_format import (
    AnswerFormat,
    Mark,
    drop_open_line,
    find_answer_marks,
    find_confidence_marks,
    find_verdict_marks,
    is_in_reasoning,
)
from debate.tasks.scoring import normalise, parse_value
from debate.tasks.values import strip_formatting
from debate.types import Answer, Question

T = TypeVar("T", bound=Hashable)

_MAX_MARKS = 256
"""The most different texts that may be marked; of more, none is taken for the answer."""

_MAX_SHOWN, _MAX_SHOWN_LENGTH = 8, 200
_CONFIDENCE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,10})?|\.[0-9]{1,10})\s?(%|percent|/\s?100)?")


class Span(NamedTuple):
    """Characters [start, end) of a text."""

    start: int
    end: int


class ParsedAnswer(NamedTuple):
    """The answer that a text states, and where it stands first; None for an abstention.

    `is_open` says of a text that was cut that its answer was not closed when it was.
    """

    answer: Answer
    span: Span | None
    is_open: bool = False


def find_answer(
    text: str, question: Question, format: AnswerFormat, *, cut: bool = False
) -> ParsedAnswer:
    """Return the one answer that the text marks, otherwise an abstention; and where it stands.

    Of a text that was `cut`, an answer counts where it is closed: its line ended, or its box. A
    line that is still open contradicts it, unless it may be about to say the same again.

    >>> number = Question(id="q", text="?", kind="number")
    >>> find_answer("So 9.\\nAnswer: 18 eggs", number, AnswerFormat()).span
    Span(start=14, end=21)
    """
    marks = _list_answer_marks(text, question, format)
    closed = [mark for mark in marks if _is_closed(mark, text, format)] if cut else marks
    value = _read_value(closed, question)
    is_open = cut and (not closed or (value is not None and _contradicts(marks, closed, question)))
    value = None if is_open else value
    shown = tuple(islice(dict.fromkeys([m.text[:_MAX_SHOWN_LENGTH] for m in marks]), _MAX_SHOWN))
    answer = Answer(value=value, matched=() if shown == (value,) else shown)
    span = None if value is None else Span(closed[0].start, closed[0].end)
    return ParsedAnswer(answer, span, is_open)


def parse_answer(
    text: str, question: Question, format: AnswerFormat, *, cut: bool = False
) -> Answer:
    """Return the one answer that the text marks, and closes if it was `cut`; else an abstention.

    A marked text that is no answer to this kind of question is an abstention too, and so is any
    further mark that differs. `matched` holds what was marked (at most 8 different texts of at
    most 200 characters) where that is not just the value.

    >>> number = Question(id="q", text="?", kind="number")
    >>> parse_answer("16 - 7 = 9\\n**Answer:** $18.00", number, AnswerFormat()).value
    '18'
    >>> parse_answer("Answer: 17\\nAnswer: 18", number, AnswerFormat())
    Answer(value=None, matched=('17', '18'))
    """
    return find_answer(text, question, format, cut=cut).answer


def _list_answer_marks(text: str, question: Question, format: AnswerFormat) -> list[Mark]:
    """Return the marked answers, each different text once, without headings that are no answer."""
    marks: dict[tuple[str, bool], Mark] = {}
    for mark in find_answer_marks(text, format):
        marks.setdefault((mark.text, mark.is_heading), mark)
        if len(marks) > _MAX_MARKS:
            return list(marks.values())
    return [m for m in marks.values() if not (m.is_heading and _is_just_heading(m.text, question))]


def _is_just_heading(text: str, question: Question) -> bool:
    """Return whether `#### text` is a markdown heading rather than an answer."""
    return question.kind == "text" or parse_value(text, question) is None


def _is_closed(mark: Mark, text: str, format: AnswerFormat) -> bool:
    """Return whether a mark of a text that was cut stands there whole."""
    has_ended = mark.is_box or text.find("\n", mark.end) >= 0
    return has_ended and not is_in_reasoning(text, format)


def _contradicts(marks: list[Mark], closed: list[Mark], question: Question) -> bool:
    """Return whether a mark that is still open can no longer become what the closed ones say."""
    said = parse_value(closed[0].text, question)
    return any(
        not closed[0].text.startswith(mark.text) and parse_value(mark.text, question) != said
        for mark in marks
        if mark not in closed
    )


def _read_value(marks: list[Mark], question: Question) -> str | None:
    """Return the one answer of the marks; None where they are too many, unreadable or differ."""
    if len(marks) > _MAX_MARKS:
        return None
    values = (parse_value(mark.text, question) for mark in marks)
    return _get_only(values, lambda value: normalise(value, question))


def _get_only(values: Iterable[T | None], key: Callable[[T], object]) -> T | None:
    """Return the first value if all have the same key; None as soon as one is None or differs."""
    first: T | None = None
    for value in values:
        if value is None or (first is not None and key(value) != key(first)):
            return None
        first = value if first is None else first
    return first


def parse_confidence(text: str, format: AnswerFormat, *, cut: bool = False) -> float | None:
    """Return the stated confidence in [0, 1]; None for none, an impossible one, or two.

    A number up to 1 without a percent sign is a probability, a larger one a percentage. The last
    line of a text that was `cut` states none: `8` may be the beginning of `85%`.

    >>> chat = AnswerFormat()
    >>> [parse_confidence(f"Confidence: {c}", chat) for c in ("85%", "0.85", "85", "850", "high")]
    [0.85, 0.85, 0.85, None, None]
    """
    text = drop_open_line(text, format) if cut else text
    marks = find_confidence_marks(text, format)
    return _get_only((_parse_probability(mark.text) for mark in marks), float)


def _parse_probability(text: str) -> float | None:
    match = _CONFIDENCE.fullmatch(strip_formatting(text))
    if match is None:
        return None
    value = float(match[1])
    value = value if match[2] is None and value <= 1 else value / 100
    return value if value <= 1 else None


def parse_verdict(text: str, format: AnswerFormat, *, cut: bool = False) -> bool | None:
    """Return whether the text accepts the answer it judges; None where it does not say, or both.

    The last line of a text that was `cut` does not say.

    >>> chat = AnswerFormat()
    >>> [parse_verdict(f"Verdict: {v}", chat) for v in ("Correct.", "incorrect", "not correct")]
    [True, False, None]
    """
    text = drop_open_line(text, format) if cut else text
    marks = find_verdict_marks(text, format)
    return _get_only((_parse_acceptance(mark.text, format) for mark in marks), bool)


def _parse_acceptance(text: str, format: AnswerFormat) -> bool | None:
    word = strip_formatting(text)
    same = str.casefold if format.ignore_case else str
    if same(word) in map(same, format.accepts):
        return True
    return False if same(word) in map(same, format.rejects) else None


def find_verdict_span(text: str, format: AnswerFormat, *, cut: bool = False) -> Span | None:
    """Return where the verdict's word stands first; None where there is no one verdict.

    >>> find_verdict_span("So 8.\\nVerdict: incorrect", AnswerFormat())
    Span(start=15, end=24)
    """
    if parse_verdict(text, format, cut=cut) is None:
        return None
    first = next(iter(find_verdict_marks(text, format)))
    return Span(first.start, first.end)
