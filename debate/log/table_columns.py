"""The columns of a foreign table: which there are, and their values as we need them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from debate.errors import TaskError
from debate.log.table_files import NESTED

SOURCE = "confidence_"
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
    "confidence": Column(pl.Float64),
    "belief_own": Column(pl.Float64),
    "belief_target": Column(pl.Float64),
    "belief_answer": Column(pl.Float64),
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
}
BOOLEANS = {
    **dict.fromkeys(("true", "1", "1.0", "yes"), True),
    **dict.fromkeys(("false", "0", "0.0", "no"), False),
}
MISSING = ("", "nan", "<na>", "na", "n/a", "null", "none")
"""Words, in any case, for a value that is not there, where no text can be meant."""
NAN = ("", "nan", "<na>")
"""Those of them that are no text that anybody states: what programs write for a missing value."""
ANY_MISSING = ("heard", "cluster")
"""Columns of texts in which each word of `MISSING` means that there is nothing."""


def cast_column(table: pl.DataFrame, column: str, known: Column, *, name: str) -> pl.Series:
    """A column in its own type, or its default. `name` is the table's; raises TaskError.

    Missing are null, the nan of a column of numbers, and the words of `MISSING`; in a column of
    texts (but for `heard` and `cluster`) only those of `NAN`. `text` stands as it is.
    """
    if column not in table.columns:
        return pl.Series(column, [known.default], dtype=known.dtype).new_from_index(0, table.height)
    values = _scalars(table[column], name=name, may_be_list=isinstance(known.dtype, pl.List))
    if isinstance(known.dtype, pl.List):
        return _refs(_without(values, MISSING))
    if column != "text":
        is_text = known.dtype == pl.String and column not in ANY_MISSING
        values = _without(values, NAN if is_text else MISSING)
    cast = _cast(values, known.dtype)
    lost = cast.is_null() & values.is_not_null()
    if lost.any():
        row = int(lost.arg_true()[0])
        raise TaskError(f"{name}, row {row + 1}: {_unreadable(column, values[row], known.dtype)}")
    return cast if known.default is None or column in KEY else cast.fill_null(known.default)


def _unreadable(column: str, value: Any, dtype: Any) -> str:
    percent = isinstance(value, str) and dtype == pl.Float64 and value.strip().endswith("%")
    advice = " (divide percentages by 100: 85% is 0.85)" if percent else ""
    return f"{column} is {value!r}, not {WANTED[dtype]}{advice}"


def _scalars(values: pl.Series, *, name: str, may_be_list: bool) -> pl.Series:
    """The column where it holds numbers, texts or truth values; raises TaskError for the rest."""
    if isinstance(values.dtype, pl.Categorical | pl.Enum | pl.Decimal):
        values = values.cast(pl.String)
    if may_be_list and isinstance(values.dtype, pl.List) and not values.dtype.inner.is_nested():
        return values
    is_nested = values.dtype.is_nested() or values.dtype in (pl.Object, pl.Binary)
    nested = values.is_not_null()
    if values.dtype == pl.String:
        nested = values.str.starts_with(NESTED).fill_null(False)
    if nested.any() and (is_nested or (values.dtype == pl.String and not may_be_list)):
        row = int(nested.arg_true()[0])
        shown = values[row]
        shown = shown.to_list() if isinstance(shown, pl.Series) else shown
        shown = shown.removeprefix(NESTED) if isinstance(shown, str) else shown
        raise TaskError(
            f"{name}, row {row + 1}: {values.name} is {str(shown)[:60]}; a text, a number or "
            "true or false is wanted, not a list or an object"
        )
    return values.cast(pl.String) if is_nested else values


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
    found = json.loads(text.removeprefix(NESTED))
    return [str(item) for item in found] if isinstance(found, list) else []
