r"""Find what a text marks: lines such as `Answer: 18`, `#### 18`, and `\boxed{18}`.

Every search is one pass in time linear in the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from debate.tasks.formats import AnswerFormat

MAX_SCANNED = 250_000
"""Characters that are read: a text's last ones, or its first ones where its first line counts."""

_DRESS = " \t\r*_"
_HASHES = re.compile(r"^[ \t]{0,8}####(?!#)[ \t]{0,8}(?P<value>[^\n]*)", re.MULTILINE)
_BRACES = re.compile(r"\\boxed[ \t]{0,4}\{|\\.|[{}]", re.DOTALL)


class Mark(NamedTuple):
    """A marked value: its span in the text, and the text there."""

    start: int
    end: int
    text: str
    is_heading: bool = False
    is_box: bool = False


def answer_marks(text: str, format: AnswerFormat) -> list[Mark]:
    """All marked answers, in the order of the text; `#### X` is told apart as a heading."""
    if format.first_line:
        return list(_first_line(text, format))
    start = _beginning(text, format)
    boxed = list(_boxed(text, start)) if format.boxed and r"\boxed" in text else []
    lines = [*_marked(format.answer, text, format)]
    if format.hashes and "####" in text:
        lines += _lines(_HASHES, text, start, is_heading=True)
    return sorted([*_outside(lines, boxed), *boxed] if boxed else lines)


def confidence_marks(text: str, format: AnswerFormat) -> Iterator[Mark]:
    """All lines that state a confidence."""
    return _marked(format.confidence, text, format)


def verdict_marks(text: str, format: AnswerFormat) -> Iterator[Mark]:
    """All lines that state a verdict."""
    return _marked(format.verdict, text, format)


def ranking_marks(text: str, format: AnswerFormat) -> Iterator[Mark]:
    """All lines that state a ranking."""
    return _marked(format.ranking, text, format)


def closed_lines(text: str, format: AnswerFormat) -> str:
    r"""What stands closed in a text that was cut: its lines but the last; nothing in mid-thought.

    >>> closed_lines("So 16.\nAnswer: 16", AnswerFormat())
    'So 16.\n'
    """
    return "" if is_in_thought(text, format) else text[: text.rfind("\n") + 1]


def is_in_thought(text: str, format: AnswerFormat) -> bool:
    """Whether the text ends inside a reasoning model's private thoughts, as in `<think>So`."""
    starts = ((end.replace("</", "<"), end) for end in format.reasoning_ends)
    return any(start != end and text.rfind(start) > text.rfind(end) for start, end in starts)


def _beginning(text: str, format: AnswerFormat) -> int:
    """Where reading begins: after the reasoning, and within what is read."""
    start = max(0, len(text) - MAX_SCANNED)
    for end in format.reasoning_ends:
        if end in text:
            start = max(start, text.rfind(end) + len(end))
    return start


def _marked(words: tuple[str, ...], text: str, format: AnswerFormat) -> Iterator[Mark]:
    if not words:
        return iter(())
    pattern = _line_pattern(words, format.separator, format.ignore_case)
    return _lines(pattern, text, _beginning(text, format))


@lru_cache(maxsize=64)
def _line_pattern(words: tuple[str, ...], separator: str, ignore_case: bool) -> re.Pattern[str]:
    """A marked line. All repeats before the value are bounded; the value is the line's rest."""
    either = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    between = r"[ \t*_]{0,8}[:：]" if separator == ":" else re.escape(separator)
    return re.compile(
        rf"^[ \t*_#]{{0,16}}(?:{either}){between}(?P<value>[^\n]*)",
        re.MULTILINE | (re.IGNORECASE if ignore_case else 0),
    )


def _lines(
    pattern: re.Pattern[str], text: str, start: int, *, is_heading: bool = False
) -> Iterator[Mark]:
    """The marked lines whose value is not empty."""
    for match in pattern.finditer(text, start):
        mark = _trimmed(text, *match.span("value"), is_heading=is_heading)
        if mark.text:
            yield mark


def _trimmed(text: str, start: int, end: int, *, is_heading: bool = False) -> Mark:
    """A span without the spaces and emphasis around it."""
    value = text[start:end]
    start += len(value) - len(value.lstrip(_DRESS))
    value = value.strip(_DRESS)
    return Mark(start, start + len(value), value, is_heading)


def _boxed(text: str, start: int) -> Iterator[Mark]:
    r"""The contents of each outermost `\boxed{…}` that is closed."""
    depth, opened, inside = 0, 0, None
    for match in _BRACES.finditer(text, start):
        token = match[0]
        if token == "}":
            depth = max(0, depth - 1)
            if inside is not None and depth == opened:
                yield _trimmed(text, inside, match.start())._replace(is_box=True)
                inside = None
        elif token == "{" or token.startswith(r"\boxed"):
            if token != "{" and inside is None:
                opened, inside = depth, match.end()
            depth += 1


def _outside(marks: Iterable[Mark], boxed: list[Mark]) -> Iterator[Mark]:
    """The marked lines that hold no box; where one does, the box is the answer."""
    waiting = iter(boxed)
    box = next(waiting, None)
    for mark in sorted(marks):
        while box is not None and box.end <= mark.start:
            box = next(waiting, None)
        if box is None or box.start >= mark.end:
            yield mark


def _first_line(text: str, format: AnswerFormat) -> Iterator[Mark]:
    end = text.find("\n", 0, MAX_SCANNED)
    mark = _trimmed(text, 0, min(len(text), MAX_SCANNED) if end < 0 else end)
    if mark.text and not any(verdict_marks(mark.text, format)):
        yield mark
