"""Where a sandbox cannot be had, what needs it is refused in one line, and nothing is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from debate.installation import make_install_command
from tests.processes import invoke
from tests.support import scripted

ASKS = [["```python\nprint(1)\n```", "Answer: 1"]]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """This process, as if neither sandbox were installed."""
    monkeypatch.setitem(sys.modules, "pydantic_monty", None)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return


def _write(folder: Path, seat: dict[str, Any], **task: Any) -> str:
    row = {"question": "1+0?", "answer": "1", "tests": "assert f() == 1"}
    (folder / "q.jsonl").write_text(json.dumps(row) + "\n")
    config = {
        "agents": [seat, scripted("b", "Answer: 1")],
        "topology": "complete",
        "rounds": 1,
        "task": {"path": str(folder / "q.jsonl"), "kind": "number", **task},
    }
    (folder / "c.yaml").write_text(json.dumps(config))
    return str(folder / "c.yaml")


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("seat", "task", "told"),
    [
        (scripted("a", ASKS, tools={"python": {}}), {}, "agent a may run Python, and the sandbox"),
        ({"id": "a", "model": {"engine": "python"}}, {}, "pydantic_monty, which is not installed"),
        (scripted("a", "x"), {"kind": "code"}, "`kind: code` runs tests in a sandbox, and"),
        (
            scripted("a", ASKS, tools={"python": {"sandbox": "bubblewrap"}}),
            {},
            "the program bwrap is not on the PATH",
        ),
        (
            {"id": "a", "model": {"engine": "python", "code": {"sandbox": "bubblewrap"}}},
            {},
            "the program bwrap is not on the PATH",
        ),
    ],
    ids=["agent", "seat", "code", "agent in bubblewrap", "seat in bubblewrap"],
)
def test_a_run_that_needs_a_sandbox_ends_with_exit_code_2_and_one_line(
    seat: dict[str, Any], task: dict[str, Any], told: str, tmp_path: Path
) -> None:
    config = _write(tmp_path, seat, **task)
    done = invoke("run", config, "--out", str(tmp_path / "r"), "--quiet", "--no-report")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert told in line
    assert make_install_command("tools") in line or "bubblewrap" in line


@pytest.mark.usefixtures("bare")
def test_validate_warns_of_it(tmp_path: Path) -> None:
    config = _write(tmp_path, scripted("a", ASKS, tools={"python": {}}))
    done = invoke("validate", config)
    assert done.returncode == 0
    assert "agent a may run Python" in done.stdout


@pytest.mark.parametrize("name", ["--no-custom-code"])
def test_code_of_models_is_no_code_of_the_configuration(name: str, tmp_path: Path) -> None:
    config = _write(tmp_path, scripted("a", ASKS, tools={"python": {"timeout_s": 5}}))
    out = str(tmp_path / "r")
    assert invoke("run", config, "--out", out, "--quiet", "--no-report", name).returncode == 0
