"""The columns of a foreign table: which there are, and their values as we need them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from debate.errors import TaskError


class Column(NamedTuple):
    """A column of a foreign table: its type, and what stands where it is absent."""

    dtype: Any
    default: Any = None
    is_required: bool = False


COLUMNS: Mapping[str, Column] = {
    "question_id": Column(pl.String, is_required=True),
    "round": Column(pl.Int64, is_required=True),
    "agent": Column(pl.String, is_required=True),
    "answer": Column(pl.String, is_required=True),
    "target": Column(pl.String),
    "correct": Column(pl.Boolean),
    "arm": Column(pl.String, "main"),
    "seed": Column(pl.Int64, 0),
    "model": Column(pl.String),
    "confidence": Column(pl.Float64),
    "belief_own": Column(pl.Float64),
    "belief_target": Column(pl.Float64),
    "belief_answer": Column(pl.Float64),
    "log_p_own": Column(pl.Float64),
    "log_p_target": Column(pl.Float64),
    "log_p_answer": Column(pl.Float64),
    "belief_mass": Column(pl.Float64),
    "confidence_source": Column(pl.String),
    "heard": Column(pl.List(pl.String)),
    "category": Column(pl.String),
    "cluster": Column(pl.String),
    "text": Column(pl.String),
    "failed": Column(pl.Boolean, False),
    "prompt_tokens": Column(pl.Int64),
    "cached_tokens": Column(pl.Int64),
    "generated_tokens": Column(pl.Int64),
}
KEY = ("question_id", "arm", "seed", "agent", "model", "round")
"""What tells rows apart; none of it may be empty."""
WANTED: Mapping[Any, str] = {
    pl.Int64: "a whole number", pl.Float64: "a number", pl.Boolean: "true or false",
}  # fmt: skip
BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def cast_column(table: pl.DataFrame, column: str, known: Column, *, name: str) -> pl.Series:
    """A column in its own type, or its default. `name` is the table's; raises TaskError."""
    if column not in table.columns:
        return pl.Series(column, [known.default], dtype=known.dtype).new_from_index(0, table.height)
    values = table[column]
    if isinstance(known.dtype, pl.List):
        return _refs(values)
    if values.dtype == pl.String and known.dtype != pl.String:
        values = values.replace("", None)
    cast = _booleans(values) if known.dtype == pl.Boolean else _numbers_or_text(values, known.dtype)
    lost = cast.is_null() & values.is_not_null()
    if known.dtype == pl.Int64:
        lost |= (cast != cast.round()).fill_null(False)
    if lost.any():
        row = int(lost.arg_true()[0])
        wanted = WANTED[known.dtype]
        raise TaskError(f"{name}, row {row + 1}: {column} is {values[row]!r}, not {wanted}")
    whole = cast.cast(known.dtype)
    return whole if known.default is None or column in KEY else whole.fill_null(known.default)


def _numbers_or_text(values: pl.Series, dtype: Any) -> pl.Series:
    return values.cast(pl.Float64 if dtype == pl.Int64 else dtype, strict=False)


def _booleans(values: pl.Series) -> pl.Series:
    words = values.cast(pl.String).str.strip_chars().str.to_lowercase()
    return words.replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)


def _refs(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values.str.extract_all(r"\S+")
    return values.cast(pl.List(pl.String))
