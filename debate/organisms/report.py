"""One evaluation of a set of organisms, ready to print or to save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from debate.analysis.intervals import Interval
from debate.errors import InputError
from debate.organisms.cards import Card
from debate.organisms.evaluate import Row, make_bench, rows
from debate.organisms.model import load_folder
from debate.organisms.verdicts import Critic, critics
from debate.tasks.arithmetic import FAMILIES, questions


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the organisms do with fresh test questions."""

    num_questions: int
    seed: int
    rows: tuple[Row, ...]
    critics: tuple[Critic, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: an estimate is an object with value, low, high and num_questions,
        or null where nothing was observed.
        """
        return {
            "version": 1,
            "num_questions": self.num_questions,
            "seed": self.seed,
            "rows": [_plain(row) for row in self.rows],
            "critics": [_plain(critic) for critic in self.critics],
        }


def _plain(record: Row | Critic) -> dict[str, Any]:
    """A record with its estimates as objects."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {n: _numbers(v) if isinstance(v, Interval) else v for n, v in values.items()}


def _numbers(interval: Interval) -> dict[str, float | None] | None:
    """A value with its interval; its ends are null where it has none."""
    if interval.value is None:
        return None
    return {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "num_questions": interval.num_questions,
    }


def report(cards: Sequence[Card], *, num_questions: int, seed: int, device: str) -> Report:
    """Evaluate organisms on test questions drawn alike from all families."""
    try:
        asked = questions(list(FAMILIES), num_questions, seed=seed)
    except ValueError as error:
        raise InputError(f"--questions {num_questions}: {error}") from error
    models = {card.name: load_folder(card.folder, device) for card in cards}
    bench = make_bench(cards, models, asked)
    return Report(
        num_questions=len(asked),
        seed=seed,
        rows=tuple(rows(bench)),
        critics=tuple(critics(bench)),
    )
