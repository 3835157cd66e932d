"""The examples run, and stay short enough to be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
WITHOUT_GPU = {
    "02_own_topology.py": [],
    "03_own_protocol.py": [],
    "04_own_agent.py": [],
    "06_read_a_run.py": [],
    "09_own_decision.py": [],
    "10_own_probe.py": [],
    "11_own_engine.py": [],
    "12_own_dataset.py": [],
    "13_own_generator.py": [],
    "14_own_arm.py": [],
    "15_own_filter.py": [],
}


def _run(name: str, words: list[str], folder: Path) -> str:
    command = [sys.executable, str(EXAMPLES / name), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_under_sixty_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 60


@pytest.mark.docs
@pytest.mark.parametrize("name", sorted(WITHOUT_GPU))
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    assert _run(name, WITHOUT_GPU[name], tmp_path)


@pytest.mark.docs
def test_the_quickstart_example_runs_with_organisms_in_actors(tmp_path: Path) -> None:
    out = _run("01_quickstart.py", ["12"], tmp_path)
    assert "over_confidence" in out
