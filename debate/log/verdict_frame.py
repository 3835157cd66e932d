"""Verdicts as a tidy frame: one row a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

import polars as pl

from debate.log.series import series, text_lists, weight_lists
from debate.log.turn_frame import ASKED
from debate.types import Question, Verdict, leaders

IsRight = Callable[[str | None, str], bool | None]
"""Whether an answer, or none, to a question of this id is right; None where it has no target."""

VERDICT_KEY = ("cell", "question", "seed", "round", "method")

_TALLY = pl.List(pl.Struct({"value": pl.String, "weight": pl.Float64}))

_CORRECT: dict[str | None, bool] = {"correct": True, "wrong": False}
_ASK_FOR_A_SHARE = ("super_majority", "unanimity")
_COLUMNS: dict[str, tuple[Any, Callable[[Verdict], Any]]] = {
    "cell": (pl.String, attrgetter("cell")),
    "question": (pl.String, attrgetter("question")),
    "seed": (pl.Int64, attrgetter("seed")),
    "round": (pl.Int64, attrgetter("round")),
    "method": (pl.String, attrgetter("method")),
    "answer": (pl.String, attrgetter("value")),
    "abstained": (pl.Boolean, lambda v: v.value is None and v.outcome not in ("failed", "tied")),
    "failed": (pl.Boolean, lambda v: v.outcome == "failed"),
    "outcome": (pl.String, attrgetter("outcome")),
    "correct": (pl.Boolean, lambda v: _CORRECT.get(v.outcome)),
    "confidence": (pl.Float64, attrgetter("confidence")),
    "score": (pl.Float64, attrgetter("score")),
    "tally": (_TALLY, attrgetter("tally")),
    "tied": (pl.List(pl.String), attrgetter("tied")),
    "num_failed": (pl.Int64, attrgetter("num_failed")),
    "final": (pl.Boolean, attrgetter("final")),
    "stopped_by": (pl.String, attrgetter("stopped_by")),
}
VERDICT_SCHEMA: dict[str, Any] = {
    **{name: dtype for name, (dtype, _) in _COLUMNS.items()},
    **dict.fromkeys(ASKED, pl.String),
}


def as_written_now(verdict: Verdict, is_right: IsRight | None = None) -> Verdict:
    """A verdict of a log from before ties and scores were written, with both.

    A tie shows in its tally, unless its rule asks for a share. Without `is_right`, what has no
    answer keeps no score.
    """
    if verdict.value is None and verdict.outcome == "abstained":
        tied = leaders(verdict.tally)
        if len(tied) > 1 and verdict.method not in _ASK_FOR_A_SHARE:
            verdict = replace(verdict, tied=tied, outcome="tied")
    if verdict.score is not None or verdict.outcome in (None, "failed"):
        return verdict
    if verdict.value is not None:
        return replace(verdict, score=float(verdict.outcome == "correct"))
    right = [is_right and is_right(each, verdict.question) for each in verdict.tied or (None,)]
    return verdict if None in right else replace(verdict, score=sum(map(bool, right)) / len(right))


def verdict_frame(
    verdicts: Sequence[Verdict],
    questions: Mapping[str, Question],
    is_right: IsRight | None = None,
) -> pl.DataFrame:
    """One row a verdict. `correct` is null where nothing was judged right or wrong.

    `is_right` is needed for the scores of ties and abstentions in logs that do not hold them.
    """
    whole = [as_written_now(verdict, is_right) for verdict in verdicts]
    asked = [questions.get(verdict.question) for verdict in whole]
    told = [
        series(name, [getattr(question, name, None) for question in asked], pl.String)
        for name in ASKED
    ]
    return pl.DataFrame([*(_column(name, whole) for name in _COLUMNS), *told])


def _column(name: str, verdicts: Sequence[Verdict]) -> pl.Series:
    dtype, getter = _COLUMNS[name]
    values = list(map(getter, verdicts))
    if name == "tally":
        return weight_lists(name, values, fields=("value", "weight"))
    return text_lists(name, values) if name == "tied" else series(name, values, dtype)
