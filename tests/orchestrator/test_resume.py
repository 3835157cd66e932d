"""Going on where a run stopped: nothing twice, nothing lost, nothing paid twice."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from debate.errors import RunConflict
from debate.log import Run
from tests.processes import PATIENCE_S, kill_at, num_turns, start
from tests.support import by_ref, run, scripted, simulated, turns_of

VOLATILE = ["started_at", "finished_at", "queued_s", "running_s", "shared_with"]
CONFIG = """\
agents:
  - {id: a, model: {engine: simulated, competence: 0.7, latency_s: 0.01}}
  - {id: b, model: {engine: simulated, competence: 0.5, latency_s: 0.01}}
  - {id: c, model: {engine: simulated, competence: 0.6, latency_s: 0.01}}
topology: ring
task: {generator: arithmetic, n: 120}
rounds: 3
max_debates: 8
probes: [belief]
cells: {ring: {topology: ring}, self: {topology: self_loop}}
"""


def _final(run: Run) -> list[dict[str, Any]]:
    """Every turn by key, without what depends on the clock or on which cell came first."""
    frame = run.turns()
    frame = frame.drop([name for name in VOLATILE if name in frame.columns])
    key = ["cell", "question", "seed", "round", "kind", "agent", "about"]
    return frame.sort(key, nulls_last=True).to_dicts()


@pytest.mark.system
def test_a_run_killed_three_times_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(CONFIG)
    whole = start(config, tmp_path / "whole")
    assert whole.wait(PATIENCE_S) == 0
    total = num_turns(tmp_path / "whole")
    rng, killed = random.Random(7), tmp_path / "killed"
    for share in (0.2, 0.5, 0.8):
        kill_at(start(config, killed), killed, int(total * share) + rng.randrange(20))
        assert num_turns(killed) < total
    assert start(config, killed).wait(PATIENCE_S) == 0
    assert _final(Run(killed)) == _final(Run(tmp_path / "whole"))
    assert num_turns(killed) == total


def test_a_finished_run_is_not_computed_again(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: 4"), scripted("b", "Answer: 5")]
    first = run(tmp_path, agents, num_questions=5, rounds=2).turns()
    assert run(tmp_path, agents, num_questions=5, rounds=2).turns().equals(first)


def test_another_configuration_is_refused_with_the_difference(tmp_path: Path) -> None:
    agents = [simulated("a"), simulated("b")]
    run(tmp_path, agents, rounds=1)
    with pytest.raises(RunConflict, match="rounds: 1 → 2"):
        run(tmp_path, agents, rounds=2)


def test_where_a_model_runs_is_no_other_configuration(tmp_path: Path) -> None:
    agents = [simulated("a", max_in_flight=8), simulated("b")]
    first = run(tmp_path, agents, rounds=1).turns()
    agents[0]["model"]["max_in_flight"] = 16
    assert run(tmp_path, agents, rounds=1).turns().equals(first)


def test_a_turn_whose_prompt_changed_is_made_again_with_all_that_heard_it(tmp_path: Path) -> None:
    agents = [simulated("a"), simulated("b"), simulated("c")]
    before = {t.ref: t for t in turns_of(run(tmp_path, agents, topology="chain", rounds=2))}
    path = tmp_path / "run" / "turns" / "0.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if (row["round"], row["agent"]) == (0, "a"):
            row["prompt_hash"] = "of another prompt"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    after = {t.ref: t for t in turns_of(run(tmp_path, agents, topology="chain", rounds=2))}
    changed = {ref for ref in after if after[ref].started_at != before[ref].started_at}
    assert changed == {"0:opening:a", "1:revision:b", "2:revision:b", "2:revision:c"}
    assert after["2:revision:c"].value == before["2:revision:c"].value


def test_a_turn_that_heard_one_changed_turn_among_others_is_made_again(tmp_path: Path) -> None:
    agents, topology = [simulated(name) for name in "abc"], {"edges": ["a, b -> c"]}
    fields = {"topology": {**topology, "uncritiqued": "allow"}, "rounds": 1}
    before = by_ref(run(tmp_path, agents, **fields))
    path = tmp_path / "run" / "turns" / "0.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row.pop("crc32")
        if (row["round"], row["agent"]) == (0, "b"):
            row["prompt_hash"] = "of another prompt"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    after = by_ref(run(tmp_path, agents, **fields))
    changed = {ref for ref in after if after[ref].started_at != before[ref].started_at}
    assert changed == {"0:opening:b", "1:revision:c"}


def test_openings_are_shared_between_cells_and_counted_once(tmp_path: Path) -> None:
    cells = {"one": {"topology": "pairwise"}, "two": {"topology": "self_loop"}}
    found = run(tmp_path, [simulated("a"), simulated("b")], cells=cells, rounds=1, num_questions=5)
    openings = found.turns().filter(kind="opening")
    assert openings.height == 2 * 2 * 5
    assert openings["shared_with"].is_not_null().sum() == 2 * 5
    by_cell = openings.sort("question", "agent").partition_by("cell")
    assert by_cell[0]["answer"].to_list() == by_cell[1]["answer"].to_list()


def test_calls_can_be_shared_between_runs(tmp_path: Path) -> None:
    agents = [simulated("a"), simulated("b")]
    log = {"cache": str(tmp_path / "cache")}
    first = run(tmp_path, agents, rounds=1, num_questions=5, log=log)
    second = run(tmp_path, agents, rounds=2, num_questions=5, log=log, name="longer")
    early = second.turns().filter(round=0)
    assert set(early["shared_with"].to_list()) == {"cache"}
    key = ["question", "agent"]
    assert (
        early.sort(key)["answer"].to_list()
        == first.turns().filter(round=0).sort(key)["answer"].to_list()
    )
    assert second.turns().filter(round=2)["shared_with"].null_count() == 10
