r"""Take an answer out of a text: its statements, and every other place where its value stands.

What is taken out leaves a mark, `[answer]`, which the reader of answers passes over as a form to be
filled in. All other text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import product

from debate.tasks.answer_format import AnswerFormat
from debate.tasks.assessments import find_verdict_span, parse_confidence
from debate.tasks.choice import LETTERS
from debate.tasks.marks import Mark, find_answer_marks, find_marks
from debate.tasks.number import normalise_number
from debate.tasks.ownership import find_ownership
from debate.tasks.parsing import Span, find_answer
from debate.tasks.scoring import normalise, parse_value
from debate.tasks.sentences import find_answer_sentences
from debate.types import Question

ANSWER_MASK = "[answer]"
CONFIDENCE_MASK = "[percent]"
VERDICT_MASK = "[verdict]"

_MAX_PASSES = 8
"""Times that a text is read again; after that nothing of it is kept."""

_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)
_ONES, _TENS = _NAMES.split()[:20], _NAMES.split()[20:]
_WORDS = {word: str(number) for number, word in enumerate(_ONES) if word != "one"}
_WORDS |= {word: str(10 * number) for number, word in enumerate(_TENS, start=2)}
_WORDS |= {
    f"{ten}{sign}{one}": str(10 * number + unit)
    for (number, ten), (unit, one), sign in product(
        enumerate(_TENS, start=2), enumerate(_ONES[1:10], start=1), "- "
    )
}
"""Numbers in words; not `one`, which is a pronoun more often."""

_SIZE = r"\d+(?:[.,'’]\d+)*"
_NUMBERS = re.compile(
    rf"\\[dt]?frac\{{\d+\}}\{{\d+\}}|{_SIZE}\s?/\s?{_SIZE}"
    rf"|{_SIZE}\s?(?:hundred|thousand|million|billion)\b|{_SIZE}"
    rf"|\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b",
    re.IGNORECASE,
)
_PARTS, _DIGITS = re.compile(_SIZE), re.compile(r"\d+")
_MATHEMATICS = re.compile(r"\$([^$\n]{1,200})\$|\\\(([^\n]{1,200}?)\\\)")
_ARTICLE = r"(?! (?!(?:is|was|as|and|or|because|since|but|must|seems|looks|fits|holds)\b)[a-z])"
"""What must not follow the letter A or I where it names an option: a word that it belongs to."""


def mask_statements(
    text: str, question: Question, format: AnswerFormat, *, answer: str | None = None
) -> str:
    r"""Return the text in which no answer is stated any more, so that reading it gives none.

    Masked are all marked answers, and sentences of the speaker's own or about `answer`. A text
    whose statements cannot be taken out one by one is masked whole.

    >>> number = Question(id="q", text="?", kind="number")
    >>> mask_statements("Nine boxes of two.\nAnswer: 18 eggs", number, AnswerFormat())
    'Nine boxes of two.\nAnswer: [answer]'
    """
    everywhere = format.model_copy(update={"reasoning_ends": ()})
    for number in range(_MAX_PASSES):
        fields = [mark for mark in find_answer_marks(text, everywhere) if mark.form == "json"]
        text = _mask_marks(text, fields, ANSWER_MASK)
        spans = _find_statements(text, question, everywhere, answer, is_first=number == 0)
        text = _replace_spans(text, spans, "" if format.first_line else ANSWER_MASK)
        parsed = (find_answer(text, question, each) for each in (format, everywhere))
        if all(each.answer.value is None for each in parsed):
            return text
    return "" if format.first_line else ANSWER_MASK


def mask_answer(text: str, question: Question, format: AnswerFormat, *, answer: str | None) -> str:
    r"""Return the text without statements of an answer, and without `answer` wherever it stands.

    A number is found in digits, grouped or not, as a fraction and in words up to 99; a choice by
    its letter and its option's text; a text in any case; an expression as it is spelled and, where
    it stands between mathematics signs, in any equal form.

    >>> number = Question(id="q", text="?", kind="number")
    >>> mask_answer("9 * 2 = 18, eighteen.\nAnswer: 18 eggs", number, AnswerFormat(), answer="18")
    '9 * 2 = [answer], [answer].\nAnswer: [answer]'
    """
    text = mask_statements(text, question, format, answer=answer)
    if answer is None:
        return text
    find = _FINDERS[question.kind]
    parts = text.split(ANSWER_MASK)
    masked = (_replace_spans(part, find(part, answer, question), ANSWER_MASK) for part in parts)
    return mask_statements(ANSWER_MASK.join(masked), question, format, answer=answer)


def mask_confidence(text: str, format: AnswerFormat) -> str:
    r"""Return the text without the confidences that it marks.

    >>> mask_confidence("Answer: 18\nConfidence: 90%", AnswerFormat())
    'Answer: 18\nConfidence: [percent]'
    """
    text = _mask_marks(text, find_marks(text, "confidence", format), CONFIDENCE_MASK)
    is_stated = parse_confidence(text, format) is not None
    return CONFIDENCE_MASK if is_stated else text


def mask_verdict(text: str, format: AnswerFormat) -> str:
    r"""Return the text without the verdicts that it states.

    >>> mask_verdict("The step is sound.\nVerdict: correct", AnswerFormat())
    'The step is sound.\nVerdict: [verdict]'
    """
    text = _mask_marks(text, find_marks(text, "verdict", format), VERDICT_MASK)
    for _ in range(_MAX_PASSES):
        span = find_verdict_span(text, format)
        if span is None:
            return text
        text = _replace_spans(text, [span], VERDICT_MASK)
    return VERDICT_MASK


def _mask_marks(text: str, marks: Iterable[Mark], mask: str) -> str:
    """Replace the values of marks; a bare value of a JSON object becomes a string."""
    for mark in sorted(marks, reverse=True):
        is_bare = mark.form == "json" and text[mark.start - 1] != '"'
        said = f'"{mask}"' if is_bare else mask
        text = _replace_spans(text, [Span(mark.start, mark.end)], said)
    return text


def _find_statements(
    text: str, question: Question, format: AnswerFormat, answer: str | None, *, is_first: bool
) -> Iterator[Span]:
    """Yield the stated values; after the first pass, with the words that state them."""
    for mark in find_answer_marks(text, format):
        if mark.is_heading and parse_value(mark.text, question) is None:
            continue
        yield _get_span(text, mark, is_whole=not is_first)
    if "sentence" in format.forms and not format.first_line:
        owner = find_ownership(text, 0, format)
        for sentence in find_answer_sentences(text, 0, owner) or ():
            is_about = answer is not None and _is_same(sentence.mark.text, answer, question)
            if sentence.is_own or is_about:
                is_whole = not is_first and not sentence.is_inverted
                yield _get_span(text, sentence.mark, is_whole=is_whole)
    if (span := find_answer(text, question, format).span) is not None:
        yield span


def _get_span(text: str, mark: Mark, *, is_whole: bool) -> Span:
    if mark.form == "box":
        return Span(mark.line, text.find("}", mark.end) + 1)
    end = mark.end + text.startswith(ANSWER_MASK, mark.end + 1 - len(ANSWER_MASK))
    return Span(mark.line if is_whole else mark.start, end)


def _is_same(said: str, answer: str, question: Question) -> bool:
    value = parse_value(said, question)
    return value is not None and normalise(value, question) == normalise(answer, question)


def _replace_spans(text: str, spans: Iterable[Span], mask: str) -> str:
    """Replace the spans, of which those that overlap are one."""
    parts, at = [], 0
    for start, end in _join_spans(spans):
        parts += [text[at:start], mask]
        at = end
    return "".join([*parts, text[at:]])


def _join_spans(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


# The places where an answer's value stands, by the kind of question.


def _find_number(text: str, answer: str, question: Question) -> Iterator[Span]:
    number = normalise_number(answer)
    if number is None:
        return
    size = number.lstrip("-")
    for match in _NUMBERS.finditer(text):
        if _read_size(match[0]) == size:
            yield Span(*match.span())
            continue
        for part in _PARTS.finditer(text, *match.span()):
            is_list = _read_size(part[0]) is None  # such as "18,24"
            pieces = _DIGITS.finditer(text, *part.span()) if is_list else [part]
            yield from (Span(*each.span()) for each in pieces if _read_size(each[0]) == size)


def _read_size(text: str) -> str | None:
    plain = text.casefold()
    return _WORDS.get(plain) or normalise_number(text)


def _find_choice(text: str, answer: str, question: Question) -> Iterator[Span]:
    letter = answer.upper()
    alone = rf"\b{letter}\b" + (_ARTICLE if letter in "AI" else "")
    pattern = rf"[(\[]{letter}[)\]]|\b(?i:option|choice|answer) {letter}\b|{alone}"
    yield from (Span(*match.span()) for match in re.finditer(pattern, text))
    if letter in LETTERS[: len(question.options)]:
        option = question.options[LETTERS.index(letter)]
        yield from _find_text(text, option, question)
        yield from _find_number(text, option, question)


def _find_text(text: str, answer: str, question: Question) -> Iterator[Span]:
    words = answer.split()
    if words:
        pattern = r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)"
        yield from (Span(*match.span()) for match in re.finditer(pattern, text, re.IGNORECASE))


def _find_expression(text: str, answer: str, question: Question) -> Iterator[Span]:
    signs = [re.escape(sign) for sign in answer if not sign.isspace()]
    pattern = r"(?<!\w)" + r"\s{0,4}".join(signs) + r"(?!\w)"
    yield from (Span(*match.span()) for match in re.finditer(pattern, text) if signs)
    for match in _MATHEMATICS.finditer(text):
        if _is_same(match[1] or match[2], answer, question):
            yield Span(*match.span())
    yield from _find_number(text, answer, question)


_FINDERS: dict[str, Callable[[str, str, Question], Iterator[Span]]] = {
    "number": _find_number,
    "choice": _find_choice,
    "text": _find_text,
    "math": _find_expression,
}
