"""What the page of a person shows of a turn, and what its form holds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from debate.engines.human.human_queue import HumanQueue, HumanTurn, clean_reply
from debate.engines.human.reply_form import ReplyParts, Wanted, describe_reading
from debate.tasks import list_candidates
from debate.text import clean

MAX_BODY = 262_144
"""Bytes that a form may send."""
MAX_LISTED = 20
"""Waiting turns that the page lists."""
SPEAKERS = {"system": "Instructions", "user": "Asked", "assistant": "You said"}
VERDICTS = {"correct": True, "incorrect": False}


class FormError(ValueError):
    """A field of the form cannot be used; the message says which, and what would be right."""


@dataclass(frozen=True, kw_only=True)
class PageForm:
    """The fields of the form, as they were typed, without control characters."""

    reasoning: str = ""
    answer: str = ""
    verdict: str = ""
    confidence: str = ""

    @classmethod
    def from_fields(cls, sent: Mapping[str, str]) -> PageForm:
        """Take the fields out of what a browser has sent."""
        return cls(**{each.name: clean_reply(sent.get(each.name, "")) for each in fields(cls)})


def parse_form(form: PageForm) -> ReplyParts:
    """Return the parts of the reply. Raises FormError for a confidence that is no percentage.

    >>> parse_form(PageForm(answer="936", verdict="incorrect", confidence="80 %"))
    ReplyParts(reasoning='', answer='936', accepts=False, confidence=0.8, found=())
    """
    return ReplyParts(
        reasoning=form.reasoning,
        answer=form.answer or None,
        accepts=VERDICTS.get(form.verdict),
        confidence=_parse_percentage(form.confidence),
    )


def _parse_percentage(text: str) -> float | None:
    if not text:
        return None
    try:
        percent = float(text.removesuffix("%").strip())
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise FormError(f'"{text}" is no confidence; write a percentage from 0 to 100.')
    return percent / 100


def find_difference(written: ReplyParts, read: ReplyParts, wanted: Wanted) -> str:
    """Say how a reply is read otherwise than it was written, or what it lacks; empty if not so."""
    if not read.states(wanted):
        return f"The reply is read as {describe_reading(read, wanted)}."
    same_answer = (written.answer or "").casefold() == (read.answer or "").casefold()
    same_sure = _round(written.confidence) == _round(read.confidence)
    if same_answer and same_sure and written.accepts == read.accepts:
        return ""
    told = describe_reading(read, wanted)
    lacks = ", without the answer" if written.answer is not None and read.answer is None else ""
    return f"The reply is read otherwise than it is written: {told}{lacks}."


def _round(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 4)


@dataclass(frozen=True, kw_only=True)
class ShownMessage:
    """One message of the prompt."""

    speaker: str
    text: str


@dataclass(frozen=True, kw_only=True)
class AskedTurn:
    """A turn as the page shows it.

    `is_code`: the answer is a program. `options` are letters and texts of a choice. `earlier` are
    the messages before the last.
    """

    number: int
    agent: str
    what: str
    question: str
    round: int
    wanted: Wanted
    is_code: bool
    text: str
    options: Sequence[tuple[str, str]]
    asked: ShownMessage
    earlier: Sequence[ShownMessage]


def show_asked_turn(turn: HumanTurn) -> AskedTurn:
    """Return what the page shows of a turn: never the target, nor whose turn it is about."""
    question = turn.question
    letters = list_candidates(question) if question.kind == "choice" else ()
    messages = [
        ShownMessage(speaker=SPEAKERS[each.role], text=_clean(each.content))
        for each in turn.request.messages
    ]
    *earlier, asked = messages or [ShownMessage(speaker=SPEAKERS["user"], text="")]
    return AskedTurn(
        number=turn.number,
        agent=clean(turn.state.agent),
        what=turn.what,
        question=clean(question.id),
        round=turn.state.round,
        wanted=turn.form.wanted,
        is_code=question.kind == "code",
        text=_clean(question.text),
        options=tuple(zip(letters, map(_clean, question.options), strict=False)),
        asked=asked,
        earlier=tuple(earlier),
    )


def _clean(text: str) -> str:
    return clean(text, keep="\n\t")


@dataclass(frozen=True, kw_only=True)
class ShownQueue:
    """The turns that wait, the first of them each in a line; `more`: how many are not listed."""

    lines: Sequence[str]
    more: int


def list_queue(queue: HumanQueue) -> ShownQueue:
    """Return the waiting turns as the page lists them, with the times since which they wait."""
    waiting = queue.waiting
    lines = [
        f"{turn.title}, since {time.strftime('%H:%M:%S', time.localtime(turn.since))}"
        for turn in waiting[:MAX_LISTED]
    ]
    return ShownQueue(lines=lines, more=max(0, len(waiting) - MAX_LISTED))
