r"""Formats in which answers, confidences and verdicts are stated, and which forms of them are read.

The forms, by rank. What a reply states in a form of a higher rank is what it says; those below are
not looked at then.

1. Marks: a line `Answer: 18` (`mark`), or its value on the next line (`next_line`), `<answer>`
   (`tag`), a JSON object's field (`json`), `\boxed{18}` (`box`), `#### 18` (`hashes`).
2. A sentence of the speaker's own, such as "So the answer is 18." (`sentence`).
3. A reply that is nothing but a number, a letter or an option's text (`whole`, `option`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field, field_validator, model_validator

from debate.config.spec import Spec

MAX_SCANNED = 250_000
"""Characters that are read: a text's last ones, or its first ones where its first line counts."""

Form = Literal[
    "mark", "next_line", "tag", "json", "box", "hashes", "sentence", "whole", "first_line"
]
"""A form in which something is stated; `whole` includes a reply that is an option's text."""

CHAT_FORMS: tuple[Form, ...] = (
    "mark",
    "next_line",
    "tag",
    "json",
    "box",
    "hashes",
    "sentence",
    "whole",
)


class FieldNames(Spec):
    """The names of tags and of fields of a JSON object."""

    answer: tuple[str, ...] = ("answer", "final_answer")
    """Names that hold an answer."""
    confidence: tuple[str, ...] = ("confidence",)
    """Names that hold a stated confidence."""
    verdict: tuple[str, ...] = ("verdict",)
    """Names that hold a verdict."""


class AnswerFormat(Spec):
    """Marks are literal words at the beginning of a line, so that no text can make reading slow.

    Emphasis, heading signs, list dashes, brackets and quotation marks around a mark are ignored. A
    quoted line (`> Answer: 7`), or a mention inside a sentence, is no mark.
    """

    answer: tuple[str, ...] = (
        "answer",
        "final answer",
        "the answer",
        "the final answer",
        "my answer",
        "my final answer",
        "correct answer",
        "the correct answer",
        "exact answer",
        "best answer",
        "new answer",
        "updated answer",
        "revised answer",
        "my new answer",
        "my updated answer",
        "my revised answer",
    )
    """Words before an answer."""
    confidence: tuple[str, ...] = ("confidence", "my confidence")
    """Words before a stated confidence."""
    verdict: tuple[str, ...] = ("verdict", "final verdict", "my verdict")
    """Words before a verdict on somebody's answer."""
    separators: tuple[str, ...] = Field(default=(":", "="), min_length=1)
    """Texts between such a word and its value, one of which stands there; `:` is also `：`."""
    closings: tuple[str, ...] = ()
    """Texts that end a marked value, as its line's end does."""
    names: FieldNames = FieldNames()
    """Names of tags and JSON fields, for the forms `tag` and `json`."""
    accepts: tuple[str, ...] = ("correct", "right", "yes")
    """Values of a verdict that accept."""
    rejects: tuple[str, ...] = ("incorrect", "wrong", "no", "not correct", "not right")
    """Values of a verdict that reject."""
    ignore_case: bool = True
    """Whether marks and verdicts may be written in any case."""
    forms: tuple[Form, ...] = Field(default=CHAT_FORMS, min_length=1)
    """The forms that are read; `first_line` takes the text's first line for the answer."""
    reasoning_ends: tuple[str, ...] = ("</think>",)
    """Texts that end a model's private reasoning; only what follows the last one is read."""

    @field_validator("answer", "confidence", "verdict", "closings", "reasoning_ends")
    @classmethod
    def _check_texts(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if not text.strip() or "\n" in text or len(text) > 100:
                raise ValueError(
                    f"{text!r} cannot mark anything; write a text of one line, of 1 to 100 "
                    'characters, such as "answer"'
                )
        return texts

    @model_validator(mode="after")
    def _check_words(self) -> AnswerFormat:
        if "mark" in self.forms and not self.answer:
            raise ValueError("the form `mark` needs words in `answer`, such as [answer]")
        return self

    @property
    def first_line(self) -> bool:
        """Whether the text's first line is the answer, unless it is a verdict."""
        return "first_line" in self.forms


CHAT = AnswerFormat()
"""For chat models: `Answer: 18`, `Confidence: 85%`, `Verdict: correct`, and all forms like it."""

COMPACT = AnswerFormat(
    answer=(),
    confidence=(),
    verdict=("V",),
    separators=("",),
    accepts=("y",),
    rejects=("n",),
    ignore_case=False,
    forms=("first_line",),
    reasoning_ends=(),
)
"""For the model organisms: the answer is the first line, `Vy` and `Vn` are verdicts."""

JSON = AnswerFormat(forms=("json",))
"""For replies that are one JSON object: `{"answer": 18, "confidence": 0.85}`."""

FORMATS: Mapping[str, AnswerFormat] = MappingProxyType(
    {"chat": CHAT, "compact": COMPACT, "json": JSON}
)
"""The formats that a prompt set can name."""


def drop_open_line(text: str, format: AnswerFormat) -> str:
    r"""Return the lines of a text that was cut, without the last; empty in mid-reasoning.

    >>> drop_open_line("So 16.\nAnswer: 16", AnswerFormat())
    'So 16.\n'
    """
    return "" if is_in_reasoning(text, format) else text[: text.rfind("\n") + 1]


def is_in_reasoning(text: str, format: AnswerFormat) -> bool:
    """Return whether the text ends in a model's private reasoning, as in `<think>So`."""
    if not any(end in text or end.replace("</", "<") in text for end in format.reasoning_ends):
        return False
    starts = ((end.replace("</", "<"), end) for end in format.reasoning_ends)
    return any(start != end and text.rfind(start) > text.rfind(end) for start, end in starts)


def find_start(text: str, format: AnswerFormat) -> int:
    """Return where reading begins: after the reasoning, and within MAX_SCANNED."""
    if is_in_reasoning(text, format):
        return len(text)
    start = max(0, len(text) - MAX_SCANNED)
    for end in format.reasoning_ends:
        if end in text:
            start = max(start, text.rfind(end) + len(end))
    return start
