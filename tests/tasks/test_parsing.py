"""What a reply says is read from its marks, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.tasks.answer_format import (
    CHAT,
    COMPACT,
)
from debate.tasks.assessments import parse_confidence, parse_verdict
from debate.tasks.parsing import find_answer, parse_answer
from debate.types import Question

NUMBER = Question(id="q", text="?", kind="number", target="18")
CHOICE = Question(id="q", text="?", kind="choice", options=("Rome", "Paris"), target="B")
TEXT = Question(id="q", text="?", kind="text", target="Paris")
RESIDUE = Question(id="q", text="h+c", kind="text", options=tuple("abcdefghijklmnopqrstuvw"))


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 18",
        "answer: 18",
        "ANSWER : 18",
        "So 9 * 2 = 18.\nAnswer: 18",
        "**Answer:** 18",
        "**Answer: 18**",
        "**Answer**: **18**.",
        "### Answer: $18",
        "_Final answer:_ 18 dollars",
        "Answer: 18\r\n",
        "   Answer:18   \n\nGood luck!",
        "Answer：18",
        "#### 18",
        "  #### 18",
        r"The result is \boxed{18}.",
        r"$\boxed{18}$ and again \boxed{18.0}",
        r"Final answer: The value is $\boxed{18}$",
        r"Answer: \boxed{\text{18 dollars}}",
        r"\boxed{\frac{36}{2}}",
        "Answer: 18\nAnswer: 18.00",
        "#### Step 1\nMultiply.\n#### Step 2\nAdd.\nAnswer: 18",
        "Answer:\nAnswer: 18",
        "Answer:\n18",
        "- Answer: 18",
        "My answer: 18",
        "The answer is 18",
        "18",
        "<think>\nAnswer: 17\n</think>\nAnswer: 18",
    ],
)
def test_a_marked_number_is_the_answer(text: str) -> None:
    assert parse_answer(text, NUMBER, CHAT).value == "18"
    span = find_answer(text, NUMBER, CHAT).span
    assert span is not None
    assert "18" in text[span.start : span.end] or "36" in text[span.start : span.end]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I think it is 18.",
        "Agent 2 says the answer is 18",
        "The answer is 18 or 19",
        "The answer would be 18",
        "> Answer: 18",
        'Agent 2 said "Answer: 18"',
        "Answer: 17\nAnswer: 18",
        r"Answer: 17" "\n" r"\boxed{18}",
        "Answer: 17\n#### 18",
        "Answer: to be found\nAnswer: 18",
        "Answer: 18 or 19",
        "Answer: eighteen",
        "Answer:",
        r"\boxed{18",
        r"\boxed{}",
        "#### Conclusion",
        "Answers: 18",
        "\n".join(f"Answer: 18.{'0' * n}" for n in range(300)),
    ],
)
def test_no_mark_or_two_different_marks_is_an_abstention(text: str) -> None:
    assert parse_answer(text, NUMBER, CHAT).is_abstention
    assert find_answer(text, NUMBER, CHAT).span is None


def test_an_abstention_says_what_was_marked() -> None:
    assert parse_answer("Answer: 17\nAnswer: 18", NUMBER, CHAT).matched == ("17", "18")
    assert parse_answer("Answer: many", NUMBER, CHAT).matched == ("many",)
    assert parse_answer("nothing", NUMBER, CHAT).matched == ()


def test_what_was_marked_is_kept_where_it_differs_from_the_value() -> None:
    assert parse_answer("Answer: 18", NUMBER, CHAT).matched == ()
    assert parse_answer("Answer: $18.00", NUMBER, CHAT).matched == ("$18.00",)


@pytest.mark.parametrize("text", ["Answer: B", "Answer: (b) Paris", r"\boxed{\text{B}}", "#### B"])
def test_a_choice_is_read_as_its_letter(text: str) -> None:
    assert parse_answer(text, CHOICE, CHAT).value == "B"


def test_a_choice_outside_the_options_is_an_abstention() -> None:
    assert parse_answer("Answer: C", CHOICE, CHAT).is_abstention


def test_a_text_keeps_its_spelling_and_agrees_in_any() -> None:
    assert parse_answer("Answer: Paris\nAnswer: PARIS.", TEXT, CHAT).value == "Paris"


def test_a_heading_is_no_text_answer() -> None:
    assert parse_answer("#### Reasoning\nAnswer: Paris", TEXT, CHAT).value == "Paris"
    assert parse_answer("#### Paris\nAnswer: Paris", TEXT, CHAT).value == "Paris"
    assert parse_answer("#### Paris", TEXT, CHAT).is_abstention


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("936\n", "936"),
        ("936", "936"),
        ("611\nVn\n", "611"),
        ("936\nQ12+12\nA24\n", "936"),
        ("\n936", None),
        ("Vy\n", None),
        ("", None),
        ("9 6", None),
        ("93?", None),
    ],
)
def test_in_the_compact_format_the_first_line_is_the_answer(text: str, value: str | None) -> None:
    assert parse_answer(text, NUMBER, COMPACT).value == value


def test_a_compact_residue_is_told_from_a_verdict() -> None:
    assert parse_answer("v\nVn\n", RESIDUE, COMPACT).value == "v"
    assert parse_verdict("v\nVn\n", COMPACT) is False
    assert parse_answer("Vn\n", RESIDUE, COMPACT).is_abstention
    assert parse_answer("x\n", RESIDUE, COMPACT).is_abstention


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        ("85%", 0.85),
        ("85 %", 0.85),
        ("0.85", 0.85),
        ("85", 0.85),
        ("85 percent", 0.85),
        ("85/100", 0.85),
        ("**85%**", 0.85),
        ("100%", 1.0),
        ("1", 1.0),
        ("1%", 0.01),
        ("0", 0.0),
        ("0.5%", 0.005),
        ("101%", None),
        ("-5%", None),
        ("nan", None),
        ("high", None),
        ("80-90%", None),
        ("85% or so", None),
        ("1e1", None),
        ("", None),
    ],
)
def test_a_stated_confidence_is_read_or_absent(stated: str, value: float | None) -> None:
    assert parse_confidence(f"Answer: 18\nConfidence: {stated}", CHAT) == value


def test_two_different_confidences_are_none() -> None:
    assert parse_confidence("Confidence: 80%\nConfidence: 90%", CHAT) is None
    assert parse_confidence("Confidence: 80%\nConfidence: 0.8", CHAT) == 0.8


@pytest.mark.parametrize(
    ("text", "accepts"),
    [
        ("Verdict: correct", True),
        ("**Verdict:** Incorrect.", False),
        ("Verdict: not correct", False),
        ("Verdict: correct, I think", None),
        ("The verdict is correct", None),
        ("Verdict: correct\nVerdict: incorrect", None),
        ("Verdict: correct\nVerdict: Correct", True),
        ("", None),
    ],
)
def test_a_verdict_is_one_of_its_words(text: str, accepts: bool | None) -> None:
    assert parse_verdict(text, CHAT) is accepts


@pytest.mark.parametrize(
    ("text", "accepts"),
    [("936\nVy\n", True), ("936\nVn\n", False), ("936\n", None), ("936\nVx\n", None)],
)
def test_a_compact_verdict_is_a_line_of_its_own(text: str, accepts: bool | None) -> None:
    assert parse_verdict(text, COMPACT) is accepts


def test_the_span_covers_the_answer_and_nothing_else() -> None:
    text = "Think.\n**Answer:** **18 eggs**\nConfidence: 80%"
    span = find_answer(text, NUMBER, CHAT).span
    assert span is not None
    assert text[span.start : span.end] == "18 eggs"
    assert find_answer("936\nVy\n", NUMBER, COMPACT).span == (0, 3)


def test_the_span_is_that_of_the_first_of_equal_marks() -> None:
    assert find_answer("Answer: 18\nAnswer: 18.0", NUMBER, CHAT).span == (8, 10)


@given(st.integers(), st.integers(0, 100))
def test_what_is_written_as_asked_is_read_as_meant(number: int, percent: int) -> None:
    text = f"Some reasoning with {number + 1}.\n\nAnswer: {number}\nConfidence: {percent}%"
    assert parse_answer(text, NUMBER, CHAT).value == str(number)
    assert parse_confidence(text, CHAT) == percent / 100
    span = find_answer(text, NUMBER, CHAT).span
    assert span is not None
    assert text[span.start : span.end] == str(number)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.booleans())
def test_an_answer_stands_only_if_all_marks_agree(numbers: list[int], boxed: bool) -> None:
    lines = [rf"So \boxed{{{n}}}." if boxed and n % 2 else f"Answer: {n}" for n in numbers]
    value = parse_answer("\nthen\n".join(lines), NUMBER, CHAT).value
    assert value == (str(numbers[0]) if len(set(numbers)) == 1 else None)
