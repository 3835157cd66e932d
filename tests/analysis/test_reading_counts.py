"""`debate reading` counts how replies were read, shows those that were not, and says what would."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debate.analysis.reading import count_readings, format_counts
from debate.cli import app
from debate.log import Run
from tests.support import run, scripted, write_questions

REPLIES = [
    "Answer: 4",
    "So the answer is 4.",
    "Result: 4",
    "I do not know.",
    '{"answer": "4"}',
    "Agent 2 says the answer is 5.",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("reading")
    agents = [
        scripted("a", {f"q{n}": [text] for n, text in enumerate(REPLIES)}),
        scripted("b", "Answer: 4", latency_s=600, timeout_s=0.1),
    ]
    return run(folder, agents, topology="isolated", rounds=0, num_questions=len(REPLIES))


def test_replies_are_counted_by_form(made: Run) -> None:
    of_a, of_b = count_readings(made)
    assert (of_a.agent, of_a.kind, of_a.num_turns) == ("a", "opening", 6)
    assert of_a.forms == {"mark": 1, "sentence": 1, "json": 1}
    assert (of_a.num_read, of_a.num_abstained, of_a.num_cut, of_a.num_failed) == (3, 3, 0, 0)
    assert of_b.num_failed == sum(of_b.failures.values()) == 6


def test_it_says_which_change_would_read_more(made: Run) -> None:
    of_a, _ = count_readings(made)
    assert of_a.would_read["format: {answer: [answer, result]}"] == 1
    assert of_a.num_tried == 3


def test_unread_replies_are_shown_without_control_characters(made: Run) -> None:
    of_a, _ = count_readings(made)
    said = replace(of_a, samples=("\x1b[31mI do not know.\x07\nMaybe.",))
    lines = list(format_counts([said]))
    assert "    | I do not know.�" in lines
    assert "    | Maybe." in lines


def test_the_command_prints_lines_that_a_narrow_pipe_does_not_crop(made: Run) -> None:
    done = CliRunner().invoke(app, ["reading", str(made.directory), "--samples", "1"])
    assert done.exit_code == 0, done.output
    assert "read 3 (1 mark, 1 sentence, 1 json)" in done.output
    assert done.output.count("unread:") == 1
    assert "…" not in done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_the_command_prints_json(made: Run) -> None:
    done = CliRunner().invoke(app, ["reading", str(made.directory), "--json"])
    first = json.loads(done.output)[0]
    assert first["forms"]["mark"] == 1
    assert first["samples"][1] == REPLIES[3]


def test_a_folder_without_a_run_is_wrong_input(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["reading", str(tmp_path)])
    assert done.exit_code != 0
    assert "Traceback" not in done.output


def test_verdicts_and_probes_are_counted_too(tmp_path: Path) -> None:
    agents = [
        scripted("a", "Answer: 4\nVerdict: incorrect\nConfidence: 80%"),
        scripted("b", "Answer: 4"),
    ]
    task = write_questions(tmp_path, 2)
    found = run(tmp_path, agents, protocol="critique", rounds=1, probes=["verbal"], task=task)
    counts = {(each.agent, each.kind): each for each in count_readings(found)}
    assert counts["a", "critique"].forms == {"verdict": 2}
    assert counts["b", "critique"].num_abstained == 2
    assert counts["a", "probe verbal"].forms == {"confidence": 4}
    assert counts["b", "probe verbal"].num_abstained == 4
