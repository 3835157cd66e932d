"""All of GSM8K's test questions, debated by three recorded models over a real endpoint."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import debate
from debate.log import Run
from tests.endpoint import forgets_the_mark, read_solutions
from tests.support import GSM8K

QUESTIONS, SOLUTIONS = GSM8K / "test.jsonl", GSM8K / "example_model_solutions.jsonl"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not SOLUTIONS.is_file(), reason="GSM8K is not in shared/data/gsm8k beside the checkout"
    ),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running endpoint."""
    command = [sys.executable, "-m", "tests.endpoint", str(SOLUTIONS)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.terminate()


@pytest.fixture(scope="module")
def run(url: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The finished debate of all questions."""
    config = {
        "models": {
            f"m{n}": {"engine": "openai", "url": url, "model": model, "logprobs": False}
            for n, model in enumerate(MODELS)
        },
        "agents": [{"id": f"m{n}", "model": f"m{n}"} for n in range(len(MODELS))],
        "topology": "complete",
        "task": {"dataset": "gsm8k", "path": str(QUESTIONS)},
        "rounds": 1,
    }
    return debate.run(config, out=tmp_path_factory.mktemp("gsm8k") / "run", quiet=True)


def test_every_question_is_debated_to_its_end(run: Run) -> None:
    assert run.verdicts().filter(final=True).height == 1319
    assert run.turns().height == 1319 * 3 * 2
    assert not run.turns()["failed"].any()


def test_unmarked_answers_are_abstentions_and_never_right(run: Run) -> None:
    solutions = read_solutions(SOLUTIONS)
    openings = run.turns().filter(round=0)
    abstained = openings.filter(abstained=True)
    forgotten = sum(forgets_the_mark(model, question) for model in MODELS for question in solutions)
    assert abstained.height >= forgotten > 150
    assert not abstained["correct"].any()


def test_openings_are_scored_as_the_authors_of_the_data_scored_them(run: Run) -> None:
    solutions = read_solutions(SOLUTIONS)
    text_of = dict(run.questions().select("id", "text").iter_rows())
    differing = []
    for row in run.turns().filter(round=0).iter_rows(named=True):
        model = MODELS[int(row["agent"][1:])]
        question = text_of[row["question"]].strip()
        if not forgets_the_mark(model, question):
            theirs = solutions[question][model]["is_correct"]
            if row["correct"] != theirs:
                differing.append((question[:60], model, row["answer"], theirs))
    assert differing == []


def test_revisions_hear_both_others(run: Run) -> None:
    revisions = run.turns().filter(kind="revision")
    heard = revisions["heard"].list.len()
    assert heard.max() == 2
    assert (heard == 2).mean() > 0.8
