"""Clocks that jump, versions that change, users without rights: a run goes on, and says so."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from debate.runner.verify_run import verify_run
from tests.faults.damage import CONFIG
from tests.faults.driver import undisturbed
from tests.faults.records import compare, lines, read
from tests.processes import invoke

pytestmark = pytest.mark.system
NOBODY = "65534"
READING = "+dac_read_search"
HOUR_S = 3600.0


def write_config(folder: Path) -> str:
    (folder / "run.yaml").write_text(json.dumps(CONFIG))
    return str(folder / "run.yaml")


def cut_turns(directory: Path) -> None:
    """Leave the first half of the turns, and no verdict, as if the run had been stopped there."""
    kept = lines(directory, "turns")
    (directory / "turns" / "0.jsonl").write_bytes(b"".join(kept[: len(kept) // 2]))
    (directory / "verdicts" / "0.jsonl").write_bytes(b"")


def test_nothing_is_ordered_by_a_clock_that_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed(CONFIG, tmp_path / "whole")
    other, rng, clock = tmp_path / "other", random.Random(0), time.time
    monkeypatch.setattr(time, "time", lambda: clock() + rng.choice([-HOUR_S, 0.0, HOUR_S]))
    undisturbed(CONFIG, other)
    cut_turns(other)
    config = write_config(tmp_path)
    for words in (["run", config, "--out", str(other), "--no-report"], ["analyze", str(other)]):
        done = invoke(*words)
        assert done.returncode == 0, done.stderr
    assert any(
        turn["finished_at"] < turn["started_at"] for turn in map(json.loads, lines(other, "turns"))
    )
    assert compare(read(tmp_path / "whole"), read(other)).is_clean
    assert verify_run(other).problems == ()


def test_a_run_that_goes_on_with_other_versions_says_so(tmp_path: Path) -> None:
    other, config = tmp_path / "other", write_config(tmp_path)
    undisturbed(CONFIG, tmp_path / "whole")
    undisturbed(CONFIG, other)
    cut_turns(other)
    assert "other versions" not in invoke("run", config, "--out", str(other), "--no-report").stderr
    cut_turns(other)
    manifest: dict[str, Any] = json.loads((other / "manifest.json").read_text())
    packages = manifest["starts"][0]["environment"]["packages"]
    new = packages["numpy"]
    packages |= {"numpy": "0.9", "of-old": "1.0"}
    (other / "manifest.json").write_text(json.dumps(manifest))
    done = invoke("run", config, "--out", str(other), "--no-report")
    assert done.returncode == 0
    told = f"begun with other versions: numpy 0.9 → {new}, of-old 1.0 → (absent); what is recorded"
    assert told in done.stderr
    assert compare(read(tmp_path / "whole"), read(other)).is_clean
    starts = json.loads((other / "manifest.json").read_text())["starts"]
    used = [start["environment"]["packages"]["numpy"] for start in starts]
    assert used == ["0.9", new, new]


def as_nobody() -> list[str]:
    """What to put before a command so that root's rights to write are gone."""
    if os.getuid() != 0:
        return []
    users = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
    return ["setpriv", *users, "--inh-caps", READING, "--ambient-caps", READING, "--"]


def call_as_nobody(folder: Path, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [*as_nobody(), sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**kept, "HOME": str(home), "OMP_NUM_THREADS": "1"},
    )


def make_own_folder(path: Path) -> Path:
    path.mkdir()
    if os.getuid() == 0:
        os.chown(path, int(NOBODY), int(NOBODY))
    return path


def test_a_user_whose_home_is_read_only_needs_nothing_there(tmp_path: Path) -> None:
    own, home = make_own_folder(tmp_path / "own"), tmp_path / "home"
    home.mkdir(mode=0o555)
    if os.getuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("runs as root, and has no setpriv to be somebody else")
    tried = call_as_nobody(own, "-c", f"open({str(home / 'x')!r}, 'w')", home=home)
    if "PermissionError" not in tried.stderr:
        pytest.skip(f"cannot be a user without rights here: {tried.stderr}")
    config = write_config(tmp_path)
    for words in (
        ["run", config, "--out", "out"],
        ["report", "out"],
        ["doctor"],
    ):
        done = call_as_nobody(own, "-m", "debate", *words, home=home)
        assert done.returncode == 0, (words, done.stderr)
        assert "Traceback" not in done.stderr, (words, done.stderr)
        assert "Permission denied" not in done.stderr, (words, done.stderr)
    assert list(home.iterdir()) == []
    refused = call_as_nobody(home, "-m", "debate", "run", config, home=home)
    assert refused.returncode == 1
    assert "Permission denied; make the folder writable and run again" in refused.stderr
    assert "Traceback" not in refused.stderr
