"""Expressions are read and compared in a worker process, which ends with what it cannot do."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import polars as pl
import pytest
from pydantic import TypeAdapter

from debate.config.task import TaskSpec
from debate.errors import TaskError
from debate.log.table import read_table
from debate.tasks import is_correct, load_questions, mathematics, normalise, parse_answer
from debate.tasks.answer_format import CHAT
from debate.tasks.mathematics import (
    _WORKER,
    are_equal,
    normalise_math,
    require_math_verify,
)
from debate.types import Question

pytest.importorskip("math_verify", reason="the extra `math` is not installed")

ROOT = Question(id="q", text="?", kind="math", target=r"2\sqrt{3}")


def load(path: Path) -> list[Question]:
    task = TypeAdapter(TaskSpec).validate_python({"path": str(path), "kind": "math"})
    return list(load_questions(task))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (r"\sqrt{12}", r"2\sqrt{3}", True),
        ("2*sqrt(3)", r"$2\sqrt3$", True),
        (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}", True),
        ("(x-1)(x+1)", "x^2 - 1", True),
        (r"x = 2\pi", r"2\pi", True),
        ("1,2", "2, 1", True),
        (r"\frac{6}{8}", "0.75", True),
        (r"\sin^2 x + \cos^2 x", "1", True),
        ("(1,2)", "(2,1)", False),
        ("[1,2)", "(1,2)", False),
        (r"\pi", "3.14159265358979", False),
        ("1/3", "0.333333333333", False),
        ("9007199254740993", "9007199254740992", False),
        (r"x \neq 18", "18", False),
        ("x > 18", "18", False),
        ("50%", "0.5", False),
        ("5 or 6", "5", False),
    ],
)
def test_expressions_are_equal_where_they_state_the_same(
    first: str, second: str, same: bool
) -> None:
    assert are_equal(first, second) is same


@pytest.mark.parametrize(
    "text",
    [
        "5 or 6",
        r"0.\overline{3}",
        "0.333...",
        "0x1F",
        "110_2",
        r"\approx 3\sqrt{2}",
        "no solution",
        r"\frac{1}{0}",
        "3 4",
        "__import__('os').getpid()",
        "os.getpid()",
        "",
        "2" * 600 + r"\sqrt{2}",
        r"\begin{pmatrix}1 & 2",
    ],
)
def test_what_is_no_one_expression_is_not_read(text: str) -> None:
    assert normalise_math(text) is None


@pytest.mark.parametrize("text", [r"2\sqrt{3}", "x^2+2x+1", "(1,2)", r"\{1,2\}", "3+4i", r"\infty"])
def test_the_common_form_reads_back_as_itself(text: str) -> None:
    form = normalise_math(text)
    assert form is not None
    assert normalise_math(form) == form
    assert normalise(normalise(text, ROOT), ROOT) == normalise(text, ROOT)


def test_a_tower_of_powers_takes_no_more_than_its_time_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    normalise_math("x + 1")
    monkeypatch.setattr(mathematics, "TIME_LIMIT_S", 0.5)
    start = time.monotonic()
    assert normalise_math("9^{9^{9^{9}}}") is None
    assert time.monotonic() - start < 30
    monkeypatch.undo()
    assert normalise_math("x + 2") == "x + 2"


def test_a_worker_that_was_killed_is_started_again() -> None:
    assert normalise_math("y + 1") == "y + 1"
    assert _WORKER._process is not None
    _WORKER._process.kill()
    _WORKER._process.wait()
    normalise_math("y + 2")  # may be lost with the process
    assert normalise_math("y + 3") == "y + 3"


def test_a_reply_is_recorded_as_it_is_spelled_and_scored_by_what_it_states() -> None:
    value = parse_answer(r"Answer: $\sqrt{12}$", ROOT, CHAT).value
    assert value == r"\sqrt{12}"
    assert is_correct(value, ROOT)
    assert not is_correct(r"\sqrt{13}", ROOT)


def test_two_boxes_are_one_answer_only_where_they_state_the_same() -> None:
    both = r"\boxed{\sqrt{12}} so \boxed{%s}"
    assert parse_answer(both % r"2\sqrt{3}", ROOT, CHAT).value == r"\sqrt{12}"
    assert parse_answer(both % r"2\sqrt{5}", ROOT, CHAT).value is None


def test_a_table_is_compared_likewise() -> None:
    rows = [
        (r"\sqrt{12}", r"2\sqrt{3}"),
        (r"\sqrt{13}", r"2\sqrt{3}"),
        (r"\sin^2 x + \cos^2 x", "1"),
    ]
    table = pl.DataFrame(
        {
            "question_id": [f"q{number}" for number in range(len(rows))],
            "round": 0,
            "agent": "a",
            "answer": [answer for answer, _ in rows],
            "target": [target for _, target in rows],
        }
    )
    outcomes = read_table(table, kind="math")["outcome"].to_list()
    assert outcomes == ["correct", "wrong", "correct"]


def test_a_target_that_is_no_expression_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("question,answer\nWhich?,no solution\n")
    with pytest.raises(TaskError, match="cannot be read as mathematics; `kind: text`"):
        load(path)


def test_without_the_library_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)
    with pytest.raises(TaskError, match=r"pip install .*\[math\]"):
        require_math_verify()
    (tmp_path / "q.csv").write_text("question,answer\n1+1?,2\n")
    with pytest.raises(TaskError, match=r"pip install .*\[math\]"):
        load(tmp_path / "q.csv")
