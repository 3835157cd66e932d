"""Turns and verdicts as tidy frames: one row each, flat columns.

Nested columns are built by way of Arrow, which is faster than from Python values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Sized
from dataclasses import fields, replace
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any

import polars as pl
import pyarrow as pa

from debate.log.codec import TurnStruct
from debate.text import clean, format_decimal, join_names
from debate.types import Question, Usage, Verdict, find_leaders

TURN_KEY = ("cell", "question", "seed", "round", "kind", "agent", "about")
CONFIDENCE = "confidence_"
CONFIDENCE_SOURCE = "confidence_source"
"""The column that names the estimator of `confidence`; it is not the column of an estimator."""
QUESTION_COLUMNS = ("target", "category", "cluster")
"""The columns of a row that hold fields of its question."""
VERDICT_KEY = ("cell", "question", "seed", "round", "method")
CANDIDATES = pl.List(pl.Struct({"candidate": pl.String, "log_p": pl.Float64}))

IsRight = Callable[[str | None, str], bool | None]
"""Takes an answer, or None, and a question id; tells whether it is right, None without target."""

_TALLY_TYPE = pl.List(pl.Struct({"value": pl.String, "weight": pl.Float64}))
_IS_CORRECT: dict[str | None, bool] = {"correct": True, "wrong": False}
_SHARE_METHODS = ("super_majority", "unanimity")

_Getter = Callable[[TurnStruct], Any]


_TURN_COLUMNS: dict[str, tuple[pl.DataType | type[pl.DataType], _Getter]] = {
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
    CONFIDENCE_SOURCE: (pl.String, lambda t: t.confidences[0].source if t.confidences else None),
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
    "notes": (pl.List(pl.String), attrgetter("notes")),
    "served_by": (pl.String, attrgetter("served_by")),
    "text": (pl.String, attrgetter("text")),
    "reasoning": (pl.String, attrgetter("reasoning")),
    "final_line": (pl.String, attrgetter("final_line")),
    "tool_steps": (
        pl.List(pl.String),
        lambda t: [
            ", ".join(f"{call.tool} {call.outcome}" for call in step.calls) for step in t.tool_steps
        ],
    ),
}


def make_turn_schema(sources: Iterable[str]) -> dict[str, Any]:
    """Return the column types of a frame of turns, with `confidence_<source>` for each source."""
    schema: dict[str, Any] = {}
    for name, (dtype, _) in _TURN_COLUMNS.items():
        schema[name] = dtype
        if name == "confidence":
            schema.update({f"{CONFIDENCE}{source}": pl.Float64 for source in sources})
            schema["belief"] = CANDIDATES
    return {**schema, **dict.fromkeys(QUESTION_COLUMNS, pl.String)}


def is_estimator(column: str) -> bool:
    """Whether a frame's column holds the confidences of one estimator, as `confidence_verbal` does.

    >>> is_estimator("confidence_verbal"), is_estimator("confidence_source")
    (True, False)
    """
    return column.startswith(CONFIDENCE) and column != CONFIDENCE_SOURCE


def select_turn_columns(names: Collection[str] | None, sources: Iterable[str]) -> list[str]:
    """Return the columns of a frame of turns in order: all, or those named and the confidences."""
    return [
        name
        for name in make_turn_schema(sources)
        if names is None or name in names or is_estimator(name)
    ]


def build_turn_frame(
    turns: Sequence[TurnStruct],
    questions: Mapping[str, Question],
    sources: Iterable[str],
    *,
    columns: Iterable[str] | None = None,
) -> pl.DataFrame:
    """Build a frame of one row per turn, with `columns` of the schema or all of them."""
    schema = make_turn_schema(sources)
    chosen = schema if columns is None else columns
    return pl.DataFrame(
        [_make_turn_column(name, turns, questions, schema[name]) for name in chosen]
    )


def find_sources(turns: Iterable[TurnStruct]) -> dict[str, None]:
    """Return the confidence estimators that occur, as keys in order of appearance."""
    return {confidence.source: None for turn in turns for confidence in turn.confidences}


def _make_turn_column(
    name: str, turns: Sequence[TurnStruct], questions: Mapping[str, Question], dtype: Any
) -> pl.Series:
    if name == "belief":
        beliefs = [turn.belief.log_p if turn.belief else None for turn in turns]
        return make_belief_series(name, beliefs)
    if name in _TURN_COLUMNS:
        getter = _TURN_COLUMNS[name][1]
        values = list(map(getter, turns))
        if dtype == pl.List(pl.String):
            return make_text_lists(name, values)
        return make_series(name, values, dtype)
    if name in QUESTION_COLUMNS:
        asked = (questions.get(turn.question) for turn in turns)
        return make_series(name, [getattr(question, name, None) for question in asked], dtype)
    source = name.removeprefix(CONFIDENCE)
    return make_series(name, [_find_confidence(turn, source) for turn in turns], dtype)


def _find_confidence(turn: TurnStruct, source: str) -> float | None:
    for confidence in turn.confidences:
        if confidence.source == source:
            return confidence.value
    return None


_VERDICT_COLUMNS: dict[str, tuple[Any, Callable[[Verdict], Any]]] = {
    "cell": (pl.String, attrgetter("cell")),
    "question": (pl.String, attrgetter("question")),
    "seed": (pl.Int64, attrgetter("seed")),
    "round": (pl.Int64, attrgetter("round")),
    "method": (pl.String, attrgetter("method")),
    "answer": (pl.String, attrgetter("value")),
    "abstained": (pl.Boolean, lambda v: v.value is None and v.outcome not in ("failed", "tied")),
    "failed": (pl.Boolean, lambda v: v.outcome == "failed"),
    "outcome": (pl.String, attrgetter("outcome")),
    "correct": (pl.Boolean, lambda v: _IS_CORRECT.get(v.outcome)),
    "confidence": (pl.Float64, attrgetter("confidence")),
    "score": (pl.Float64, attrgetter("score")),
    "tally": (_TALLY_TYPE, attrgetter("tally")),
    "tied": (pl.List(pl.String), attrgetter("tied")),
    "num_failed": (pl.Int64, attrgetter("num_failed")),
    "final": (pl.Boolean, attrgetter("final")),
    "stopped_by": (pl.String, attrgetter("stopped_by")),
}
VERDICT_SCHEMA: dict[str, Any] = {
    **{name: dtype for name, (dtype, _) in _VERDICT_COLUMNS.items()},
    **dict.fromkeys(QUESTION_COLUMNS, pl.String),
}


def upgrade_verdict(verdict: Verdict, is_right: IsRight | None = None) -> Verdict:
    """Add ties and a score to a verdict of a log that was written without them.

    A tie shows in the tally, except under a rule that asks for a share. Without `is_right`, a
    verdict that has no answer gets no score.
    """
    if verdict.value is None and verdict.outcome == "abstained":
        tied = find_leaders(verdict.tally)
        if len(tied) > 1 and verdict.method not in _SHARE_METHODS:
            verdict = replace(verdict, tied=tied, outcome="tied")
    if verdict.score is not None or verdict.outcome in (None, "failed"):
        return verdict
    if verdict.value is not None:
        return replace(verdict, score=float(verdict.outcome == "correct"))
    right = [is_right and is_right(each, verdict.question) for each in verdict.tied or (None,)]
    return verdict if None in right else replace(verdict, score=sum(map(bool, right)) / len(right))


def build_verdict_frame(
    verdicts: Sequence[Verdict],
    questions: Mapping[str, Question],
    is_right: IsRight | None = None,
) -> pl.DataFrame:
    """Build a frame of one row per verdict; `correct` is null unless it was judged.

    `is_right` is needed for the scores of ties and abstentions in logs that do not hold them.
    """
    upgraded = [upgrade_verdict(verdict, is_right) for verdict in verdicts]
    asked = [questions.get(verdict.question) for verdict in upgraded]
    columns = [_make_verdict_column(name, upgraded) for name in _VERDICT_COLUMNS]
    columns += [
        make_series(name, [getattr(question, name, None) for question in asked], pl.String)
        for name in QUESTION_COLUMNS
    ]
    return pl.DataFrame(columns)


def _make_verdict_column(name: str, verdicts: Sequence[Verdict]) -> pl.Series:
    dtype, getter = _VERDICT_COLUMNS[name]
    values = list(map(getter, verdicts))
    if name == "tally":
        return make_weight_lists(name, values, fields=("value", "weight"))
    return make_text_lists(name, values) if name == "tied" else make_series(name, values, dtype)


def make_series(name: str, values: Sequence[Any], dtype: Any) -> pl.Series:
    """Make a flat column."""
    try:
        return pl.Series(name, values, dtype=dtype)
    except UnicodeEncodeError:
        return pl.Series(name, _replace_surrogates(values), dtype=dtype)


def make_text_lists(name: str, values: Sequence[Sequence[str]]) -> pl.Series:
    """Make a column of lists of text."""
    flat = make_series("text", list(chain.from_iterable(values)), pl.String)
    return _make_lists(name, values, flat)


def make_belief_series(name: str, values: Sequence[Mapping[str, float] | None]) -> pl.Series:
    """Make a column of lists of candidates with their log-probabilities; null for no belief."""
    held = [belief or {} for belief in values]
    lists = make_weight_lists(name, held, fields=("candidate", "log_p"))
    absent = pl.Series("absent", [belief is None for belief in values])
    return lists.to_frame().select(pl.when(~absent).then(pl.col(name)).alias(name)).to_series()


def make_weight_lists(
    name: str, values: Sequence[Mapping[str, float]], *, fields: tuple[str, str]
) -> pl.Series:
    """Make a column of lists of the entries of mappings; `fields` name their keys and numbers."""
    keys = make_series(fields[0], list(chain.from_iterable(values)), pl.String)
    numbers = chain.from_iterable(value.values() for value in values)
    weights = make_series(fields[1], list(numbers), pl.Float64)
    return _make_lists(name, values, pl.DataFrame([keys, weights]).to_struct())


def _make_lists(name: str, values: Iterable[Sized], flat: pl.Series) -> pl.Series:
    """Split a flat series into lists, each as long as the value that it came from."""
    ends = pl.Series(list(accumulate(map(len, values), initial=0)), dtype=pl.Int64)
    lists = pa.LargeListArray.from_arrays(ends.to_arrow(), flat.to_arrow())
    return pl.Series(name, lists)


def _replace_surrogates(values: Iterable[str | None]) -> list[str | None]:
    """Replace lone surrogates, which a frame cannot hold, by question marks."""
    return [value and value.encode(errors="replace").decode() for value in values]


_DECIDED = {"correct": "right", "wrong": "wrong", "abstained": "no answer", "failed": "failed"}


def describe_verdict(verdict: Mapping[str, Any]) -> str:
    """Return a row of verdicts in words: rule, answer, tally, and what ended the debate."""
    answer, outcome = verdict["answer"], verdict["outcome"]
    if outcome == "tied":
        told = f"tied between {join_names(list(verdict['tied'] or ()))}"
    elif answer is None:
        told = _DECIDED.get(outcome or "abstained", "no answer")
    else:
        told = f"{answer} ({_DECIDED.get(outcome, 'not scored')})"
    tally = ", ".join(f"{e['value']}: {e['weight']:g}" for e in verdict["tally"] or ())
    parts = [f"{verdict['method']}: {told}", *([f"tally {tally}"] if tally else [])]
    if verdict["confidence"] is not None:
        parts.append(f"confidence {format_decimal(verdict['confidence'])}")
    if verdict["stopped_by"]:
        parts.append(f"stopped by {verdict['stopped_by']}")
    return clean(" · ".join(parts))
