"""An answer is right, or wrong, or absent; equal answers have one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.config.task import ScoringSpec
from debate.tasks import (
    is_correct,
    list_candidates,
    normalise,
    score_answer,
)
from debate.types import AnswerKind, Question

NUMBER = Question(id="q", text="?", kind="number", target="1234")
CHOICE = Question(id="q", text="?", kind="choice", options=("Rome", "Paris"), target="B")
TEXT = Question(id="q", text="?", kind="text", target="Paris")
CLOSED = Question(id="q", text="?", kind="text", options=("a", "b", "c"), target="b")


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        (NUMBER, ("1234", "1,234.0", "$1234"), ("1235", "-1234", "12345", "many", None)),
        (CHOICE, ("B", "(b)", "Paris"), ("A", "Rome", "C", "Parisian", None)),
        (TEXT, ("Paris", "paris.", "  **PARIS** "), ("Paris, France", "Par", "", None)),
        (CLOSED, ("b", "B"), ("a", "d", None)),
    ],
)
def test_answers_are_scored_by_kind(
    question: Question, right: tuple[str, ...], wrong: tuple[str | None, ...]
) -> None:
    assert [is_correct(value, question) for value in right] == [True] * len(right)
    assert [is_correct(value, question) for value in wrong] == [False] * len(wrong)


@pytest.mark.parametrize(
    ("scoring", "value", "is_right"),
    [
        (ScoringSpec(absolute=0.1), "1234.1", True),
        (ScoringSpec(absolute=0.1), "1234.11", False),
        (ScoringSpec(relative=0.01), "1246.34", True),
        (ScoringSpec(relative=0.01), "1246.35", False),
        (ScoringSpec(absolute=20, relative=0.001), "1254", True),
    ],
)
def test_a_tolerance_is_exact_at_its_edge(scoring: ScoringSpec, value: str, is_right: bool) -> None:
    assert is_correct(value, NUMBER, scoring) is is_right


def test_a_pattern_must_match_the_whole_answer() -> None:
    question = Question(id="q", text="?", target=r"colou?r|hue")
    pattern = ScoringSpec(match="regex")
    assert is_correct("Color.", question, pattern)
    assert not is_correct("colors", question, pattern)
    assert not is_correct("huecolor", question, pattern)
    assert not is_correct(None, question, pattern)


def test_without_a_target_an_answer_is_neither_right_nor_wrong() -> None:
    assert score_answer("7", Question(id="q", text="?", kind="number")) is None
    assert score_answer(None, NUMBER) is False


@pytest.mark.parametrize(
    ("question", "spellings"),
    [
        (NUMBER, ("1234", "1,234.0", "$1,234", "1234 eggs")),
        (CHOICE, ("B", "(B)", "b.", "Paris", "(B) Paris")),
        (TEXT, ("Paris", "paris", '"PARIS".')),
    ],
)
def test_one_opinion_has_one_form(question: Question, spellings: tuple[str, ...]) -> None:
    assert len({normalise(value, question) for value in spellings}) == 1


@given(
    text=st.text(max_size=80),
    kind=st.sampled_from(["number", "choice", "text"]),
    options=st.sampled_from([(), ("Rome", "Paris"), ("B", "A"), ("1", "2", "3")]),
)
def test_normalising_twice_changes_nothing(
    text: str, kind: AnswerKind, options: tuple[str, ...]
) -> None:
    question = Question(id="q", text="?", kind=kind, options=options)
    once = normalise(text, question)
    assert normalise(once, question) == once


SPELLINGS = ("1234", "1,234.0", "$1234", "1235", "B", "(b)", "paris", "A", "Paris!", "b", "c.")


@given(st.sampled_from(SPELLINGS) | st.text(max_size=80))
def test_a_right_answer_agrees_with_the_target_and_a_wrong_one_does_not(text: str) -> None:
    for question in (NUMBER, CHOICE, TEXT, CLOSED):
        agrees = normalise(text, question) == normalise(question.target or "", question)
        assert is_correct(text, question) == agrees


def test_closed_questions_list_their_answers() -> None:
    assert list_candidates(CHOICE) == ("A", "B")
    assert list_candidates(CLOSED) == ("a", "b", "c")
    assert list_candidates(NUMBER) == ()
