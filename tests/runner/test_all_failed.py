"""A run in which no model replied has failed, and says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from debate.log import Run
from tests.processes import invoke
from tests.support import scripted, simulated, write_questions


def write_config(folder: Path, *agents: dict[str, Any]) -> str:
    config = {"agents": agents, "topology": "ring", "task": write_questions(folder, 3), "rounds": 1}
    path = folder / "run.yaml"
    path.write_text(json.dumps(config))
    return str(path)


def test_a_run_whose_every_call_failed_ends_with_exit_code_1_and_the_reasons(
    tmp_path: Path,
) -> None:
    agents = simulated("a", failure=1.0), scripted("b", {"q0": "Answer: 4"})
    agents[1]["model"]["replies"] = {"elsewhere": "Answer: 4"}
    config = write_config(tmp_path, *agents)
    done = invoke("run", config, "--out", str(tmp_path / "out"), "--no-report", COLUMNS="300")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("failed:")]
    assert "every one of 6 calls failed" in line
    assert "3 × simulated: simulated failure" in line
    assert 'no reply is written for question "q1"' in line
    assert Run(tmp_path / "out").turns()["failed"].all()


def test_a_pilot_whose_every_call_failed_ends_with_exit_code_1(tmp_path: Path) -> None:
    config = write_config(tmp_path, simulated("a", failure=1.0), simulated("b", failure=1.0))
    out = str(tmp_path / "out")
    done = invoke("validate", config, "--pilot", "2", "--out", out, COLUMNS="300")
    assert done.returncode == 1
    assert "every one of 4 calls failed: 4 × simulated: simulated failure" in done.stderr


def test_a_run_with_one_reply_is_done(tmp_path: Path) -> None:
    agents = simulated("a", failure=1.0), scripted("b", {"q0": "Answer: 4", "*": "Answer: 5"})
    config = write_config(tmp_path, *agents)
    done = invoke("run", config, "--out", str(tmp_path / "out"), "--no-report")
    assert done.returncode == 0, done.stderr
