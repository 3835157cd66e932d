"""What a data file is: the task that reads it, found by its columns and by what stands in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, get_args

from debate.config.task import DatasetTask, TableTask
from debate.errors import TaskError, Undecided, suggest
from debate.tasks.column_names import USUAL_COLUMNS, guess_columns
from debate.tasks.data_files import MISSING, DataRow, explain_decimal_comma, read_rows
from debate.tasks.datasets import DATASETS, NAMES
from debate.tasks.items import find_cell, to_text
from debate.tasks.loading import load_questions, settle_readings
from debate.tasks.number import normalise_number
from debate.tasks.options import (
    READINGS,
    describe_same_target,
    read_option_columns,
    read_target,
    read_truth,
)
from debate.text import format_percent
from debate.types import AnswerKind, Question

MAX_ROWS = 2000
"""As many rows are looked at to tell what the columns hold; all of them are read as questions."""
MOST = 0.8
"""The share from which on the few rows that differ are worth a word."""

_OWN_COLUMNS: Mapping[str, frozenset[str]] = {
    "gsm8k": frozenset({"question", "answer"}),
    "arc": frozenset({"answerKey"}),
    "boolq": frozenset({"passage", "answer"}),
    "gpqa": frozenset({"Correct Answer", "Incorrect Answer 1"}),
    "hellaswag": frozenset({"endings", "ctx"}),
    "math": frozenset({"problem", "solution"}),
    "mmlu_pro": frozenset({"question_id", "options", "answer_index"}),
    "strategyqa": frozenset({"qid", "question", "answer"}),
    "truthfulqa_mc1": frozenset({"mc1_targets"}),
}
"""Data sets that are known by their columns, if all their rows can be read, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the file's user says of it; the rest is found out."""

    dataset: str | None = None
    kind: str | None = None
    target_as: str | None = None
    columns: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    scored: bool = True
    header: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class RecognisedFile:
    """A data file and the task that reads it.

    task: as a configuration writes it. remarks: what a person should know of it, in sentences.
    """

    task: Mapping[str, Any]
    columns: tuple[str, ...]
    questions: Sequence[Question]
    remarks: tuple[str, ...] = ()


def recognise_file(path: str, told: Told) -> RecognisedFile:
    """Look at a data file and return the task that reads it, with its questions.

    Raises TaskError for a file that cannot be read as questions, and Undecided where its user must
    say what a column holds or how its targets count.
    """
    if told.kind not in (None, *(kinds := get_args(AnswerKind))):
        raise TaskError(f'kind "{told.kind}" is unknown; {suggest(told.kind, kinds)}')
    if told.dataset is not None and told != Told(dataset=told.dataset):
        raise TaskError(f'the data set "{told.dataset}" knows its columns, kind and targets itself')
    if told.kind == "code":
        raise TaskError("a file of programs is not recognised; docs/data.md shows `kind: code`")
    dataset = told.dataset or (_find_dataset(path) if told == Told() else None)
    return _recognise_table(path, told) if dataset is None else _read_dataset(path, dataset)


def _read_dataset(path: str, dataset: str) -> RecognisedFile:
    task: dict[str, Any] = {"dataset": dataset, "path": path}
    questions = load_questions(DatasetTask.model_validate(task))
    if describe_same_target(questions) is not None:
        task["shuffle_options"] = True
        questions = load_questions(DatasetTask.model_validate(task))
    rows = read_rows(path, names=NAMES.get(dataset, ()))
    columns = next((tuple(map(str, row.cells)) for row in rows), ())
    return RecognisedFile(task=task, columns=columns, questions=questions)


def _recognise_table(path: str, told: Told) -> RecognisedFile:
    rows = list(islice(read_rows(path, has_header=told.header), MAX_ROWS))
    if not rows:
        raise TaskError(f"{path}: there is no question in it")
    columns = _choose_columns(rows, told)
    targets = [] if "target" not in columns else list(_read_targets(rows, columns))
    missing = len(rows) - len(targets)
    task: dict[str, Any] = {"path": path, "kind": told.kind or _tell_kind(targets, columns)}
    if written := _drop_usual(columns, rows[0].cells):
        task["columns"] = written
    if not told.header:
        task["header"] = False
    if missing:
        task["scored"] = False
    questions = _load_table(task, columns, told)
    remarks = _list_remarks(task, columns, targets, missing)
    names = tuple(map(str, rows[0].cells))
    return RecognisedFile(task=task, columns=names, questions=questions, remarks=tuple(remarks))


def _find_dataset(path: str) -> str | None:
    """Return the known data set that the file holds, if it is one."""
    with suppress(TaskError):
        first = next(read_rows(path, has_header=False), None)
        cells = [] if first is None else list(first.cells.values())
        if len(cells) == len(NAMES["mmlu"]) and cells[-1] in tuple("ABCD"):
            return "mmlu"
    rows = list(islice(read_rows(path), MAX_ROWS))
    there = set(rows[0].cells) if rows else set()
    return next(
        (n for n, own in _OWN_COLUMNS.items() if own <= there and _reads_all(n, rows)), None
    )


def _reads_all(dataset: str, rows: Sequence[DataRow]) -> bool:
    try:
        for row in rows:
            DATASETS[dataset](row)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def _choose_columns(rows: Sequence[DataRow], told: Told) -> dict[str, Any]:
    """Return the column or columns of each field: those that are told, else those that fit."""
    columns: dict[str, Any] = {**guess_columns(rows[0].cells), **told.columns}
    names = tuple(map(str, rows[0].cells))
    if not told.scored and "target" not in told.columns:
        columns.pop("target", None)
    for name in ("question", "target") if told.scored else ("question",):
        if name not in columns:
            raise _ask_column(name, names, rows[0].location)
    if "options" not in told.columns and not _fit_options(rows, columns):
        columns.pop("options", None)
    if "id" not in told.columns and columns.get("id") not in (None, "id"):
        ids = [to_text(find_cell(row, columns["id"], "id")) for row in rows]
        if None in ids or len(set(ids)) < len(ids):
            del columns["id"]
    return columns


def _ask_column(name: str, names: Collection[str], location: str) -> Undecided:
    return Undecided(
        f"{location}: no column is known to hold the {name}; there are: {', '.join(names)}",
        field=name,
        choices=dict.fromkeys(names, ""),
    )


def _fit_options(rows: Sequence[DataRow], columns: Mapping[str, Any]) -> bool:
    """Return whether the columns of options hold some, of which targets name one."""
    named = columns.get("options")
    if named is None:
        return False
    if not isinstance(named, tuple):
        return True
    num_fit = 0
    for row in rows:
        with suppress(ValueError):
            options = read_option_columns(row.cells, named)
            target = find_cell(row, columns["target"], "target") if "target" in columns else None
            num_fit += target is None or bool(read_target(target, options))
    return num_fit >= MOST * len(rows)


def _read_targets(rows: Sequence[DataRow], columns: Mapping[str, Any]) -> Iterator[object]:
    """Yield the targets that are there."""
    for row in rows:
        cell = find_cell(row, columns["target"], "target")
        if cell is not None and str(cell).strip().lower() not in MISSING:
            yield cell


def _tell_kind(targets: Sequence[object], columns: Mapping[str, Any]) -> str:
    if "options" in columns or (targets and all(read_truth(t) is not None for t in targets)):
        return "choice"
    return "number" if targets and all(map(_is_number, targets)) else "text"


def _is_number(target: object) -> bool:
    return not isinstance(target, bool | list | dict) and normalise_number(str(target)) is not None


def _drop_usual(columns: Mapping[str, Any], there: Collection[str]) -> dict[str, Any]:
    """Return the columns that a task must name, as they are not found by their usual names."""
    found = {
        field: next((name for name in usual if name in there), None)
        for field, usual in USUAL_COLUMNS.items()
    }
    return {
        field: list(column) if isinstance(column, tuple) else column
        for field, column in columns.items()
        if column != found[field]
    }


def _load_table(task: dict[str, Any], columns: Mapping[str, Any], told: Told) -> Sequence[Question]:
    """Return the questions; add to the task how targets are read, and that options are shuffled."""
    if told.target_as is not None and task["kind"] != "choice":
        raise TaskError(f"`target_as` is for choices; the answers here are of kind {task['kind']}")
    if task["kind"] == "choice" and {"options", "target"} <= set(columns):
        _settle_target(task, columns, told)
    questions = load_questions(TableTask.model_validate(task))
    if describe_same_target(questions) is None:
        return questions
    task["shuffle_options"] = True
    return load_questions(TableTask.model_validate(task))


def _settle_target(task: dict[str, Any], columns: Mapping[str, Any], told: Told) -> None:
    """Add to the task how targets name their options, where one reading fits all."""
    if told.target_as not in (None, *READINGS):
        known = suggest(told.target_as, READINGS)
        raise TaskError(f'target_as "{told.target_as}" is unknown; {known}')
    options = columns["options"]
    is_listed = isinstance(options, tuple) and columns["target"] in options
    if chosen := told.target_as or ("text" if is_listed else None):
        task["target_as"] = chosen
        return
    readings = settle_readings(TableTask.model_validate(task))
    if len(readings) == 1:
        task["target_as"] = readings[0]


def _list_remarks(
    task: Mapping[str, Any], columns: Mapping[str, Any], targets: Sequence[object], missing: int
) -> Iterator[str]:
    if missing and targets:
        yield f"rows without a target, which are asked and not scored: {missing:,}"
    if task["kind"] != "text" or not targets:
        return
    odd = [target for target in targets if not _is_number(target)]
    commas = [target for target in odd if explain_decimal_comma(target)]
    if commas and len(commas) == len(odd):
        yield (
            f"warning: targets such as {commas[0]!r:.60} are taken as texts"
            f"{explain_decimal_comma(commas[0])} in all rows for `kind: number`"
        )
    elif 0 < len(odd) <= (1 - MOST) * len(targets):
        yield (
            f"all targets but {len(odd):,} are numbers; with those mended, such as {odd[0]!r:.60}, "
            "`kind: number` compares 1,000 and 1000.0 as one"
        )
    if all(len(str(target).strip()) == 1 for target in targets):
        yield (
            "the targets are single letters, and no column is known to hold options; "
            "`columns: {options: [A, B, …]}` with `kind: choice` asks for one of them"
        )
    if any("\\" in str(target) for target in targets):
        yield "some targets are in LaTeX; `kind: math` compares those as expressions"


def describe_targets(questions: Sequence[Question], *, most: int = 5) -> str:
    """Return the shares of the targets, and of those that are missing, in words.

    >>> asked = [Question(id=str(n), text="?", kind="number", target="4") for n in range(2)]
    >>> describe_targets(asked)
    '4 in 100 %'
    """
    counts = Counter("none" if each.target is None else each.target for each in questions)
    listed = [
        f"{name:.40} in {format_percent(num / len(questions))}"
        for name, num in counts.most_common(most)
    ]
    more = len(counts) - most
    return ", ".join(listed).replace("%", " %") + (f", and {more:,} others" if more > 0 else "")
