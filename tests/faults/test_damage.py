"""`debate verify` is silent on a sound run, and names each kind of damage to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from debate.runner.verify_run import verify_run
from tests.faults.damage import CONFIG, DAMAGES, copied, said_of
from tests.faults.driver import undisturbed
from tests.processes import command, invoke


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        undisturbed(CONFIG, Path(folder) / "sound")
        yield Path(folder) / "sound"


def test_a_sound_run_has_no_problem_and_nothing_unchecked(sound: Path) -> None:
    found = verify_run(sound)
    assert (found.problems, found.unchecked) == ((), ())


@pytest.mark.parametrize("what", DAMAGES)
def test_each_damage_is_named(what: str, sound: Path, tmp_path: Path) -> None:
    damage = DAMAGES[what]
    copy = copied(sound, tmp_path / "copy")
    damage.do(copy)
    assert re.search(damage.named, said_of(copy)), said_of(copy)


def test_the_command_names_damage_and_fails(sound: Path, tmp_path: Path) -> None:
    copy = copied(sound, tmp_path / "copy")
    for directory, code, words, verify in (
        (sound, 0, "no problem found", invoke),
        (copy, 1, "problems found", command),
    ):
        if code:
            DAMAGES["heard nobody"].do(copy)
        done = verify("verify", str(directory))
        assert done.returncode == code, done.stderr
        assert words in done.stdout
    assert "heard is ()" in done.stderr


def changed(sound: Path, to: Path, **spec: Any) -> Path:
    copy = copied(sound, to)
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["spec"] = {**manifest["spec"], **spec}
    path.write_text(json.dumps(manifest))
    return copy


def test_what_cannot_be_checked_is_said_and_is_no_problem(sound: Path, tmp_path: Path) -> None:
    spec = json.loads((sound / "manifest.json").read_text())["spec"]
    cells = {
        name: {**cell, "protocol": {**(cell["protocol"] or {}), "name": "my.protocol"}}
        for name, cell in spec["cells"].items()
    }
    found = verify_run(changed(sound, tmp_path / "custom", cells=cells))
    assert found.problems == ()
    assert any("my.protocol is custom code" in what for what in found.unchecked)

    agents = [{**agent, "prompts": "/nowhere/at/all"} for agent in spec["agents"]]
    found = verify_run(changed(sound, tmp_path / "prompts", agents=agents))
    assert found.problems == ()
    assert any("/nowhere/at/all" in what for what in found.unchecked)

    found = verify_run(changed(sound, tmp_path / "foreign", rounds="many"))
    assert found.problems == ()
    assert any("is no run's configuration (rounds)" in what for what in found.unchecked)

    models = {name: {**model, "competence": 0.1} for name, model in spec["models"].items()}
    found = verify_run(changed(sound, tmp_path / "weights", models=models))
    assert found.problems == ()
    assert any("prompts of model a were not compared" in what for what in found.unchecked)


def test_a_run_that_stopped_midway_has_no_problem(sound: Path, tmp_path: Path) -> None:
    copy = copied(sound, tmp_path / "copy")
    lines = (copy / "turns" / "0.jsonl").read_text().splitlines(keepends=True)
    (copy / "turns" / "0.jsonl").write_text("".join(lines[: len(lines) // 2]))
    (copy / "verdicts" / "0.jsonl").write_text("")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest |= {"status": "interrupted", "totals": None}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    found = verify_run(copy)
    assert [problem for problem in found.problems if "heard" not in problem.what] == []
