"""Answers of foreign tables are read as a run reads its agents' replies, and never guessed at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from debate.errors import TaskError
from debate.log import read_table
from debate.log.table_answers import count_equal_numbers, describe_unread, infer_kind, read_answer
from debate.tasks.answer_format import CHAT
from debate.tasks.parsing import parse_answer
from debate.types import Question


def table(*pairs: tuple[object, object]) -> pl.DataFrame:
    """One question for each answer and target, in this order."""
    return pl.DataFrame(
        {
            "question_id": [f"q{n:03}" for n in range(len(pairs))],
            "round": [0] * len(pairs),
            "agent": ["a"] * len(pairs),
            "answer": [answer for answer, _ in pairs],
            "target": [target for _, target in pairs],
        },
        strict=False,
    )


def outcomes(frame: pl.DataFrame, kind: str | None = None) -> list[str | None]:
    return read_table(frame, kind=kind)["outcome"].to_list()


@pytest.mark.parametrize(
    "pairs",
    [
        [("1,000", "1000"), ("1000", "1,000"), ("$5", "5"), ("5 dollars", "$5.00"), ("3%", "3")],
        [("18.0", "18"), (r"\boxed{18}", "18"), ("**18**", "18."), ("1e3", "1000"), ("007", "7")],
        [("16 - 7 = 9\n#### 18", "She sold 9.\n#### 18"), ("Answer: 18", "18"), ("1/4", "0.25")],
        [("(B)", "B"), ("B.", "b"), ("b)", "(B)"), ("Option B", "B"), ("B) Paris", "B")],
        [("Yes.", " yes "), ('"Paris"', "paris"), ("**Rome**", "Rome"), ("Answer: Bonn", "bonn")],
    ],
)
def test_an_answer_is_right_however_it_is_written(pairs: Sequence[tuple[str, str]]) -> None:
    assert outcomes(table(*pairs)) == ["correct"] * len(pairs)


def test_long_whole_numbers_are_compared_exactly(tmp_path: Path) -> None:
    numbers = [12345678901234567890, 12345678901234567891, 12345678901234567892]
    row = '{{"question_id": "q{0}", "round": 0, "agent": "a", "answer": {0}, "target": {1}}}'
    lines = [row.format(number, numbers[1]) for number in numbers]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    frame = read_table(tmp_path / "t.jsonl")
    assert frame["outcome"].to_list() == ["wrong", "correct", "wrong"]
    assert frame["answer"].to_list() == [str(number) for number in numbers]


@pytest.mark.parametrize("answer", ["eighteen", "17 or 18", "1.00,00", "Answer: 17\nAnswer: 1000"])
def test_a_stated_answer_that_is_no_one_number_is_wrong_and_no_abstention(answer: str) -> None:
    frame = read_table(table((answer, "1000"), ("", "1000"), ("  ", "18")))
    assert frame["outcome"].to_list() == ["wrong", "abstained", "abstained"]


@pytest.mark.parametrize(
    "answer",
    ["(A) and (C)", "(A) or (B)", "(A), (C)", "A. and C.", "A. whale or B. shark", "(A)(B)", "AB"],
)
def test_two_letters_are_not_the_first_of_them(answer: str) -> None:
    assert outcomes(table((answer, "A"), ("A", "A"))) == ["wrong", "correct"]


@pytest.mark.parametrize("answer", ["B) vitamins A and C", "B) Written by I. Newton", "(b): none"])
def test_a_letter_may_carry_its_options_text(answer: str) -> None:
    assert outcomes(table((answer, "B"))) == ["correct"]


def test_equal_answers_agree_and_the_original_is_kept() -> None:
    frame = read_table(table(("18", "18"), ("18.0", "18"), ("$18", "18"), ("about it", "18")))
    assert frame["answer"].to_list() == ["18", "18", "18", "about it"]
    assert frame["text"].to_list() == ["18", "18.0", "$18", "about it"]


def test_texts_that_are_alike_take_one_spelling_the_targets_first() -> None:
    frame = read_table(table(("PARIS.", "Paris"), ("rome", "Paris"), ("Rome", "Bonn")))
    assert frame["answer"].to_list() == ["Paris", "rome", "rome"]


def test_long_texts_that_differ_stay_different() -> None:
    frame = read_table(table(("x" * 5_000, "yes"), ("x" * 5_000 + "y", "yes"), ("...", "yes")))
    assert frame["answer"].n_unique() == 3
    assert frame["outcome"].to_list() == ["wrong"] * 3


def test_one_target_in_words_makes_all_answers_texts_and_what_it_costs_can_be_counted() -> None:
    frame = read_table(table(("1,000", "1000"), ("yes", "Yes"), ("7", "7"), ("8", "9"), ("5", "9")))
    assert frame["outcome"].to_list() == ["wrong", "correct", "correct", "wrong", "wrong"]
    assert count_equal_numbers(frame) == 1


def test_the_kind_can_be_given() -> None:
    assert outcomes(table(("1.0", "1"), ("2", "2")), "text") == ["wrong", "correct"]
    assert outcomes(table(("5 clips", "5"), ("five", "5")), "number") == ["correct", "wrong"]
    with pytest.raises(TaskError, match='kind "numbr" is unknown; did you mean "number"'):
        read_table(table(("1", "1")), kind="numbr")


@pytest.mark.parametrize(
    ("kind", "target", "what"), [("number", "many", "a number"), ("choice", "many", "one option")]
)
def test_a_target_that_is_none_of_its_kind_is_named(kind: str, target: str, what: str) -> None:
    first = "5" if kind == "number" else "B"
    with pytest.raises(TaskError, match=f"row 2: target 'many' cannot be read as .*{what}"):
        read_table(table((first, first), ("7", target)), kind=kind)


def test_without_targets_the_right_answers_tell_the_kind() -> None:
    told = table(("18", None), ("18.0", None), ("no idea", None)).drop("target")
    frame = read_table(told.with_columns(correct=pl.Series([True, True, False])))
    assert frame["answer"].to_list() == ["18", "18", "no idea"]
    assert frame["outcome"].to_list() == ["correct", "correct", "wrong"]


def test_what_correct_says_wins_over_the_target() -> None:
    told = table(("18", "18"), ("17", "18"), ("17", "18"))
    frame = read_table(told.with_columns(correct=pl.Series(["no", "yes", None])))
    assert frame["outcome"].to_list() == ["wrong", "correct", "wrong"]


def test_a_question_nobody_answered_counts_where_correct_alone_tells_the_truth() -> None:
    told = table(("18", None), ("", None)).drop("target")
    frame = read_table(told.with_columns(correct=pl.Series([True, None])))
    assert frame["outcome"].to_list() == ["correct", "abstained"]


def test_nan_is_no_answer_and_no_target(tmp_path: Path) -> None:
    frame = table((18.0, 18.0), (float("nan"), 18.0), (float("nan"), float("nan")), (17.0, 18.0))
    frame.write_parquet(tmp_path / "t.parquet")
    frame.cast(pl.String).write_csv(tmp_path / "t.csv")
    for source in (frame, tmp_path / "t.parquet", tmp_path / "t.csv"):
        read = read_table(source)
        assert read["outcome"].to_list() == ["correct", "abstained", None, "wrong"]
        assert read["target"].null_count() == 1


@pytest.mark.parametrize("word", ["NA", "None", "null", "N/A"])
def test_words_for_nothing_are_answers_among_texts_alone(word: str) -> None:
    assert outcomes(table((word, word), ("Rome", "Rome"))) == ["correct", "correct"]
    assert outcomes(table((word, "7"), ("7", "7"))) == ["abstained", "correct"]
    assert outcomes(table((word, "B"), ("b", "B"))) == ["abstained", "correct"]
    assert outcomes(table(("7", word), ("7", "7"))) == [None, "correct"]


def test_the_nan_of_a_text_column_is_missing_among_texts_too() -> None:
    assert outcomes(table(("nan", "nan"), ("NaN", "Rome"), ("Rome", "Rome"))) == [
        None,
        "abstained",
        "correct",
    ]


@pytest.mark.parametrize(
    "text", ["Answer: 18 eggs", r"so \boxed{18}", "#### 18", "Answer: 1\nAnswer: 2"]
)
def test_a_reply_is_read_as_a_run_reads_it(text: str) -> None:
    question = Question(id="q", text="?", kind="number")
    assert read_answer(text, "number") == parse_answer(text, question, CHAT).value


def test_the_kind_is_told_by_all_targets() -> None:
    assert infer_kind(["1,000", "$5", "18.0", r"\boxed{3}", "nan"]) == "number"
    assert infer_kind(["A", "(b)", "C."]) == "choice"
    assert infer_kind(["A", "7"]) == "text"
    assert infer_kind(["1,000", "1.00,00"]) == "text"
    assert infer_kind(["1,000", "1.000,00"]) == "number"
    assert infer_kind([]) == "text"


def test_answers_of_another_kind_than_the_targets_are_counted_and_the_first_is_named() -> None:
    said = describe_unread(read_table(table(("17 or 18", "18"), ("19", "18"), ("many", "18"))))
    assert said is not None
    assert said.startswith("2 answers state no single number, as the targets do")
    assert "'17 or 18' (question q000, round 0, agent a)" in said
    assert describe_unread(read_table(table(("19", "18"), ("18", "18")))) is None
    assert describe_unread(read_table(table(("Paris", "Rome")))) is None
