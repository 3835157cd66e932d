"""What a plan promises, and what a pilot says of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner

from debate.cli import app
from debate.config.resolve import load_run
from debate.log import Run
from debate.wiring.forecast import busy_s, forecast
from debate.wiring.pilot import run_pilot
from debate.wiring.plan import make_plan
from tests.support import run, write_questions

SEAT: dict[str, Any] = {"engine": "simulated", "price": {"generated": 1.0}}


def config(folder: Path, **fields: Any) -> dict[str, Any]:
    return {
        "agents": [{"id": name, "model": dict(SEAT)} for name in "abc"],
        "topology": "ring",
        "task": write_questions(folder, 10),
        **fields,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"rounds": 2},
        {"rounds": 2, "protocol": "critique"},
        {"rounds": 2, "protocol": {"speaking": "sequential"}, "probes": ["belief"]},
        {"cells": {"one": {"rounds": 1}, "two": {"rounds": 2}, "three": {"rounds": 2}}},
        {"sweep": {"arm": ["single", "self", "repeat", "restate", "sibling", "peer", "scripted"]}},
        {"sweep": {"decision": ["majority", "unanimity"], "topology": ["ring", "star"]}},
    ],
)
def test_a_plan_names_every_call_and_no_more_than_are_made(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    written = config(tmp_path, **fields)
    plan = make_plan(load_run(written))
    found = run(tmp_path, written["agents"], **{k: v for k, v in written.items() if k != "agents"})
    turns = found.turns()
    made = turns.filter(pl.col("shared_with").is_null()).height
    assert turns.height == sum(map(plan.max_calls, plan.cells))
    assert made <= plan.max_total_calls
    assert plan.max_total_calls - made <= 0.1 * plan.max_total_calls


def test_cells_that_differ_in_rounds_or_decision_share_what_they_ask_alike(tmp_path: Path) -> None:
    sweep = {"rounds": [1, 2], "decision": ["majority", "unanimity"]}
    plan = make_plan(load_run(config(tmp_path, sweep=sweep)))
    assert plan.max_total_calls == 10 * 3 * 3
    assert plan.num_shared_calls == 10 * 2 * (2 * 3 + 3 * 3) - plan.max_total_calls


def test_a_pilot_is_part_of_the_run_and_tells_what_the_rest_takes(tmp_path: Path) -> None:
    written = config(tmp_path, rounds=2, sweep={"arm": ["single", "self", "peer"]})
    plan, out = make_plan(load_run(written)), tmp_path / "out"
    run_pilot(plan, 4, out, Console(quiet=True))
    piloted = Run(out)
    assert piloted.manifest.status == "interrupted"
    assert piloted.turns()["question"].n_unique() == 4
    found = forecast(plan, out)
    assert found is not None
    assert (found.num_items, found.num_all) == (4, 10)
    assert found.turns.value == pytest.approx(plan.max_total_calls)
    assert found.cost is not None
    assert found.left_s is not None
    before = piloted.turns()
    whole = run(tmp_path, **{**written, "name": "out"}).turns()
    kept = whole.join(before.select("question").unique(), on="question", how="semi")
    assert kept.equals(before)
    assert whole["question"].n_unique() == 10


def test_a_pilot_takes_questions_from_all_over_the_file(tmp_path: Path) -> None:
    plan = make_plan(load_run(config(tmp_path))).pilot(3)
    assert [work.question.id for work in plan.work] == ["q0", "q3", "q6"]


def test_pauses_between_calls_are_no_part_of_the_pace() -> None:
    spans = pl.DataFrame({"started_at": [0.0, 0.5, 100.0], "finished_at": [1.0, 2.0, 103.0]})
    assert busy_s(spans) == 5.0


def test_validate_shows_cells_factors_and_shared_calls(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "agents:\n"
        "  - {id: a, model: {engine: simulated}}\n"
        "  - {id: b, model: {engine: simulated}}\n"
        "task: {generator: arithmetic, n: 5}\n"
        "sweep: {topology: [pairwise, self_loop], rounds: [1, 2]}\n"
    )
    done = CliRunner().invoke(app, ["validate", str(path)])
    assert done.exit_code == 0, done.output
    assert "self_loop-r2" in done.output
    assert "20 debates" in done.output
    assert "at most 50 model calls (50 more are shared)" in " ".join(done.output.split())


def test_a_run_without_a_finished_question_has_no_forecast(tmp_path: Path) -> None:
    plan = make_plan(load_run(config(tmp_path)))
    assert forecast(plan, tmp_path / "nothing") is None
