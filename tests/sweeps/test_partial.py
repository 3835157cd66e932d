"""Results while a sweep is still running: what is through is counted, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from debate.analysis import analyze_run
from debate.cli import app
from debate.log import Run
from debate.log.manifest import read_manifest
from tests.processes import await_turns, start

CONFIG = """\
agents:
  - {id: a, model: {engine: simulated, competence: 0.7, latency_s: 0.2}}
  - {id: b, model: {engine: simulated, competence: 0.5, latency_s: 0.2}}
topology: pairwise
task: {generator: arithmetic, families: [add], n: 20000}
rounds: 3
max_debates: 8
sweep: {arm: [single, self, repeat, peer]}
"""
ENOUGH = 800
"""Turns after which some debates are over and others under way, with minutes to go."""


@pytest.mark.system
def test_a_sweep_can_be_analysed_and_reported_while_it_runs(tmp_path: Path) -> None:
    config, out = tmp_path / "run.yaml", tmp_path / "out"
    config.write_text(CONFIG)
    process = start(config, out)
    try:
        await_turns(process, out, ENOUGH)
        assert process.poll() is None
        analysis = analyze_run(Run(out), resamples=20)
        page = CliRunner().invoke(app, ["report", str(out), "--out", str(tmp_path / "page.html")])
        assert process.poll() is None
        assert read_manifest(out).status == "running"
    finally:
        process.kill()
        process.wait(60)
    assert page.exit_code == 0, page.output
    assert "The run is not complete" in (tmp_path / "page.html").read_text()
    assert analysis.cells == ("peer", "repeat", "self", "single")
    assert any("The run is not complete" in sentence for sentence in analysis.caveats)
    openings = analysis.find("accuracy", cell="self", round=0)
    last = analysis.find("accuracy", cell="self", round=3)
    assert openings is not None
    assert last is not None
    assert openings.n == last.n
    assert not any("count as wrong" in sentence for sentence in analysis.caveats)
