"""From a task's declaration to its questions."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from debate.config.task import Cell, DatasetTask, FileTask, GeneratorTask, TableTask, TaskSpec
from debate.errors import TaskError, suggestion
from debate.hashes import repeated
from debate.tasks.columns import table_item
from debate.tasks.datasets import DATASETS
from debate.tasks.generators import generated_items
from debate.tasks.items import Item, question
from debate.tasks.shelf import Shelf
from debate.tasks.tables import Row, read_rows
from debate.types import Question


class Placed(NamedTuple):
    """An item and where a person finds it."""

    place: str
    item: Item


def load_questions(spec: TaskSpec) -> Shelf:
    """The task's questions, filtered, in the order that its seed gives, up to its limit.

    The order depends on the seed and the ids alone, so a larger limit only adds questions. Raises
    TaskError, with the place, the value and what would be right, for a row that is no question,
    for an id that occurs twice, and for a filter that keeps nothing.
    """
    ids, draws = array("q"), bytearray()
    seed = spec.seed if isinstance(spec, FileTask) else None

    def found() -> Iterator[Question]:
        for place, item in _placed(spec):
            asked = _question(place, item, spec)
            ids.append(hash(asked.id))
            draws.extend(b"" if seed is None else _draw(f"{seed}/{asked.id}"))
            yield asked

    shelf = Shelf(found())
    _refuse_repeats(spec, ids)
    order = np.arange(len(shelf)) if seed is None else _order(draws)
    shelf.keep(order[: spec.limit])
    return shelf


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


def _refuse_repeats(spec: TaskSpec, ids: array[int]) -> None:
    """Raise TaskError for the first id that occurs twice. `ids` are the hashes of all."""
    twice = set(repeated(ids).tolist())
    first: dict[str, str] = {}
    for place, item in _placed(spec) if twice else ():
        asked = _question(place, item, spec)
        if hash(asked.id) not in twice:
            continue
        if asked.id in first:
            raise TaskError(_repeated(asked, item, place, first[asked.id]))
        first[asked.id] = place


def _repeated(asked: Question, item: Item, place: str, first: str) -> str:
    if item.id is None:
        return f"{place}: asks the same as {first}; remove one, or name a column with ids"
    return f'{place}: id "{asked.id}" is also that of {first}; ids must be unique'


def _order(draws: bytearray) -> npt.NDArray[np.int64]:
    """The positions of the draws, smallest draw first."""
    high, low = np.frombuffer(draws, dtype=">u8").reshape(-1, 2).T
    order: npt.NDArray[np.int64] = np.lexsort((low, high))
    return order


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
