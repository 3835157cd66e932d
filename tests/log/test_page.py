"""docs/run-directory.md names every file and field, and its snippets read what a run writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from debate.log import Run
from debate.log.files import FORMAT_VERSION
from debate.log.manifest import (
    Environment,
    GitState,
    Hardware,
    Manifest,
    RunStart,
    RunTotals,
    StatedHypotheses,
    TrialCall,
)
from debate.log.spend import SpendLine
from debate.log.utilisation import UtilisationSample
from debate.report import write_report
from debate.types import (
    Answer,
    Belief,
    Confidence,
    Failure,
    HeardAs,
    Message,
    Question,
    ToolCall,
    ToolStep,
    Turn,
    Usage,
    Verdict,
)
from tests.pages import find_code, read_page, read_rows, read_section
from tests.support import run, scripted, simulated

PAGE = read_page("run-directory.md")
SECTIONS: dict[str, Any] = {
    "Turns": Turn,
    "Verdicts": Verdict,
    "Questions": Question,
    "Manifest": Manifest,
    "Utilisation": UtilisationSample,
    **{
        each.__name__: each
        for each in (
            *(ToolStep, ToolCall),
            *(Answer, Confidence, Belief, Usage, Failure, HeardAs, Message, RunStart, Environment),
            *(Hardware, GitState, StatedHypotheses, RunTotals, TrialCall),
        )
    },
}
FIELDS = {title: set(read_rows(read_section(PAGE, title), "field")) for title in SECTIONS}
INSIDE = {
    "answer": "Answer",
    "confidences": "Confidence",
    "heard_as": "HeardAs",
    "belief": "Belief",
    "usage": "Usage",
    "failure": "Failure",
    "prompt": "Message",
    "starts": "RunStart",
    "preflight": "TrialCall",
    "environment": "Environment",
    "hardware": "Hardware",
    "git": "GitState",
    "stated": "StatedHypotheses",
    "totals": "RunTotals",
    "tool_steps": "ToolStep",
    "calls": "ToolCall",
}
"""The fields that hold objects, and the heading under which these are told."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small run with everything in it that a line can hold, and its report."""
    agents = [simulated("a"), simulated("b", failure=0.2), simulated("c", parse_failure=0.3)]
    replies = [["```calculator\n1+1\n```", "Answer: 2"]]
    agents.append(scripted("d", replies, tools={"calculator": {}}, confederate=True))
    claim = {"statement": "s", "estimate": "accuracy", "direction": "above", "smallest": 0.1}
    made = run(
        tmp_path_factory.mktemp("made"),
        agents,
        topology={"edges": [{"edge": "debaters -> debaters", "carries": ["rationale"]}]},
        num_questions=4,
        rounds=2,
        probes=["belief", "verbal"],
        log={"prompts": True},
        hypotheses={"h": {**claim, "cell": "main"}},
    )
    write_report(made.directory)
    return made


def _list_objects(value: Any, title: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects in a value whose fields the page tells, each with its heading."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            yield title, each
            for name in INSIDE.keys() & each.keys():
                yield from _list_objects(each[name], INSIDE[name])


def _read_objects(directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _list_objects(json.loads((directory / "manifest.json").read_text()), "Manifest")
    files = {"turns/0.jsonl": "Turns", "verdicts/0.jsonl": "Verdicts"}
    files |= {"questions.jsonl": "Questions", "utilisation.jsonl": "Utilisation"}
    for name, title in files.items():
        for line in (directory / name).read_text().splitlines():
            yield from _list_objects(json.loads(line), title)


@pytest.mark.parametrize("title", SECTIONS)
def test_a_table_names_the_fields_that_there_are(title: str) -> None:
    assert FIELDS[title] == {each.name for each in fields(SECTIONS[title])}


def test_the_table_of_what_was_spent_names_the_fields_of_its_lines() -> None:
    told = read_rows(read_section(PAGE, "SpendLine"), "field")
    assert set(told) == set(SpendLine.__struct_fields__)


def test_a_fresh_run_writes_no_file_that_the_page_does_not_name(made: Run) -> None:
    files = [path for path in made.directory.rglob("*") if path.is_file()]
    names = find_code(PAGE.split("## Lines")[0])
    for path in files:
        name = path.relative_to(made.directory).as_posix()
        assert any(fnmatch(name, pattern) for pattern in names), name
    assert {"turns/0.jsonl", "lock", "report.html"} <= names


def test_a_fresh_run_writes_no_field_that_the_page_does_not_name(made: Run) -> None:
    met = set()
    for title, found in _read_objects(made.directory):
        met.add(title)
        told = FIELDS[title] | ({"crc32"} if title in ("Turns", "Verdicts") else set())
        assert found.keys() <= told, title
    # There may be no checkout, and there is no endpoint to be tried.
    assert met >= set(SECTIONS) - {"GitState", "TrialCall"}


def test_the_page_is_about_the_version_that_is_written() -> None:
    assert f"**format version {FORMAT_VERSION}**" in PAGE


def test_the_snippet_reads_a_run_without_this_package(made: Run) -> None:
    (snippet,) = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    assert len(snippet.strip().splitlines()) <= 11
    assert "debate" not in snippet
    asked = f"{snippet}\nprint('accuracy', answers.select(right).item())"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=made.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = made.trajectories()
    share = rows["correct"].fill_null(False).mean()
    assert done.stdout.rstrip().endswith(f"accuracy {share}")


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_line_of_jq_gives_a_row_for_each_answer(made: Run) -> None:
    (line,) = re.findall(r"^    (jq .+?)\n(?!    )", PAGE, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        line, shell=True, cwd=made.directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == made.trajectories().height
