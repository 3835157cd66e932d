r"""Formats in which answers are marked, and the marks found in a text.

A mark is a line such as `Answer: 18` or `#### 18`, or a `\boxed{18}`. Every search is one pass in
time linear in the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from debate.config.spec import Spec

MAX_SCANNED = 250_000
"""Characters that are read: a text's last ones, or its first ones where its first line counts."""

_EMPHASIS = " \t\r*_"
_HASHES = re.compile(r"^[ \t]{0,8}####(?!#)[ \t]{0,8}(?P<value>[^\n]*)", re.MULTILINE)
_BRACES = re.compile(r"\\boxed[ \t]{0,4}\{|\\.|[{}]", re.DOTALL)


class AnswerFormat(Spec):
    """Marks are literal words at the beginning of a line, so that no text can make reading slow.

    Markdown emphasis and heading signs before and around a mark are ignored; a quoted line
    (`> Answer: 7`) or a mention inside a sentence is no mark.
    """

    answer: tuple[str, ...] = ("answer", "final answer")
    """Words before an answer."""
    confidence: tuple[str, ...] = ("confidence",)
    """Words before a stated confidence."""
    verdict: tuple[str, ...] = ("verdict",)
    """Words before a verdict on somebody's answer."""
    separator: str = ":"
    """The text between such a word and its value."""
    accepts: tuple[str, ...] = ("correct", "right", "yes")
    """Values of a verdict that accept."""
    rejects: tuple[str, ...] = ("incorrect", "wrong", "no")
    """Values of a verdict that reject."""
    ignore_case: bool = True
    """Whether marks and verdicts may be written in any case."""
    first_line: bool = False
    """Whether the text's first line is the answer, unless it is a verdict."""
    hashes: bool = True
    """Whether `#### X` marks a number or a choice; with anything else it is a heading."""
    boxed: bool = True
    r"""Whether `\boxed{X}` marks an answer, anywhere."""
    reasoning_ends: tuple[str, ...] = ("</think>",)
    """Texts that end a model's private reasoning; only what follows the last one is read."""


CHAT = AnswerFormat()
"""For chat models: `Answer: 18`, `Confidence: 85%`, `Verdict: correct`."""

COMPACT = AnswerFormat(
    answer=(),
    confidence=(),
    verdict=("V",),
    separator="",
    accepts=("y",),
    rejects=("n",),
    ignore_case=False,
    first_line=True,
    hashes=False,
    boxed=False,
    reasoning_ends=(),
)
"""For the model organisms: the answer is the first line, `Vy` and `Vn` are verdicts."""

FORMATS: Mapping[str, AnswerFormat] = MappingProxyType({"chat": CHAT, "compact": COMPACT})
"""The formats that a prompt set can name."""


class Mark(NamedTuple):
    """A marked value: its span in the text, and the text there."""

    start: int
    end: int
    text: str
    is_heading: bool = False
    is_box: bool = False


def find_answer_marks(text: str, format: AnswerFormat) -> list[Mark]:
    """Return all marked answers, in the order of the text; `#### X` is marked as a heading."""
    if format.first_line:
        return list(_find_first_line(text, format))
    start = _find_start(text, format)
    boxes = list(_find_boxes(text, start)) if format.boxed and r"\boxed" in text else []
    lines = [*_find_lines(format.answer, text, format)]
    if format.hashes and "####" in text:
        lines += _match_lines(_HASHES, text, start, is_heading=True)
    return sorted([*_drop_lines_with_boxes(lines, boxes), *boxes] if boxes else lines)


def find_confidence_marks(text: str, format: AnswerFormat) -> Iterator[Mark]:
    """Return all lines that state a confidence."""
    return _find_lines(format.confidence, text, format)


def find_verdict_marks(text: str, format: AnswerFormat) -> Iterator[Mark]:
    """Return all lines that state a verdict."""
    return _find_lines(format.verdict, text, format)


def drop_open_line(text: str, format: AnswerFormat) -> str:
    r"""Return the lines of a text that was cut, without the last; empty in mid-reasoning.

    >>> drop_open_line("So 16.\nAnswer: 16", AnswerFormat())
    'So 16.\n'
    """
    return "" if is_in_reasoning(text, format) else text[: text.rfind("\n") + 1]


def is_in_reasoning(text: str, format: AnswerFormat) -> bool:
    """Return whether the text ends in a model's private reasoning, as in `<think>So`."""
    starts = ((end.replace("</", "<"), end) for end in format.reasoning_ends)
    return any(start != end and text.rfind(start) > text.rfind(end) for start, end in starts)


def _find_start(text: str, format: AnswerFormat) -> int:
    """Return where reading begins: after the reasoning, and within MAX_SCANNED."""
    start = max(0, len(text) - MAX_SCANNED)
    for end in format.reasoning_ends:
        if end in text:
            start = max(start, text.rfind(end) + len(end))
    return start


def _find_first_line(text: str, format: AnswerFormat) -> Iterator[Mark]:
    end = text.find("\n", 0, MAX_SCANNED)
    mark = _trim(text, 0, min(len(text), MAX_SCANNED) if end < 0 else end)
    if mark.text and not any(find_verdict_marks(mark.text, format)):
        yield mark


def _find_lines(words: tuple[str, ...], text: str, format: AnswerFormat) -> Iterator[Mark]:
    if not words:
        return iter(())
    pattern = _compile_pattern(words, format.separator, format.ignore_case)
    return _match_lines(pattern, text, _find_start(text, format))


@lru_cache(maxsize=64)
def _compile_pattern(words: tuple[str, ...], separator: str, ignore_case: bool) -> re.Pattern[str]:
    """Return a pattern of a marked line, whose value is the line's rest.

    All repeats before the value are bounded, so that matching is linear.
    """
    either = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    between = r"[ \t*_]{0,8}[:：]" if separator == ":" else re.escape(separator)
    return re.compile(
        rf"^[ \t*_#]{{0,16}}(?:{either}){between}(?P<value>[^\n]*)",
        re.MULTILINE | (re.IGNORECASE if ignore_case else 0),
    )


def _match_lines(
    pattern: re.Pattern[str], text: str, start: int, *, is_heading: bool = False
) -> Iterator[Mark]:
    """Yield the marked lines whose value is not empty."""
    for match in pattern.finditer(text, start):
        mark = _trim(text, *match.span("value"), is_heading=is_heading)
        if mark.text:
            yield mark


def _find_boxes(text: str, start: int) -> Iterator[Mark]:
    r"""Yield the contents of each outermost `\boxed{…}` that is closed."""
    depth, opened, inside = 0, 0, None
    for match in _BRACES.finditer(text, start):
        token = match[0]
        if token == "}":
            depth = max(0, depth - 1)
            if inside is not None and depth == opened:
                yield _trim(text, inside, match.start())._replace(is_box=True)
                inside = None
        elif token == "{" or token.startswith(r"\boxed"):
            if token != "{" and inside is None:
                opened, inside = depth, match.end()
            depth += 1


def _drop_lines_with_boxes(lines: Iterable[Mark], boxes: list[Mark]) -> Iterator[Mark]:
    """Yield the marked lines that hold no box; where one does, the box is the answer."""
    remaining = iter(boxes)
    box = next(remaining, None)
    for line in sorted(lines):
        while box is not None and box.end <= line.start:
            box = next(remaining, None)
        if box is None or box.start >= line.end:
            yield line


def _trim(text: str, start: int, end: int, *, is_heading: bool = False) -> Mark:
    """Return a span without the spaces and emphasis around it."""
    value = text[start:end]
    start += len(value) - len(value.lstrip(_EMPHASIS))
    value = value.strip(_EMPHASIS)
    return Mark(start, start + len(value), value, is_heading)
