"""BoolQ and StrategyQA: questions whose answer is true or false, asked as yes or no."""

from __future__ import annotations

from debate.tasks.items import DataRow, Item, require_text, to_text
from debate.tasks.options import YES_NO, read_truth


def read_boolq(row: DataRow) -> Item:
    """Return one line of BoolQ's `train.jsonl` or `dev.jsonl`.

    Clark et al. 2019 (arXiv 1905.10044). The passage stands before the question, and
    questions on one passage are one cluster.

    >>> cells = {"question": "is it", "passage": "It is.", "answer": True}
    >>> read_boolq(DataRow("dev.jsonl:1", cells)).text
    'It is.\\n\\nis it?'
    """
    question = require_text(row, "question").removesuffix("?")
    passage = require_text(row, "passage")
    return Item(
        text=f"{passage}\n\n{question}?",
        kind="choice",
        options=YES_NO,
        target=_read_letter(row.cells["answer"]),
        cluster=to_text(row.cells.get("title")) or passage[:100],
    )


def read_strategyqa(row: DataRow) -> Item:
    """Return one question of StrategyQA's JSON (Geva et al. 2021, arXiv 2101.02235)."""
    return Item(
        id=require_text(row, "qid"),
        text=require_text(row, "question"),
        kind="choice",
        options=YES_NO,
        target=_read_letter(row.cells["answer"]),
    )


def _read_letter(answer: object) -> str:
    truth = read_truth(answer)
    if truth is None:
        raise ValueError(f"the answer is {answer!r}; it must be true or false")
    return "A" if truth else "B"
