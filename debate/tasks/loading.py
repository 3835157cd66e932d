"""Load a task's questions: rows or generated items, filtered, in the order of the seed."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from debate.config.registry import is_custom, list_entry_points
from debate.config.synonyms import translate_value
from debate.config.task import (
    ColumnValue,
    DatasetTask,
    FileTask,
    GeneratorTask,
    TableTask,
    TaskSpec,
)
from debate.errors import TaskError, suggest
from debate.hashes import find_repeated
from debate.sandbox import explain_lack
from debate.tasks.arithmetic import FAMILIES, RESIDUES, ArithmeticQuestion, draw_questions
from debate.tasks.choice import LETTERS
from debate.tasks.data_files import DataRow, read_rows
from debate.tasks.datasets import DATASETS, NAMES, read_item
from debate.tasks.items import Item, get_options, get_target, map_columns, to_question
from debate.tasks.options import (
    DESCRIPTIONS,
    READINGS,
    TargetTally,
    read_target,
    shuffle_options,
)
from debate.tasks.question_store import QuestionStore
from debate.tasks.word_problems import WORD_FAMILIES, WordProblem, draw_word_problems
from debate.text import count_noun
from debate.types import Question


class LocatedItem(NamedTuple):
    """An item, and where a person finds it."""

    location: str
    item: Item


def load_questions(spec: TaskSpec) -> QuestionStore:
    """Return the task's questions, filtered, in the order that its seed gives, up to its limit.

    The order depends on the seed and the ids alone, so a larger limit only adds questions. Raises
    TaskError, with the place, the value and what would be right, for a row that is no question,
    for an id that occurs twice, and for a filter that keeps nothing.
    """
    _require_sandbox(spec)
    ids, draws = array("q"), bytearray()
    seed = spec.seed if isinstance(spec, FileTask) else None
    readings = settle_readings(spec)

    def read_questions() -> Iterator[Question]:
        for location, item in _read_items(spec, readings):
            question = _make_question(location, item, spec)
            ids.append(hash(question.id))
            draws.extend(b"" if seed is None else _hash_draw(f"{seed}/{question.id}"))
            yield question

    store = QuestionStore(read_questions())
    _refuse_repeats(spec, ids, readings)
    order = np.arange(len(store)) if seed is None else _sort_draws(draws)
    store.select(order[: spec.limit])
    return store


def _require_sandbox(spec: TaskSpec) -> None:
    """Raise TaskError where programs are asked for that could not be tested here."""
    is_tested = isinstance(spec, TableTask) and spec.kind == "code" and spec.scored
    if is_tested and (lack := explain_lack(spec.scoring.code.sandbox)):
        raise TaskError(f"`kind: code` runs tests in a sandbox, and {lack}")


def settle_readings(spec: TaskSpec) -> tuple[str, ...]:
    """Return how the targets of a table of choices name their options, by all that pass the filter.

    Raises TaskError where they can be read in two ways that differ.
    """
    if not isinstance(spec, TableTask) or spec.kind != "choice" or spec.target_as != "auto":
        return READINGS
    tally = TargetTally()
    for row in _filter(_open_rows(spec), spec):
        try:
            target = get_target(row, spec)
            if target is not None:
                tally.add(row.location, target, get_options(row, spec))
        except ValueError as cause:
            raise _locate(cause, row) from None
    return tally.choose_readings()


def _open_rows(spec: TableTask | DatasetTask) -> Iterator[DataRow]:
    if isinstance(spec, TableTask):
        return read_rows(spec.path, has_header=spec.header)
    return read_rows(spec.path, names=NAMES.get(spec.dataset, ()))


def _read_items(spec: TaskSpec, readings: tuple[str, ...]) -> Iterator[LocatedItem]:
    """Return the items that pass the filter."""
    if isinstance(spec, GeneratorTask):
        items = generate_items(spec)
        cells = [{"category": i.category, "id": i.id, "text": i.text} for i in items]
        rows = _filter((DataRow("task", each) for each in cells), spec)
        kept = {row.cells["id"] for row in rows}
        return (LocatedItem(f'question "{i.id}"', i) for i in items if i.id in kept)
    if isinstance(spec, DatasetTask) and not _is_known(spec.dataset):
        known = suggest(spec.dataset, {*DATASETS, *list_entry_points("datasets")})
        meant = translate_value("dataset", spec.dataset)
        hint = f"here that is `{meant}`; {known}" if meant else known
        raise TaskError(f'task.dataset: "{spec.dataset}" is unknown; {hint}')
    rows = _filter(_open_rows(spec), spec)
    return (LocatedItem(row.location, _make_item(row, spec, readings)) for row in rows)


def describe_target(spec: TaskSpec, question: Question) -> str:
    """Return a line on a question's target, and on how its file writes it.

    The file is read again up to the question's row.
    """
    if question.kind == "code":
        num = 0 if question.tests is None else len(question.tests.splitlines())
        return f"tests: {count_noun(num, 'line')} of Python" if num else "no tests: it is unscored"
    if question.target is None:
        return "no target: it is asked unscored"
    told = f"target: {question.target}"
    if question.options and (at := LETTERS.find(question.target)) in range(len(question.options)):
        told += f" = {question.options[at]!r}"
    if isinstance(spec, GeneratorTask):
        return f"{told}, computed by the generator"
    if isinstance(spec, DatasetTask):
        return f"{told}, read as the data set {spec.dataset} writes it"
    readings = settle_readings(spec)
    for row in _filter(_open_rows(spec), spec):
        if _make_question(row.location, _make_item(row, spec, readings), spec).id == question.id:
            return (
                f"{told}, read from {get_target(row, spec)!r} {_name_reading(row, spec, readings)}"
            )
    return told


def _name_reading(row: DataRow, spec: TableTask, readings: tuple[str, ...]) -> str:
    """Return how a row's target was read."""
    if spec.kind != "choice":
        return f"as a {'pattern' if spec.scoring.match == 'regex' else spec.kind} ({row.location})"
    allowed = readings if spec.target_as == "auto" else (spec.target_as,)
    found = read_target(get_target(row, spec), get_options(row, spec))
    named = " or ".join(DESCRIPTIONS[how] for how in allowed if how in found)
    shuffled = "; options are shuffled" if spec.shuffle_options else ""
    return f"as {named} ({row.location}{shuffled})"


def _is_known(dataset: str) -> bool:
    return dataset in DATASETS or is_custom("datasets", dataset)


def generate_items(spec: GeneratorTask) -> list[Item]:
    """Draw questions of the families asked for. Raises TaskError for an unknown one."""
    try:
        if spec.generator == "word_problems":
            families = spec.families or tuple(WORD_FAMILIES)
            problems = draw_word_problems(families, spec.n, spec.seed, split=spec.split)
            return [_to_problem_item(problem) for problem in problems]
        families = spec.families or tuple(FAMILIES)
        drawn = draw_questions(families, spec.n, spec.seed, split=spec.split)
    except ValueError as cause:
        raise TaskError(f"task.families: {cause}") from None
    return [_to_item(question) for question in drawn]


def _to_problem_item(problem: WordProblem) -> Item:
    # Problems with one calculation in other words are no independent draws.
    return Item(
        id=problem.id,
        text=problem.text,
        kind="number",
        target=str(problem.answer),
        category=problem.family,
        cluster=problem.expression,
    )


def _to_item(question: ArithmeticQuestion) -> Item:
    # A residue is one of all residues as texts, so that belief over the options is exact.
    is_residue = question.answer in RESIDUES
    return Item(
        id=question.id,
        text=question.text,
        kind="text" if is_residue else "number",
        target=question.answer,
        options=tuple(RESIDUES) if is_residue else (),
        category=question.family,
    )


def _make_item(row: DataRow, spec: TableTask | DatasetTask, readings: tuple[str, ...]) -> Item:
    try:
        if isinstance(spec, TableTask):
            return map_columns(row, spec, readings)
        return read_item(spec.dataset, row)
    except KeyError as cause:
        there = ", ".join(map(str, row.cells))
        raise TaskError(f"{row.location}: there is no column {cause}; there are: {there}") from None
    except ValueError as cause:
        raise _locate(cause, row) from None


def _locate(cause: ValueError, row: DataRow) -> TaskError:
    """Return the error with the row's place, if it does not name one."""
    return cause if isinstance(cause, TaskError) else TaskError(f"{row.location}: {cause}")


def _make_question(location: str, item: Item, spec: TaskSpec) -> Question:
    try:
        question = to_question(item, spec.scoring)
    except ValueError as cause:
        raise TaskError(f"{location}: {cause}") from None
    if not isinstance(spec, FileTask):
        return question
    wanted = item.is_right_first if spec.shuffle_options is None else spec.shuffle_options
    return shuffle_options(question, spec.seed or 0) if wanted else question


def _filter(rows: Iterable[DataRow], spec: TaskSpec) -> Iterator[DataRow]:
    """Yield the rows that pass the filter. Raises TaskError where none is left, or none came."""
    num_read = num_kept = 0
    for row in rows:
        num_read += 1
        if all(_passes(row, column, wanted) for column, wanted in spec.filter.items()):
            num_kept += 1
            yield row
    if num_read == 0:
        raise TaskError(f"{getattr(spec, 'path', 'task')}: there is no question in it")
    if num_kept == 0:
        last = ", ".join(f"{column}: {str(row.cells[column])[:60]!r}" for column in spec.filter)
        raise TaskError(
            f"task.filter: none of the {num_read} rows passes {dict(spec.filter)}; "
            f"the last one has {last}"
        )


def _passes(row: DataRow, column: str, wanted: ColumnValue | tuple[ColumnValue, ...]) -> bool:
    if column not in row.cells:
        known = suggest(column, row.cells)
        raise TaskError(f'{row.location}: task.filter names the column "{column}"; {known}')
    values = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(_is_same(row.cells[column], value) for value in values)


def _is_same(cell: object, wanted: ColumnValue) -> bool:
    """Return whether a cell holds the value; text files hold 3 and true as texts."""
    if cell is None or wanted is None:
        return cell is None and wanted is None
    return cell == wanted or str(cell).casefold() == str(wanted).casefold()


def _refuse_repeats(spec: TaskSpec, ids: array[int], readings: tuple[str, ...]) -> None:
    """Raise TaskError for the first id that occurs twice. `ids` are the hashes of all."""
    twice = set(find_repeated(ids).tolist())
    first: dict[str, str] = {}
    for location, item in _read_items(spec, readings) if twice else ():
        question = _make_question(location, item, spec)
        if hash(question.id) not in twice:
            continue
        if question.id in first:
            raise TaskError(_explain_repeat(question, item, location, first[question.id]))
        first[question.id] = location


def _explain_repeat(question: Question, item: Item, location: str, first: str) -> str:
    if item.id is None:
        return f"{location}: asks the same as {first}; remove one, or name a column with ids"
    return f'{location}: id "{question.id}" is also that of {first}; ids must be unique'


def _hash_draw(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _sort_draws(draws: bytearray) -> npt.NDArray[np.int64]:
    """Return the positions of the draws, each of 16 bytes, smallest draw first."""
    high, low = np.frombuffer(draws, dtype=">u8").reshape(-1, 2).T
    order: npt.NDArray[np.int64] = np.lexsort((low, high))
    return order
