r"""Marked values in a text: lines, lines below a mark, tags, JSON fields, boxes and hashes.

Every search is one pass in time linear in the text, whatever the text is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from debate.tasks.answer_format import MAX_SCANNED, AnswerFormat, find_start

Stated = Literal["answer", "confidence", "verdict"]

_EMPHASIS = " \t\r*_"
_QUOTES = "\"'“”‘’`"
_BEFORE = (
    r"^[ \t*_#]{0,16}(?:(?:[-+•–]|[0-9]{1,2}[.)])[ \t]{1,4})?[ \t*_#]{0,8}"
    r"(?P<open>[\"'“‘`(\[【]{0,2})[*_]{0,4}"
)
"""The text before a mark on its line. All repeats are bounded, so that matching is linear."""
_AFTER_WORD = r"[ \t*_\]】)]{0,8}"
_GAP = r"[ \t,;.(|/–-]{1,8}[*_]{0,4}"
_CLOSERS = "\"'“”’`)]】*_ \t\r."
_HASHES = re.compile(r"^[ \t]{0,8}####(?!#)[ \t]{0,8}(?P<value>[^\n]*)", re.MULTILINE)
_BRACES = re.compile(r"\\boxed[ \t]{0,4}\{|\\.|[{}]", re.DOTALL)
_NEXT_LINE = re.compile(
    r"[ \t]*(?:\n[ \t\r]*){1,4}(?P<bullet>(?:[-+•–*][ \t]{1,4})?)(?P<value>[^\n]*)"
)
_PLACEHOLDER = re.compile(
    r"[<\[{(](?:your |the |final )*(?:number|letter|answer|value|percent|verdict|text)[>\]})]%?",
    re.IGNORECASE,
)
_JSON_START = re.compile(r"^[ \t]{0,16}\{(?=\s{0,64}\")", re.MULTILINE)
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)


class Mark(NamedTuple):
    """A marked value: its span in the text, the text there, and the form that it has.

    `start` and `end` are the value's, `line` where the mark itself begins. `is_closed` tells that
    the value has ended, so that a longer text would hold the same.
    """

    start: int
    end: int
    text: str
    form: str = "mark"
    line: int = 0
    is_closed: bool = False
    is_quoted: bool = False

    @property
    def is_heading(self) -> bool:
        """Whether it is `#### X`, which with anything but a number or a choice is a heading."""
        return self.form == "hashes"

    @property
    def is_box(self) -> bool:
        r"""Whether it is `\boxed{X}`."""
        return self.form == "box"


def find_answer_marks(text: str, format: AnswerFormat) -> list[Mark]:
    """Return all marked answers, in the order of the text; `#### X` is marked as a heading."""
    if format.first_line:
        return list(_find_first_line(text, format))
    start, forms = find_start(text, format), format.forms
    objects = list(_find_json(text, start, "answer", format)) if "json" in forms else []
    inside = [(found.start, found.end) for found in objects]
    boxes = list(_find_boxes(text, start)) if "box" in forms and r"\boxed" in text else []
    lines = [*_find_lines(text, start, "answer", format)]
    if "hashes" in forms and "####" in text:
        lines += _match_lines(_HASHES, text, start, (), form="hashes")
    lines = list(_drop_lines_with_boxes(lines, boxes)) if boxes else lines
    others = [*lines, *boxes, *_find_tags(text, start, "answer", format)]
    fields = [mark for found in objects for mark in found.marks]
    return sorted([*(drop_covered(others, inside) if inside else others), *fields])


def find_marks(text: str, stated: Stated, format: AnswerFormat) -> list[Mark]:
    """Return all lines, tags and fields that state a confidence, or a verdict."""
    start = find_start(text, format)
    if format.first_line:
        return list(_find_lines(text, start, stated, format))
    found = [*_find_lines(text, start, stated, format), *_find_tags(text, start, stated, format)]
    objects = list(_find_json(text, start, stated, format)) if "json" in format.forms else []
    inside = [(each.start, each.end) for each in objects]
    fields = [mark for each in objects for mark in each.marks]
    return sorted([*(drop_covered(found, inside) if inside else found), *fields])


def drop_covered(marks: Iterable[Mark], spans: list[tuple[int, int]]) -> Iterator[Mark]:
    """Yield the marks that begin in none of the spans, which are in order."""
    remaining = iter(spans)
    span = next(remaining, None)
    for mark in sorted(marks, key=lambda mark: mark.line):
        while span is not None and span[1] <= mark.line:
            span = next(remaining, None)
        if span is None or mark.line < span[0]:
            yield mark


def is_mark_line(line: str, format: AnswerFormat) -> bool:
    """Return whether a line marks something, or is blank or the end of a fence."""
    words = (*format.answer, *format.confidence, *format.verdict)
    if not line.strip(_EMPHASIS + "`"):
        return True
    pattern = _compile_pattern(words, format.separators, format.ignore_case)
    return pattern.match(line) is not None


def _find_first_line(text: str, format: AnswerFormat) -> Iterator[Mark]:
    end = text.find("\n", 0, MAX_SCANNED)
    is_closed = end >= 0
    mark = _trim(text, 0, min(len(text), MAX_SCANNED) if end < 0 else end, form="first_line")
    if mark.text and not any(_find_lines(mark.text, 0, "verdict", format)):
        yield mark._replace(is_closed=is_closed)


def _find_lines(text: str, start: int, stated: Stated, format: AnswerFormat) -> Iterator[Mark]:
    """Yield the values of marked lines, and of the lines below marks that have none."""
    words: tuple[str, ...] = getattr(format, stated)
    if not words or not ({"mark", "first_line"} & {*format.forms}):
        return
    ends = (*format.confidence, *format.verdict) if stated == "answer" else ()
    pattern = _compile_pattern(words, format.separators, format.ignore_case)
    stop = _compile_stop(ends, format.separators, format.ignore_case) if ends else None
    yield from _match_lines(pattern, text, start, format.closings, stop=stop)
    if "next_line" in format.forms:
        heads = _compile_head(words, format.separators, format.ignore_case)
        for match in heads.finditer(text, start):
            yield from _find_next_line(text, match, format)
    if stated == "confidence" and format.answer:
        pattern = _compile_inline(words, format.separators, format.ignore_case, format.answer)
        yield from _match_lines(pattern, text, start, format.closings)


def _find_next_line(text: str, head: re.Match[str], format: AnswerFormat) -> Iterator[Mark]:
    """Yield the value on the first line that is not blank below a mark without one."""
    below = _NEXT_LINE.match(text, head.end())
    if below is None or is_mark_line(below["value"], format):
        return
    mark = _trim(text, *below.span("value"), form="next_line")
    if mark.text:
        has_ended = text.find("\n", mark.end) >= 0
        yield mark._replace(line=head.start(), is_closed=has_ended)


@lru_cache(maxsize=64)
def _compile_pattern(
    words: tuple[str, ...], separators: tuple[str, ...], ignore_case: bool
) -> re.Pattern[str]:
    """Return a pattern of a marked line, whose value is its rest."""
    either, between = _either(words), _join_separators(separators)
    return re.compile(f"{_BEFORE}(?:{either}){between}(?P<value>[^\\n]*)", _flags(ignore_case))


@lru_cache(maxsize=64)
def _compile_stop(
    words: tuple[str, ...], separators: tuple[str, ...], ignore_case: bool
) -> re.Pattern[str]:
    """Return a pattern of a second mark on the line of a first one."""
    between = _join_separators(separators)
    return re.compile(rf"{_GAP}(?:{_either(words)}){between}", _flags(ignore_case))


@lru_cache(maxsize=64)
def _compile_head(
    words: tuple[str, ...], separators: tuple[str, ...], ignore_case: bool
) -> re.Pattern[str]:
    """Return a pattern of a line that is a mark without a value: `Answer:` or `### Answer`."""
    either, between = _either(words), _join_separators(separators)
    plain = rf"{_BEFORE}(?:{either})(?:[ \t]is)?{between}[ \t*_]{{0,8}}(?=\r?\n)"
    dressed = rf"^[ \t]{{0,8}}(?:#{{1,6}}[ \t]|\*\*|__)[*_]{{0,4}}(?:{either})[*_]{{0,4}}(?=\s?\n)"
    return re.compile(f"{plain}|{dressed}", _flags(ignore_case))


@lru_cache(maxsize=64)
def _compile_inline(
    words: tuple[str, ...],
    separators: tuple[str, ...],
    ignore_case: bool,
    before: tuple[str, ...],
) -> re.Pattern[str]:
    """Return a pattern of a second mark on a line, as in `Answer: 18, Confidence: 9%`."""
    between = _join_separators(separators)
    return re.compile(
        rf"{_BEFORE}(?:{_either(before)}){between}"
        rf"[^\n]{{0,200}}?{_GAP}(?:{_either(words)}){between}"
        r"(?P<value>[^\n]*)",
        _flags(ignore_case),
    )


def _either(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _join_separators(separators: tuple[str, ...]) -> str:
    r"""Return a pattern of the text between a word and its value.

    >>> _join_separators(("",))
    '(?:)'
    """
    either = "|".join("[:：]" if each == ":" else re.escape(each) for each in separators)
    return f"(?:{either})" if separators == ("",) else f"{_AFTER_WORD}(?:{either})"


def _flags(ignore_case: bool) -> re.RegexFlag:
    return re.MULTILINE | (re.IGNORECASE if ignore_case else re.NOFLAG)


def _match_lines(
    pattern: re.Pattern[str],
    text: str,
    start: int,
    closings: tuple[str, ...],
    *,
    form: str = "mark",
    stop: re.Pattern[str] | None = None,
) -> Iterator[Mark]:
    """Yield the marked lines whose value is not empty, and no form to be filled in."""
    for match in pattern.finditer(text, start):
        first, last = match.span("value")
        ends = [at for each in closings if (at := text.find(each, first, last)) >= 0]
        if stop is not None and (second := stop.search(text, first, last)):
            ends.append(second.start())
        opened = match["open"] if "open" in pattern.groupindex else ""
        mark = _trim(text, first, min([last, *ends]), form=form)
        if opened or text.find("(", match.start(), first) >= 0:
            mark = _drop_closers(mark)
        if not mark.text or _PLACEHOLDER.fullmatch(mark.text):
            continue
        yield mark._replace(
            line=match.start(),
            is_closed=bool(ends) or last < len(text),
            is_quoted=any(sign in _QUOTES for sign in opened if sign != "`"),
        )


def _drop_closers(mark: Mark) -> Mark:
    """Return the mark without what closes brackets and quotes that were opened before it."""
    value = mark.text.rstrip(_CLOSERS) or mark.text
    if value.count("(") > value.count(")"):
        value = mark.text[: len(value) + 1]
    return mark._replace(text=value, end=mark.start + len(value))


def _find_tags(text: str, start: int, stated: Stated, format: AnswerFormat) -> Iterator[Mark]:
    """Yield the contents of `<answer>…</answer>`, whose end tag a stop text may have taken."""
    names: tuple[str, ...] = getattr(format.names, stated)
    if "tag" not in format.forms or not names or "<" not in text:
        return
    for match in _compile_tag(names).finditer(text, start):
        mark = _trim(text, *match.span("value"), form="tag")
        if mark.text and not _PLACEHOLDER.fullmatch(mark.text):
            yield mark._replace(line=match.start(), is_closed=bool(match["end"]))


@lru_cache(maxsize=64)
def _compile_tag(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        rf"<(?P<name>{_either(names)})>\s{{0,16}}(?P<value>[^<]{{0,2000}})(?:(?P<end></(?P=name)>)|\Z)",
        re.IGNORECASE,
    )


class _JsonObject(NamedTuple):
    """A JSON object's span, and the fields of it that state something."""

    start: int
    end: int
    marks: tuple[Mark, ...]


def _find_json(
    text: str, start: int, stated: Stated, format: AnswerFormat
) -> Iterator[_JsonObject]:
    """Yield the JSON objects that begin a line, with their fields of these names."""
    names = {name.casefold() for name in getattr(format.names, stated)}
    at = start
    while opening := _JSON_START.search(text, at):
        begin = opening.end() - 1
        tokens, end = _scan_json(text, begin)
        if end is None:
            return  # it is not closed: what follows it would be inside it
        marks = tuple(_read_fields(text, tokens, names, line=opening.start()))
        yield _JsonObject(opening.start(), end, marks)
        at = end


def _scan_json(text: str, begin: int) -> tuple[list[tuple[int, int]], int | None]:
    """Return the spans of the tokens at the object's own level, and where the object ends.

    What is nested is one token.
    """
    tokens: list[tuple[int, int]] = []
    depth, nested = 0, 0
    for match in _JSON_TOKEN.finditer(text, begin):
        sign = match[0]
        if sign in "{[":
            depth += 1
            nested = match.start() if depth == 2 else nested
        elif sign in "}]":
            depth -= 1
            if depth == 0:
                return tokens, match.end()
            if depth == 1:
                tokens.append((nested, match.end()))
        elif depth == 1:
            tokens.append(match.span())
    return [], None


def _read_fields(
    text: str, tokens: list[tuple[int, int]], names: set[str], *, line: int
) -> Iterator[Mark]:
    """Yield the values of fields by name, where all tokens are keys, colons, values and commas."""
    words = [text[start:end] for start, end in tokens]
    keys, colons, commas = words[0::4], words[1::4], words[3::4]
    well_formed = len(words) % 4 != 1 and all(key.startswith('"') for key in keys)
    if not well_formed or {*colons} - {":"} or {*commas} - {","}:
        return
    for key, (start, end) in zip(keys, tokens[2::4], strict=False):
        value = text[start:end]
        if _decode_string(key).casefold() not in names or value == "null":
            continue
        is_string = value.startswith('"')
        said = (_decode_string(value) if is_string else value).strip()
        if said and not _PLACEHOLDER.fullmatch(said):
            yield Mark(start + is_string, end - is_string, said, "json", line, is_closed=True)


def _decode_string(token: str) -> str:
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return ""


def _find_boxes(text: str, start: int) -> Iterator[Mark]:
    r"""Yield the contents of each outermost `\boxed{…}` that is closed."""
    depth, opened, inside, line = 0, 0, None, start
    for match in _BRACES.finditer(text, start):
        token = match[0]
        if token == "}":
            depth = max(0, depth - 1)
            if inside is not None and depth == opened:
                mark = _trim(text, inside, match.start(), form="box")
                yield mark._replace(line=line, is_closed=True)
                inside = None
        elif token == "{" or token.startswith(r"\boxed"):
            if token != "{" and inside is None:
                opened, inside, line = depth, match.end(), match.start()
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


def _trim(text: str, start: int, end: int, *, form: str) -> Mark:
    """Return a span without the spaces and emphasis around it."""
    value = text[start:end]
    start += len(value) - len(value.lstrip(_EMPHASIS + "\n"))
    value = value.strip(_EMPHASIS + "\n")
    return Mark(start, start + len(value), value, form, start)
