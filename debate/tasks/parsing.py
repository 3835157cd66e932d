"""From a reply's text to what it says. No match, or two different ones, is no answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable
from itertools import islice
from typing import NamedTuple, TypeVar

from debate.tasks.formats import CHAT, COMPACT, FORMATS, AnswerFormat
from debate.tasks.marks import (
    Mark,
    answer_marks,
    closed_lines,
    confidence_marks,
    is_in_thought,
    ranking_marks,
    verdict_marks,
)
from debate.tasks.scoring import normalise, readable
from debate.tasks.wording import tidy
from debate.types import Answer, Question

__all__ = [
    "CHAT",
    "COMPACT",
    "FORMATS",
    "AnswerFormat",
    "Found",
    "Span",
    "find_answer",
    "parse_answer",
    "parse_confidence",
    "parse_ranking",
    "parse_verdict",
    "verdict_span",
]

T = TypeVar("T", bound=Hashable)

_MAX_MARKS = 256
"""Where more different texts than these are marked, there is no telling which is meant."""

_MAX_SHOWN, _MAX_SHOWN_LENGTH = 8, 200
_MAX_RANKING = 10_000
_CONFIDENCE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,10})?|\.[0-9]{1,10})\s?(%|percent|/\s?100)?")


class Span(NamedTuple):
    """Characters [start, end) of a text."""

    start: int
    end: int


class Found(NamedTuple):
    """What a text answers, and where the answer stands first; nowhere for an abstention.

    `is_open` says of a text that was cut that its answer was not closed when it was.
    """

    answer: Answer
    span: Span | None
    is_open: bool = False


def find_answer(text: str, question: Question, format: AnswerFormat, *, cut: bool = False) -> Found:
    """The one answer that the text marks, otherwise an abstention; and where it stands.

    Of a text that was `cut`, an answer counts where it is closed: its line ended, or its box. A
    line that is still open unsays it, unless it may be about to say the same again.

    >>> find_answer("So 9.\\nAnswer: 18 eggs", Question(id="q", text="?", kind="number"), CHAT).span
    Span(start=14, end=21)
    """
    marks = _answers(text, question, format)
    closed = [mark for mark in marks if _is_closed(mark, text, format)] if cut else marks
    value = _value(closed, question)
    is_open = cut and (not closed or (value is not None and _unsays(marks, closed, question)))
    value = None if is_open else value
    shown = tuple(islice(dict.fromkeys([m.text[:_MAX_SHOWN_LENGTH] for m in marks]), _MAX_SHOWN))
    answer = Answer(value=value, matched=() if shown == (value,) else shown)
    span = None if value is None else Span(closed[0].start, closed[0].end)
    return Found(answer, span, is_open)


def _is_closed(mark: Mark, text: str, format: AnswerFormat) -> bool:
    """Whether a mark of a text that was cut stands there whole."""
    has_ended = mark.is_box or text.find("\n", mark.end) >= 0
    return has_ended and not is_in_thought(text, format)


def _unsays(marks: list[Mark], closed: list[Mark], question: Question) -> bool:
    """Whether a mark that is still open can no longer become what the closed ones say."""
    said = readable(closed[0].text, question)
    return any(
        not closed[0].text.startswith(mark.text) and readable(mark.text, question) != said
        for mark in marks
        if mark not in closed
    )


def parse_answer(
    text: str, question: Question, format: AnswerFormat, *, cut: bool = False
) -> Answer:
    """The one answer that the text marks, and closes if it was `cut`; otherwise an abstention.

    A marked text that is no answer to this kind of question is an abstention too, and so is any
    further mark that differs. `matched` holds what was marked (at most 8 different texts of at
    most 200 characters) where that is not just the value.

    >>> number = Question(id="q", text="?", kind="number")
    >>> parse_answer("16 - 7 = 9\\n**Answer:** $18.00", number, CHAT).value
    '18'
    >>> parse_answer("Answer: 17\\nAnswer: 18", number, CHAT)
    Answer(value=None, matched=('17', '18'))
    """
    return find_answer(text, question, format, cut=cut).answer


def parse_confidence(text: str, format: AnswerFormat, *, cut: bool = False) -> float | None:
    """The stated confidence in [0, 1]; None where none, an impossible one, or two are stated.

    A number up to 1 without a percent sign is a probability, a larger one a percentage. The last
    line of a text that was `cut` states none: `8` may be the beginning of `85%`.

    >>> [parse_confidence(f"Confidence: {c}", CHAT) for c in ("85%", "0.85", "85", "850", "high")]
    [0.85, 0.85, 0.85, None, None]
    """
    text = closed_lines(text, format) if cut else text
    return _only((_probability(mark.text) for mark in confidence_marks(text, format)), float)


def parse_verdict(text: str, format: AnswerFormat, *, cut: bool = False) -> bool | None:
    """Whether the text accepts what it judges; None where it does not say, or says both.

    The last line of a text that was `cut` does not say.

    >>> [parse_verdict(f"Verdict: {v}", CHAT) for v in ("Correct.", "incorrect", "not correct")]
    [True, False, None]
    """
    text = closed_lines(text, format) if cut else text
    return _only((_accepts(mark.text, format) for mark in verdict_marks(text, format)), bool)


def verdict_span(text: str, format: AnswerFormat, *, cut: bool = False) -> Span | None:
    """Where the verdict's word stands first in the text; None where there is no one verdict.

    >>> verdict_span("So 8.\\nVerdict: incorrect", CHAT)
    Span(start=15, end=24)
    """
    if parse_verdict(text, format, cut=cut) is None:
        return None
    first = next(iter(verdict_marks(text, format)))
    return Span(first.start, first.end)


def parse_ranking(
    text: str, format: AnswerFormat, *, among: Collection[str] | None = None
) -> tuple[str, ...] | None:
    """The stated ranking, best first; None where none, or two different ones, are stated.

    An item named twice, or one that is not `among` the known ones, makes it unreadable.

    >>> parse_ranking("Ranking: B > A > C", CHAT, among="ABC")
    ('B', 'A', 'C')
    """
    marks = ranking_marks(text, format)
    return _only((_ranking(mark.text, among) for mark in marks), tuple)


def _only(found: Iterable[T | None], same: Callable[[T], object]) -> T | None:
    """The first of the values if all are the same; None as soon as one is None or differs."""
    first: T | None = None
    for value in found:
        if value is None or (first is not None and same(value) != same(first)):
            return None
        first = value if first is None else first
    return first


def _value(marks: list[Mark], question: Question) -> str | None:
    """The one answer of the marked texts; None where they are too many, unreadable or differ."""
    if len(marks) > _MAX_MARKS:
        return None
    read = (readable(mark.text, question) for mark in marks)
    return _only(read, lambda value: normalise(value, question))


def _answers(text: str, question: Question, format: AnswerFormat) -> list[Mark]:
    """The marked answers, each different text once; headings that are no answer are left out."""
    marks: dict[tuple[str, bool], Mark] = {}
    for mark in answer_marks(text, format):
        marks.setdefault((mark.text, mark.is_heading), mark)
        if len(marks) > _MAX_MARKS:
            return list(marks.values())
    return [m for m in marks.values() if not (m.is_heading and _just_heading(m.text, question))]


def _just_heading(text: str, question: Question) -> bool:
    """Whether `#### text` is a markdown heading rather than an answer."""
    return question.kind == "text" or readable(text, question) is None


def _probability(text: str) -> float | None:
    match = _CONFIDENCE.fullmatch(tidy(text))
    if match is None:
        return None
    value = float(match[1])
    value = value if match[2] is None and value <= 1 else value / 100
    return value if value <= 1 else None


def _accepts(text: str, format: AnswerFormat) -> bool | None:
    word = tidy(text)
    same = str.casefold if format.ignore_case else str
    if same(word) in map(same, format.accepts):
        return True
    return False if same(word) in map(same, format.rejects) else None


def _ranking(text: str, among: Collection[str] | None) -> tuple[str, ...] | None:
    parts = (tidy(part) for part in text[:_MAX_RANKING].split(">" if ">" in text else ","))
    items = tuple(parts)
    known = among is None or all(item in among for item in items)
    return items if known and all(items) and len(set(items)) == len(items) else None
