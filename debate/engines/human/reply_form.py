"""What a person's reply is to hold and how it would be read, and the turns that wait for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Wanted = Literal["answer", "verdict", "confidence"]
"""What a reply is to state: an answer, as an opening does; a verdict, as a critique; or how sure
the person is of an answer given before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyParts:
    """The parts of a reply, as they are written in a form, or read out of a text.

    `confidence` is in [0, 1]. `found` holds the texts between which no answer could be chosen.
    """

    reasoning: str = ""
    answer: str | None = None
    accepts: bool | None = None
    confidence: float | None = None
    found: tuple[str, ...] = ()

    def states(self, wanted: Wanted) -> bool:
        """Whether the reply states what is wanted of it.

        >>> ReplyParts(answer="936").states("answer"), ReplyParts(answer="936").states("verdict")
        (True, False)
        """
        stated = {"answer": self.answer, "verdict": self.accepts, "confidence": self.confidence}
        return stated[wanted] is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyForm:
    """The form of one reply: `read` returns the parts of a text, `write` the text of parts."""

    wanted: Wanted
    read: Callable[[str], ReplyParts]
    write: Callable[[ReplyParts], str]


def describe_reading(parts: ReplyParts, wanted: Wanted) -> str:
    """Say how a reply is read, in one line.

    >>> describe_reading(ReplyParts(answer="936", accepts=False, confidence=0.8), "verdict")
    'verdict incorrect, answer 936, confidence 80 %'
    >>> describe_reading(ReplyParts(found=("5", "6")), "answer")
    'no single answer (5 or 6), which counts as an abstention'
    """
    told = []
    if parts.accepts is not None or wanted == "verdict":
        words = {True: "verdict correct", False: "verdict incorrect", None: "no verdict"}
        told.append(words[parts.accepts])
    if parts.answer is not None:
        told.append(f"answer {parts.answer}")
    elif wanted == "answer":
        which = f"no single answer ({' or '.join(parts.found)})" if parts.found else "no answer"
        told.append(f"{which}, which counts as an abstention")
    if parts.confidence is not None:
        told.append(f"confidence {100 * parts.confidence:.4g} %")
    elif wanted == "confidence":
        told.append("no confidence")
    return ", ".join(told)


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingTurn:
    """A turn that waits for a person, as progress shows it.

    `what` is its kind in words. `since` is when it was asked for, in seconds since the epoch;
    `place` is where the person can answer.
    """

    agent: str
    question: str
    what: str
    round: int
    since: float
    place: str


@runtime_checkable
class SupportsWaiting(Protocol):
    """An engine or a replica that can say which turns wait for a person."""

    def list_waiting(self) -> Sequence[WaitingTurn]:
        """List the turns that wait, the next one first."""


def list_waiting(asked: object) -> tuple[WaitingTurn, ...]:
    """List the turns that wait for the person behind an engine or replica; none without one."""
    return tuple(asked.list_waiting()) if isinstance(asked, SupportsWaiting) else ()
