"""Items, the questions as rows of data files state them, and the questions that they become."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from debate.config.task import ColumnsSpec, ScoringSpec, TableTask
from debate.errors import TaskError, suggest
from debate.sandbox import MAX_CODE
from debate.tasks.code_blocks import normalise_code
from debate.tasks.column_names import USUAL_COLUMNS, guess_columns
from debate.tasks.data_files import MISSING, NAN, explain_decimal_comma
from debate.tasks.data_files import DataRow as DataRow
from debate.tasks.mathematics import normalise_math, require_math_verify
from debate.tasks.number import normalise_number
from debate.tasks.options import (
    READINGS,
    YES_NO,
    Options,
    find_target,
    read_option_columns,
    read_options,
    read_truth,
)
from debate.tasks.scoring import validate_pattern
from debate.tasks.values import strip_formatting
from debate.types import AnswerKind, Question

LARGEST_EXACT = 2.0**53
"""Up to here a 64-bit float holds every whole number exactly."""
MAX_ID_LENGTH = 200


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
    tests: str | None = field(default=None, repr=False)
    is_right_first: bool = False
    """Whether the source lists the right option first, so that options are to be shuffled."""


def map_columns(row: DataRow, spec: TableTask, readings: Sequence[str] = READINGS) -> Item:
    """Return the row as an item, by the task's names of columns.

    readings: how a choice's target may name its option, where the task does not say. Raises
    TaskError that names the columns there are, ValueError for a cell that cannot be used.
    """
    named = spec.columns
    target = get_target(row, spec)
    options = get_options(row, spec) if spec.kind == "choice" else Options(())
    if target is not None and spec.kind == "choice":
        readings = readings if spec.target_as == "auto" else (spec.target_as,)
        target = find_target(target, options, readings)
    question = _get_cell(row, named, "question", is_needed=True)
    if not isinstance(question, str):
        raise ValueError(f"the question is {question!r}; it must be a text")
    return Item(
        id=to_text(_get_cell(row, named, "id", is_needed=named.id is not None)),
        text=question,
        kind=spec.kind,
        target=to_text(target),
        options=options.texts,
        category=to_text(_get_cell(row, named, "category", is_needed=False)),
        cluster=to_text(_get_cell(row, named, "cluster", is_needed=False)),
        tests=_get_tests(row, spec) if spec.kind == "code" else None,
    )


def _get_tests(row: DataRow, spec: TableTask) -> str | None:
    """Return the tests of a program, joined by line ends where they are a list."""
    cell = _get_cell(row, spec.columns, "tests", is_needed=spec.scored)
    tests = "\n".join(cell) if _is_list_of_texts(cell) else cell
    if tests is not None and not isinstance(tests, str):
        raise ValueError(f"tests {cell!r:.100} are neither a text nor a list of texts")
    return tests


def _is_list_of_texts(cell: Any) -> bool:
    return isinstance(cell, list) and all(isinstance(each, str) for each in cell)


def get_target(row: DataRow, spec: TableTask) -> Any:
    """Return the cell of the target; None where it is absent and need not be there.

    For a choice whose options are no column, true and false stand for yes and no.
    """
    cell = _get_cell(row, spec.columns, "target", is_needed=False)
    if isinstance(cell, list | dict):
        raise ValueError(f"target {cell!r:.100} is neither a text nor a number; it must be one")
    if spec.kind == "choice" and cell is not None and _is_yes_or_no(row, spec):
        return "yes" if read_truth(cell) else "no"
    if spec.kind == "number" and isinstance(cell, str) and cell.strip().lower() in MISSING:
        cell = None
    if cell is None and spec.scored and spec.kind != "code":
        _get_cell(row, spec.columns, "target", is_needed=True)
        raise ValueError(_explain_empty(row, spec.columns, "target"))
    if spec.kind != "choice" and isinstance(cell, bool):
        raise ValueError(
            f"target {cell} is neither a text nor a number; `kind: choice` asks for yes or no"
        )
    return cell


def get_options(row: DataRow, spec: TableTask) -> Options:
    """Return the options in the order of their letters."""
    named = spec.columns
    if _is_yes_or_no(row, spec):
        return Options(YES_NO)
    if not isinstance(named.options, tuple):
        return read_options(_get_cell(row, named, "options", is_needed=True))
    cells = {column: find_cell(row, column, "options") for column in named.options}
    return read_option_columns(cells, named.options)


def _is_yes_or_no(row: DataRow, spec: TableTask) -> bool:
    """Return whether the target is a truth value, and nothing states the options."""
    if spec.columns.options is not None or _find_usual(row, "options") is not None:
        return False
    return read_truth(_get_cell(row, spec.columns, "target", is_needed=False)) is not None


def require_text(row: DataRow, column: str) -> str:
    """Return a cell that must hold a text or a number, as a text.

    Raises ValueError where it is absent or something else, KeyError where there is no such column.
    """
    text = to_text(row.cells[column])
    if text is None:
        raise ValueError(f'column "{column}" is empty')
    return text


def to_text(cell: Any) -> str | None:
    """Return a scalar cell as text; None for an absent or empty one, and for nan."""
    if isinstance(cell, bool | list | dict | bytes):
        raise ValueError(f"{cell!r} is neither a text nor a number")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < LARGEST_EXACT:
        cell = int(cell)
    text = "" if cell is None else str(cell).strip()
    return None if text.lower() in NAN else text


def _get_cell(row: DataRow, named: ColumnsSpec, field: str, *, is_needed: bool) -> Any:
    """Return the cell for a field; None where it is empty or the column is not there."""
    column = getattr(named, field)
    if column is not None:
        cell = find_cell(row, column, field)
    elif (usual := _find_usual(row, field)) is not None:
        cell = row.cells[usual]
    elif is_needed:
        raise TaskError(f"{row.location}: {_explain_missing_column(row, field)}")
    else:
        return None
    if isinstance(cell, str) and cell.strip().lower() in NAN:
        cell = None
    if is_needed and cell is None:
        raise ValueError(_explain_empty(row, named, field))
    return cell


def _find_usual(row: DataRow, field: str) -> str | None:
    """Return the usual name of a field's column that is there."""
    return next((name for name in USUAL_COLUMNS[field] if name in row.cells), None)


def find_cell(row: DataRow, column: str, field: str) -> Any:
    """Return the cell of a column, or of a part of one, as in `question.stem`.

    Raises TaskError where it is not there.
    """
    cells: Any = row.cells
    if column in cells:
        return cells[column]
    parts = column.split(".")
    for place, part in enumerate(parts):
        if not isinstance(cells, Mapping) or part not in cells:
            above = ".".join(parts[:place])
            known = cells if isinstance(cells, Mapping) else row.cells
            names = [f"{above}.{name}" if above else str(name) for name in known]
            what = f'there is no column "{column}" ({field}); {suggest(column, names)}'
            raise TaskError(f"{row.location}: {what}")
        cells = cells[part]
    return cells


def _explain_empty(row: DataRow, named: ColumnsSpec, field: str) -> str:
    found = getattr(named, field) or _find_usual(row, field)
    hint = "; write `scored: false` to ask it unscored" if field == "target" else ""
    return f'column "{found}" is empty, and it holds the {field}{hint}'


def _explain_missing_column(row: DataRow, field: str) -> str:
    """Return under which names a column was looked for, and which columns there are."""
    usual = " or ".join(f'"{name}"' for name in USUAL_COLUMNS[field])
    there = ", ".join(map(str, row.cells))
    guess = guess_columns(row.cells).get(field, "…")
    name = f"[{', '.join(guess)}]" if isinstance(guess, tuple) else guess
    return (
        f"no column {usual} holds the {field}; name it under `columns: {{{field}: {name}}}`; "
        f"there are: {there}"
    )


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
        category=to_text(item.category),
        cluster=to_text(item.cluster),
        target=None if item.target is None else _to_target(item.target, item.kind, scoring),
        tests=None if item.tests is None else _validate_tests(item.tests),
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


def _validate_tests(tests: str) -> str:
    if not tests.strip():
        raise ValueError("the tests are empty; write `scored: false` to ask it unscored")
    if len(tests.encode()) > MAX_CODE // 2:
        raise ValueError(f"the tests are longer than {MAX_CODE // 2:,} bytes")
    return normalise_code(tests)


def _to_target(target: str, kind: AnswerKind, scoring: ScoringSpec) -> str:
    """Return the reference answer as a right answer would be recorded; a pattern as it stands."""
    if kind == "number":
        number = normalise_number(target)
        if number is None:
            hint = "`dataset: gsm8k` reads" if "####" in target else "`kind: text` takes"
            way_on = explain_decimal_comma(target) or f"; {hint} it as it is"
            raise ValueError(f"target {target!r:.200} is not a number{way_on}")
        return number
    if kind == "code":
        return normalise_code(target)
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
