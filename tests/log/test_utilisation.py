"""What replicas did over a run's time: written, read, and never in the way."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from debate.engines.metrics import BOUNDS_S, ModelMetrics, ReplicaMetrics, RunningTotals
from debate.log.utilisation import UTILISATION, UtilisationLog, read_utilisation
from debate.runner.replica_samples import ReplicaKey, ReplicaSampler, make_sample, merge_counters
from tests.support import run, simulated


def metrics(**fields: Any) -> ReplicaMetrics:
    whole = {
        "index": 0,
        "state": "ready",
        "placement": None,
        "queued": 0,
        "in_flight": 0,
        "done": 0,
        "failed": 0,
        "restarts": 0,
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "generated_tokens": 0,
        "busy_s": 0.0,
    }
    return ReplicaMetrics(**{**whole, **fields})


def between(after: ReplicaMetrics, before: ReplicaMetrics | None = None) -> Any:
    return make_sample(ReplicaKey("m", 0), after, before, at=100.0, interval_s=2.0)


def test_shares_of_an_interval_sum_to_one() -> None:
    seen = between(
        metrics(busy_s=5.0, asleep_s=1.5, swapping_s=0.25),
        metrics(busy_s=4.0, asleep_s=1.0, swapping_s=0.25),
    )
    assert (seen.busy, seen.asleep, seen.swapping, seen.idle) == (0.5, 0.25, 0.0, 0.25)


def test_totals_become_what_happened_in_between() -> None:
    seen = between(
        metrics(done=9, generated_tokens=90, queued_s=3.0, queued=4, in_flight=2),
        metrics(done=7, generated_tokens=50, queued_s=1.0, queued=8),
    )
    assert (seen.done, seen.generated_tokens, seen.queued_s) == (2, 40, 2.0)
    assert (seen.queued, seen.in_flight) == (4, 2)


def test_a_replaced_process_counts_from_zero() -> None:
    assert between(metrics(done=3, busy_s=1.0), metrics(done=900, busy_s=50.0)).done == 3


def test_clocks_that_disagree_by_a_little_do_not_exceed_the_interval() -> None:
    seen = between(metrics(busy_s=2.1, asleep_s=0.1), metrics())
    assert seen.busy + seen.asleep + seen.swapping + seen.idle == pytest.approx(1.0)


def test_samples_are_read_as_they_were_written(tmp_path: Path) -> None:
    seen = ReplicaSampler().look([ModelMetrics(model="m", replicas=(metrics(done=2),))])
    with closing(UtilisationLog(tmp_path)) as log:
        log.append(seen)
    (row,) = read_utilisation(tmp_path).to_dicts()
    assert (row["model"], row["done"], row["state"], row["gpus"]) == ("m", 2, "ready", [])


def test_a_torn_line_costs_itself_only(tmp_path: Path) -> None:
    seen = [between(metrics(done=number)) for number in (1, 2)]
    with closing(UtilisationLog(tmp_path)) as log:
        log.append(seen)
    path = tmp_path / UTILISATION
    path.write_bytes(path.read_bytes()[:-20])
    assert read_utilisation(tmp_path)["done"].to_list() == [1]
    with closing(UtilisationLog(tmp_path)) as log:
        log.append(seen)
    with pytest.warns(UserWarning, match="it is left out"):
        assert read_utilisation(tmp_path)["done"].to_list() == [1, 1, 2]


def test_a_run_without_samples_has_an_empty_frame(tmp_path: Path) -> None:
    with closing(UtilisationLog(tmp_path)) as log:
        log.append([])
    assert not (tmp_path / UTILISATION).exists()
    assert read_utilisation(tmp_path).is_empty()


def test_one_models_replicas_in_several_processes_are_numbered_anew() -> None:
    parts = [ModelMetrics(model="m", replicas=(metrics(done=n),)) for n in (1, 2)]
    (whole,) = merge_counters(parts)
    assert [(row.index, row.done) for row in whole.replicas] == [(0, 1), (1, 2)]


def test_a_run_writes_what_its_models_did(tmp_path: Path) -> None:
    ran = run(tmp_path, [simulated("a"), simulated("b")], num_questions=4, rounds=1)
    seen = read_utilisation(ran.directory)
    assert set(seen["model"]) == {"a", "b"}
    assert seen["done"].sum() == ran.turns().height
    assert seen["failed"].sum() == 0
    for name in ("waits", "runs"):
        assert sum(map(sum, seen[name].to_list())) == ran.turns().height


def test_requests_are_counted_in_classes_of_their_times() -> None:
    tally = RunningTotals()
    tally.time(queued_s=[0.001, 0.005, 0.3], running_s=999.0)
    before = metrics(waits=tuple(tally.waits), runs=tuple(tally.runs))
    tally.time(queued_s=[0.02], running_s=0.5)
    after = metrics(done=1, waits=tuple(tally.waits), runs=tuple(tally.runs))
    assert (tally.waits[0], tally.waits[6], tally.runs[-1]) == (2, 1, 3)
    seen = between(after, before)
    assert (sum(seen.waits), sum(seen.runs)) == (1, 1)
    assert BOUNDS_S[seen.runs.index(1)] == 0.5


def test_samples_of_an_older_version_are_read_without_classes(tmp_path: Path) -> None:
    (old,) = ReplicaSampler().look([ModelMetrics(model="m", replicas=(metrics(done=2),))])
    fields = msgspec.to_builtins(old)
    line = msgspec.json.encode({k: v for k, v in fields.items() if k not in ("waits", "runs")})
    (tmp_path / UTILISATION).write_bytes(line + b"\n")
    (row,) = read_utilisation(tmp_path).to_dicts()
    assert (row["done"], row["waits"]) == (2, [])


def test_a_finished_run_that_is_run_again_writes_nothing_more(tmp_path: Path) -> None:
    ran = run(tmp_path, [simulated("a"), simulated("b")], num_questions=2, rounds=1)
    before = read_utilisation(ran.directory).height
    run(tmp_path, [simulated("a"), simulated("b")], num_questions=2, rounds=1)
    assert read_utilisation(ran.directory).height == before
