"""HellaSwag (Zellers et al. 2019, arXiv 1905.07830): which ending continues a description."""

from __future__ import annotations

from debate.tasks.items import DataRow, Item, require_text, to_text
from debate.tasks.options import find_target, read_options

QUESTION = "Which of the options continues this description most plausibly?"


def to_item(row: DataRow) -> Item:
    """Return one line of `hellaswag_train.jsonl` or `hellaswag_val.jsonl`.

    Descriptions from one source are one cluster. Raises ValueError for a line without a label.
    """
    cells = row.cells
    options = read_options(cells["endings"])
    if cells["label"] in (None, ""):
        raise ValueError("the label is empty: this part of the data set has no targets")
    return Item(
        id=to_text(cells.get("ind")),
        text=f"{QUESTION}\n\n{require_text(row, 'ctx')}",
        kind="choice",
        options=options.texts,
        target=find_target(cells["label"], options, ("index",)),
        category=cells.get("activity_label"),
        cluster=cells.get("source_id"),
    )
