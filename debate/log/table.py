"""Transcripts from elsewhere: a table with documented columns, as trajectories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from debate.errors import TaskError, suggestion
from debate.log.trajectories import trajectory_schema

_COLUMNS: dict[str, Any] = {
    "question_id": pl.String,
    "arm": pl.String,
    "seed": pl.Int64,
    "round": pl.Int64,
    "agent": pl.String,
    "model": pl.String,
    "answer": pl.String,
    "target": pl.String,
    "confidence": pl.Float64,
    "text": pl.String,
}
_OPTIONAL = ("confidence", "text")
_KEY = ("question_id", "arm", "seed", "agent", "model", "round")
_READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".tsv": lambda path: pl.read_csv(path, infer_schema=False, separator="\t"),
    ".parquet": pl.read_parquet,
    ".jsonl": lambda path: pl.read_ndjson(path, infer_schema_length=None),
    ".ndjson": lambda path: pl.read_ndjson(path, infer_schema_length=None),
}


def read_table(source: Path | str | pl.DataFrame) -> pl.DataFrame:
    """A table of answers as the frame that `Run.trajectories` gives.

    Columns: question_id, arm, seed, round, agent, model, answer, target, and, where there are
    any, confidence (in [0, 1]) and text; others are ignored. An empty answer is an abstention.
    An answer is correct where it equals the target: as numbers if both are, else as text
    without regard to case and surrounding space; an empty target leaves it open. What a table
    does not tell is null. Raises TaskError saying what is missing or wrong, and where.
    """
    name = "the table" if isinstance(source, pl.DataFrame) else str(source)
    table = source if isinstance(source, pl.DataFrame) else _read(Path(source))
    _require_columns(table, name)
    typed = table.select(_cast(table, column, name) for column in _COLUMNS)
    _require_keys(typed, name)
    _require_probabilities(typed, name)
    return _as_trajectories(typed)


def _read(path: Path) -> pl.DataFrame:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise TaskError(f'{path}: a table ends in {", ".join(_READERS)}, not "{path.suffix}"')
    try:
        return reader(path)
    except (OSError, pl.exceptions.PolarsError) as cause:
        raise TaskError(f"{path} cannot be read as a table: {cause}") from cause


def _require_columns(table: pl.DataFrame, name: str) -> None:
    missing = [c for c in _COLUMNS if c not in table.columns and c not in _OPTIONAL]
    if missing:
        clauses = "; ".join(
            f'"{column}" ({suggestion(column, table.columns)})' for column in missing
        )
        raise TaskError(f"{name} lacks the column{'s'[: len(missing) - 1]} {clauses}")


def _cast(table: pl.DataFrame, column: str, name: str) -> pl.Series:
    dtype = _COLUMNS[column]
    if column not in table.columns:
        return pl.Series(column, [None] * table.height, dtype=dtype)
    values = table[column]
    cast = values.cast(pl.Float64 if dtype == pl.Int64 else dtype, strict=False)
    lost = cast.is_null() & values.is_not_null()
    if dtype == pl.Int64:
        lost |= (cast != cast.round()).fill_null(False)
    if lost.any():
        row = int(lost.arg_true()[0])
        wanted = "a whole number" if dtype == pl.Int64 else "a number"
        raise TaskError(f"{name}, row {row + 1}: {column} is {values[row]!r}, not {wanted}")
    return cast.cast(dtype)


def _require_keys(table: pl.DataFrame, name: str) -> None:
    for column in _KEY:
        empty = table[column].is_null().arg_true()
        if len(empty):
            raise TaskError(f"{name}, row {empty[0] + 1}: {column} is empty")
    repeated = table.select(_KEY).is_duplicated().arg_true()
    if len(repeated):
        key = ", ".join(f"{c} {table[c][repeated[0]]!r}" for c in _KEY)
        raise TaskError(f"{name}, row {repeated[0] + 1}: {key} must occur once")


def _require_probabilities(table: pl.DataFrame, name: str) -> None:
    outside = (~table["confidence"].is_between(0, 1)).fill_null(False).arg_true()
    if len(outside):
        row = outside[0]
        raise TaskError(
            f"{name}, row {row + 1}: confidence is {table['confidence'][row]}; it must lie in "
            "[0, 1] (divide percentages by 100)"
        )


def _as_trajectories(table: pl.DataFrame) -> pl.DataFrame:
    answer = pl.col("answer").str.strip_chars()
    target = pl.col("target").str.strip_chars().replace("", None)
    cleaned = table.with_columns(answer=answer.replace("", None), target=target)
    judged = cleaned.with_columns(
        cell="arm",
        question="question_id",
        kind=pl.when(pl.col("round") == 0).then(pl.lit("opening")).otherwise(pl.lit("revision")),
        abstained=pl.col("answer").is_null(),
        failed=pl.lit(False),
        correct=_equal("answer", "target"),
    ).with_columns(outcome=_outcome())
    schema = trajectory_schema()
    absent = [
        pl.lit(None, dtype).alias(n) for n, dtype in schema.items() if n not in judged.columns
    ]
    ordered = judged.with_columns(absent).sort("cell", "question", "seed", "agent", "round")
    return ordered.select(*schema, "text")


def _equal(left: str, right: str) -> pl.Expr:
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in (left, right)]
    words = [pl.col(name).str.to_lowercase() for name in (left, right)]
    return (numbers[0] == numbers[1]).fill_null(words[0] == words[1])


def _outcome() -> pl.Expr:
    return (
        pl.when("abstained")
        .then(pl.lit("abstained"))
        .when(pl.col("correct"))
        .then(pl.lit("correct"))
        .when(~pl.col("correct"))
        .then(pl.lit("wrong"))
    )
