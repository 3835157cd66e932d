"""Mistakes that debate frameworks have made in reading and scoring, each shut out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import debate.tasks
from debate.tasks import (
    parse_answer,
    score_answer,
)
from debate.tasks.answer_format import (
    CHAT,
    COMPACT,
)
from debate.tasks.assessments import parse_confidence, parse_verdict
from debate.types import Answer, Question

NUMBER = Question(id="q", text="What is 9 * 2?", kind="number", target="18")
CHOICE = Question(id="q", text="?", kind="choice", options=("Rome", "Paris"), target="A")
UNPARSABLE = ("", "I am not sure.", "It could be 18.", "A or B", "18 is my guess", "Answer: ?")


@pytest.mark.parametrize("text", UNPARSABLE)
def test_what_cannot_be_parsed_is_never_scored_as_correct(text: str) -> None:
    for question in (NUMBER, CHOICE):
        answer = parse_answer(text, question, CHAT)
        assert answer.is_abstention
        assert score_answer(answer.value, question) is False


def test_an_abstention_does_not_equal_an_empty_or_missing_target() -> None:
    unscored = Question(id="q", text="?", kind="text")
    assert score_answer(None, unscored) is None
    assert score_answer("", Question(id="q", text="?", kind="text", target="x")) is False


@pytest.mark.parametrize("text", UNPARSABLE)
def test_an_invalid_reply_is_not_filled_with_a_drawn_answer(text: str) -> None:
    readings = {parse_answer(text, CHOICE, CHAT).value for _ in range(50)}
    assert readings == {None}


def test_a_number_in_passing_is_not_the_answer() -> None:
    text = "First 9 * 2 = 18, and that is what I get: 18"
    assert parse_answer(text, NUMBER, CHAT).is_abstention


@pytest.mark.parametrize("text", ["Confidence: high", "Confidence:", "I am 80% sure.", ""])
def test_a_confidence_that_was_not_stated_is_absent_and_no_constant(text: str) -> None:
    assert parse_confidence(text, CHAT) is None
    assert parse_confidence(text, COMPACT) is None


@pytest.mark.parametrize(
    "text",
    [
        "The solution is incorrect.",
        "Verdict: this is not correct",
        "Verdict: partially correct",
        "It would be correct to say that the verdict is open.",
        "Very good. Yes.",
    ],
)
def test_a_verdict_is_not_found_by_substring(text: str) -> None:
    assert parse_verdict(text, CHAT) is None
    assert parse_verdict(text, COMPACT) is None


def test_incorrect_does_not_contain_correct() -> None:
    assert parse_verdict("Verdict: incorrect", CHAT) is False


def test_model_text_is_never_evaluated() -> None:
    attack = "Answer: __import__('os').system('true') or 18"
    assert parse_answer(attack, NUMBER, CHAT).is_abstention
    assert parse_answer("Answer: 9*2", NUMBER, CHAT).is_abstention
    calls = {
        node.func.id
        for file in Path(debate.tasks.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"eval", "exec", "compile", "__import__"}


def test_the_target_is_in_no_repr() -> None:
    secret = Question(id="q", text="?", kind="number", target="987654321")
    assert "987654321" not in repr(secret)
    assert "987654321" not in repr([secret])
    assert repr(Answer(value=None)) == "Answer(value=None, matched=())"
