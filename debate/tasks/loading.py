"""From a task's declaration to its questions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from typing import NamedTuple

from debate.config.task import Cell, DatasetTask, FileTask, GeneratorTask, TableTask, TaskSpec
from debate.errors import TaskError, suggestion
from debate.tasks.columns import table_item
from debate.tasks.datasets import DATASETS
from debate.tasks.generators import generated_items
from debate.tasks.items import Item, question
from debate.tasks.tables import Row, read_rows
from debate.types import Question


class Placed(NamedTuple):
    """An item and where a person finds it."""

    place: str
    item: Item


def load_questions(spec: TaskSpec) -> list[Question]:
    """The task's questions, filtered, in the order that its seed gives, up to its limit.

    The order depends on the seed and the ids alone, so a larger limit only adds questions. Raises
    TaskError, with the place, the value and what would be right, for a row that is no question,
    for an id that occurs twice, and for a filter that keeps nothing.
    """
    found: dict[str, tuple[str, Question]] = {}
    for place, item in _placed(spec):
        asked = _question(place, item, spec)
        if asked.id in found:
            raise TaskError(_repeated(asked, item, place, found[asked.id][0]))
        found[asked.id] = place, asked
    ordered = _ordered([asked for _, asked in found.values()], spec)
    return ordered[: spec.limit]


def fingerprint(questions: Sequence[Question]) -> str:
    """A hash of everything about the questions, targets too, in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for asked in questions:
        digest.update(json.dumps(astuple(asked)).encode() + b"\n")
    return digest.hexdigest()


def _placed(spec: TaskSpec) -> Iterator[Placed]:
    """The items that pass the filter."""
    if isinstance(spec, GeneratorTask):
        items = generated_items(spec)
        rows = [Row("task", {"category": i.category, "id": i.id, "text": i.text}) for i in items]
        kept = {row.cells["id"] for row in _kept(rows, spec)}
        return (Placed(f'question "{i.id}"', i) for i in items if i.id in kept)
    if isinstance(spec, DatasetTask) and spec.dataset not in DATASETS:
        known = suggestion(spec.dataset, DATASETS)
        raise TaskError(f'task.dataset: "{spec.dataset}" is unknown; {known}')
    return (Placed(row.place, _item(row, spec)) for row in _kept(read_rows(spec.path), spec))


def _item(row: Row, spec: TableTask | DatasetTask) -> Item:
    try:
        return table_item(row, spec) if isinstance(spec, TableTask) else DATASETS[spec.dataset](row)
    except KeyError as cause:
        there = ", ".join(map(str, row.cells))
        raise TaskError(f"{row.place}: there is no column {cause}; there are: {there}") from None
    except TaskError:
        raise
    except ValueError as cause:
        raise TaskError(f"{row.place}: {cause}") from None


def _question(place: str, item: Item, spec: TaskSpec) -> Question:
    try:
        return question(item, spec.scoring)
    except ValueError as cause:
        raise TaskError(f"{place}: {cause}") from None


def _repeated(asked: Question, item: Item, place: str, first: str) -> str:
    if item.id is None:
        return f"{place}: asks the same as {first}; remove one, or name a column with ids"
    return f'{place}: id "{asked.id}" is also that of {first}; ids must be unique'


def _ordered(questions: list[Question], spec: TaskSpec) -> list[Question]:
    seed = spec.seed if isinstance(spec, FileTask) else None
    if seed is None:
        return questions
    return sorted(questions, key=lambda asked: _draw(f"{seed}/{asked.id}"))


def _draw(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _kept(rows: Iterable[Row], spec: TaskSpec) -> Iterator[Row]:
    """The rows that pass the filter. Raises TaskError where none is left, or there was none."""
    num_read = num_kept = 0
    for row in rows:
        num_read += 1
        if all(_passes(row, column, wanted) for column, wanted in spec.filter.items()):
            num_kept += 1
            yield row
    if num_read == 0:
        raise TaskError(f"{getattr(spec, 'path', 'task')}: there is no question in it")
    if num_kept == 0:
        raise TaskError(
            f"task.filter: none of the {num_read} rows passes {dict(spec.filter)}; "
            f"the last one has {_seen(row, spec)}"
        )


def _passes(row: Row, column: str, wanted: Cell | tuple[Cell, ...]) -> bool:
    if column not in row.cells:
        known = suggestion(column, row.cells)
        raise TaskError(f'{row.place}: task.filter names the column "{column}"; {known}')
    values = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(_same(row.cells[column], value) for value in values)


def _same(cell: object, wanted: Cell) -> bool:
    """Whether a cell holds the value; text files hold 3 and true as texts."""
    if cell is None or wanted is None:
        return cell is None and wanted is None
    return cell == wanted or str(cell).casefold() == str(wanted).casefold()


def _seen(row: Row, spec: TaskSpec) -> str:
    return ", ".join(f"{column}: {str(row.cells[column])[:60]!r}" for column in spec.filter)
