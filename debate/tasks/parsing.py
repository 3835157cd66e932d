"""Read the answer that a reply states. No match, or two that differ, is an abstention."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from debate.tasks.answer_format import AnswerFormat, find_start, is_in_reasoning
from debate.tasks.choice import LETTERS
from debate.tasks.code_blocks import PYTHON, find_blocks
from debate.tasks.marks import Mark, find_answer_marks, is_mark_line
from debate.tasks.ownership import ACCOUNTS, Ownership, find_ownership
from debate.tasks.scoring import normalise, parse_value
from debate.tasks.sentences import (
    Sentence,
    find_answer_sentences,
    read_answer_clause,
    read_equation_clause,
)
from debate.tasks.values import fold_case
from debate.types import Answer, Question

T = TypeVar("T", bound=Hashable)

_MAX_MARKS = 256
"""The most different texts that may be marked; of more, none is taken for the answer."""

_MAX_SHOWN, _MAX_SHOWN_LENGTH = 8, 200
_CONDITION = re.compile(
    r"\b(?:if|unless|assuming|provided|depending|only|is|isn|was|wasn|are|not|cannot|would|could"
    r"|wrong|incorrect|false|less|more|fewer|than|but|according)\b",
    re.IGNORECASE,
)
_DENIES_NEXT = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\b(?:would|could|might|may|cannot|should) be)\b[^.\n]{0,16}$",
    re.IGNORECASE,
)
_DENIES_LAST = re.compile(
    r"[\s})\]$.*_\\]{0,12}(?:</\w{1,20}>)?\s?"
    r"(?:if|unless|is (?:wrong|incorrect|not|false)|would|was)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]+(?:['’]s)?")
_WIDE_UNITS = frozenset({"square", "cubic", "per"})
_NO_NAME = re.compile(
    r"(?:not|that|to|in|on|at|by|as|for|from|if|because|when|where|what|which|how|whether|clear"
    r"|unclear|un?known|obvious|simple|correct|right|wrong|incorrect|indeed|likely|probably"
    r"|based|given|found|obtained|same|above|below|impossible|about|ambiguous|un\w+|none|it|this"
    r"|(?:the |a |an )(?:same|matter|question|following|one|result|number|sum|problem|first|last)"
    r"|there|yours?|mine|something|someth\w+|partly|partially|very|quite|too|also)\b",
    re.IGNORECASE,
)
_CHOICES = re.compile(r"\b(?:or|either|if|unless|but)\b|\?", re.IGNORECASE)
_REJECTS = re.compile(
    r"\b(?:not|wrong|incorrect|false|never|no|neither|nor|cannot|but|however|if|unless|would|could"
    r"|might|may|maybe|perhaps|or|people|many|some|others|first)\b|n['’]t\b|\?",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_ASKS = re.compile(
    r"[\s*_#>-]{0,8}(?:what|how|which|who|when|where|is|are|if|(?:\w+ )?(?:question|problem|q)"
    r"(?: ?\d{1,3})?[*_]{0,4}[:：.])",
    re.IGNORECASE,
)
_MAX_BEFORE = 2000
_MAX_NAME_WORDS, _MAX_NAME_LENGTH = 6, 60


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


class _Candidate(NamedTuple):
    """A stated value: the mark, what it says (None where it cannot be read), and whether it counts.

    What does not count (somebody else's, taken back, conditional) is only shown.
    """

    mark: Mark
    value: str | None
    counts: bool


def find_answer(
    text: str,
    question: Question,
    format: AnswerFormat,
    *,
    cut: bool = False,
    marked_only: bool = False,
) -> ParsedAnswer:
    """Return the one answer that the text states, otherwise an abstention; and where it stands.

    Forms have ranks: marks, then sentences, then a reply that is nothing but an answer; a lower
    one is looked at only where no higher one counts. Two that differ in one rank are an
    abstention. What stands before words such as "Wait," or "I made a mistake" is withdrawn, so of
    a correction what follows it counts. What is quoted, told of others, denied, or said to hold
    under a condition does not count.

    Of a text that was `cut`, an answer counts where it is closed: its line ended, its box, its tag
    or its JSON object. A mark that is still open contradicts it, unless it may be about to say the
    same again. Sentences of such a text may be on the way to the answer, and do not count; nor do
    they with `marked_only`.

    >>> number = Question(id="q", text="?", kind="number")
    >>> find_answer("So 9.\\nAnswer: 18 eggs", number, AnswerFormat()).span
    Span(start=14, end=21)
    """
    start = find_start(text, format)
    if question.kind == "code":
        return _find_program(text, start, format, cut=cut, marked_only=marked_only)
    owner = None if format.first_line else find_ownership(text, start, format)
    marked = _list_marked(text, question, format, owner)
    stated = [each for each in marked if each.counts]
    closed = [each for each in stated if _is_closed(each.mark, text, format)] if cut else stated
    shown: Sequence[_Candidate] = marked
    if owner is not None and not stated and not cut and not marked_only:
        closed = _list_said(text, start, question, format, owner)
        shown, closed = [*marked, *closed], [each for each in closed if each.counts]
    value = _get_value(closed, question)
    is_open = cut and (not closed or (value is not None and _contradicts(stated, closed, question)))
    value = None if is_open else value
    first = None if value is None else closed[0].mark
    texts = dict.fromkeys([each.mark.text[:_MAX_SHOWN_LENGTH] for each in shown])
    matched = tuple(islice(texts, _MAX_SHOWN))
    answer = Answer(
        value=value,
        matched=() if matched == (value,) else matched,
        form=first and first.form,
    )
    return ParsedAnswer(answer, first and Span(first.start, first.end), is_open)


def _find_program(
    text: str, start: int, format: AnswerFormat, *, cut: bool, marked_only: bool
) -> ParsedAnswer:
    """Return the one program that the text states: a block of Python, or of no language.

    Blocks below a line "Answer:" count alone where there are any; otherwise all do, unless they
    are to be marked. Of two that differ none is the answer.
    """
    blocks = [b for b in find_blocks(text, start) if b.language in ("", *PYTHON) and b.source]
    marked = [b for b in blocks if _is_below_mark(text, b.start, format)]
    stated = marked or ([] if marked_only else blocks)
    closed = [b for b in stated if b.is_closed] if cut else stated
    is_open = (cut and closed != stated) or (cut and not closed)
    value = None if is_open else get_only((b.source for b in closed), str)
    texts = tuple(dict.fromkeys([b.source[:_MAX_SHOWN_LENGTH] for b in stated][:_MAX_SHOWN]))
    if value is None:
        return ParsedAnswer(Answer(value=None, matched=texts), None, is_open)
    first = closed[0]
    return ParsedAnswer(Answer(value=value, form="block"), Span(first.start, first.end))


def _is_below_mark(text: str, start: int, format: AnswerFormat) -> bool:
    """Return whether the last line with something on it before a place marks an answer."""
    line = text[max(0, start - _MAX_BEFORE) : start].rstrip().rpartition("\n")[2]
    plain = line.strip(" \t*_#>-").casefold().replace("：", ":")
    return any(plain == f"{word}{mark}" for word in format.answer for mark in format.separators)


def parse_answer(
    text: str, question: Question, format: AnswerFormat, *, cut: bool = False
) -> Answer:
    """Return the one answer that the text states, and closes if it was `cut`; else an abstention.

    A marked text that is no answer to this kind of question is an abstention too, and so is any
    further one that differs. `matched` holds what was stated (at most 8 different texts of at
    most 200 characters) where that is not just the value, `form` how it was.

    >>> number = Question(id="q", text="?", kind="number")
    >>> parse_answer("16 - 7 = 9\\n**Answer:** $18.00", number, AnswerFormat()).value
    '18'
    >>> parse_answer("So the answer is 18.", number, AnswerFormat()).form
    'sentence'
    >>> parse_answer("Answer: 17\\nAnswer: 18", number, AnswerFormat())
    Answer(value=None, matched=('17', '18'))
    """
    return find_answer(text, question, format, cut=cut).answer


def _list_marked(
    text: str, question: Question, format: AnswerFormat, owner: Ownership | None
) -> list[_Candidate]:
    """Return the marked answers, each different text once, without headings that are no answer."""
    found: dict[tuple[str, str, bool], _Candidate] = {}
    for mark in find_answer_marks(text, format):
        counts = owner is None or (
            is_own_mark(text, mark, owner) and not _follows_other_question(text, mark, question)
        )
        key = (mark.text, "hashes" if mark.is_heading else "", counts)
        if key not in found:
            found[key] = _Candidate(mark, None, counts)
        if len(found) > _MAX_MARKS:
            return list(found.values())
    read = (_read_mark(each, question, format) for each in found.values())
    return [each for each in read if each is not None]


def is_own_mark(text: str, mark: Mark, owner: Ownership) -> bool:
    """Return whether a mark is the speaker's own: no quotation, account, or what is taken back."""
    if not owner.is_own(mark.line) or (mark.is_quoted and mark.line < owner.tail):
        return False
    if mark.form not in ("box", "tag"):
        return True
    before = re.split(r"[.!?]\s|\n", text[max(0, mark.line - 200) : mark.line])[-1]
    after = text[mark.end : mark.end + 60]
    is_settled = not (_DENIES_NEXT.search(before) or _DENIES_LAST.match(after))
    return is_settled and not ACCOUNTS.search(before) and not owner.is_quoted(mark.start)


def _follows_other_question(text: str, mark: Mark, question: Question) -> bool:
    """Return whether the line before a mark asks something with numbers of its own.

    Most of them stand neither in the question that was asked nor in the reply so far, so that
    "What is 36 / 2?" may well be a step of it.
    """
    asked = {*_DIGITS.findall(question.text)}
    low = max(0, mark.line - _MAX_BEFORE)
    before, _, line = text[low : mark.line].rstrip().rpartition("\n")
    if not asked or not line.rstrip("*_ ").endswith("?") or not _ASKS.match(line):
        return False
    numbers = {*_DIGITS.findall(line)}
    return 2 * len(numbers - asked - {*_DIGITS.findall(before)}) > len(numbers)


def _read_mark(each: _Candidate, question: Question, format: AnswerFormat) -> _Candidate | None:
    """Return the mark with its value; None where it is no statement at all, such as a heading."""
    mark = each.mark
    value = parse_value(mark.text, question)
    if mark.is_heading and (question.kind == "text" or value is None):
        return None
    if format.first_line:
        return each._replace(value=value)
    if value is None and (clause := read_answer_clause(mark.text)):
        value = _read_strictly(clause, question)
        first = mark.start + mark.text.index(clause)
        mark = mark._replace(text=clause, start=first, end=first + len(clause))
        return each._replace(mark=mark, value=value)
    if mark.form == "next_line":
        value = _read_strictly(mark.text, question)
        return None if value is None else each._replace(value=value)
    is_condition = value is not None and _is_conditional(mark.text, question)
    return each._replace(value=None if is_condition else value)


def _is_conditional(text: str, question: Question) -> bool:
    """Return whether more than a unit or an option's text stands beside the value."""
    if question.kind == "text" or not _CONDITION.search(text):
        return False
    if question.kind in ("number", "math"):
        return True
    return not any(fold_case(option) in fold_case(text) for option in question.options)


def _read_strictly(text: str, question: Question, *, max_words: int = 3) -> str | None:
    """Return the value of a text that is nothing but an answer; None for anything more.

    A number may have a unit of `max_words` words; a letter no other text than its option's; a text
    without options is a name of a few words.
    """
    value = parse_value(text, question)
    if value is None:
        return None
    if question.kind == "math":
        is_prose = any(len(word) > 2 for word in _WORDS.findall(text))
        return None if is_prose or _CONDITION.search(text) else value
    if question.kind == "number":
        words = [word.casefold() for word in _WORDS.findall(text)]
        num = sum(word not in _WIDE_UNITS for word in words)
        return None if num > max_words or _CONDITION.search(text) else value
    plain = fold_case(text)
    if question.kind == "choice":
        option = fold_case(question.options[LETTERS.index(value)])
        letter = plain.strip("()[].: ").removeprefix("option ").removeprefix("choice ")
        rest = letter[1:].lstrip("()[].: ")
        is_letter = letter[:1] == value.casefold() and rest in ("", option)
        return value if is_letter or plain == option else None
    if question.options:
        return value
    is_name = len(value) <= _MAX_NAME_LENGTH and len(value.split()) <= _MAX_NAME_WORDS
    is_name &= not _NO_NAME.match(value) and not _CHOICES.search(value) and "\n" not in text
    return value if is_name else None


def _list_said(
    text: str, start: int, question: Question, format: AnswerFormat, owner: Ownership
) -> list[_Candidate]:
    """Return what sentences say, or else the reply where it is nothing but an answer."""
    found: list[_Candidate] = []
    if "sentence" in format.forms:
        sentences = find_answer_sentences(text, start, owner)
        if sentences is None:
            return []
        found = [_read_sentence(each, question) for each in sentences]
    if found or "whole" not in format.forms:
        return found
    whole = _find_whole(text, start, question, format)
    return [whole] if whole else []


def _read_sentence(sentence: Sentence, question: Question) -> _Candidate:
    """Return what a sentence says. One that names no value, "The answer is clear.", counts not."""
    value = _read_strictly(sentence.mark.text, question)
    if sentence.is_inverted:
        is_open = question.kind == "text" and not question.options
        return _Candidate(
            sentence.mark, value, sentence.is_own and value is not None and not is_open
        )
    names_some = question.kind in ("number", "math") and any(
        c.isdigit() for c in sentence.mark.text
    )
    names_some |= (
        question.kind == "choice" and parse_value(sentence.mark.text, question) is not None
    )
    return _Candidate(sentence.mark, value, sentence.is_own and (value is not None or names_some))


def _find_whole(
    text: str, start: int, question: Question, format: AnswerFormat
) -> _Candidate | None:
    """Return the reply that is nothing but a number, a letter or an option, and marks of others."""
    if question.kind == "text" and not question.options:
        return None
    if len(text) - start > 10 * _MAX_SHOWN_LENGTH:
        return None
    at, lines = start, []
    for line in text[start:].splitlines(keepends=True):
        if not is_mark_line(line, format):
            lines.append((at, line))
        at += len(line)
    if len(lines) != 1:
        return None
    at, line = lines[0]
    value = _read_strictly(line, question, max_words=1)
    if value is None and question.kind == "number" and (said := read_equation_clause(line)):
        value = _read_strictly(said, question, max_words=1)
    if value is None and question.kind == "choice":
        value = _read_labelled(line, question)
    if value is None:
        return None
    begin = at + len(line) - len(line.lstrip())
    mark = Mark(begin, at + len(line.rstrip()), line.strip(), "whole", begin)
    is_option = fold_case(line) in [fold_case(option) for option in question.options]
    return _Candidate(mark._replace(form="option" if is_option else "whole"), value, True)


def _read_labelled(line: str, question: Question) -> str | None:
    """Return the letter of a line such as "(B) Paris lies on the Seine.", which names no other."""
    value = parse_value(line, question)
    if value is None:
        return None
    own = fold_case(question.options[LETTERS.index(value)])
    plain = fold_case(line)
    is_labelled = re.match(rf"\(?{value.lower()}[).:]{{1,2}} {re.escape(own)}\b", plain)
    return (
        value
        if own and is_labelled and not (_REJECTS.search(plain) or ACCOUNTS.search(plain))
        else None
    )


def _is_closed(mark: Mark, text: str, format: AnswerFormat) -> bool:
    """Return whether a mark of a text that was cut stands there whole."""
    return mark.is_closed and not is_in_reasoning(text, format)


def _contradicts(
    stated: Sequence[_Candidate], closed: Sequence[_Candidate], question: Question
) -> bool:
    """Return whether a mark that is still open can no longer become what the closed ones say."""
    said = closed[0]
    return any(
        not said.mark.text.startswith(each.mark.text) and each.value != said.value
        for each in stated
        if each not in closed
    )


def _get_value(candidates: Sequence[_Candidate], question: Question) -> str | None:
    """Return the one answer; None where the candidates are too many, unreadable or differ."""
    if len(candidates) > _MAX_MARKS:
        return None
    return get_only((each.value for each in candidates), lambda value: normalise(value, question))


def get_only(values: Iterable[T | None], key: Callable[[T], object]) -> T | None:
    """Return the first value; None where there is none, one is None, or two differ by `key`."""
    first = None
    for value in values:
        if value is None or (first is not None and key(value) != key(first)):
            return None
        first = value if first is None else first
    return first
