"""GSM8K's own file, where a copy lies beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from debate.config.task import DatasetTask
from debate.tasks import (
    load_questions,
    parse_answer,
    score_answer,
)
from debate.tasks.answer_format import CHAT

FILE = Path(__file__).parents[2] / ".." / "shared/data/gsm8k/test.jsonl"
pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason="no shared/data/gsm8k/test.jsonl beside the checkout"
)


def test_all_questions_are_read_with_their_targets() -> None:
    questions = load_questions(DatasetTask(dataset="gsm8k", path=str(FILE)))
    assert len(questions) == 1319
    assert len({question.id for question in questions}) == 1319
    assert {question.kind for question in questions} == {"number"}
    assert questions[0].target == "18"
    assert all(question.target for question in questions)


def test_every_reference_solution_parses_to_its_target() -> None:
    questions = load_questions(DatasetTask(dataset="gsm8k", path=str(FILE)))
    solutions = [json.loads(line)["answer"] for line in FILE.read_text("utf-8").splitlines()]
    answers = [
        parse_answer(solution, question, CHAT)
        for question, solution in zip(questions, solutions, strict=True)
    ]
    assert all(
        score_answer(answer.value, question)
        for answer, question in zip(answers, questions, strict=True)
    )


def test_a_seed_shuffles_and_a_larger_limit_only_adds() -> None:
    def ids(limit: int, seed: int) -> list[str]:
        task = DatasetTask(dataset="gsm8k", path=str(FILE), limit=limit, seed=seed)
        return [question.id for question in load_questions(task)]

    assert ids(200, 0) == ids(300, 0)[:200]
    assert set(ids(200, 0)) != set(ids(200, 1))
