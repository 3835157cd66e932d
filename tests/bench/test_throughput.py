"""The two legs that are compared: the same requests, debated and given at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from debate.bench.throughput import (
    PairTimings,
    Throughput,
    ThroughputPair,
    measure_throughput,
    reset_prefix_caches,
    summarize_pairs,
    time_pairs,
)
from debate.bench.workloads import Measurement, make_seats
from debate.config.loader import load_run
from debate.engines.client import ModelClient
from debate.engines.replica import LocalReplica
from debate.errors import EngineError
from debate.runner.plan import make_plan
from tests.cluster.engines import EchoEngine


def organisms(host: str = "driver") -> dict[str, Any]:
    return {
        "agents": [{"id": n, "card": n, "model": {"host": host}} for n in ("adder", "multiplier")],
        "topology": "pairwise",
        "rounds": 1,
        "task": {"generator": "arithmetic", "n": 3},
    }


@pytest.mark.system
@pytest.mark.parametrize("host", ["driver", pytest.param("actor", marks=pytest.mark.ray)])
def test_both_legs_make_the_same_calls_by_turns(tmp_path: Path, host: str) -> None:
    config = organisms(host)
    plan, first = make_plan(load_run(config)), make_plan(load_run(config, ["log.prompts=true"]))
    timings = asyncio.run(time_pairs(plan, first, tmp_path, num=2))
    assert [(p.debate.num_calls, p.at_once.num_calls) for p in timings.pairs] == [(12, 12)] * 2
    assert not timings.has_prefix_caches
    assert {path.name for path in tmp_path.glob("*/manifest.json")} == {"manifest.json"}


def pair(debate_s: float, at_once_s: float) -> ThroughputPair:
    return ThroughputPair(
        *(Throughput(num_calls=5, num_tokens=100, seconds=s) for s in (debate_s, at_once_s))
    )


def test_the_median_pair_is_shown_with_the_range() -> None:
    timings = PairTimings([pair(2, 1), pair(1, 1), pair(4, 3)], has_prefix_caches=True)
    found = summarize_pairs(timings, "vllm")
    assert found.ratio == pytest.approx(0.75)
    assert "0.50 to 1.00" in found.note
    assert "prefix caches emptied before each" in found.note


def test_a_run_of_the_users_is_measured_without_its_probes(tmp_path: Path) -> None:
    config = organisms() | {"probes": ["verbal"], "output": str(tmp_path / "mine")}
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(config))
    (found,) = measure_throughput(tmp_path, quick=True, config=str(path))
    assert isinstance(found, Measurement)
    assert "12 calls" in found.note
    assert not (tmp_path / "mine").exists()


def test_an_engine_that_counts_no_tokens_is_told(tmp_path: Path) -> None:
    config = organisms()
    config["agents"] = make_seats([{"engine": "scripted", "replies": "Answer: 4"}] * 2)
    plan, first = (make_plan(load_run(config, kept)) for kept in ([], ["log.prompts=true"]))
    with pytest.raises(EngineError, match="counts no tokens"):
        asyncio.run(time_pairs(plan, first, tmp_path, num=1))


class Keeper(EchoEngine):
    """Has a prefix cache."""

    num_forgotten = 0

    async def reset_prefix_cache(self) -> None:
        self.num_forgotten += 1


async def test_every_prefix_cache_is_emptied_and_engines_without_one_are_told() -> None:
    keeper = Keeper()
    with_cache = ModelClient("m", [LocalReplica(keeper)])
    without = ModelClient("n", [LocalReplica(EchoEngine())])
    assert await reset_prefix_caches([with_cache])
    assert not await reset_prefix_caches([with_cache, without])
    assert keeper.num_forgotten == 2
