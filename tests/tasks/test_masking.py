"""A masked text states no answer any more, holds its value nowhere, and is otherwise as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from debate.tasks.answer_format import FORMATS, AnswerFormat
from debate.tasks.assessments import parse_confidence, parse_verdict
from debate.tasks.masking import (
    ANSWER_MASK,
    mask_answer,
    mask_confidence,
    mask_statements,
    mask_verdict,
)
from debate.tasks.parsing import parse_answer
from debate.types import Question

CHAT, JSON, COMPACT = FORMATS["chat"], FORMATS["json"], FORMATS["compact"]
NUMBER = Question(id="n", text="?", kind="number")
CHOICE = Question(id="c", text="?", kind="choice", options=("Trout", "A whale", "Eagle"))
TEXT = Question(id="t", text="?")
CLOSED = Question(id="o", text="?", options=("red", "green"))
MATH = Question(id="m", text="?", kind="math")
ANSWERS = {"n": "18", "c": "B", "t": "New York", "o": "green", "m": "x + 1"}
STATED = (
    "Answer: {}",
    "**Answer:** {}.",
    '"Answer: {}"',
    "Answer:\n{}",
    "So the answer is {}.",
    "{} is the answer.",
    "Agent 2 says the answer is {}, and I agree that the answer is {}.",
    r"Thus $\boxed{{{}}}$",
    "<answer>{}</answer>",
    '{{"reasoning": "so {}", "answer": "{}"}}',
    "#### {}",
    "{}",
    "Perhaps it is {}.",
    "Answer: {}, Confidence: 90%",
    "<think>the answer is {}</think>",
    "Wait, I made a mistake.",
)
PLAIN = (
    "First, count.",
    "The rest follows from that.",
    "20 of 7 are 5",
    "> quoted",
    "",
    "- a list",
)


@pytest.mark.parametrize("question", [NUMBER, CHOICE, TEXT, CLOSED, MATH], ids=lambda q: q.kind)
@given(lines=st.lists(st.sampled_from(STATED + PLAIN), max_size=7))
@example(lines=["Answer:\n{}", '"Answer: {}"', r"Thus $\boxed{{{}}}$"])
def test_no_answer_is_read_in_a_masked_text_and_the_rest_stays(
    question: Question, lines: list[str]
) -> None:
    answer = ANSWERS[question.id]
    text = "\n".join(line.format(answer, answer) for line in lines)
    for mask in (mask_answer, mask_statements):
        masked = mask(text, question, CHAT, answer=answer)
        assert parse_answer(masked, question, CHAT).value is None
        at = 0
        for part in re.split(r"\[answer\]", masked):
            at = text.index(part, at) + len(part)
    assert not re.search(
        rf"(?<!\w){re.escape(answer)}(?!\w)", mask_answer(text, question, CHAT, answer=answer)
    )


@given(text=st.text(st.sampled_from('Answer: 18\n"{}[]\\boxed<>/.is the'), max_size=60))
def test_no_number_is_read_in_any_masked_text(text: str) -> None:
    said = parse_answer(text, NUMBER, CHAT).value
    masked = mask_answer(text, NUMBER, CHAT, answer=said)
    assert parse_answer(masked, NUMBER, CHAT).value is None


def test_a_text_without_the_answer_stays_as_it_is() -> None:
    text = "First 7, then 180 and 1.8.\nConfidence: 18.5%"
    assert mask_answer(text, NUMBER, CHAT, answer="18") == text


@pytest.mark.parametrize(
    ("question", "answer", "text", "masked"),
    [
        (NUMBER, "18", "18.0, $18, 18,24, 118", "[answer], $[answer], [answer],24, 118"),
        (NUMBER, "18000", "18,000 or 18 thousand", "[answer] or [answer]"),
        (NUMBER, "42", "Forty-two, forty", "[answer], forty"),
        (NUMBER, "-3", "It is −3.", "It is −[answer]."),
        (NUMBER, "0.5", r"\frac{1}{2}, 1/2, 1/20", "[answer], [answer], 1/20"),
        (CHOICE, "B", "(B), a whale, option B, Bee", "[answer], [answer], [answer], Bee"),
        (CHOICE, "A", "A fish. A is it, (A)", "A fish. [answer] is it, [answer]"),
        (TEXT, "New York", "in new\nyork, newyork", "in [answer], newyork"),
        (MATH, "x+1", "$x + 1$, $1+x$, x+12", "[answer], [answer], x+12"),
    ],
)
def test_the_value_is_found_as_it_may_be_written(
    question: Question, answer: str, text: str, masked: str
) -> None:
    assert mask_answer(text, question, CHAT, answer=answer) == masked


@pytest.mark.parametrize("text", ['{"reasoning": "it is 7", "answer": 18}', '{"answer": "18"}'])
def test_a_json_object_stays_one(text: str) -> None:
    masked = mask_statements(text, NUMBER, JSON)
    assert masked == text.replace('"18"', "18").replace("18", f'"{ANSWER_MASK}"')


def test_a_first_line_that_is_the_answer_goes() -> None:
    assert mask_statements("18\n9+9", NUMBER, COMPACT) == "\n9+9"


@pytest.mark.parametrize("format", [CHAT, JSON])
def test_confidences_and_verdicts_are_masked_too(format: AnswerFormat) -> None:
    text = 'Confidence: 90%\nVerdict: correct\n{"confidence": 0.9, "verdict": "correct"}'
    masked = mask_verdict(mask_confidence(text, format), format)
    assert parse_confidence(masked, format) is None
    assert parse_verdict(masked, format) is None
    assert parse_verdict(mask_verdict("Your answer is wrong.", CHAT), CHAT) is None
