"""What the log acknowledges, a power failure does not take back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="names open files by /proc")
def test_every_step_of_a_runs_life_leaves_what_it_wrote_on_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.log.synced", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    complaints = json.loads(done.stdout)
    assert len(complaints) == 11
    assert {step: said for step, said in complaints.items() if said} == {}
