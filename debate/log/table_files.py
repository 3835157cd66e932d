"""Files that hold a table: CSV, TSV, Parquet, JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import polars as pl

from debate.errors import TaskError

READERS: Mapping[str, Callable[[BinaryIO], pl.DataFrame]] = {
    ".csv": lambda file: pl.read_csv(file, infer_schema=False),
    ".tsv": lambda file: pl.read_csv(file, infer_schema=False, separator="\t"),
    ".parquet": pl.read_parquet,
    ".jsonl": lambda file: pl.read_ndjson(file, infer_schema_length=None),
    ".ndjson": lambda file: pl.read_ndjson(file, infer_schema_length=None),
}


def read_file(path: Path) -> pl.DataFrame:
    """The table in a file, by its ending. Raises TaskError.

    The file is opened by its name as it stands: `[` and `*` in a name are no pattern.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise TaskError(f'{path}: a table ends in {", ".join(READERS)}, not "{path.suffix}"')
    try:
        with path.open("rb") as file:
            return reader(file)
    except (OSError, pl.exceptions.PolarsError) as cause:
        raise TaskError(f"{path} cannot be read as a table: {cause}") from cause
