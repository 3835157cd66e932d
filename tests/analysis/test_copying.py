"""Answers that their own working states are counted, and confidence taken there is doubted."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from debate.analysis import Analysis, analyze
from debate.analysis.copying import add_copied, is_in_working
from debate.analysis.source import analyze_run
from debate.analysis.tables.results import tabulate_accuracy, tabulate_headline
from debate.tasks.answer_format import CHAT, COMPACT
from debate.types import Question
from tests.experiments.frames import turn
from tests.support import run, scripted

NUMBER = Question(id="q", text="?", kind="number")
CHOICE = Question(id="q", text="?", kind="choice", options=("Rome", "Paris", "New York"))
TEXT = Question(id="q", text="?", kind="text")


@pytest.mark.parametrize(
    ("text", "answer", "question", "expected"),
    [
        ("34 + 27 = 61 shells.\nAnswer: 61", "61", NUMBER, True),
        ("34 + 27 shells.\nAnswer: 61", "61", NUMBER, False),
        ("Not 610, 1.61 or 61st.\nAnswer: 61", "61", NUMBER, False),
        ("It is 1,061.\nAnswer: 1061", "1061", NUMBER, True),
        ("It is $61.00, so\n#### 61", "61", NUMBER, True),
        ("70 - 9 = 61, at last\n\\boxed{61}", "61", NUMBER, True),
        ("9-61 is below zero\nAnswer: -61", "-61", NUMBER, False),
        ("it is -61\nAnswer: -61", "-61", NUMBER, True),
        ("Answer: 61\nfor 34 + 27 = 61", "61", NUMBER, False),
        ("Answer: 61", "61", NUMBER, False),
        ("The capital is Paris.\nAnswer: B", "B", CHOICE, True),
        ("It is (B), I think.\nAnswer: B", "B", CHOICE, True),
        ("Parisian life is no hint.\nAnswer: B", "B", CHOICE, False),
        ("A city of which I know.\nAnswer: A", "A", CHOICE, False),
        ("It was written by Jane Austen.\nAnswer: jane austen", "jane austen", TEXT, True),
        ("It was written by Austen.\nAnswer: Jane Austen", "Jane Austen", TEXT, False),
        ("No answer here, though 61.", "61", NUMBER, None),
    ],
)
def test_an_answer_stands_in_the_working_where_it_is_stated_whole(
    text: str, answer: str, question: Question, expected: bool | None
) -> None:
    assert is_in_working(text, answer, question, CHAT) is expected


def test_the_place_of_the_answer_is_that_of_its_format() -> None:
    assert is_in_working("61\n34 + 27 = 61", "61", NUMBER, COMPACT) is False


def _analyze(copied: float, confidence: str = "answer_token") -> Analysis:
    """Forty questions in an arm that copies this share of its answers, beside one that does not."""
    rows = [
        {
            **turn(cell, q, "a", r, right=q % 2 == 0),
            f"confidence_{confidence}": 0.9 - q / 100,
            "copied": cell == "copier" and q < copied * 40,
        }
        for cell in ("copier", "plain")
        for q in range(40)
        for r in (0, 1)
    ]
    frame = pl.DataFrame(rows).with_columns(confidence=pl.col(f"confidence_{confidence}"))
    return analyze(frame, resamples=20)


def test_an_arm_that_copies_is_counted_and_told_of_beside_its_confidence() -> None:
    found = _analyze(0.9)
    shares = {(e.cell, e.round): e.value for e in found.select("copied_rate")}
    assert shares == {("copier", 0): 0.9, ("copier", 1): 0.9, ("plain", 0): 0, ("plain", 1): 0}
    (told,) = [c for c in found.caveats if "copying" in c]
    assert "copier 90%" in told
    assert "plain" not in told.split("What helps")[0]
    assert "`restate`" in told
    assert "`belief`" in told
    assert "measures copying" in tabulate_headline(found).note
    assert "answer stands in the working" in tabulate_accuracy(found).columns


def test_few_copies_and_estimators_before_the_working_are_not_doubted() -> None:
    assert not [c for c in _analyze(0.05).caveats if "copying" in c]
    assert not [c for c in _analyze(0.9, "verbal").caveats if "copying" in c]


def test_without_texts_nothing_is_said_of_copies() -> None:
    found = analyze(pl.DataFrame([turn("c", q, "a", 0, right=True) for q in range(9)]))
    assert not found.select("copied_rate")
    assert "answer stands in the working" not in tabulate_accuracy(found).columns


def test_copies_are_read_from_the_texts_of_a_run(tmp_path: Path) -> None:
    agents = [
        scripted("copier", "2 + 2 = 4.\nAnswer: 4"),
        scripted("plain", "2 + 2.\nAnswer: 4"),
        scripted("silent", "It is 4."),
    ]
    done = run(tmp_path, agents, num_questions=3, rounds=1)
    rows = done.trajectories()
    assert "copied" not in add_copied(done, rows).columns
    known = rows.with_columns(confidence_answer_token=pl.lit(0.5))
    found = add_copied(done, known)
    by_agent = {agent: set(part["copied"]) for (agent,), part in found.group_by("agent")}
    assert by_agent == {"copier": {True}, "plain": {False}, "silent": {None}}
    assert analyze_run(done, known).select("copied_rate")[0].value == pytest.approx(0.5)
