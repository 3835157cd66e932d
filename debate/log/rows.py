"""Turns and verdicts as frames need them: decoded quickly, read in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import msgspec

from debate.types import Outcome

T = TypeVar("T")
BATCH_SIZE = 20_000


class AnswerRow(msgspec.Struct, gc=False):
    """The part of an answer that a frame shows."""

    value: str | None = None


class ConfidenceRow(msgspec.Struct, gc=False):
    """A confidence and its estimator."""

    source: str
    value: float


class BeliefRow(msgspec.Struct, gc=False):
    """Log-probability (nats) by candidate."""

    log_p: dict[str, float]


class UsageRow(msgspec.Struct, gc=False):
    """What a call cost."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    generated_tokens: int | None = None
    queued_s: float | None = None
    running_s: float | None = None


class FailureRow(msgspec.Struct, gc=False):
    """What went wrong, and where."""

    boundary: str
    message: str


class TurnRow(msgspec.Struct, gc=False):
    """A turn without its prompt, under the turn's own field names."""

    cell: str
    question: str
    seed: int
    round: int
    kind: str
    agent: str
    model: str
    about: str | None = None
    heard: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    text: str = ""
    answer: AnswerRow | None = None
    correct: bool | None = None
    accepts: bool | None = None
    confidences: tuple[ConfidenceRow, ...] = ()
    belief: BeliefRow | None = None
    usage: UsageRow = msgspec.field(default_factory=UsageRow)
    failure: FailureRow | None = None
    shared_with: str | None = None
    simulated: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0

    @property
    def abstained(self) -> bool:
        """Whether the turn completed and gave no single answer."""
        return self.failure is None and self.answer is not None and self.answer.value is None

    @property
    def outcome(self) -> Outcome | None:
        """Correct, wrong, abstained or failed; None without an answer or without a target."""
        if self.failure is not None:
            return "failed"
        if self.answer is None:
            return None
        if self.answer.value is None:
            return "abstained"
        return None if self.correct is None else "correct" if self.correct else "wrong"


def in_batches(rows: Iterable[T], size: int = BATCH_SIZE) -> Iterator[list[T]]:
    """The rows in lists of `size`, the last one shorter.

    >>> list(in_batches("abc", 2))
    [['a', 'b'], ['c']]
    """
    remaining = iter(rows)
    while batch := list(islice(remaining, size)):
        yield batch
