"""GPQA (Rein et al. 2023, arXiv 2311.12022): questions of experts, the right option first."""

from __future__ import annotations

from debate.tasks.items import DataRow, Item, require_text
from debate.tasks.options import read_options

COLUMNS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def to_item(row: DataRow) -> Item:
    """Return one row of `gpqa_main.csv` and its like; the right option is the first."""
    cells = row.cells
    return Item(
        id=cells.get("Record ID"),
        text=require_text(row, "Question"),
        kind="choice",
        options=read_options([cells[column] for column in COLUMNS]).texts,
        target="A",
        category=cells.get("High-level domain"),
        is_right_first=True,
    )
