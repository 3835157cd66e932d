"""TruthfulQA (Lin et al. 2022, arXiv 2109.07958): questions that many answer by a common error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from debate.tasks.choice import LETTERS
from debate.tasks.items import DataRow, Item, require_text


def read_mc1(row: DataRow) -> Item:
    """Return one question with its one right option, from JSON, Parquet or `TruthfulQA.csv`."""
    if "Best Answer" in row.cells:
        wrong = require_text(row, "Incorrect Answers").split(";")
        judged = {require_text(row, "Best Answer"): True, **dict.fromkeys(wrong, False)}
        return _make_item(require_text(row, "Question"), judged, row.cells.get("Category"))
    return _make_item(require_text(row, "question"), _read_judged(row.cells["mc1_targets"]))


def read_mc2(row: DataRow) -> Item:
    """Return one question with the first of its right options and all of its wrong ones.

    The further right ones are left out, because a choice has one target.

    >>> targets = {"choices": ["yes", "sure", "no"], "labels": [1, 1, 0]}
    >>> read_mc2(DataRow("mc.jsonl:1", {"question": "?", "mc2_targets": targets})).options
    ('yes', 'no')
    """
    judged = _read_judged(row.cells["mc2_targets"])
    right = [text for text, is_right in judged.items() if is_right]
    kept = {text: is_right for text, is_right in judged.items() if text not in right[1:]}
    return _make_item(require_text(row, "question"), kept)


def _read_judged(targets: Any) -> Mapping[str, bool]:
    """Return which options are right, from lists of choices and labels, or marks by text."""
    if not isinstance(targets, Mapping):
        raise ValueError(f"the targets are {targets!r:.100}; they must be choices and labels")
    if isinstance(targets.get("choices"), list) and isinstance(targets.get("labels"), list):
        return dict(zip(targets["choices"], map(bool, targets["labels"]), strict=True))
    return {str(text): bool(mark) for text, mark in targets.items() if mark is not None}


def _make_item(question: str, judged: Mapping[str, bool], category: str | None = None) -> Item:
    marks = {text.strip(): is_right for text, is_right in judged.items() if text.strip()}
    right = [place for place, is_right in enumerate(marks.values()) if is_right]
    if len(right) != 1 or not 2 <= len(marks) <= len(LETTERS):
        raise ValueError(f"{len(right)} of {len(marks)} options are right; one of 2 to 26 must be")
    return Item(
        text=question,
        kind="choice",
        options=tuple(marks),
        target=LETTERS[right[0]],
        category=category,
        is_right_first=True,
    )
