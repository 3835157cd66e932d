"""What a plan promises, and what a pilot says of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner

from debate.cli import app
from debate.config.loader import load_run
from debate.errors import ConfigError
from debate.log import Run
from debate.log.utilisation import read_utilisation
from debate.runner.execute import run_pilot
from debate.runner.forecast import compute_busy_s, make_forecast
from debate.runner.plan import make_plan
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
    assert turns.height == sum(map(plan.count_max_calls, plan.cells))
    assert made <= plan.max_total_calls
    assert plan.max_total_calls - made <= 0.1 * plan.max_total_calls


def test_calls_by_a_protocol_of_ones_own_are_counted_by_holding_the_debate(tmp_path: Path) -> None:
    fields = {"rounds": 2, "topology": "complete", "protocol": "tests.sweeps.protocols.twice"}
    written = config(tmp_path, **fields)
    plan = make_plan(load_run(written))
    assert plan.max_total_calls == 10 * (3 * 3 + 3 * 2)
    turns = run(tmp_path, **written).turns()
    assert turns.height == plan.max_total_calls
    surer = config(tmp_path, **{**fields, "protocol": "tests.sweeps.protocols.defer_to_the_surer"})
    made = run(tmp_path, **{**surer, "name": "surer"}).turns()
    assert made.height <= make_plan(load_run(surer)).max_total_calls


def test_a_protocol_that_raises_is_refused_before_anything_runs(tmp_path: Path) -> None:
    plan = make_plan(load_run(config(tmp_path, protocol="tests.sweeps.protocols.broken")))
    with pytest.raises(ConfigError, match="tried without models, raised KeyError: 'a'"):
        plan.count_max_calls(plan.cells[0])


@pytest.mark.parametrize(
    "protocol",
    [
        {"stop": "consensus"},
        {"stop": "no_change"},
        {"debate_if": "disagreement"},
        {"name": "critique", "quorum": 1},
        {"name": "critique", "view": {"max_critics": 1}},
        {"view": {"answers_only": True}},
    ],
    ids=str,
)
@pytest.mark.parametrize("seats", ["a", "abc"])
def test_nothing_that_ends_a_debate_early_lowers_the_bound(
    protocol: dict[str, Any], seats: str, tmp_path: Path
) -> None:
    fields: dict[str, Any] = {
        "rounds": 2,
        "topology": "complete" if len(seats) > 1 else "self_loop",
    }
    agents = [{"id": name, "model": {**SEAT, "parse_failure": 0.3}} for name in seats]
    written = config(tmp_path, agents=agents, protocol=protocol, **fields)
    plan = make_plan(load_run(written))
    made = run(tmp_path, **written).turns()
    for (question,), turns in made.group_by("question"):
        assert turns.height <= plan.max_total_calls / 10, question
    own = len(seats) * 3
    heard = 0 if "name" not in protocol else len(seats) * 2 * max(1, len(seats) - 1)
    if "view" not in protocol or "name" not in protocol:
        assert plan.max_total_calls == 10 * (own + heard)


@pytest.mark.parametrize("probe", ["belief", "p_true", {"name": "consistency", "samples": 3}])
def test_calls_of_probes_are_those_that_they_make(probe: Any, tmp_path: Path) -> None:
    cells = {"repeat": {"protocol": "repeat"}, "ring": {}}
    written = config(tmp_path, rounds=2, probes=[probe], cells=cells)
    plan = make_plan(load_run(written))
    found = run(tmp_path, **written)
    requests = int(read_utilisation(found.directory)["done"].sum())
    assert 0 < requests <= plan.max_total_calls


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
    found = make_forecast(plan, out)
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
    assert compute_busy_s(spans) == 5.0


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
    assert make_forecast(plan, tmp_path / "nothing") is None
