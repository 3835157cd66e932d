"""The two legs that are compared: the same requests, debated and given at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from debate.bench.debates import seats
from debate.bench.legs import Leg, forget_prefixes
from debate.bench.measure import Measure
from debate.bench.tokens import Pair, Timings, measure, measure_pairs, timed_pairs
from debate.config.resolve import load_run
from debate.engines.client import LocalReplica, ModelClient
from debate.errors import EngineError
from debate.wiring.plan import make_plan
from tests.cluster.engines import EchoEngine


def organisms(host: str = "driver") -> dict[str, Any]:
    return {
        "agents": [{"id": n, "card": n, "model": {"host": host}} for n in ("adder", "multiplier")],
        "topology": "pairwise",
        "rounds": 1,
        "task": {"generator": "arithmetic", "n": 3},
    }


@pytest.mark.parametrize("host", ["driver", pytest.param("actor", marks=pytest.mark.ray)])
def test_both_legs_make_the_same_calls_by_turns(tmp_path: Path, host: str) -> None:
    config = organisms(host)
    plan, first = make_plan(load_run(config)), make_plan(load_run(config, ["log.prompts=true"]))
    timings = asyncio.run(timed_pairs(plan, first, tmp_path, num=2))
    assert [(p.debate.num_calls, p.at_once.num_calls) for p in timings.pairs] == [(12, 12)] * 2
    assert not timings.forgot
    assert {path.name for path in tmp_path.glob("*/manifest.json")} == {"manifest.json"}


def pair(debate_s: float, at_once_s: float) -> Pair:
    return Pair(*(Leg(num_calls=5, num_tokens=100, seconds=s) for s in (debate_s, at_once_s)))


def test_the_median_pair_is_shown_with_the_range() -> None:
    timings = Timings([pair(2, 1), pair(1, 1), pair(4, 3)], forgot=True)
    found = measure_pairs(timings, "vllm")
    assert found.ratio == pytest.approx(0.75)
    assert "0.50 to 1.00" in found.note
    assert "prefix caches emptied before each" in found.note


def test_a_run_of_the_users_is_measured_without_its_probes(tmp_path: Path) -> None:
    config = organisms() | {"probes": ["verbal"], "output": str(tmp_path / "mine")}
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(config))
    (found,) = measure(tmp_path, quick=True, config=str(path))
    assert isinstance(found, Measure)
    assert "12 calls" in found.note
    assert not (tmp_path / "mine").exists()


def test_an_engine_that_counts_no_tokens_is_told(tmp_path: Path) -> None:
    config = organisms()
    config["agents"] = seats([{"engine": "scripted", "replies": "Answer: 4"}] * 2)
    plan, first = (make_plan(load_run(config, kept)) for kept in ([], ["log.prompts=true"]))
    with pytest.raises(EngineError, match="counts no tokens"):
        asyncio.run(timed_pairs(plan, first, tmp_path, num=1))


class Keeper(EchoEngine):
    """Has a prefix cache."""

    num_forgotten = 0

    async def forget_prefixes(self) -> None:
        self.num_forgotten += 1


async def test_every_prefix_cache_is_emptied_and_engines_without_one_are_told() -> None:
    keeper = Keeper()
    with_cache = ModelClient("m", [LocalReplica(keeper)])
    without = ModelClient("n", [LocalReplica(EchoEngine())])
    assert await forget_prefixes([with_cache])
    assert not await forget_prefixes([with_cache, without])
    assert keeper.num_forgotten == 2
