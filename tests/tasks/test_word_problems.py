"""Word problems: exact answers, and splits that have no calculation in common."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.config.task import GeneratorTask
from debate.errors import TaskError
from debate.tasks.arithmetic import Split
from debate.tasks.loading import load_questions
from debate.tasks.word_problems import (
    WORD_FAMILIES,
    Step,
    WordProblem,
    assign_step_split,
    draw_slip,
    draw_word_problem,
    draw_word_problems,
    list_near_answers,
)

FAMILIES = tuple(WORD_FAMILIES)


def draw(split: Split, count: int = 150) -> list[WordProblem]:
    rng = random.Random(split)
    return [draw_word_problem(f, rng, split=split) for f in FAMILIES for _ in range(count)]


def list_steps(split: Split) -> set[str]:
    return {step.name for problem in draw(split) for step in problem.steps}


def test_no_step_occurs_in_two_splits() -> None:
    train, validation, test = map(list_steps, ("train", "validation", "test"))
    assert min(map(len, (train, validation, test))) > 40
    assert not train & validation
    assert not train & test
    assert not validation & test


@given(st.sampled_from("+-*"), st.integers(0, 999), st.integers(0, 999))
def test_the_order_of_operands_does_not_change_a_split(
    operation: str, left: int, right: int
) -> None:
    one, other = Step(operation, left, right), Step(operation, right, left)
    assert assign_step_split(one) == assign_step_split(other)


def calculate(expression: str) -> int:
    assert re.fullmatch(r"\d+( (\+|-|\*|mod) \d+)+", expression)
    return int(eval(expression.replace("mod", "%")))


@given(st.sampled_from(FAMILIES), st.integers(0, 2**32))
def test_a_problem_is_answered_exactly_and_tells_all_its_numbers(family: str, seed: int) -> None:
    problem = draw_word_problem(family, random.Random(seed), split="train")
    assert problem.answer == calculate(problem.expression) >= 0
    assert sorted(re.findall(r"\d+", problem.text)) == sorted(
        re.findall(r"\d+", problem.expression)
    )


@given(st.sampled_from(FAMILIES), st.integers(0, 2**32))
def test_the_steps_of_a_problem_lead_to_its_answer(family: str, seed: int) -> None:
    problem = draw_word_problem(family, random.Random(seed), split="train")
    results = [calculate(f"{step.left} {step.operation} {step.right}") for step in problem.steps]
    assert results[-1] == problem.answer
    assert all(
        result == step.right for result, step in zip(results, problem.steps[1:], strict=False)
    )


def test_one_seed_draws_the_same_different_problems() -> None:
    problems = draw_word_problems({"sum": 3.0, "shopping": 1.0}, 40, seed=5)
    assert problems == draw_word_problems({"sum": 3.0, "shopping": 1.0}, 40, seed=5)
    assert problems != draw_word_problems({"sum": 3.0, "shopping": 1.0}, 40, seed=6)
    assert len({problem.text for problem in problems}) == len({p.id for p in problems}) == 40
    assert [p.family for p in problems].count("sum") == 30
    assert {problem.split for problem in problems} == {"test"}


def test_an_unknown_family_is_told_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'sums' is unknown; known families: sum, product"):
        draw_word_problems(["sums"], 4, seed=0)


@given(st.integers(0, 200), st.sampled_from([1, 3, 5, 7]))
def test_near_answers_are_the_right_one_and_its_neighbours(answer: int, count: int) -> None:
    near = list_near_answers(answer, count)
    assert len(near) == count
    assert answer in near
    assert min(near) >= 0
    assert max(near) - min(near) == count - 1


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_a_slip_is_another_number(answer: int, seed: int) -> None:
    assert draw_slip(answer, random.Random(seed)) not in (answer, -1)
    assert draw_slip(answer, random.Random(seed)) >= 0


def test_a_run_draws_word_problems_and_clusters_them_by_calculation() -> None:
    questions = list(load_questions(GeneratorTask(generator="word_problems", n=24)))
    assert {question.category for question in questions} == set(FAMILIES)
    assert all(question.kind == "number" for question in questions)
    for question in questions:
        assert question.cluster is not None
        assert question.target == str(calculate(question.cluster))


@pytest.mark.parametrize("fields", [{"families": ["add"]}, {"families": {"su": 1.0}}])
def test_a_run_that_asks_for_another_family_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(TaskError, match="known families: sum"):
        load_questions(GeneratorTask(generator="word_problems", n=4, **fields))
