"""What the columns of a data file hold, told by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

USUAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "question": ("question", "problem", "prompt", "input"),
    "target": ("target", "answer"),
    "options": ("options", "choices"),
    "category": ("category", "subject"),
    "cluster": ("cluster",),
    "tests": ("tests",),
}
"""Names under which a column is found that the task does not name; the first one there wins."""

_LIKELY: Mapping[str, tuple[str, ...]] = {
    "id": ("qid", "question_id", "uid"),
    "question": (
        *("query", "question_text", "question_stem", "stem", "instruction", "task", "text"),
        *("sentence", "q"),
    ),
    "target": (
        *("answerkey", "answer_key", "correct_answer", "correct_option", "correct_choice"),
        *("correct", "right_answer", "gold", "gold_answer", "gold_label", "ground_truth"),
        *("expected", "expected_answer", "reference", "solution", "label", "answer_index"),
        *("answer_idx", "correct_index", "correct_idx", "key", "truth", "cop", "ans", "a"),
    ),
    "options": ("alternatives", "candidates", "endings", "answers", "answer_choices"),
    "category": ("topic", "domain", "subset"),
    "cluster": ("passage_id", "template_id", "context_id"),
    "tests": (),
}
"""Further names, normalised, that tell what a column is likely to hold."""

_SERIES = re.compile(r"(|option|options|opt|op|choice|choices|ans|answer|alternative|sol|ending)_?")
_WRONG = re.compile(r"(incorrect|wrong|false)(_(answer|option|choice))?s?_?\d*|distractor_?\d*")
_FIRST = ("a", "0", "1")


def guess_columns(names: Iterable[str]) -> dict[str, str | tuple[str, ...]]:
    """Return, for each field of a question, the column that is likely to hold it.

    Options may stand in one column each: A to D, `option_1` to `option_4`, or the right answer
    beside wrong ones. A field of which no name tells is absent, and so are tests of programs.

    >>> guess_columns(["Question", "A", "B", "C", "Correct answer"])
    {'question': 'Question', 'target': 'Correct answer', 'options': ('A', 'B', 'C')}
    """
    there = list(names)
    folded = {_normalise(name): name for name in reversed(there)}
    found: dict[str, str | tuple[str, ...]] = {}
    series = _find_series(folded)
    for field, usual in USUAL_COLUMNS.items():
        if field == "tests":
            continue
        exact = next((name for name in usual if name in there), None)
        likely = (folded[n] for n in (*usual, *_LIKELY[field]) if n in folded)
        chosen = exact or next((name for name in likely if name not in series), None)
        if field == "options" and chosen is None and series:
            found[field] = series
        elif chosen is not None:
            found[field] = chosen
    wrong = tuple(name for name in there if _WRONG.fullmatch(_normalise(name)))
    if "options" not in found and wrong and isinstance(right := found.get("target"), str):
        found["options"] = (right, *wrong)
    return found


def _normalise(name: str) -> str:
    return re.sub(r"[\W_]+", "_", str(name).strip().casefold()).strip("_")


def _find_series(folded: Mapping[str, str]) -> tuple[str, ...]:
    """Return the longest series of two or more columns that count on: a, b, c, or option_1, …."""
    longest: tuple[str, ...] = ()
    for name in folded:
        stem, mark = name[:-1], name[-1:]
        if mark not in _FIRST or not _SERIES.fullmatch(stem) or (not stem and mark != "a"):
            continue
        series: list[str] = []
        while (column := folded.get(f"{stem}{_count_on(mark, len(series))}")) is not None:
            series.append(column)
        if len(series) > max(1, len(longest)):
            longest = tuple(series)
    return longest


def _count_on(mark: str, steps: int) -> str:
    return chr(ord(mark) + steps) if mark.isalpha() else str(int(mark) + steps)
