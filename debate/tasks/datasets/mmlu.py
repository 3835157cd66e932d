"""MMLU and MMLU-Pro: exam questions of many subjects.

Hendrycks et al. 2021 (arXiv 2009.03300) and Wang et al. 2024 (arXiv 2406.01574).
"""

from __future__ import annotations

from debate.tasks.items import DataRow, Item, require_text
from debate.tasks.options import Options, find_target, read_options

COLUMNS = ("question", "A", "B", "C", "D", "answer")
"""The columns of the authors' CSV files, which have no header."""


def read_mmlu(row: DataRow) -> Item:
    """Return one row of a subject's CSV without a header, or of a table with lists of choices.

    >>> cells = dict(zip(COLUMNS, ["2 + 2?", "1", "2", "3", "4", "D"], strict=True))
    >>> read_mmlu(DataRow("test.csv, row 1", cells)).target
    'D'
    """
    cells = row.cells
    is_list = "choices" in cells
    options = read_options(cells["choices"] if is_list else [cells[letter] for letter in "ABCD"])
    return Item(
        text=require_text(row, "question"),
        kind="choice",
        options=options.texts,
        target=_read_answer(cells["answer"], options),
        category=cells.get("subject"),
    )


def read_mmlu_pro(row: DataRow) -> Item:
    """Return one row of MMLU-Pro, without the options N/A that fill up its first edition.

    Raises ValueError where the answer's letter and its index differ.
    """
    cells = row.cells
    written = read_options(cells["options"])
    texts = tuple(text for text in written.texts if text != "N/A")
    if written.texts[: len(texts)] != texts:
        raise ValueError("an option N/A stands before others")
    answer = _read_answer(cells["answer"], Options(texts))
    index = cells.get("answer_index")
    if index is not None and _read_answer(index, Options(texts)) != answer:
        raise ValueError(f"the answer is {answer}, but answer_index is {index}")
    return Item(
        id=require_text(row, "question_id"),
        text=require_text(row, "question"),
        kind="choice",
        options=texts,
        target=answer,
        category=cells.get("category"),
    )


def _read_answer(answer: object, options: Options) -> str:
    """Return the letter of an answer that is a letter or an index from 0."""
    return find_target(answer, options, ("letter", "index"))
