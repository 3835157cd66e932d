"""A sweep that is killed, resumed and extended: nothing twice, nothing changed, all of it said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from debate.errors import RunConflict
from debate.log import Run, check_log
from tests.processes import PATIENCE_S, kill_at, num_turns, start
from tests.support import run, simulated

CONFIG = """\
agents:
  - {id: a, model: {engine: simulated, competence: 0.7, latency_s: 0.01}}
  - {id: b, model: {engine: simulated, competence: 0.5, latency_s: 0.01}}
  - {id: c, model: {engine: simulated, competence: 0.6, latency_s: 0.01}}
topology: ring
task: {generator: arithmetic, n: 60}
rounds: 2
max_debates: 4
sweep:
  arm: [single, self, peer]
  topology: [ring]
"""


def sweep(folder: Path, rounds: list[int], **fields: Any) -> Run:
    agents = fields.pop("agents", [simulated("a"), simulated("b")])
    return run(
        folder, agents, topology="pairwise", num_questions=4, sweep={"rounds": rounds}, **fields
    )


def made(found: Run) -> pl.DataFrame:
    """The turns whose calls were made for them, not shared."""
    return found.turns().filter(pl.col("shared_with").is_null())


def test_a_level_added_later_computes_only_its_own_cells(tmp_path: Path) -> None:
    before = sweep(tmp_path, [1]).turns()
    after = sweep(tmp_path, [1, 2])
    assert after.turns().filter(cell="r1").equals(before)
    new = made(after).filter(cell="r2")
    assert set(new["round"]) == {2}
    assert new.height == 2 * 4
    assert check_log(after.directory) == []


def test_a_run_says_what_it_has_gained_and_when(tmp_path: Path) -> None:
    sweep(tmp_path, [1])
    manifest = sweep(tmp_path, [1, 2], seeds=[0, 1]).manifest
    assert [start.added for start in manifest.starts] == [(), ("cells.r2", "seeds.1")]
    assert set(manifest.spec["cells"]) == {"r1", "r2"}
    assert manifest.seeds == (0, 1)


def test_a_new_cell_can_bring_its_own_agent(tmp_path: Path) -> None:
    two, three = ([simulated(name) for name in names] for names in ("ab", "abc"))
    pair: dict[str, Any] = {"cells": {"pair": {"agents": ["a", "b"]}}}
    first = run(tmp_path, two, topology="complete", num_questions=4, **pair).turns()
    pair["cells"]["all"] = {"agents": ["a", "b", "c"]}
    second = run(tmp_path, three, topology="complete", num_questions=4, **pair)
    assert second.turns().filter(cell="pair").equals(first)
    assert second.manifest.starts[-1].added == ("cells.all", "agents.c", "models.c")
    assert "c" in second.manifest.agents


def test_an_agent_added_to_a_cell_that_is_there_makes_it_another_run(tmp_path: Path) -> None:
    two, three = ([simulated(name) for name in names] for names in ("ab", "abc"))
    run(tmp_path, two, num_questions=2)
    with pytest.raises(RunConflict, match=r'cells\.main\.agents\.2: \(absent\) → "c"'):
        run(tmp_path, three, num_questions=2)


def test_a_changed_cell_is_refused_with_the_difference(tmp_path: Path) -> None:
    run(tmp_path, [simulated("a"), simulated("b")], cells={"one": {"rounds": 1}})
    with pytest.raises(RunConflict, match=r"cells\.one\.rounds: 1 → 2"):
        run(tmp_path, [simulated("a"), simulated("b")], cells={"one": {"rounds": 2}, "two": {}})


def test_a_cell_that_is_gone_is_refused(tmp_path: Path) -> None:
    sweep(tmp_path, [1, 2])
    with pytest.raises(RunConflict, match=r"cells\.r2: .* → \(absent\)"):
        sweep(tmp_path, [1])


def test_a_seed_that_is_gone_is_refused(tmp_path: Path) -> None:
    sweep(tmp_path, [1], seeds=[0, 1])
    with pytest.raises(RunConflict, match=r"seeds\.1: true → \(absent\)"):
        sweep(tmp_path, [1], seeds=[0])


def test_cells_written_out_are_the_same_run_as_a_sweep_that_makes_them(tmp_path: Path) -> None:
    first = sweep(tmp_path, [1, 2]).turns()
    agents = [simulated("a"), simulated("b")]
    cells = {"r1": {"rounds": 1}, "r2": {"rounds": 2}}
    second = run(tmp_path, agents, topology="pairwise", num_questions=4, cells=cells)
    assert second.turns().equals(first)
    assert second.manifest.starts[-1].added == ()


def test_hypotheses_are_kept_as_they_were_first_stated(tmp_path: Path) -> None:
    claim = {
        "statement": "Debate helps.",
        "estimate": "vote_gain",
        "cell": "r1",
        "direction": "above",
        "smallest": 0.05,
    }
    sweep(tmp_path, [1], hypotheses={"helps": claim})
    claim["smallest"] = 0.01
    stated = sweep(tmp_path, [1], hypotheses={"helps": claim}).manifest.stated
    assert [each.hypotheses["helps"]["smallest"] for each in stated] == [0.05, 0.01]
    assert stated[0].num_turns == 0
    assert stated[1].num_turns == 4 * 2 * 2


@pytest.mark.system
def test_a_sweep_killed_resumed_and_extended_makes_each_call_once(tmp_path: Path) -> None:
    config, out = tmp_path / "run.yaml", tmp_path / "out"
    config.write_text(CONFIG)
    kill_at(start(config, out), out, 150)
    survived = num_turns(out)
    assert 150 <= survived < 60 * (1 + 3 + 9)
    assert start(config, out).wait(PATIENCE_S) == 0
    whole = Run(out).turns()
    assert whole.height == 60 * (1 + 3 + 9)
    config.write_text(CONFIG.replace("peer]", "peer, repeat]").replace("[ring]", "[ring, star]"))
    assert start(config, out).wait(PATIENCE_S) == 0
    after = Run(out)
    kept = after.turns().filter(pl.col("cell").is_in(["single", "self", "peer-ring"]))
    assert kept.equals(whole)
    new = made(after).filter(~pl.col("cell").is_in(["single", "self", "peer-ring"]))
    calls = dict(new.group_by("cell").len().iter_rows())
    assert calls["repeat"] == 60 * 2
    assert 0 < calls["peer-star"] < 60 * 6, "some hear in a star what they heard in the ring"
    assert set(calls) == {"repeat", "peer-star"}
    assert 0 not in new["round"]
    assert check_log(out) == []
