"""The built wheel carries its declarations: it works from any folder, without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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


@pytest.fixture(scope="module")
def base(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages that the wheel needs without any extra, and no others."""
    folder = tmp_path_factory.mktemp("base")
    for needed in _collect_needed(_read_wheel(installed)):
        for top in {file.parts[0] for file in needed.files or () if file.parts[0] != ".."}:
            link = folder / top
            if not link.exists():
                link.symlink_to(str(needed.locate_file(top)))
    return folder


def _read_wheel(installed: Path) -> Distribution:
    return PathDistribution(next(installed.glob("debate_lab-*.dist-info")))


def _collect_needed(wanting: Distribution) -> list[Distribution]:
    """All that a distribution needs, directly or through others, without its extras."""
    found: dict[str, Distribution] = {}
    waiting = [(wanting, frozenset({""}))]
    while waiting:
        each, extras = waiting.pop()
        for wanted in map(Requirement, each.requires or ()):
            applies = not wanted.marker or any(wanted.marker.evaluate({"extra": e}) for e in extras)
            if applies and wanted.name not in found:
                found[wanted.name] = distribution(wanted.name)
                waiting.append((found[wanted.name], frozenset({"", *wanted.extras})))
    return list(found.values())


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
    (tmp_path / "adds.yaml").write_text(
        "name: adds\nagents: [adder]\ntopology: self_loop\nrounds: 1\n"
        "task: {generator: arithmetic, families: [add], n: 6}\n"
    )
    done = _debate(installed, tmp_path, "run", "adds.yaml", "--quiet")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "adds" / "report.html").is_file()
    assert "over-confidence" in done.stdout


@pytest.mark.system
def test_a_base_installation_runs_what_needs_no_local_model_and_says_what_would_add_one(
    installed: Path, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(
        "agents: [{id: a, model: {engine: simulated}}]\ntopology: self_loop\n"
        "task: {generator: arithmetic, n: 4}\nrounds: 1\n"
    )

    def invoke(*words: str) -> subprocess.CompletedProcess[str]:
        # -S leaves out the packages of this environment
        return subprocess.run(
            [sys.executable, "-S", "-P", "-m", "debate", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{base}"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = invoke("run", "c.yaml", "--out", "r", "--quiet")
    assert done.returncode == 0, done.stderr
    refused = invoke("run", "quickstart", "--out", "q", "--quiet")
    assert refused.returncode == 2
    (wheel,) = installed.parent.glob("*.whl")
    (line,) = refused.stderr.strip().splitlines()
    assert 'the models "adder", "multiplier", "modder" run on this machine by transf' in line
    assert line.endswith(f"install '{wheel}[local]'")
