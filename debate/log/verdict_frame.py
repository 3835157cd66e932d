"""Verdicts as a tidy frame: one row a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from debate.types import Question, Verdict

VERDICT_KEY = ("cell", "question", "seed", "round", "method")

_TALLY = pl.List(pl.Struct({"value": pl.String, "weight": pl.Float64}))

VERDICT_SCHEMA: dict[str, Any] = {
    "cell": pl.String,
    "question": pl.String,
    "seed": pl.Int64,
    "round": pl.Int64,
    "method": pl.String,
    "answer": pl.String,
    "abstained": pl.Boolean,
    "failed": pl.Boolean,
    "outcome": pl.String,
    "correct": pl.Boolean,
    "confidence": pl.Float64,
    "tally": _TALLY,
    "num_failed": pl.Int64,
    "final": pl.Boolean,
    "stopped_by": pl.String,
    "target": pl.String,
    "category": pl.String,
}


def verdict_frame(verdicts: Sequence[Verdict], questions: Mapping[str, Question]) -> pl.DataFrame:
    """One row a verdict. `correct` is null where nothing was judged right or wrong."""
    rows = [_row(verdict, questions.get(verdict.question)) for verdict in verdicts]
    return pl.DataFrame(rows, schema=VERDICT_SCHEMA)


def _row(verdict: Verdict, question: Question | None) -> dict[str, Any]:
    judged = verdict.outcome in ("correct", "wrong")
    return {
        "cell": verdict.cell,
        "question": verdict.question,
        "seed": verdict.seed,
        "round": verdict.round,
        "method": verdict.method,
        "answer": verdict.value,
        "abstained": verdict.outcome != "failed" and verdict.value is None,
        "failed": verdict.outcome == "failed",
        "outcome": verdict.outcome,
        "correct": verdict.outcome == "correct" if judged else None,
        "confidence": verdict.confidence,
        "tally": [{"value": value, "weight": weight} for value, weight in verdict.tally.items()],
        "num_failed": verdict.num_failed,
        "final": verdict.final,
        "stopped_by": verdict.stopped_by,
        "target": question.target if question else None,
        "category": question.category if question else None,
    }
