"""The columns of a foreign table: which there are, and their values as we need them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from debate.errors import TaskError
from debate.log.table_files import NESTED

LARGEST_EXACT = 2.0**53
"""Up to here every whole number is a 64-bit float of its own."""


class Column(NamedTuple):
    """A column of a foreign table: its type, and what stands where it is absent."""

    dtype: Any
    default: Any = None
    is_required: bool = False


COLUMNS: Mapping[str, Column] = {
    "question_id": Column(pl.String, is_required=True),
    "round": Column(pl.Int64, is_required=True),
    "agent": Column(pl.String, is_required=True),
    "answer": Column(pl.String),
    "target": Column(pl.String),
    "correct": Column(pl.Boolean),
    "arm": Column(pl.String, "main"),
    "seed": Column(pl.Int64, 0),
    "model": Column(pl.String),
    "prompt_set": Column(pl.String),
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
    pl.Int64: "a whole number",
    pl.Float64: "a number",
    pl.Boolean: "true or false",
    pl.String: "a text, a number, or true or false",
    pl.List(pl.String): "references parted by blanks, or a list of them",
}
BOOLEANS = {
    **dict.fromkeys(("true", "1", "1.0", "yes"), True),
    **dict.fromkeys(("false", "0", "0.0", "no"), False),
}
MISSING = ("", "nan", "<na>", "na", "n/a", "null", "none")
"""Words, in any case, for a value that is not there, where no text can be meant."""
NAN = ("", "nan", "<na>")
"""Those of them that are no text that anybody states: what programs write for a missing value."""
ANY_MISSING = ("heard", "cluster", "prompt_set")
"""Columns of texts in which each word of `MISSING` means that there is nothing."""


def cast_column(table: pl.DataFrame, column: str, known: Column, *, name: str) -> pl.Series:
    """A column in its own type, or its default. `name` is the table's; raises TaskError.

    Missing are null, the nan of a column of numbers, and the words of `MISSING`; in a column of
    texts (but for those of `ANY_MISSING`) only those of `NAN`. `text` stands as it is.
    """
    if column not in table.columns:
        return pl.Series(column, [known.default], dtype=known.dtype).new_from_index(0, table.height)
    values = table[column]
    if isinstance(values.dtype, pl.Categorical | pl.Enum | pl.Decimal):
        values = values.cast(pl.String)
    _require_values(values, _unfit(values, known.dtype), known.dtype, name)
    if known.dtype == pl.List(pl.String):
        return _refs(_without(values, MISSING))
    if column != "text":
        is_text = known.dtype == pl.String and column not in ANY_MISSING
        values = _without(values, NAN if is_text else MISSING)
    cast = _cast(values, known.dtype)
    _require_values(values, cast.is_null() & values.is_not_null(), known.dtype, name)
    return cast if known.default is None or column in KEY else cast.fill_null(known.default)


def _require_values(values: pl.Series, unfit: pl.Series, dtype: Any, name: str) -> None:
    """Refuse a column with a value that is not of its type, naming the first such row."""
    if not unfit.any():
        return
    row = int(unfit.arg_true()[0])
    value = values[row]
    shown = repr(value.to_list() if isinstance(value, pl.Series) else value)
    if isinstance(value, str) and value.startswith(NESTED):
        shown = value.removeprefix(NESTED)
    percent = dtype == pl.Float64 and isinstance(value, str) and value.strip().endswith("%")
    raise TaskError(
        f"{name}, row {row + 1}: {values.name} is {shown[:60]}, not {WANTED[dtype]}"
        + " (divide percentages by 100: 85% is 0.85)" * percent
    )


def _unfit(values: pl.Series, dtype: Any) -> pl.Series:
    """Where a value cannot be of this type, whatever it is: in a list, an object, a date."""
    found, is_list = values.dtype, isinstance(dtype, pl.List)
    if found == pl.String:
        return values.str.starts_with(NESTED).fill_null(False) & pl.Series([not is_list])
    if is_list:
        fits = found == pl.Null or (isinstance(found, pl.List) and not found.inner.is_nested())
    else:
        fits = found in (pl.Boolean, pl.Null) or found.is_numeric()
        fits |= dtype == pl.String and found in (pl.Date, pl.Datetime, pl.Time)
    return values.is_not_null() & pl.Series([not fits])


def _without(values: pl.Series, words: tuple[str, ...]) -> pl.Series:
    """The values with nan, and texts that are one of these words, null."""
    if values.dtype.is_float():
        return values.fill_nan(None)
    if values.dtype != pl.String:
        return values
    plain = values.str.strip_chars().str.to_lowercase()
    return values.set(plain.is_in(list(words)).fill_null(False), None)


def _cast(values: pl.Series, dtype: Any) -> pl.Series:
    """The values in this type; null where they cannot be had in it, or are not there."""
    if dtype == pl.Boolean:
        words = values.cast(pl.String).str.strip_chars().str.to_lowercase()
        return words.replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)
    if dtype == pl.String:
        return values.cast(pl.String)
    plain = values.str.strip_chars() if values.dtype == pl.String else values
    numbers = plain.cast(pl.Float64, strict=False)
    if dtype == pl.Float64:
        return numbers.fill_nan(None)
    is_whole = (numbers == numbers.round()) & (numbers.abs() <= LARGEST_EXACT)
    rounded = numbers.set(~is_whole.fill_null(False), None).cast(pl.Int64, strict=False)
    if values.dtype.is_float():
        return rounded
    whole = plain.cast(pl.Int64, strict=False)
    return whole.zip_with(whole.is_not_null(), rounded)


def _refs(values: pl.Series) -> pl.Series:
    """Lists of references: a list, its JSON, or texts parted by blanks."""
    if values.dtype != pl.String:
        return values.cast(pl.List(pl.String))
    nested = values.str.starts_with(NESTED).fill_null(False)
    refs = values.str.extract_all(r"\S+")
    if not nested.any():
        return refs
    listed = [
        _listed(text) if is_list else found
        for text, is_list, found in zip(values, nested, refs.to_list(), strict=True)
    ]
    return pl.Series(values.name, listed, dtype=pl.List(pl.String))


def _listed(text: str) -> list[str]:
    try:
        found = json.loads(text.removeprefix(NESTED))
    except ValueError:
        return text.split()
    return [str(item) for item in found if item is not None] if isinstance(found, list) else []
