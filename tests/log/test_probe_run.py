"""`debate probe`: what a run's belief probes left out, scored when it is over."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner

import debate
from debate.cli import app
from debate.errors import InputError
from debate.log import Run, check_log
from debate.runner.probe_run import ProbeResult, probe_run
from debate.runner.verify_run import verify_run
from tests.support import run, scripted, simulated

ANSWER = ["cell", "question", "seed", "agent", "round"]
CELLS: dict[str, Any] = {
    "self": {"topology": "self_loop"},
    "ring": {"topology": "ring"},
    "repeat": {"protocol": "repeat"},
}


def seats() -> list[dict[str, Any]]:
    """Three agents who disagree and try several answers."""
    return [simulated(name, concentration=20.0, num_wrong=12) for name in "abc"]


def held(folder: Path, **fields: Any) -> Run:
    """A run of three cells whose debates came to know different answers."""
    options = {"num_questions": 5, "rounds": 2, "probes": ["belief"], "cells": CELLS}
    return run(folder, seats(), **{**options, **fields})


def fill(directory: Path, **options: Any) -> ProbeResult:
    return probe_run(directory, console=Console(quiet=True), quiet=True, **options)


def scored(found: Run) -> pl.DataFrame:
    """A row for each candidate that was scored at an answer."""
    probes = found.turns().filter(pl.col("kind") == "probe")
    return probes.explode("belief").unnest("belief").drop_nulls("candidate")


def sets(found: Run) -> pl.DataFrame:
    """How many sets of candidates the answers to a question and seed have."""
    whole = scored(found).group_by(ANSWER).agg(pl.col("candidate").unique().sort().str.join(" "))
    return whole.group_by("question", "seed").agg(pl.col("candidate").n_unique())


def lines(found: Run) -> list[str]:
    return (found.directory / "turns" / "0.jsonl").read_text().splitlines()


def test_all_answers_to_a_question_come_to_have_one_set_of_candidates(tmp_path: Path) -> None:
    found = held(tmp_path, seeds=[0, 1])
    assert sets(found)["candidate"].max() > 1
    before, verdicts, log = found.trajectories(), found.verdicts(), lines(found)
    told = fill(found.directory)
    assert told.num_calls > 0
    assert sets(found)["candidate"].max() == 1
    assert lines(found)[: len(log)] == log
    assert found.verdicts().equals(verdicts)
    after = found.trajectories()
    beliefs = [c for c in after.columns if "belief" in c or c.startswith("log_p")]
    assert after.drop(beliefs).equals(before.drop(beliefs))
    assert after["log_p_target"].null_count() == 0
    assert (after["belief_mass"] >= before["belief_mass"] - 1e-12).all()
    assert found.manifest.status == "complete"
    assert verify_run(found.directory).problems == ()


def test_no_pair_of_a_prompt_and_a_candidate_has_two_scores(tmp_path: Path) -> None:
    found = held(tmp_path, probes=["belief", "p_true"])
    assert fill(found.directory).num_calls > 0
    openings = scored(found).filter(pl.col("round") == 0)
    by_pair = openings.group_by("question", "seed", "agent", "candidate")
    assert by_pair.agg(pl.col("log_p").n_unique())["log_p"].max() == 1
    asked = scored(found).group_by([*ANSWER, "candidate"]).len()
    assert asked["len"].max() == 1


def test_asked_twice_it_asks_nothing(tmp_path: Path) -> None:
    found = held(tmp_path)
    assert fill(found.directory).num_calls > 0
    before = lines(found)
    again = fill(found.directory)
    assert (again.num_calls, again.num_pairs) == (0, 0)
    assert lines(found) == before


def test_a_dry_run_says_what_is_missing_and_changes_nothing(tmp_path: Path) -> None:
    found = held(tmp_path)
    before, manifest = lines(found), (found.directory / "manifest.json").read_bytes()
    told = CliRunner().invoke(app, ["probe", str(found.directory), "--dry-run"])
    assert told.exit_code == 0, told.output
    assert lines(found) == before
    assert (found.directory / "manifest.json").read_bytes() == manifest
    made = fill(found.directory)
    assert f"by {made.num_calls:,} calls" in told.output
    assert f"missing: {made.num_pairs:,} candidates" in told.output


def test_killed_at_any_line_it_goes_on_and_ends_alike(tmp_path: Path) -> None:
    whole, torn = held(tmp_path, name="whole"), held(tmp_path, name="torn")
    before = (torn.directory / "turns" / "0.jsonl").stat().st_size
    manifest = (torn.directory / "manifest.json").read_bytes()
    fill(whole.directory)
    fill(torn.directory)
    log = torn.directory / "turns" / "0.jsonl"
    os.truncate(log, before + (log.stat().st_size - before) // 2)
    (torn.directory / "manifest.json").write_bytes(manifest)
    assert fill(torn.directory).num_pairs > 0
    key = [*ANSWER, "candidate", "log_p"]
    assert scored(torn).select(key).sort(key).equals(scored(whole).select(key).sort(key))
    assert check_log(torn.directory) == []


def test_a_cell_that_is_added_scores_its_own_and_what_is_missing(tmp_path: Path) -> None:
    first = {name: CELLS[name] for name in ("self", "ring")}
    found = held(tmp_path, cells=first)
    fill(found.directory)
    before = scored(found)
    found = held(tmp_path, cells=CELLS)
    assert not (found.directory / "superseded").exists()
    kept = scored(found).join(before, on=[*ANSWER, "candidate", "log_p"], how="semi")
    assert kept.height == before.height
    assert "repeat" in scored(found)["cell"].to_list()
    fill(found.directory)
    assert sets(found)["candidate"].max() == 1
    assert verify_run(found.directory).problems == ()
    pairs = scored(found).filter(pl.col("round") == 0)
    values = pairs.group_by("question", "agent", "candidate").agg(pl.col("log_p").n_unique())
    assert values["log_p"].max() == 1


def test_a_run_without_probes_gets_its_beliefs_afterwards(tmp_path: Path) -> None:
    probed = held(tmp_path, name="probed")
    bare = held(tmp_path, name="bare", probes=[])
    fill(probed.directory)
    fill(bare.directory)
    columns = [*ANSWER, "log_p_own", "log_p_target", "log_p_answer", "belief_mass"]
    one, other = (each.trajectories().select(columns) for each in (probed, bare))
    assert one.drop("belief_mass").equals(other.drop("belief_mass"))
    assert one["belief_mass"].to_list() == pytest.approx(other["belief_mass"].to_list())
    assert verify_run(bare.directory).problems == ()


def test_a_stopped_run_is_probed_as_far_as_it_went(tmp_path: Path) -> None:
    found = held(tmp_path)
    path = found.directory / "turns" / "0.jsonl"
    kept = path.read_bytes().splitlines(keepends=True)[:80]
    path.write_bytes(b"".join(kept))
    (found.directory / "verdicts" / "0.jsonl").write_bytes(b"")
    manifest = json.loads((found.directory / "manifest.json").read_text())
    manifest |= {"status": "interrupted", "totals": None}
    (found.directory / "manifest.json").write_text(json.dumps(manifest))
    told = fill(found.directory)
    assert 0 < told.num_answers < 135
    assert found.manifest.status == "interrupted"
    rows = found.trajectories()
    assert rows["log_p_target"].null_count() == 0
    again = held(tmp_path)
    fill(again.directory)
    assert sets(again)["candidate"].max() == 1
    assert verify_run(again.directory).problems == ()


def test_an_engine_that_cannot_score_is_refused_in_words(tmp_path: Path) -> None:
    found = run(tmp_path, [scripted("a", "Answer: 4"), simulated("b")])
    with pytest.raises(InputError, match=r'agent "a" cannot be probed: its engine cannot score'):
        fill(found.directory)
    with pytest.raises(InputError, match="holds no run"):
        fill(tmp_path / "nothing")


def test_prompts_that_are_not_what_was_recorded_are_left_out(tmp_path: Path) -> None:
    found = held(tmp_path)
    path = found.directory / "manifest.json"
    path.write_text(path.read_text().replace('"max_tokens": 512', '"max_tokens": 64'))
    with pytest.raises(InputError, match="no answer has the prompt that it was recorded with"):
        fill(found.directory)


def test_a_changed_further_probe_is_named_by_verify(tmp_path: Path) -> None:
    found = held(tmp_path)
    fill(found.directory)
    path = found.directory / "turns" / "0.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    last = next(row for row in reversed(rows) if (row["about"] or "").startswith("belief/"))
    last["belief"]["log_p"]["77"] = -1.0
    last.pop("crc32")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "never comes to this turn" in " ".join(
        p.what for p in verify_run(found.directory).problems
    )


@pytest.mark.parametrize("probes", [["belief"], []])
def test_validate_prices_the_probe_beforehand(tmp_path: Path, probes: list[str]) -> None:
    found = held(tmp_path, probes=probes, seeds=[0, 1])
    config = tmp_path / "run.yaml"
    spec = {name: found.manifest.spec[name] for name in ("agents", "models", "task", "rounds")}
    written = {"topology": "ring", "cells": CELLS, "probes": probes, "seeds": [0, 1], **spec}
    config.write_text(json.dumps(written))
    told = CliRunner().invoke(app, ["validate", str(config), "--probe"])
    assert told.exit_code == 0, told.output
    said = " ".join(told.output.split())
    most = int(said.split("afterwards: at most ")[1].split()[0].replace(",", ""))
    made = fill(found.directory).num_calls
    assert made <= most
    assert probes or made == most


def test_beliefs_that_cannot_be_missing_cost_nothing(tmp_path: Path) -> None:
    found = held(tmp_path, cells={"ring": CELLS["ring"]})
    assert fill(found.directory).num_calls == 0
    assert math.isfinite(found.trajectories()["log_p_answer"].sum())


@pytest.mark.system
def test_trained_models_score_what_others_said(tmp_path: Path) -> None:
    config = {
        "agents": [
            {"card": card, "id": card[0], "sampling": {"temperature": 1.0, "max_tokens": 24}}
            for card in ("adder", "multiplier")
        ],
        "topology": "pairwise",
        "task": {"generator": "arithmetic", "families": ["add", "mul"], "n": 4, "seed": 3},
        "rounds": 1,
        "probes": ["belief"],
        "cells": {"self": {"topology": "self_loop"}, "peer": {}},
    }
    here = [f"models.{card}.host=driver" for card in ("adder", "multiplier")]
    found = debate.run(config, overrides=here, out=tmp_path / "run", quiet=True)
    before = found.trajectories()
    assert fill(found.directory).num_calls > 0
    assert sets(found)["candidate"].max() == 1
    after = found.trajectories()
    assert after.select("log_p_target").equals(before.select("log_p_target"))
    openings = after.filter(pl.col("round") == 0).group_by("question", "agent")
    one = openings.agg(pl.col("belief_target", "belief_mass").n_unique())
    assert one["belief_target"].max() == one["belief_mass"].max() == 1
    assert fill(found.directory).num_calls == 0
    assert verify_run(found.directory).problems == ()
