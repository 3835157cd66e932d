"""Folders and files of a stranger: nothing is lost by them, read through them, or waited for."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from debate.agents.prompt_sets import SHIPPED, load_prompt_set
from debate.cli import app
from debate.config.document import MAX_BYTES
from debate.errors import ConfigError, DebateError, EngineError, InputError
from debate.tasks.data_files import read_rows

SEATS = [{"id": name, "model": {"engine": "simulated", "competence": 0.5}} for name in "ab"]


def command(*words: str) -> str:
    """What a command says that fails in words."""
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, DebateError), done.output
    return f"{type(done.exception).__name__}: {done.exception}"


def write_config(folder: Path, **fields: Any) -> str:
    """A run of simulated agents, in the file that is returned."""
    task = {"generator": "arithmetic", "n": 3}
    config = {"agents": SEATS, "topology": "pairwise", "task": task, "rounds": 1, **fields}
    (folder / "run.yaml").write_text(json.dumps(config))
    return str(folder / "run.yaml")


def copy_prompts(folder: Path) -> Path:
    """A prompt set of one's own."""
    return Path(shutil.copytree(SHIPPED / "chat_zero", folder / "own"))


@pytest.mark.parametrize("words", [["run"], ["validate", "--pilot", "2"]])
def test_no_command_begins_a_run_among_the_files_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"q{n}", "question": f"{n}+1?", "answer": n + 1, "note": "x"} for n in range(9)]
    Path("questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("report.html").write_text("a thesis")
    config = write_config(
        tmp_path, task={"path": "questions.jsonl", "kind": "number", "limit": 3}, output="."
    )
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    told = command(words[0], config, *words[1:])
    assert told.startswith("RunConflict: . holds files that are no run's: questions.jsonl, report")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before


LOOK = """
from pathlib import Path

calls = []

def look(value):
    calls.append(value)
    if len(calls) == 9:
        Path("out").rename("elsewhere")
    return value
"""


def test_a_run_whose_folder_is_moved_makes_no_further_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prompts = copy_prompts(tmp_path)
    (prompts / "looking.py").write_text(LOOK)
    with (prompts / "prompts.yaml").open("a") as file:
        file.write("\nfilters: [looking.look]\n")
    with (prompts / "opening.j2").open("a") as file:
        file.write("{{ question.text | look }}")
    seats = [{**seat, "prompts": "./own"} for seat in SEATS]
    task = {"generator": "arithmetic", "n": 400}
    config = write_config(tmp_path, agents=seats, task=task, max_debates=4)
    told = command("run", config, "--quiet", "--out", "out")
    assert "was moved to" in told
    assert "elsewhere/turns/0.jsonl" in told
    assert not Path("out").exists()
    assert 9 <= len(sys.modules["looking"].calls) < 200


@pytest.mark.parametrize("name", ["prompts.yaml", "system.j2", "judgment.j2", "part.j2"])
def test_a_template_that_is_a_link_out_of_its_set_is_refused(tmp_path: Path, name: str) -> None:
    prompts = copy_prompts(tmp_path)
    secret = tmp_path / "secret.txt"
    secret.write_text("answers: marked\n")
    (prompts / name).unlink(missing_ok=True)
    (prompts / name).symlink_to(Path("..") / secret.name)
    seats = [{**SEATS[0], "prompts": "./own"}, SEATS[1]]
    told = command("validate", write_config(tmp_path, agents=seats), "--no-custom-code")
    assert f"own/{name}: leads out of" in told


def test_a_template_that_is_a_link_within_its_set_is_read(tmp_path: Path) -> None:
    prompts = copy_prompts(tmp_path)
    (prompts / "judgment.j2").unlink()
    (prompts / "judgment.j2").symlink_to("critique.j2")
    assert load_prompt_set(str(prompts)).has_template("judgment")


def test_a_file_that_a_template_includes_lies_in_the_set(tmp_path: Path) -> None:
    prompts = copy_prompts(tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    (prompts / "part.txt").symlink_to(tmp_path / "secret.txt")
    (prompts / "system.j2").write_text("{% include 'part.txt' %}")
    with pytest.raises(ConfigError, match=r"part\.txt: leads out of"):
        load_prompt_set(str(prompts)).render("system", {})


def test_a_pipe_or_a_flood_is_no_template(tmp_path: Path) -> None:
    prompts = copy_prompts(tmp_path)
    (prompts / "part.j2").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match=r"part\.j2: is larger than 1,000,000 bytes"):
        load_prompt_set(str(prompts))
    (prompts / "part.j2").unlink()
    os.mkfifo(prompts / "part.j2")
    with pytest.raises(ConfigError, match=r"part\.j2: is no regular file but a named pipe"):
        load_prompt_set(str(prompts))


SPECIAL = ["/dev/zero", "pipe.yaml"]


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("word", ["validate", "run", "topology", "analyze", "compare"])
def test_what_is_no_regular_file_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    words = [word, name, name] if word == "compare" else [word, name]
    told = command(*words)
    assert any(said in told for said in ("no regular file but a", "a table ends in", "named twice"))


@pytest.mark.parametrize("name", [*SPECIAL, "socket.yaml"])
def test_a_configuration_that_names_no_regular_file_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    os.mknod("socket.yaml", 0o140600)
    named = name if name.startswith("/") else f"./{name}"
    for fields in ({"topology": named}, {"agents": [SEATS[0], named]}):
        assert "no regular file but a" in command("validate", write_config(tmp_path, **fields))


def test_a_link_that_leads_nowhere_is_not_suggested_for_itself(tmp_path: Path) -> None:
    (tmp_path / "lost.csv").symlink_to("nowhere.csv")
    (tmp_path / "last.csv").write_text("question,answer\n")
    with pytest.raises(InputError, match=r'leads to no file; did you mean "last\.csv"\?'):
        read_rows(str(tmp_path / "lost.csv"))


def test_a_certificate_or_chat_template_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    from debate.engines.addresses import make_ssl_context
    from debate.engines.chat_template import load_template

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EngineError, match="no regular file but a named pipe"):
        make_ssl_context(str(tmp_path / "pipe"))
    with pytest.raises(EngineError, match="no regular file but a named pipe"):
        load_template(str(tmp_path / "pipe"))


def test_a_run_may_lie_in_a_folder_whose_name_is_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = os.fsdecode(b"o\xff")
    done = CliRunner().invoke(app, ["run", write_config(tmp_path), "--quiet", "--out", out])
    assert done.exit_code == 0, done.output
    assert {"report.html", "report", "manifest.json"} <= {*os.listdir(out)}
    for word in ("report", "analyze", "verify"):
        assert CliRunner().invoke(app, [word, out]).exit_code == 0
