"""Rows of data files, the items that they state, and the questions that items become."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars

from debate.config.task import ColumnsSpec, ScoringSpec, TableTask
from debate.errors import TaskError, suggest
from debate.tasks.choice import LETTERS, find_target_letter
from debate.tasks.mathematics import normalise_math, require_math_verify
from debate.tasks.number import normalise_number
from debate.tasks.scoring import validate_pattern
from debate.tasks.values import strip_formatting
from debate.types import AnswerKind, Question

MAX_ID_LENGTH = 200
USUAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "question": ("question", "problem", "prompt", "input"),
    "target": ("target", "answer"),
    "options": ("options", "choices"),
    "category": ("category", "subject"),
    "cluster": ("cluster",),
}
"""Names under which a column is found that the task does not name; the first one there wins."""


class DataRow(NamedTuple):
    """One row of a data file; `location` says where a person finds it."""

    location: str
    cells: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One question as its source writes it; `id` is None where the source gives none."""

    id: str | None = None
    text: str
    kind: AnswerKind
    target: str | None = field(default=None, repr=False)
    options: tuple[str, ...] = ()
    category: str | None = None
    cluster: str | None = None


def read_rows(path: str) -> Iterator[DataRow]:
    """Return the rows of a JSONL, CSV, TSV or Parquet file in order.

    Raises TaskError for a file that cannot be read.
    """
    file = Path(path)
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise TaskError(
            f'{path}: cannot tell the format of "{file.name}"; '
            f"give it one of these endings: {', '.join(sorted(READERS))}"
        )
    if not file.is_file():
        near = sorted(p.name for p in file.parent.glob("*") if p.suffix.lower() in READERS)
        hint = suggest(file.name, near) if near else "there are no data files in that folder"
        raise TaskError(f"{path}: there is no such file; {hint}")
    return reader(file)


def _read_jsonl(file: Path) -> Iterator[DataRow]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield DataRow(f"{file}:{number}", _parse_line(line, f"{file}:{number}"))


def _parse_line(line: bytes, location: str) -> Mapping[str, Any]:
    try:
        cells = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as cause:
        raise TaskError(f"{location}: this line is not JSON: {cause}") from None
    if not isinstance(cells, dict):
        raise TaskError(f"{location}: expected a JSON object with columns, found {line[:40]!r}")
    return cells


def _read_csv(file: Path, *, separator: str) -> Iterator[DataRow]:
    """Return rows whose cells are texts, as they stand; an empty one is absent."""
    return _read_frame(file, partial(polars.read_csv, separator=separator, infer_schema=False))


def _read_parquet(file: Path) -> Iterator[DataRow]:
    return _read_frame(file, polars.read_parquet)


def _read_frame(file: Path, read: Callable[[Path], polars.DataFrame]) -> Iterator[DataRow]:
    try:
        frame = read(file)
    except (polars.exceptions.PolarsError, OSError, UnicodeError) as cause:
        first = str(cause).strip().splitlines()[0]
        raise TaskError(f"{file}: cannot be read as {file.suffix[1:].upper()}: {first}") from None
    for number, cells in enumerate(frame.iter_rows(named=True), start=1):
        yield DataRow(f"{file}, row {number}", cells)


READERS: Mapping[str, Callable[[Path], Iterator[DataRow]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": partial(_read_csv, separator=","),
    ".tsv": partial(_read_csv, separator="\t"),
    ".parquet": _read_parquet,
}
"""A reader for each ending of a file's name."""


def map_columns(row: DataRow, spec: TableTask) -> Item:
    """Return the row as an item, by the task's names of columns.

    Raises TaskError that names the columns there are, ValueError for a cell that cannot be used.
    """
    named = spec.columns
    options = _read_options(row, named) if spec.kind == "choice" else ()
    target = _get_cell(row, named, "target", is_needed=spec.scored)
    if target is not None and spec.kind == "choice":
        target = find_target_letter(target, options, written_as=spec.target_as)
    question = _get_cell(row, named, "question", is_needed=True)
    if not isinstance(question, str):
        raise ValueError(f"the question is {question!r}; it must be a text")
    return Item(
        id=_to_text(_get_cell(row, named, "id", is_needed=named.id is not None)),
        text=question,
        kind=spec.kind,
        target=_to_text(target),
        options=options,
        category=_to_text(_get_cell(row, named, "category", is_needed=False)),
        cluster=_to_text(_get_cell(row, named, "cluster", is_needed=False)),
    )


def _to_text(cell: Any) -> str | None:
    """Return a scalar cell as text; None for an absent or empty one."""
    if isinstance(cell, bool | list | dict):
        raise ValueError(f"{cell!r} is neither a text nor a number")
    return str(cell).strip() or None if cell is not None else None


def _get_cell(row: DataRow, named: ColumnsSpec, field: str, *, is_needed: bool) -> Any:
    """Return the cell for a field; None where it is empty or the column is not there."""
    column = getattr(named, field)
    found = column or next((name for name in USUAL_COLUMNS[field] if name in row.cells), None)
    if found not in row.cells and (is_needed or column is not None):
        raise TaskError(f"{row.location}: {_explain_missing_column(row, field, column)}")
    cell = row.cells.get(found) if found is not None else None
    if is_needed and (cell is None or cell == ""):
        hint = "; write `scored: false` to ask it unscored" if field == "target" else ""
        raise ValueError(f'column "{found}" is empty, and it holds the {field}{hint}')
    return cell


def _explain_missing_column(row: DataRow, field: str, column: str | None) -> str:
    """Return what is wrong and which columns there are."""
    if column is not None:
        return f'there is no column "{column}" ({field}); {suggest(column, row.cells)}'
    usual = " or ".join(f'"{name}"' for name in USUAL_COLUMNS[field])
    there = ", ".join(map(str, row.cells))
    return (
        f"no column {usual} holds the {field}; name it under `columns: {{{field}: …}}`; "
        f"there are: {there}"
    )


def _read_options(row: DataRow, named: ColumnsSpec) -> tuple[str, ...]:
    """Return the options in the order of their letters."""
    if isinstance(named.options, tuple):
        missing = [column for column in named.options if column not in row.cells]
        if missing:
            what = _explain_missing_column(row, "options", missing[0])
            raise TaskError(f"{row.location}: {what}")
        cells: Any = [row.cells[column] for column in named.options]
    else:
        cells = _to_list(_get_cell(row, named, "options", is_needed=True))
    while cells and cells[-1] in (None, ""):
        cells = cells[:-1]
    options = tuple(_to_text(cell) or "" for cell in cells)
    if not 2 <= len(options) <= len(LETTERS) or not all(options):
        raise ValueError(
            f"options are {list(cells)!r}; 2 to {len(LETTERS)} non-empty ones are needed"
        )
    return options


def _to_list(cell: Any) -> Sequence[Any]:
    """Return a cell of options as a list: from a list, JSON of one, or a mapping from A, B, ….

    Raises ValueError for anything else.
    """
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        cell = json.loads(cell)
    if isinstance(cell, Mapping) and sorted(cell) == list(LETTERS[: len(cell)]):
        cell = [cell[letter] for letter in sorted(cell)]
    if not isinstance(cell, list):
        raise ValueError(f"options are {cell!r}; a list is needed, or one column for each option")
    return cell


def to_question(item: Item, scoring: ScoringSpec) -> Question:
    """Return the item as a question with its target in canonical form.

    Raises ValueError for an empty text, an unusable id, or a target that no answer could equal.
    """
    if not item.text.strip():
        raise ValueError("the question is empty")
    if item.kind == "math":
        require_math_verify()
    json.dumps(astuple(item), ensure_ascii=False).encode()  # UnicodeEncodeError: a lone surrogate
    return Question(
        id=hash_content(item) if item.id is None else _validate_id(item.id),
        text=item.text,
        kind=item.kind,
        options=item.options,
        category=item.category,
        cluster=item.cluster,
        target=None if item.target is None else _to_target(item.target, item.kind, scoring),
    )


def hash_content(item: Item) -> str:
    """Return an id by what is asked: the same question has the same id in every file.

    >>> hash_content(Item(text="2+2", kind="number"))
    '2398266c9e80'
    """
    content = json.dumps([item.text, item.options], ensure_ascii=False)
    return hashlib.blake2b(content.encode(errors="surrogatepass"), digest_size=6).hexdigest()


def _validate_id(id: str) -> str:
    if len(id) > MAX_ID_LENGTH or not id.isprintable():
        raise ValueError(f"id {id[:60]!r} must be printable and at most {MAX_ID_LENGTH} characters")
    return id


def _to_target(target: str, kind: AnswerKind, scoring: ScoringSpec) -> str:
    """Return the reference answer as a right answer would be recorded; a pattern as it stands."""
    if kind == "number":
        number = normalise_number(target)
        if number is None:
            raise ValueError(f"target {target!r} is not a number; `kind: text` takes it as it is")
        return number
    if scoring.match == "regex":
        validate_pattern(target)
        return target
    plain = strip_formatting(target)
    if not plain:
        raise ValueError(f"target {target[:60]!r} has nothing left to compare with")
    if kind == "math" and normalise_math(plain) is None:
        raise ValueError(
            f"target {target[:60]!r} cannot be read as mathematics; `kind: text` takes it as it is"
        )
    return plain
