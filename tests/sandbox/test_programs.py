"""`kind: code`: a program is read from its block, and right where it passes the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from debate.config.loader import load_run
from debate.errors import ConfigError, InputError
from debate.log import Run
from debate.runner.plan import make_plan
from debate.runner.verify_run import verify_run
from debate.tasks import parse_answer, score_answer
from debate.tasks.answer_format import CHAT
from debate.types import Question
from tests.support import by_ref, run, said, scripted

TESTS = "assert add(1, 2) == 3\nassert add(-1, 1) == 0"
RIGHT, WRONG = "def add(a, b):\n    return a + b", "def add(a, b):\n    return a - b"
QUESTION = Question(id="q", text="Write add(a, b).", kind="code", tests=TESTS)


def block(code: str, *, mark: str = "", language: str = "python") -> str:
    return f"{mark}```{language}\n{code}\n```"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (block(RIGHT), RIGHT),
        (block(RIGHT, language=""), RIGHT),
        (block(RIGHT, mark="So:\n\n**Answer:**\n\n", language="Python") + "\nIt adds.", RIGHT),
        (block(WRONG) + "\nNo.\nAnswer:\n" + block(RIGHT), RIGHT),
        (block(RIGHT) + "\n" + block(RIGHT + "  \n"), RIGHT),
        (block(RIGHT) + "\n" + block(WRONG), None),
        (block("ls", language="bash"), None),
        (RIGHT, None),
        ("Answer: add", None),
        (block(RIGHT).removesuffix("```"), RIGHT),
    ],
)
def test_a_program_is_the_one_block_of_a_reply(text: str, value: str | None) -> None:
    assert parse_answer(text, QUESTION, CHAT).value == value


def test_of_a_reply_that_was_cut_only_a_closed_block_is_read() -> None:
    assert parse_answer(block(RIGHT) + "\nIt", QUESTION, CHAT, cut=True).value == RIGHT
    open_block = block(RIGHT).removesuffix("```")
    assert parse_answer(open_block, QUESTION, CHAT, cut=True).value is None


def test_a_program_is_right_where_it_passes() -> None:
    assert score_answer(RIGHT, QUESTION) is True
    assert score_answer(WRONG, QUESTION) is False
    assert score_answer(None, QUESTION) is False
    assert score_answer(RIGHT, Question(id="q", text="?", kind="code")) is None


def write_task(folder: Path, *rows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    (folder / "code.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"path": str(folder / "code.jsonl"), "kind": "code", **fields}


def debated(folder: Path, **fields: Any) -> Run:
    row = {"id": "q0", "question": "Write add(a, b).", "tests": TESTS.splitlines()}
    seats = [
        scripted("a", block(RIGHT, mark="Answer:\n")),
        scripted("b", block(WRONG)),
        scripted("c", block(RIGHT)),
    ]
    task = write_task(folder, row, scoring={"code": {"timeout_s": 5}})
    made = run(folder, seats, task=task, rounds=1, log={"prompts": True}, **fields)
    found = verify_run(made.directory)
    assert (found.problems, found.unchecked) == ((), ())
    return made


def test_programs_are_asked_for_debated_scored_and_voted_on(tmp_path: Path) -> None:
    made = debated(tmp_path)
    turns = by_ref(made)
    outcomes = [turns[f"1:revision:{name}"].outcome for name in "abc"]
    assert outcomes == ["correct", "wrong", "correct"]
    assert "below it your whole program" in said(turns["0:opening:a"])
    assert made.verdicts()["outcome"].to_list() == ["correct", "correct"]
    assert made.verdicts()["answer"].to_list() == [RIGHT, RIGHT]
    assert not any("assert" in text for text in map(said, turns.values()))
    assert made.turns().select(pl.col("outcome").n_unique()).item() == 2


@pytest.mark.parametrize(
    ("row", "fields", "told"),
    [
        ({"question": "?"}, {}, "tests"),
        ({"question": "?", "tests": "  "}, {}, "tests"),
        ({"question": "?", "tests": {"a": 1}}, {}, "neither a text nor a list of texts"),
        ({"question": "?", "tests": "x" * 30_000}, {}, "longer than 25,000 bytes"),
        (
            {"question": "?", "answer": "4", "tests": "1"},
            {"kind": "text", "columns": {"tests": "tests"}},
            "kind: code",
        ),
    ],
)
def test_questions_without_usable_tests_are_refused(
    row: dict[str, Any], fields: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told):
        run(
            tmp_path,
            [scripted("a", "x")],
            topology="self_loop",
            task={**write_task(tmp_path, row), **fields},
        )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"agents": [scripted("a", "x", prompts="compact")]}, "asks for no programs"),
        ({"protocol": {"name": "exchange", "read": "constrained"}}, "no final line"),
    ],
)
def test_what_cannot_ask_for_programs_is_refused(
    changed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    config = {
        "name": "run",
        "agents": [scripted("a", "x", role="debater")],
        "topology": "self_loop",
        "task": write_task(tmp_path, {"question": "?", "tests": TESTS}),
        **changed,
    }
    with pytest.raises(ConfigError, match=told):
        make_plan(load_run(config))


def test_a_program_that_is_an_answer_is_no_use_of_a_tool(tmp_path: Path) -> None:
    tries, answers = block(RIGHT + "\nprint(add(1, 2))"), block(RIGHT, mark="Answer:\n")
    task = write_task(tmp_path, {"id": "q0", "question": "Write add(a, b).", "tests": TESTS})
    seat = scripted("a", [[tries, answers]], tools={"python": {}})
    turn = by_ref(run(tmp_path, [seat], topology="self_loop", task=task, rounds=0))["0:opening:a"]
    assert [step.calls[0].output for step in turn.tool_steps] == ["3"]
    assert (turn.value, turn.correct) == (RIGHT, True)


def test_a_tool_seat_runs_what_it_reviews(tmp_path: Path) -> None:
    for stated, accepts in (("4", True), ("5", False)):
        said_so = block("print(2 + 2)") + f"\nAnswer: {stated}"
        seats = [
            scripted("a", said_so),
            {"id": "tool", "role": "tool", "model": {"engine": "python", "code": {"timeout_s": 5}}},
        ]
        folder = tmp_path / stated
        folder.mkdir()
        made = run(folder, seats, topology={"edges": ["tool -> a"]}, rounds=1, protocol="critique")
        critique = by_ref(made)["1:critique:tool:a"]
        assert (critique.accepts, critique.value) == (accepts, "4")
        assert "The code prints:\n4" in critique.text
