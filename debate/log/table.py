"""Transcripts from elsewhere: a table with documented columns, as trajectories.

One row for each answer that an agent stated:

    question_id, round, agent, answer     required; round 0 holds the openings
    target, or correct (true or false)    one of them, to tell right from wrong
    arm, seed, model                      "main", 0 and the agent's id where absent
    confidence, confidence_<source>       in [0, 1]; by which estimator, if there are several
    belief_own, belief_target, belief_answer    in [0, 1]: in the opening answer, the target, this
    heard                                 refs such as 0:opening:b, parted by blanks, or a list
    category, text, failed                as told; a failed turn has no answer
    prompt_tokens, cached_tokens, generated_tokens

Other columns are ignored. Columns of other names are mapped: `{"qid": "question_id"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from debate.errors import TaskError, suggestion
from debate.log.table_columns import COLUMNS, KEY, SOURCE, Column, cast_column
from debate.log.table_files import read_file
from debate.log.trajectories import trajectory_schema

PROBABILITIES = ("confidence", "belief_own", "belief_target", "belief_answer")


def read_table(
    source: Path | str | pl.DataFrame, *, columns: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """A table of answers as the frame that `Run.trajectories` gives, with `text`.

    columns: what the table calls our columns, theirs to ours. An empty answer is an abstention.
    Where `correct` does not say, an answer is right where it equals the target: as numbers if both
    are, else as text without regard to case and surrounding space; an empty target leaves it open.
    Raises TaskError saying what is missing or wrong, and where.
    """
    name = "the table" if isinstance(source, pl.DataFrame) else str(source)
    table = source if isinstance(source, pl.DataFrame) else read_file(Path(source))
    table = _renamed(table, columns or {}, name)
    _require_columns(table, name)
    known = {**COLUMNS, **{c: Column(pl.Float64) for c in table.columns if c.startswith(SOURCE)}}
    typed = table.select(cast_column(table, column, known[column], name=name) for column in known)
    typed = typed.with_columns(pl.col("model").fill_null(pl.col("agent")))
    _require_keys(typed, name)
    for column in (*PROBABILITIES, *(c for c in typed.columns if c.startswith(SOURCE))):
        _require_probability(typed, column, name)
    return _as_trajectories(typed)


def _renamed(table: pl.DataFrame, columns: Mapping[str, str], name: str) -> pl.DataFrame:
    for theirs, ours in columns.items():
        if theirs not in table.columns:
            known = suggestion(theirs, table.columns)
            raise TaskError(f'{name} has no column "{theirs}" to take as {ours}; {known}')
        if ours not in COLUMNS and not ours.startswith(SOURCE):
            known = suggestion(ours, COLUMNS)
            raise TaskError(f'"{theirs}" cannot be taken as "{ours}", which means nothing; {known}')
    replaced = [ours for theirs, ours in columns.items() if ours != theirs]
    return table.drop(replaced, strict=False).rename(dict(columns))


def _require_columns(table: pl.DataFrame, name: str) -> None:
    missing = [c for c, known in COLUMNS.items() if known.is_required and c not in table.columns]
    if not {"target", "correct"} & {*table.columns}:
        missing.append("target")
    if missing:
        clauses = ", ".join(f'"{column}"{_meant(column, table.columns)}' for column in missing)
        raise TaskError(
            f"{name} lacks the column{'s'[: len(missing) - 1]} {clauses}; it has "
            f"{', '.join(table.columns[:30])}. Map columns of other names, theirs to ours: "
            f'--map "{table.columns[0] if table.columns else "qid"}={missing[0]}"'
        )


def _meant(column: str, known: list[str]) -> str:
    close = get_close_matches(column, known, n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def _require_keys(table: pl.DataFrame, name: str) -> None:
    if table.is_empty():
        raise TaskError(f"{name} has no rows; at least one answer is needed")
    for column in KEY:
        empty = table[column].is_null().arg_true()
        if len(empty):
            raise TaskError(f"{name}, row {empty[0] + 1}: {column} is empty")
    repeated = table.select(KEY).is_duplicated().arg_true()
    if len(repeated):
        key = ", ".join(f"{c} {table[c][repeated[0]]!r}" for c in KEY)
        raise TaskError(
            f"{name}, row {repeated[0] + 1}: {key} must occur once; columns arm and seed tell "
            "treatments and repetitions apart"
        )


def _require_probability(table: pl.DataFrame, column: str, name: str) -> None:
    outside = (~table[column].is_between(0, 1)).fill_null(False).arg_true()
    if len(outside):
        row = outside[0]
        raise TaskError(
            f"{name}, row {row + 1}: {column} is {table[column][row]}; it must lie in [0, 1] "
            "(divide percentages by 100)"
        )


def _as_trajectories(table: pl.DataFrame) -> pl.DataFrame:
    answer = pl.when(~pl.col("failed")).then(pl.col("answer").str.strip_chars().replace("", None))
    target = pl.col("target").str.strip_chars().replace("", None)
    cleaned = table.with_columns(answer=answer, target=target)
    right = pl.when(pl.col("answer").is_not_null()).then(
        pl.coalesce("correct", _equal("answer", "target"))
    )
    judged = cleaned.with_columns(
        cell="arm",
        question="question_id",
        kind=pl.when(pl.col("round") == 0).then(pl.lit("opening")).otherwise(pl.lit("revision")),
        abstained=pl.col("answer").is_null() & ~pl.col("failed"),
        cut=pl.lit(value=False),
        correct=right,
    ).with_columns(outcome=_outcome())
    schema = trajectory_schema()
    absent = [
        pl.lit(None, dtype).alias(n) for n, dtype in schema.items() if n not in judged.columns
    ]
    ordered = judged.with_columns(absent).sort("cell", "question", "seed", "agent", "round")
    sources = [c for c in table.columns if c.startswith(SOURCE)]
    return ordered.select(*schema, *sources, "text")


def _equal(left: str, right: str) -> pl.Expr:
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in (left, right)]
    words = [pl.col(name).str.to_lowercase() for name in (left, right)]
    return (numbers[0] == numbers[1]).fill_null(words[0] == words[1])


def _outcome() -> pl.Expr:
    return (
        pl.when("failed")
        .then(pl.lit("failed"))
        .when("abstained")
        .then(pl.lit("abstained"))
        .when(pl.col("correct"))
        .then(pl.lit("correct"))
        .when(~pl.col("correct"))
        .then(pl.lit("wrong"))
    )
