"""Rows to questions, by a mapping of columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from debate.config.task import ColumnsSpec, TableTask
from debate.errors import TaskError, suggestion
from debate.tasks.choice import LETTERS, target_letter
from debate.tasks.items import Item
from debate.tasks.tables import Row

USUAL: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "question": ("question", "problem", "prompt", "input"),
    "target": ("target", "answer"),
    "options": ("options", "choices"),
    "category": ("category", "subject"),
    "cluster": ("cluster",),
}
"""Where a column is looked for that the task does not name; the first one there is taken."""


def table_item(row: Row, spec: TableTask) -> Item:
    """The row as an item. Raises TaskError that names the columns there are."""
    named = spec.columns
    options = _options(row, named) if spec.kind == "choice" else ()
    target = _cell(row, named, "target", needed=spec.scored)
    if target is not None and spec.kind == "choice":
        target = target_letter(target, options, written_as=spec.target_as)
    question = _cell(row, named, "question", needed=True)
    if not isinstance(question, str):
        raise ValueError(f"the question is {question!r}; it must be a text")
    return Item(
        id=_text(_cell(row, named, "id", needed=named.id is not None)),
        text=question,
        kind=spec.kind,
        target=_text(target),
        options=options,
        category=_text(_cell(row, named, "category", needed=False)),
        cluster=_text(_cell(row, named, "cluster", needed=False)),
    )


def _text(cell: Any) -> str | None:
    """A scalar cell as text; None for an absent or empty one."""
    if isinstance(cell, bool | list | dict):
        raise ValueError(f"{cell!r} is neither a text nor a number")
    return str(cell).strip() or None if cell is not None else None


def _cell(row: Row, named: ColumnsSpec, field: str, *, needed: bool) -> Any:
    """The cell for a field; None where it is empty or the column is not there."""
    column = getattr(named, field)
    found = column or next((name for name in USUAL[field] if name in row.cells), None)
    if found not in row.cells and (needed or column is not None):
        raise TaskError(f"{row.place}: {_no_column(row, field, column)}")
    cell = row.cells.get(found) if found is not None else None
    if needed and (cell is None or cell == ""):
        hint = "; write `scored: false` to ask it unscored" if field == "target" else ""
        raise ValueError(f'column "{found}" is empty, and it holds the {field}{hint}')
    return cell


def _no_column(row: Row, field: str, column: str | None) -> str:
    """What is wrong and which columns there are."""
    if column is not None:
        return f'there is no column "{column}" ({field}); {suggestion(column, row.cells)}'
    usual = " or ".join(f'"{name}"' for name in USUAL[field])
    there = ", ".join(map(str, row.cells))
    return (
        f"no column {usual} holds the {field}; name it under `columns: {{{field}: …}}`; "
        f"there are: {there}"
    )


def _options(row: Row, named: ColumnsSpec) -> tuple[str, ...]:
    """The options in the order of their letters."""
    if isinstance(named.options, tuple):
        missing = [column for column in named.options if column not in row.cells]
        if missing:
            raise TaskError(f"{row.place}: {_no_column(row, 'options', missing[0])}")
        cells: Any = [row.cells[column] for column in named.options]
    else:
        cells = _listed(_cell(row, named, "options", needed=True))
    while cells and cells[-1] in (None, ""):
        cells = cells[:-1]
    options = tuple(_text(cell) or "" for cell in cells)
    if not 2 <= len(options) <= len(LETTERS) or not all(options):
        raise ValueError(
            f"options are {list(cells)!r}; 2 to {len(LETTERS)} non-empty ones are needed"
        )
    return options


def _listed(cell: Any) -> Sequence[Any]:
    """A column of options as a list: a list, JSON of one, or a mapping from A, B, ….

    Raises ValueError for anything else.
    """
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        cell = json.loads(cell)
    if isinstance(cell, Mapping) and sorted(cell) == list(LETTERS[: len(cell)]):
        cell = [cell[letter] for letter in sorted(cell)]
    if not isinstance(cell, list):
        raise ValueError(f"options are {cell!r}; a list is needed, or one column for each option")
    return cell
