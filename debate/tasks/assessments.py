"""Read what a reply says of an answer: how sure it is of it, and whether it accepts it.

No match, or two that differ, is none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from debate.tasks.answer_format import AnswerFormat, drop_open_line, find_start
from debate.tasks.marks import Mark, find_answer_marks, find_marks, is_mark_line
from debate.tasks.number import normalise_number
from debate.tasks.ownership import Ownership, find_ownership, introduces
from debate.tasks.parsing import Span, get_only, is_own_mark
from debate.tasks.sentences import (
    find_verdict_sentences,
    read_chance_clause,
    read_verdict_clause,
    split_sentences,
)
from debate.tasks.values import fold_case, strip_formatting

_MAX_REPLY = 4000
"""Characters of a reply on confidence that is read; one that marks nothing is short."""

_ABOUT = re.compile(r"(?:about|approximately|around|roughly|~|≈)\s?", re.IGNORECASE)
_CONFIDENCE = re.compile(
    r"([0-9]{1,3}(?:\.[0-9]{1,10})?|\.[0-9]{1,10})\s?"
    r"(?:(\\?%|percent)|(?:/|out of)\s?(100?))?"
)


def parse_confidence(
    text: str,
    format: AnswerFormat,
    *,
    cut: bool = False,
    asked: bool = False,
    answer: str | None = None,
) -> float | None:
    """Return the stated confidence in [0, 1]; None for none, an impossible one, or two.

    A number up to 1 without a percent sign is a probability, a larger one a percentage. The last
    line of a text that was `cut` states none: `8` may be the beginning of `85%`. Where nothing but
    a confidence was `asked` for, a bare number is read, and a sentence such as "I am 85% sure";
    not where it may as well repeat the `answer` that it is about.

    >>> chat = AnswerFormat()
    >>> [parse_confidence(f"Confidence: {c}", chat) for c in ("85%", "0.85", "85", "850", "high")]
    [0.85, 0.85, 0.85, None, None]
    >>> [parse_confidence("8%", chat, asked=True, answer=said) for said in ("13", "8")]
    [0.08, None]
    """
    text = drop_open_line(text, format) if cut else text
    start = find_start(text, format)
    marks = find_marks(text, "confidence", format)
    if marks and not format.first_line:
        owner = find_ownership(text, start, format).for_verdicts()
        marks = [mark for mark in marks if is_own_mark(text, mark, owner)]
    if marks or not asked or format.first_line:
        return get_only((_parse_probability(mark.text) for mark in marks), float)
    return _parse_reply_on_confidence(text[start:], format, answer)


def _parse_reply_on_confidence(text: str, format: AnswerFormat, answer: str | None) -> float | None:
    """Return the confidence of a reply to "How sure are you?" that marks none."""
    if len(text) > _MAX_REPLY:
        return None
    bare = _parse_probability(text)
    if bare is not None:
        return None if _repeats(text, answer) else bare
    said = [part for each in split_sentences(text) if (part := read_chance_clause(each))]
    said += [m.text for m in find_answer_marks(text, format) if m.text.rstrip(".").endswith("%")]
    if not said:
        said = _list_beside_answers(text, format)
    if any(_repeats(part, answer) for part in said):
        return None
    return get_only((_parse_probability(part) for part in said), float)


def _list_beside_answers(text: str, format: AnswerFormat) -> list[str]:
    """Return the one line of a reply that is no marked answer, where it is a percentage."""
    lines = [line for line in text.splitlines() if not is_mark_line(line, format)]
    return lines if len(lines) == 1 and lines[0].strip().endswith("%") else []


def _repeats(text: str, answer: str | None) -> bool:
    """Return whether a number may as well repeat the answer that the confidence is about."""
    if answer is None:
        return False
    number = normalise_number(text)
    return number is not None and number == normalise_number(answer)


def _parse_probability(text: str) -> float | None:
    plain = _ABOUT.sub("", strip_formatting(text), count=1)
    match = _CONFIDENCE.fullmatch(plain)
    if match is None:
        return None
    value = float(match[1])
    if match[3] is not None:
        value /= int(match[3])
    elif match[2] is not None or value > 1:
        value /= 100
    return value if value <= 1 else None


class _VerdictFound(NamedTuple):
    span: Span
    accepts: bool | None


def parse_verdict(text: str, format: AnswerFormat, *, cut: bool = False) -> bool | None:
    """Return whether the text accepts the answer it judges; None where it does not say, or both.

    The last line of a text that was `cut` does not say.

    >>> chat = AnswerFormat()
    >>> [parse_verdict(f"Verdict: {v}", chat) for v in ("Correct.", "incorrect", "partly correct")]
    [True, False, None]
    """
    found = _list_verdicts(text, format, cut=cut)
    return get_only((each.accepts for each in found), bool)


def find_verdict_span(text: str, format: AnswerFormat, *, cut: bool = False) -> Span | None:
    """Return where the verdict's word stands first; None where there is no one verdict.

    >>> find_verdict_span("So 8.\\nVerdict: incorrect", AnswerFormat())
    Span(start=15, end=24)
    """
    found = _list_verdicts(text, format, cut=cut)
    return found[0].span if get_only((each.accepts for each in found), bool) is not None else None


def _list_verdicts(text: str, format: AnswerFormat, *, cut: bool) -> list[_VerdictFound]:
    """Return the marked verdicts that are the speaker's own, or else those of its sentences."""
    text = drop_open_line(text, format) if cut else text
    marks = find_marks(text, "verdict", format)
    if format.first_line:
        return [_read_verdict(mark, format) for mark in marks]
    start = find_start(text, format)
    owner = find_ownership(text, start, format).for_verdicts()
    if not marks and format.verdict:
        marks = [each for each in find_answer_marks(text, format) if _is_judgment(each.text)]
    found = [_read_verdict(mark, format) for mark in marks if _is_own_verdict(text, mark, owner)]
    if found or cut or "sentence" not in format.forms:
        return found
    names = {name.casefold() for name in re.findall(r"(?i)\bagent \w{1,12}", text)}
    if len(names) > 1:
        return []
    sentences = find_verdict_sentences(text, start, owner)
    return [_VerdictFound(Span(each.start, each.end), each.accepts) for each in sentences]


def _is_judgment(text: str) -> bool:
    """Return whether a marked answer judges, as `Answer: incorrect` in a critique does."""
    return fold_case(text).rstrip(".") in ("correct", "incorrect", "not correct", "wrong")


def _is_own_verdict(text: str, mark: Mark, owner: Ownership) -> bool:
    """Return whether a verdict is the speaker's own, as is one that ends its account of others."""
    if is_own_mark(text, mark, owner):
        return True
    is_last = mark.line >= max(owner.tail, owner.taken_back) and not owner.is_quoted(mark.line)
    before = text[max(0, mark.line - 300) : mark.line].rstrip().rpartition("\n")[2]
    return is_last and not introduces(before)


def _read_verdict(mark: Mark, format: AnswerFormat) -> _VerdictFound:
    accepts = _parse_acceptance(mark.text, format)
    return _VerdictFound(Span(mark.start, mark.end), accepts)


def _parse_acceptance(text: str, format: AnswerFormat) -> bool | None:
    word = strip_formatting(text)
    same = str.casefold if format.ignore_case else str
    if same(word) in map(same, format.accepts):
        return True
    if same(word) in map(same, format.rejects):
        return False
    return read_verdict_clause(word) if "sentence" in format.forms else None
