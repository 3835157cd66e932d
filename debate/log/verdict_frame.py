"""Verdicts as a tidy frame: one row a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import polars as pl

from debate.log.series import series, weight_lists
from debate.log.turn_frame import ASKED
from debate.types import Question, Verdict

VERDICT_KEY = ("cell", "question", "seed", "round", "method")

_TALLY = pl.List(pl.Struct({"value": pl.String, "weight": pl.Float64}))

_CORRECT: dict[str | None, bool] = {"correct": True, "wrong": False}
_COLUMNS: dict[str, tuple[Any, Callable[[Verdict], Any]]] = {
    "cell": (pl.String, attrgetter("cell")),
    "question": (pl.String, attrgetter("question")),
    "seed": (pl.Int64, attrgetter("seed")),
    "round": (pl.Int64, attrgetter("round")),
    "method": (pl.String, attrgetter("method")),
    "answer": (pl.String, attrgetter("value")),
    "abstained": (pl.Boolean, lambda v: v.outcome != "failed" and v.value is None),
    "failed": (pl.Boolean, lambda v: v.outcome == "failed"),
    "outcome": (pl.String, attrgetter("outcome")),
    "correct": (pl.Boolean, lambda v: _CORRECT.get(v.outcome)),
    "confidence": (pl.Float64, attrgetter("confidence")),
    "tally": (_TALLY, attrgetter("tally")),
    "num_failed": (pl.Int64, attrgetter("num_failed")),
    "final": (pl.Boolean, attrgetter("final")),
    "stopped_by": (pl.String, attrgetter("stopped_by")),
}
VERDICT_SCHEMA: dict[str, Any] = {
    **{name: dtype for name, (dtype, _) in _COLUMNS.items()},
    **dict.fromkeys(ASKED, pl.String),
}


def verdict_frame(verdicts: Sequence[Verdict], questions: Mapping[str, Question]) -> pl.DataFrame:
    """One row a verdict. `correct` is null where nothing was judged right or wrong."""
    asked = [questions.get(verdict.question) for verdict in verdicts]
    told = [
        series(name, [getattr(question, name, None) for question in asked], pl.String)
        for name in ASKED
    ]
    return pl.DataFrame([*(_column(name, verdicts) for name in _COLUMNS), *told])


def _column(name: str, verdicts: Sequence[Verdict]) -> pl.Series:
    dtype, getter = _COLUMNS[name]
    values = list(map(getter, verdicts))
    if name == "tally":
        return weight_lists(name, values, fields=("value", "weight"))
    return series(name, values, dtype)
