"""Rows of JSONL, CSV, TSV and Parquet files, each with its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars

from debate.errors import TaskError, suggestion


class Row(NamedTuple):
    """One row, and where a person finds it."""

    place: str
    cells: Mapping[str, Any]


def read_rows(path: str) -> Iterator[Row]:
    """The file's rows in order. Raises TaskError for what cannot be read."""
    file = Path(path)
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise TaskError(
            f'{path}: cannot tell the format of "{file.name}"; '
            f"give it one of these endings: {', '.join(sorted(READERS))}"
        )
    if not file.is_file():
        near = sorted(p.name for p in file.parent.glob("*") if p.suffix.lower() in READERS)
        hint = suggestion(file.name, near) if near else "there are no data files in that folder"
        raise TaskError(f"{path}: there is no such file; {hint}")
    return reader(file)


def _jsonl(file: Path) -> Iterator[Row]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield Row(f"{file}:{number}", _object(line, f"{file}:{number}"))


def _object(line: bytes, place: str) -> Mapping[str, Any]:
    try:
        cells = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as cause:
        raise TaskError(f"{place}: this line is not JSON: {cause}") from None
    if not isinstance(cells, dict):
        raise TaskError(f"{place}: expected a JSON object with columns, found {line[:40]!r}")
    return cells


def _csv(separator: str) -> Callable[[Path], Iterator[Row]]:
    """Every cell is text, as it stands; an empty one is absent."""

    def read(file: Path) -> Iterator[Row]:
        return _frame(file, lambda: polars.read_csv(file, separator=separator, infer_schema=False))

    return read


def _parquet(file: Path) -> Iterator[Row]:
    return _frame(file, lambda: polars.read_parquet(file))


def _frame(file: Path, read: Callable[[], polars.DataFrame]) -> Iterator[Row]:
    try:
        frame = read()
    except (polars.exceptions.PolarsError, OSError, UnicodeError) as cause:
        first = str(cause).strip().splitlines()[0]
        raise TaskError(f"{file}: cannot be read as {file.suffix[1:].upper()}: {first}") from None
    for number, cells in enumerate(frame.iter_rows(named=True), start=1):
        yield Row(f"{file}, row {number}", cells)


READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _csv(","),
    ".tsv": _csv("\t"),
    ".parquet": _parquet,
}
"""A reader for each ending of a file's name."""
