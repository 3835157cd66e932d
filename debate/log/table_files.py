"""Files that hold a table: CSV, TSV, Parquet, JSON lines."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import polars as pl

from debate.errors import TaskError

LINES_AT_ONCE = 50_000
NESTED = "\0"
"""What a list or an object of a JSON line begins with, as text, before its JSON."""


def read_file(path: Path) -> pl.DataFrame:
    """The table in a file, by its ending. Raises TaskError.

    The file is opened by its name as it stands: `[` and `*` in a name are no pattern. CSV, TSV and
    JSON lines give texts as they are written, so that no digit of a long number is lost.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise TaskError(f'{path}: a table ends in {", ".join(READERS)}, not "{path.suffix}"')
    try:
        with path.open("rb") as file:
            return reader(file)
    except (OSError, ValueError, RecursionError, pl.exceptions.PolarsError) as cause:
        raise TaskError(f"{path} cannot be read as a table: {cause}") from cause


def _read_json_lines(file: BinaryIO) -> pl.DataFrame:
    """One object a line, every value as text: a number as it is written, a list as marked JSON.

    NaN, which is no JSON but what Python's writer makes of it, is null.
    """
    parts = []
    rows = _objects(file)
    while chunk := list(islice(rows, LINES_AT_ONCE)):
        names = dict.fromkeys(name for row in chunk for name in row)
        texts = {name: _texts([row.get(name) for row in chunk]) for name in names}
        parts.append(pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String)))
    return pl.concat(parts, how="diagonal") if parts else pl.DataFrame()


def _objects(file: BinaryIO) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = _decode(line.removeprefix(BOM_UTF8) if number == 1 else line)
        except (ValueError, RecursionError) as cause:
            raise ValueError(f"line {number} is not JSON: {cause}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number}: expected an object with columns, found {line[:40]!r}")
        yield row


def _decode(line: bytes) -> Any:
    """The line's value; the fast reader takes no NaN, and says less of what is wrong."""
    try:
        return _FAST.decode(line)
    except msgspec.DecodeError:
        return _LENIENT.decode(line.decode("utf-8"))


def _constant(written: str) -> str | None:
    return None if written == "NaN" else written


_FAST = msgspec.json.Decoder(float_hook=str)
_LENIENT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_constant)


def _texts(values: list[Any]) -> list[str | None]:
    return values if {*map(type, values)} <= {str, type(None)} else [*map(_written, values)]


def _written(value: Any) -> str | None:
    if isinstance(value, str | None):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else NESTED + json.dumps(value)


READERS: Mapping[str, Callable[[BinaryIO], pl.DataFrame]] = {
    ".csv": lambda file: pl.read_csv(file, infer_schema=False),
    ".tsv": lambda file: pl.read_csv(file, infer_schema=False, separator="\t"),
    ".parquet": pl.read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
