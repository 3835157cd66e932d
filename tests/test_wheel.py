"""The built wheel carries its declarations: it works from any folder, without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's content and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True)
    (wheel,) = folder.glob("*.whl")
    unpack = ["install", "-q", "--no-deps", "--target", str(folder / "site"), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *unpack], check=True)
    return folder / "site"


def _debate(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # -P and a PYTHONPATH of its own: what is imported is the wheel, never the checkout.
    return subprocess.run(
        [sys.executable, "-P", "-m", "debate", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.system
def test_shipped_declarations_are_found_from_another_folder(
    installed: Path, tmp_path: Path
) -> None:
    done = _debate(installed, tmp_path, "validate", "quickstart")
    assert done.returncode == 0, done.stderr
    assert "the configuration is valid" in done.stdout
    assert (installed / "debate" / "shipped" / "topologies" / "ring.yaml").is_file()


@pytest.mark.system
@pytest.mark.ray
def test_a_run_with_shipped_agents_works_from_another_folder(
    installed: Path, tmp_path: Path
) -> None:
    words = ("run", "quickstart", "-o", "task.n=6", "-o", "rounds=1", "--quiet")
    done = _debate(installed, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "quickstart" / "manifest.json").is_file()
    assert "over-confidence" in done.stdout
