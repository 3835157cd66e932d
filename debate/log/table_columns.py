"""The columns of a foreign table: reading them from files, and casting their values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import polars as pl

from debate.errors import TaskError
from debate.input_files import find_file_problem
from debate.tasks.data_files import (
    MISSING,
    NAN,
    explain_decimal_comma,
    explain_json,
    find_separator,
    get_ending,
    make_object,
    open_text,
    parse_csv,
    read_header,
)

LARGEST_EXACT = 2.0**53
"""Up to here a 64-bit float holds every whole number exactly."""


class TableColumn(NamedTuple):
    """A column of a foreign table: its type, and its value where it is absent."""

    dtype: Any
    default: Any = None
    is_required: bool = False


COLUMNS: Mapping[str, TableColumn] = {
    "question_id": TableColumn(pl.String, is_required=True),
    "round": TableColumn(pl.Int64, is_required=True),
    "agent": TableColumn(pl.String, is_required=True),
    "answer": TableColumn(pl.String),
    "target": TableColumn(pl.String),
    "correct": TableColumn(pl.Boolean),
    "arm": TableColumn(pl.String, "main"),
    "seed": TableColumn(pl.Int64, 0),
    "model": TableColumn(pl.String),
    "prompt_set": TableColumn(pl.String),
    "confidence": TableColumn(pl.Float64),
    "belief_own": TableColumn(pl.Float64),
    "belief_target": TableColumn(pl.Float64),
    "belief_answer": TableColumn(pl.Float64),
    "log_p_own": TableColumn(pl.Float64),
    "log_p_target": TableColumn(pl.Float64),
    "log_p_answer": TableColumn(pl.Float64),
    "belief_mass": TableColumn(pl.Float64),
    "confidence_source": TableColumn(pl.String),
    "heard": TableColumn(pl.List(pl.String)),
    "category": TableColumn(pl.String),
    "cluster": TableColumn(pl.String),
    "text": TableColumn(pl.String),
    "failed": TableColumn(pl.Boolean, False),
    "prompt_tokens": TableColumn(pl.Int64),
    "cached_tokens": TableColumn(pl.Int64),
    "generated_tokens": TableColumn(pl.Int64),
}
KEY = ("question_id", "arm", "seed", "agent", "model", "round")
"""The columns that tell rows apart; none of them may be empty."""
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
ANY_MISSING = ("heard", "cluster", "prompt_set")
"""Columns of texts in which every word of `MISSING` is a missing value."""


def cast_column(table: pl.DataFrame, column: str, known: TableColumn, *, name: str) -> pl.Series:
    """Cast a column to its type, or make it of its default. `name` is the table's, for errors.

    Null, nan in a column of numbers, and the words of `MISSING` become null; in a column of texts
    (except those of `ANY_MISSING`) only the words of `NAN` do. `text` is left as it is. Raises
    TaskError for a value of another type.
    """
    if column not in table.columns:
        return pl.Series(column, [known.default], dtype=known.dtype).new_from_index(0, table.height)
    values = table[column]
    if isinstance(values.dtype, pl.Categorical | pl.Enum | pl.Decimal):
        values = values.cast(pl.String)
    _require_values(values, _find_unfit(values, known.dtype), known.dtype, name)
    if known.dtype == pl.List(pl.String):
        return _parse_refs(_drop_words(values, MISSING))
    if column != "text":
        is_text = known.dtype == pl.String and column not in ANY_MISSING
        values = _drop_words(values, NAN if is_text else MISSING)
    cast = _cast_values(values, known.dtype)
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
        + (explain_decimal_comma(value) if dtype == pl.Float64 else "")
    )


def _find_unfit(values: pl.Series, dtype: Any) -> pl.Series:
    """Mark the values that cannot be of this type: lists, objects, dates."""
    found, is_list = values.dtype, isinstance(dtype, pl.List)
    if found == pl.String:
        return values.str.starts_with(NESTED).fill_null(False) & pl.Series([not is_list])
    if is_list:
        fits = found == pl.Null or (isinstance(found, pl.List) and not found.inner.is_nested())
    else:
        fits = found in (pl.Boolean, pl.Null) or found.is_numeric()
        fits |= dtype == pl.String and found in (pl.Date, pl.Datetime, pl.Time)
    return values.is_not_null() & pl.Series([not fits])


def _drop_words(values: pl.Series, words: tuple[str, ...]) -> pl.Series:
    """Replace nan, and texts that are one of these words, by null."""
    if values.dtype.is_float():
        return values.fill_nan(None)
    if values.dtype != pl.String:
        return values
    plain = values.str.strip_chars().str.to_lowercase()
    return values.set(plain.is_in(list(words)).fill_null(False), None)


def _cast_values(values: pl.Series, dtype: Any) -> pl.Series:
    """Cast values to this type; null where they cannot be cast, or are missing."""
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


def _parse_refs(values: pl.Series) -> pl.Series:
    """Parse lists of references: a list, its JSON, or texts separated by blanks."""
    if values.dtype != pl.String:
        return values.cast(pl.List(pl.String))
    nested = values.str.starts_with(NESTED).fill_null(False)
    refs = values.str.extract_all(r"\S+")
    if not nested.any():
        return refs
    listed = [
        _parse_list(text) if is_list else found
        for text, is_list, found in zip(values, nested, refs.to_list(), strict=True)
    ]
    return pl.Series(values.name, listed, dtype=pl.List(pl.String))


def _parse_list(text: str) -> list[str]:
    try:
        found = json.loads(text.removeprefix(NESTED))
    except ValueError:
        return text.split()
    return [str(item) for item in found if item is not None] if isinstance(found, list) else []


LINES_AT_ONCE = 50_000
NESTED = "\0"
"""The prefix of a list or an object of a JSON line when it is kept as text, before its JSON."""


def read_table_file(path: Path) -> pl.DataFrame:
    """Read the table in a file of any ending in `READERS`, the text ones also gzipped.

    `[` and `*` in a name are not taken as patterns. CSV, TSV and JSON give texts as they are
    written, so that no digit of a long number is lost. Raises TaskError, with the line.
    """
    reader = READERS.get(get_ending(path))
    if reader is None:
        raise TaskError(f'{path}: a table ends in {", ".join(READERS)}, not "{path.suffix}"')
    if problem := find_file_problem(path):
        raise TaskError(f"{path}: {problem}")
    try:
        return reader(path)
    except TaskError:
        raise
    except (OSError, ValueError, RecursionError, pl.exceptions.PolarsError) as cause:
        first = str(cause).strip().splitlines()[0]
        raise TaskError(f"{path} cannot be read as a table: {first}") from cause


def _read_csv(path: Path, separator: str) -> pl.DataFrame:
    with open_text(path) as file:
        data = file.read()
    separator = find_separator(data, separator, path)
    read_header(data, separator, path)
    return parse_csv(data, separator, path)


def _read_parquet(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:
        return pl.read_parquet(file)


def _read_json_lines(path: Path) -> pl.DataFrame:
    with open_text(path) as file:
        return _to_frame(_read_objects(file, path))


def _read_json(path: Path) -> pl.DataFrame:
    """Read a list of objects; or objects in lines, as some files of this ending hold."""
    with open_text(path) as file:
        content = file.read()
    try:
        rows = _LENIENT.decode(content.decode("utf-8"))
    except json.JSONDecodeError as cause:
        if cause.msg == "Extra data" and content.lstrip().startswith(b"{"):
            return _read_json_lines(path)
        raise TaskError(f"{path}:{cause.lineno}: {explain_json(cause, 'the file')}") from None
    except (ValueError, RecursionError) as cause:
        raise TaskError(f"{path}: {explain_json(cause, 'the file')}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TaskError(f"{path}: expected a list of objects with columns")
    return _to_frame(iter(rows))


def _to_frame(rows: Iterator[Mapping[str, Any]]) -> pl.DataFrame:
    """Make a frame of objects, every value as text: numbers as written, lists as marked JSON.

    NaN, which Python's json writes although it is not JSON, is null.
    """
    parts = []
    while chunk := list(islice(rows, LINES_AT_ONCE)):
        names = dict.fromkeys(name for row in chunk for name in row)
        texts = {name: _to_texts([row.get(name) for row in chunk]) for name in names}
        parts.append(pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String)))
    return pl.concat(parts, how="diagonal") if parts else pl.DataFrame()


def _read_objects(file: BinaryIO, path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = _decode_object(line)
        except (ValueError, RecursionError) as cause:
            raise TaskError(f"{path}:{number}: {explain_json(cause, 'this line')}") from None
        if not isinstance(row, dict):
            found = line[:40]
            raise TaskError(f"{path}:{number}: expected an object with columns, found {found!r}")
        yield row


def _decode_object(line: bytes) -> Any:
    """Return the line's value; a key that stands twice is a ValueError.

    The fast decoder keeps the last of two equal keys, refuses NaN, and tells errors in less detail.
    Where there are more marks of keys than keys, of which texts may hold some, the slow one looks.
    """
    try:
        row = _FAST.decode(line)
    except msgspec.DecodeError:
        return _LENIENT.decode(line.decode("utf-8"))
    if isinstance(row, dict) and len(_KEY_END.findall(line)) > len(row):
        return _LENIENT.decode(line.decode("utf-8"))
    return row


def _convert_constant(written: str) -> str | None:
    return None if written == "NaN" else written


_KEY_END = re.compile(rb'"\s*:')
_FAST = msgspec.json.Decoder(float_hook=str)
_LENIENT = json.JSONDecoder(
    parse_float=str,
    parse_int=str,
    parse_constant=_convert_constant,
    object_pairs_hook=make_object,
)


def _to_texts(values: list[Any]) -> list[str | None]:
    return values if {*map(type, values)} <= {str, type(None)} else [*map(_to_text, values)]


def _to_text(value: Any) -> str | None:
    if isinstance(value, str | None):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else NESTED + json.dumps(value)


READERS: Mapping[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": partial(_read_csv, separator=","),
    ".tsv": partial(_read_csv, separator="\t"),
    ".parquet": _read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
}
