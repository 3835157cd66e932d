"""ARC, OpenBookQA and CommonsenseQA: questions whose options carry labels, and a key that is one.

Clark et al. 2018 (arXiv 1803.05457), Mihaylov et al. 2018 (arXiv 1809.02789) and Talmor et al. 2019
(arXiv 1811.00937). Their authors' files nest the options in the question; copies in tables have
columns `question` or `question_stem` beside `choices`.
"""

from __future__ import annotations

from collections.abc import Mapping

from debate.tasks.items import DataRow, Item, require_text
from debate.tasks.options import find_target, read_options


def to_item(row: DataRow) -> Item:
    """Return one line of `train`, `dev` or `test`, in either layout.

    >>> choices = {"text": ["Rome", "Paris"], "label": ["1", "2"]}
    >>> cells = {"id": "q", "question": "Capital?", "choices": choices, "answerKey": "2"}
    >>> to_item(DataRow("arc.jsonl:1", cells)).options
    ('Rome', 'Paris')
    """
    cells = row.cells
    asked = cells["question_stem"] if "question_stem" in cells else cells["question"]
    nested = asked if isinstance(asked, Mapping) else {"stem": asked, **cells}
    options = read_options(nested["choices"])
    key = str(cells["answerKey"] or "").strip()
    if not key:
        raise ValueError("the answerKey is empty: this part of the data set has no targets")
    return Item(
        id=require_text(row, "id"),
        text=require_text(DataRow(row.location, nested), "stem"),
        kind="choice",
        options=options.texts,
        target=find_target(key, options, ("label",)),
        category=cells.get("question_concept") or nested.get("question_concept"),
    )
