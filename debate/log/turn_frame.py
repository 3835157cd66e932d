"""Turns as a tidy frame: one row a turn, flat columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

import polars as pl

from debate.log.rows import TurnRow
from debate.log.series import CANDIDATES, belief_series, series, text_lists
from debate.types import Question, Usage

TURN_KEY = ("cell", "question", "seed", "round", "kind", "agent", "about")
CONFIDENCE = "confidence_"
CONFIDENCE_SOURCE = "confidence_source"
"""The column that names the estimator which `confidence` comes from; it is none itself."""
ASKED = ("target", "category", "cluster")
"""What a row tells of its question."""

_Getter = Callable[[TurnRow], Any]

_COLUMNS: dict[str, tuple[pl.DataType | type[pl.DataType], _Getter]] = {
    "cell": (pl.String, attrgetter("cell")),
    "question": (pl.String, attrgetter("question")),
    "seed": (pl.Int64, attrgetter("seed")),
    "round": (pl.Int64, attrgetter("round")),
    "kind": (pl.String, attrgetter("kind")),
    "agent": (pl.String, attrgetter("agent")),
    "about": (pl.String, attrgetter("about")),
    "model": (pl.String, attrgetter("model")),
    "answer": (pl.String, attrgetter("value")),
    "abstained": (pl.Boolean, attrgetter("is_abstention")),
    "cut": (pl.Boolean, attrgetter("is_cut")),
    "failed": (pl.Boolean, lambda t: t.failure is not None),
    "outcome": (pl.String, attrgetter("outcome")),
    "correct": (pl.Boolean, attrgetter("correct")),
    "finish_reason": (pl.String, attrgetter("finish_reason")),
    "accepts": (pl.Boolean, attrgetter("accepts")),
    "confidence": (pl.Float64, lambda t: t.confidences[0].value if t.confidences else None),
    CONFIDENCE_SOURCE: (
        pl.String,
        lambda t: t.confidences[0].source if t.confidences else None,
    ),
    "heard": (pl.List(pl.String), attrgetter("heard")),
    "late": (pl.List(pl.String), attrgetter("late")),
    "dropped": (pl.List(pl.String), attrgetter("dropped")),
    **{
        each.name: (
            pl.Int64 if each.name.endswith("_tokens") else pl.Float64,
            attrgetter(f"usage.{each.name}"),
        )
        for each in fields(Usage)
    },
    "started_at": (pl.Float64, attrgetter("started_at")),
    "finished_at": (pl.Float64, attrgetter("finished_at")),
    "shared_with": (pl.String, attrgetter("shared_with")),
    "simulated": (pl.Boolean, attrgetter("simulated")),
    "failure": (
        pl.String,
        lambda t: f"{t.failure.boundary}: {t.failure.message}" if t.failure else None,
    ),
    "text": (pl.String, attrgetter("text")),
}


def turn_schema(sources: Iterable[str]) -> dict[str, Any]:
    """Column types of a frame of turns: `confidence_<source>` for each source, in this order."""
    schema: dict[str, Any] = {}
    for name, (dtype, _) in _COLUMNS.items():
        schema[name] = dtype
        if name == "confidence":
            schema.update({f"{CONFIDENCE}{source}": pl.Float64 for source in sources})
            schema["belief"] = CANDIDATES
    return {**schema, **dict.fromkeys(ASKED, pl.String)}


def is_estimator(column: str) -> bool:
    """Whether a frame's column holds the confidences of one estimator, as `confidence_verbal` does.

    >>> is_estimator("confidence_verbal"), is_estimator("confidence_source")
    (True, False)
    """
    return column.startswith(CONFIDENCE) and column != CONFIDENCE_SOURCE


def turn_columns(names: Collection[str] | None, sources: Iterable[str]) -> list[str]:
    """All columns of a frame of turns, or those named and the confidences, in the usual order."""
    return [
        name
        for name in turn_schema(sources)
        if names is None or name in names or is_estimator(name)
    ]


def turn_frame(
    turns: Sequence[TurnRow],
    questions: Mapping[str, Question],
    sources: Iterable[str],
    *,
    columns: Iterable[str] | None = None,
) -> pl.DataFrame:
    """One row a turn. `columns` of the schema, or all."""
    schema = turn_schema(sources)
    chosen = schema if columns is None else columns
    return pl.DataFrame([_column(name, turns, questions, schema[name]) for name in chosen])


def sources_of(turns: Iterable[TurnRow]) -> dict[str, None]:
    """The confidence estimators that occur, in order of appearance."""
    return {confidence.source: None for turn in turns for confidence in turn.confidences}


def _column(
    name: str, turns: Sequence[TurnRow], questions: Mapping[str, Question], dtype: Any
) -> pl.Series:
    if name == "belief":
        return belief_series(name, [turn.belief.log_p if turn.belief else None for turn in turns])
    if name in _COLUMNS:
        getter = _COLUMNS[name][1]
        values = list(map(getter, turns))
        return (
            text_lists(name, values) if dtype == pl.List(pl.String) else series(name, values, dtype)
        )
    if name in ASKED:
        asked = (questions.get(turn.question) for turn in turns)
        return series(name, [getattr(question, name, None) for question in asked], dtype)
    source = name.removeprefix(CONFIDENCE)
    return series(name, [_confidence(turn, source) for turn in turns], dtype)


def _confidence(turn: TurnRow, source: str) -> float | None:
    for confidence in turn.confidences:
        if confidence.source == source:
            return confidence.value
    return None
