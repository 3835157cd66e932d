"""Nothing that stands in a file, a log or a reply steers the terminal of whoever looks at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from debate.terminal import make_console
from tests.hostile.corpus import TERMINAL
from tests.processes import command, invoke

ESCAPES = ("\x1b", "\x9b", "\x07", "\x08", "\x00", "\x7f", "\u202e")
NASTY = "".join(text for text in TERMINAL if "\x00" not in text and "\r" not in text)


def output_of(*words: str, run: Callable[..., CompletedProcess[str]] = invoke) -> str:
    """What a command prints, on both streams."""
    done = run(*words, COLUMNS="200", TERM="xterm", NO_COLOR="1")
    text = done.stdout + done.stderr
    assert "Traceback" not in text, text[-2000:]
    return text


def assert_tame(text: str) -> None:
    for escape in ESCAPES:
        assert escape not in text, (escape, text[max(0, text.index(escape) - 80) :][:200])


def write_config(folder: Path, **more: object) -> Path:
    questions = folder / "questions.jsonl"
    rows = [{"question": f"{n}? {NASTY}", "answer": str(n), "category": NASTY} for n in range(3)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {
        "agents": [
            {"id": name, "model": {"engine": "scripted", "replies": f"{NASTY}\nAnswer: {n}"}}
            for n, name in enumerate("ab")
        ],
        "topology": "pairwise",
        "task": {"path": "questions.jsonl", "kind": "number"},
        "rounds": 1,
        **more,
    }
    path = folder / "run.json.yaml"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.system
def test_no_command_prints_what_would_steer_a_terminal(tmp_path: Path) -> None:
    replies = "\\n".join(("fine", "Answer: 1"))
    path = write_config(tmp_path)
    text = path.read_text().replace(json.dumps(f"{NASTY}\nAnswer: 0"), f'"{replies}"')
    path.write_text(text.replace(json.dumps(f"{NASTY}\nAnswer: 1"), f'"{replies}"'))
    out = str(tmp_path / "out")
    for words in (["validate", str(path)], ["run", str(path), "--out", out]):
        assert_tame(output_of(*words, run=command))
    turns = tmp_path / "out" / "turns" / "0.jsonl"
    rows = [json.loads(line) for line in turns.open()]
    for row in rows:
        row["text"], row["model"], row["heard"] = NASTY, NASTY, [NASTY]
    turns.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for words in (["verify", out], ["analyze", out], ["report", out]):
        assert_tame(output_of(*words, run=command))


@pytest.mark.parametrize("line", ['rounds: "\\e[31mred"', '"\\e]0;x\\a": 1', 'topology: "\\e[2J"'])
def test_an_error_quotes_tamely(line: str, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "agents: [{id: a, model: {engine: simulated}}]\n"
        f"task: {{generator: arithmetic, n: 1}}\n{line}\n"
    )
    text = output_of("validate", str(path))
    assert_tame(text)
    assert "run.yaml:3: " in text


def test_a_nasty_table_is_analysed_tamely(tmp_path: Path) -> None:
    rows = [
        {
            "question_id": f"q{n}{NASTY}",
            "arm": NASTY,
            "seed": 0,
            "round": round,
            "agent": NASTY,
            "model": NASTY,
            "answer": str(n % 3),
            "target": "1",
            "confidence": 0.5,
        }
        for n in range(6)
        for round in (0, 1)
    ]
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert_tame(output_of("analyze", str(path)))


def test_texts_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    make_console().print("1:x:2 [bold]3[/bold] :smile:")
    assert capsys.readouterr().out == "1:x:2 [bold]3[/bold] :smile:\n"


@pytest.mark.system
def test_output_that_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    config = tmp_path / "ä.yaml"
    config.write_text(
        "agents: [{id: a, model: {engine: simulated}}]\ntopology: self_loop\n"
        "task: {generator: arithmetic, n: 2}\n"
    )
    for encoding in ("ascii", "latin-1"):
        done = subprocess.run(
            [sys.executable, "-m", "debate", "validate", str(config), "--all"],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert done.returncode == 0, done.stderr
        assert rb"\u21bb itself" in done.stdout
    with open("/dev/full", "wb") as full:
        words = [sys.executable, "-m", "debate", "validate", str(config)]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"failed: [Errno 28] No space left on device\n"
