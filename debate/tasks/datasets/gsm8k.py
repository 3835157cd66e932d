"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): grade-school word problems with worked solutions."""

from __future__ import annotations

from debate.tasks.items import DataRow, Item, require_text


def to_item(row: DataRow) -> Item:
    """Return one line of `train.jsonl` or `test.jsonl`; the target stands after `####`.

    >>> row = DataRow("test.jsonl:1", {"question": "2 + 2?", "answer": "It is 4.\\n#### 4"})
    >>> to_item(row).id is None
    True
    """
    solution, marker, target = require_text(row, "answer").rpartition("####")
    if not marker or "####" in solution or not target.strip():
        raise ValueError("the answer must end with one line `#### NUMBER`")
    return Item(text=require_text(row, "question"), kind="number", target=target.strip())
