"""The answers and targets of a foreign table, read as a run reads its agents' replies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import get_args

import polars as pl

from debate.errors import TaskError, suggest
from debate.tasks.answer_format import CHAT
from debate.tasks.choice import parse_letter
from debate.tasks.code_blocks import normalise_code
from debate.tasks.data_files import MISSING
from debate.tasks.marks import find_answer_marks
from debate.tasks.mathematics import are_equal, normalise_math, require_math_verify
from debate.tasks.number import normalise_number
from debate.tasks.values import fold_case, strip_formatting
from debate.types import AnswerKind

KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
_TARGETS = {
    "number": "as a number",
    "choice": "as the letter of one option",
    "math": "as mathematics",
    "code": "as a program",
}


def read_answers(table: pl.DataFrame, kind: str | None, *, name: str) -> pl.DataFrame:
    """Put `answer` and `target` of a table in a form in which equal ones are equal texts.

    A number is written canonically, a choice is its letter, and mathematics takes a common form,
    that of its row's target where math-verify finds them equal. An answer that cannot be read so,
    or is read as two different ones, stays a text, as does every answer of kind text. Texts that
    differ only in case, surrounding space, quotes or a final stop all take the spelling of the
    first, targets before answers. Empty ones are null; for numbers and choices also the words of
    `data_files.MISSING`.

    kind: of all answers; by default inferred by `infer_kind` from the targets, else from the
    answers marked correct, else from all answers. Raises
    TaskError for an unknown kind and for a target that is none of it.
    """
    if kind is not None and kind not in KINDS:
        raise TaskError(f'kind "{kind}" is unknown; {suggest(kind, KINDS)}')
    chosen: str = infer_kind(_find_telling_texts(table)) if kind is None else kind
    if chosen == "math":
        require_math_verify()
    targets, answers = (_list_distinct(table[column]) for column in ("target", "answer"))
    _require_targets(table, targets, chosen, name)
    spellings: dict[str, str] = {}
    forms = {
        text: _normalise_text(text, spellings) if read is None else read
        for text, read in _read_all((*targets, *answers), chosen, spellings).items()
    }
    read = table.with_columns(
        pl.col(column).replace_strict(forms, default=None, return_dtype=pl.String)
        for column in ("target", "answer")
    )
    return _join_equal_expressions(read) if chosen == "math" else read


def infer_kind(texts: Iterable[str]) -> AnswerKind:
    """Return `number` if all the texts state one, `choice` if all pick a letter, else `text`.

    Words for a missing value do not count; without any other text it is `text`.

    >>> [infer_kind(t) for t in (["1,000", "$5"], ["(B)", "a."], ["18", "Paris"], ["nan"])]
    ['number', 'choice', 'text', 'text']
    """
    said = [text for text in texts if not _is_missing(text)]
    for kind in ("number", "choice"):
        if said and all(read_answer(text, kind) is not None for text in said):
            return kind
    return "text"


def read_answer(text: str, kind: str) -> str | None:
    r"""Return the one answer that the text marks, or else is; None for none and for several.

    >>> [read_answer(t, "number") for t in ("**18.0**", r"9 + 9 = \boxed{18}", "17 or 18")]
    ['18', '18', None]
    """
    read = _READERS.get(kind, _read_text)
    found: dict[str, str] = {}
    for mark in find_answer_marks(text, CHAT):
        value = None if mark.is_heading and kind == "text" else read(mark.text)
        if value is not None:
            found.setdefault(fold_case(value), value)
        elif not mark.is_heading:
            return None
    if found:
        return next(iter(found.values())) if len(found) == 1 else None
    return read(text)


def count_equal_numbers(frame: pl.DataFrame) -> int:
    """Count the rows that are wrong although answer and target state the same number.

    They occur in a table of texts in which some targets are numbers, "1,000" beside "1000", or
    where the column `correct` is false. `frame` is a result of `read_table`.
    """
    wrong = frame.filter(pl.col("outcome") == "wrong").select("answer", "target").drop_nulls()
    pairs = wrong.group_by("answer", "target").len()
    numbers = {text: normalise_number(text) for text in {*pairs["answer"], *pairs["target"]}}
    return sum(
        num
        for answer, target, num in pairs.iter_rows()
        if numbers[answer] is not None and numbers[answer] == numbers[target]
    )


def describe_unread(frame: pl.DataFrame) -> str | None:
    """Return how many answers are none of the kind that all targets are, and the first of them.

    `frame` is a result of `read_table`. None where there are none, and where targets are texts.
    """
    kind = infer_kind(_list_distinct(frame["target"]))
    wrong = frame.filter((pl.col("outcome") == "wrong") & pl.col("target").is_not_null())
    num_by_answer = wrong.drop_nulls("answer").group_by("answer", maintain_order=True).len()
    unread = {text: num for text, num in num_by_answer.iter_rows() if not _states(text, kind)}
    if not unread:
        return None
    what = "number" if kind == "number" else "letter"
    first = next(iter(unread))
    where = wrong.filter(pl.col("answer") == first).row(0, named=True)
    return (
        f"{sum(unread.values()):,} answers state no single {what}, as the targets do, and count as "
        f"wrong; the first is {first[:60]!r} (question {where['question']}, round "
        f"{where['round']}, agent {where['agent']})."
    )


def _states(text: str, kind: str) -> bool:
    return kind == "text" or read_answer(text, kind) is not None


def _find_telling_texts(table: pl.DataFrame) -> Collection[str]:
    """Return the texts to infer the kind of answers from."""
    right = table.filter(pl.col("correct"))["answer"]
    for texts in (table["target"], right, table["answer"]):
        said = [text for text in _list_distinct(texts) if not _is_missing(text)]
        if said:
            return said
    return ()


def _list_distinct(texts: pl.Series) -> list[str]:
    return texts.drop_nulls().unique(maintain_order=True).to_list()


def _is_missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def _require_targets(table: pl.DataFrame, targets: list[str], kind: str, name: str) -> None:
    if kind == "text":
        return
    for text in targets:
        if not _is_missing(text) and read_answer(text, kind) is None:
            row = int((table["target"] == text).arg_max() or 0)
            what = _TARGETS[kind]
            raise TaskError(
                f"{name}, row {row + 1}: target {text[:60]!r} cannot "
                f"be read {what}; where targets are of several kinds, all are compared as texts "
                "(kind text)"
            )


def _read_all(
    texts: Iterable[str], kind: str, spellings: dict[str, str]
) -> Mapping[str, str | None]:
    """Map each text to its answer; missing ones are left out."""
    if kind == "text":
        read = {text: read_answer(text, kind) for text in texts if text.strip()}
        return {
            t: None if value is None else _normalise_text(value, spellings)
            for t, value in read.items()
        }
    return {text: read_answer(text, kind) for text in texts if not _is_missing(text)}


def _normalise_text(text: str, spellings: dict[str, str]) -> str:
    """Return the first spelling of the text, up to case, space, quotes and a final stop."""
    plain = _read_text(text) or " ".join(text.split())
    return spellings.setdefault(fold_case(plain) or plain.casefold(), plain)


def _join_equal_expressions(table: pl.DataFrame) -> pl.DataFrame:
    """Give an answer the form of its row's target where both state the same expression."""
    pairs = list(zip(table["answer"], table["target"], strict=True))
    equal = {pair for pair in set(pairs) if None not in pair and are_equal(*pair)}
    joined = [target if (answer, target) in equal else answer for answer, target in pairs]
    return table.with_columns(answer=pl.Series(joined, dtype=pl.String))


def _read_text(text: str) -> str | None:
    return strip_formatting(text) or None


_READERS: Mapping[str, Callable[[str], str | None]] = {
    "number": normalise_number,
    "choice": parse_letter,
    "math": normalise_math,
    "code": lambda text: normalise_code(text) or None,
}
