"""Nothing that a model or a data file says names a file: a run's files are the same whatever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debate.cli import app
from tests.hostile.corpus import PATHS

ODD = [path for path in PATHS if "\x00" not in path]
PLAIN = [f"word {n}" for n in range(len(ODD))]


def debate(*words: str) -> None:
    """A command, given in this process."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


def printable(text: str) -> str:
    """As much of the text as an id may hold."""
    return "".join(filter(str.isprintable, text))[:99]


def write_table(path: Path, said: list[str]) -> None:
    """Transcripts from elsewhere in which everything has these names."""
    rows = [
        {
            "question_id": s or "q",
            "arm": arm or "arm",
            "agent": agent or "agent",
            "round": round,
            "model": s,
            "category": s,
            "answer": str(len(arm) % 2),
            "target": "1",
            "confidence": 0.5,
        }
        for s in said[:4]
        for arm in said[:3]
        for agent in said[3:5]
        for round in (0, 1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


LOOKS = [["verify", "out"], ["analyze", "out"], ["analyze", "table.jsonl"]]
REPORTS = [
    ["report", "out", "--figures", "figures"],
    ["report", "table.jsonl", "--out", "table.html", "--figures", "others"],
]


def files_after(
    folder: Path, said: list[str], commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> set[str]:
    """Every file below the folder once debates about and with these texts are done and shown."""
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    rows = [
        {"id": f"{n} {printable(text)}", "question": text, "category": text, "answer": "x"}
        for n, text in enumerate(said)
        if text.strip()
    ]
    (inner / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    replies = [f"{text}\nAnswer: {text}" for text in said]
    config = {
        "agents": [
            {"id": name, "model": {"engine": "scripted", "replies": replies}} for name in "ab"
        ],
        "topology": "pairwise",
        "task": {"path": "data.jsonl", "kind": "text"},
        "rounds": 1,
    }
    (inner / "run.yaml").write_text(json.dumps(config))
    monkeypatch.chdir(inner)
    debate("run", "run.yaml", "--out", "out", "--quiet")
    write_table(inner / "table.jsonl", said)
    for words in commands:
        debate(*words)
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_is_said_makes_no_file_and_moves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = files_after(tmp_path / "plain", PLAIN, LOOKS, monkeypatch)
    odd = files_after(tmp_path / "odd", ODD, LOOKS, monkeypatch)
    assert odd == plain
    assert {"a/b/out/turns/0.jsonl", "a/b/out/manifest.json"} <= odd


@pytest.mark.system
def test_what_is_said_names_no_page_and_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = files_after(tmp_path / "plain", PLAIN, REPORTS, monkeypatch)
    odd = files_after(tmp_path / "odd", ODD, REPORTS, monkeypatch)
    assert odd == plain
    assert "a/b/out/report.html" in odd
    assert any(name.startswith("a/b/figures/") for name in odd)
