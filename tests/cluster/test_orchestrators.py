"""Several orchestrators: shares of one run in actors, on a real local Ray cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import debate
from debate.config.cluster import ClusterSpec
from debate.engines.breaker import OrderlyEnd
from debate.errors import ClusterError, LogError, RunEnded
from debate.log import Run, check_log
from debate.log.spend import read_spend
from debate.log.utilisation import read_utilisation
from tests.processes import command
from tests.support import scripted, simulated

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [pytest.mark.ray, pytest.mark.system]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    from debate.cluster.connection import connect

    with connect(ClusterSpec(num_cpus=8, num_gpus=1)):
        yield


def config(orchestrators: int, **fields: Any) -> dict[str, Any]:
    apart = scripted("c", "Answer: 4")
    apart["model"] |= {"host": "actor", "latency_s": fields.pop("latency_s", 0.0)}
    return {
        "agents": [simulated("a", competence=0.7), simulated("b", competence=0.5), apart],
        "topology": "complete",
        "task": {"generator": "arithmetic", "n": fields.pop("n", 60)},
        "rounds": 2,
        "cluster": {"orchestrators": orchestrators},
        **fields,
    }


def transcripts(run: Run) -> pl.DataFrame:
    key = ["cell", "question", "seed", "round", "kind", "agent"]
    return run.turns().select(*key, "text", "answer", "heard", "correct").sort(key)


def test_two_orchestrators_say_what_one_says(tmp_path: Path) -> None:
    alone = debate.run(config(1), out=tmp_path / "one", quiet=True)
    shared = debate.run(config(2), out=tmp_path / "two", quiet=True)
    assert transcripts(shared).equals(transcripts(alone))
    verdicts = [run.verdicts().sort("question", "round") for run in (alone, shared)]
    assert verdicts[0].equals(verdicts[1])
    assert [path.name for path in (tmp_path / "two" / "turns").iterdir()] == ["0.jsonl"]
    assert list(check_log(tmp_path / "two")) == []
    seen = read_utilisation(tmp_path / "two")
    assert seen.group_by("model").agg(pl.col("done").sum()).sort("model").rows() == [
        ("a", 180),
        ("b", 180),
        ("c", 180),
    ]
    assert seen.filter(pl.col("model") == "a")["replica"].n_unique() == 2


def test_orchestrators_share_one_budget_and_go_on_to_the_same_log(tmp_path: Path) -> None:
    alone = debate.run(config(1, n=12), out=tmp_path / "one", quiet=True)
    for calls in (40, 71):
        capped = debate.run(config(2, n=12, budget={"calls": calls}), out=tmp_path / "two")
        totals = read_spend(tmp_path / "two")
        assert totals is not None
        assert sum(size.calls for size in totals.models.values()) == calls
        assert capped.manifest.status == "budget"
        assert capped.turns().height <= calls
    whole = debate.run(config(2, n=12, budget={"calls": 500}), out=tmp_path / "two", quiet=True)
    assert transcripts(whole).equals(transcripts(alone))


def test_a_model_that_fails_in_one_orchestrator_ends_the_run_in_all(tmp_path: Path) -> None:
    def failing(failure: float) -> dict[str, Any]:
        made = config(2, n=40, budget={"calls": 5000})
        made["agents"][0]["model"] |= {"failure": failure, "max_failures": 5}
        return made

    with pytest.raises(RunEnded, match=r"is paused after \d+ failures in a row"):
        debate.run(failing(1.0), out=tmp_path / "run", quiet=True)
    ended = Run(tmp_path / "run")
    assert ended.manifest.status == "failed"
    assert list(check_log(ended.directory)) == []
    totals = read_spend(ended.directory)
    assert totals is not None
    assert sum(size.calls for size in totals.models.values()) < 400


def test_orchestrators_start_after_the_outline_has_been_printed(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    agents = [simulated("a"), simulated("b"), simulated("c")]
    shared = {"agents": agents, "topology": "ring", "cluster": {"orchestrators": 2}}
    path.write_text(json.dumps(shared | {"task": {"generator": "arithmetic", "n": 6}}))
    done = command("run", str(path), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "2 orchestrators" in done.stderr
    assert Run(tmp_path / "out").verdicts().filter(final=True).height == 6


def test_a_lost_orchestrator_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    import ray

    whole = config(2, latency_s=0.05, max_debates=4, n=60)
    first = tmp_path / "run" / "turns" / "1.jsonl"
    with ThreadPoolExecutor(1) as other:
        running = other.submit(
            debate.run, {**whole, "name": "lost"}, out=tmp_path / "run", quiet=True
        )
        while not running.done() and (not first.exists() or first.read_bytes().count(b"\n") < 20):
            wait([running], timeout=0.05)
        assert not running.done()
        ray.kill(ray.get_actor("debate:lost:orchestrator:1", namespace="debate"))
        run = running.result(timeout=300)
    assert run.turns().height == 60 * 3 * 3
    assert run.verdicts().filter(final=True).height == 60
    alone = debate.run({**whole, "cluster": {}}, out=tmp_path / "alone", quiet=True)
    assert transcripts(run).equals(transcripts(alone))


def test_a_run_goes_on_with_another_number_of_orchestrators(tmp_path: Path) -> None:
    few = debate.run(config(1, n=6), out=tmp_path / "run", quiet=True)
    turns = (tmp_path / "run" / "turns" / "0.jsonl").read_text().splitlines(keepends=True)
    verdicts = tmp_path / "run" / "verdicts" / "0.jsonl"
    (tmp_path / "run" / "turns" / "0.jsonl").write_text("".join(turns[: len(turns) // 2]))
    verdicts.write_text("")
    before = transcripts(few)
    again = debate.run(config(3, n=6), out=tmp_path / "run", quiet=True)
    assert transcripts(again).height == 6 * 3 * 3
    assert again.turns().height >= before.height


class Refusing:
    """Work whose disk is full."""

    async def run(self, client: object) -> None:
        raise LogError("the disk is full", boundary="log")

    def status(self) -> object:
        return None

    def end(self, error: RunEnded) -> None:
        """Nothing has begun."""


class Dying(Refusing):
    """Work that takes its process along."""

    async def run(self, client: object) -> None:
        os._exit(1)


async def attempt(work: Callable[[int], Refusing], lost: list[int]) -> None:
    """Run one share; `lost` gathers the shares that were told of as lost."""
    from debate.cluster.orchestrators import run_shares

    await run_shares(
        [work],
        ClusterSpec(),
        {},
        run="w",
        on_status=lambda *_: None,
        on_lost=lost.append,
        end=OrderlyEnd(),
    )


async def test_an_orchestrators_own_error_is_shown_as_it_is() -> None:
    lost: list[int] = []
    with pytest.raises(LogError, match="the disk is full"):
        await attempt(lambda _: Refusing(), lost)
    assert lost == []


async def test_an_orchestrator_that_dies_again_and_again_ends_the_run() -> None:
    lost: list[int] = []
    with pytest.raises(ClusterError, match="lost again"):
        await attempt(lambda _: Dying(), lost)
    assert lost == [0] * 4


def test_models_that_share_a_gpu_debate_as_if_each_had_one(tmp_path: Path) -> None:
    def team(**cluster: Any) -> dict[str, Any]:
        agents = [scripted(name, f"Answer: {number}") for number, name in enumerate("abc")]
        for agent in agents:
            agent["model"] |= {"host": "actor", "gpus": 1}
        task = {"generator": "arithmetic", "n": 20}
        return {"agents": agents, "topology": "ring", "task": task, "cluster": cluster}

    shared = debate.run(team(), out=tmp_path / "shared", quiet=True)
    seen = read_utilisation(tmp_path / "shared")
    assert set(seen["gpus"].explode()) == {"0"}
    assert seen["swaps"].sum() >= 2
    assert seen.filter(pl.col("asleep") > 0)["model"].n_unique() >= 2
    assert not shared.turns()["failed"].any()
    reloaded = debate.run(
        team(slots={"count": 1, "swap": "reload"}), out=tmp_path / "reloaded", quiet=True
    )
    assert transcripts(reloaded).equals(transcripts(shared))


def test_a_sleeping_actor_that_dies_is_started_again(tmp_path: Path) -> None:
    import asyncio

    import ray

    from debate.cluster.launch import launch_models
    from debate.config.models import ModelSpec, ScriptedModel
    from tests.cluster.engines import request

    spec = ScriptedModel(engine="scripted", replies="Answer: 4", host="actor")
    specs: dict[str, ModelSpec] = {"a": spec, "b": spec}

    async def scenario() -> list[Any]:
        async with launch_models(specs, ClusterSpec(slots=1), run="asleep") as models:
            assert models["a"].metrics().replicas[0].state == "asleep"
            ray.kill(ray.get_actor("debate:asleep:a:0", namespace="debate"))
            replies = await asyncio.gather(*(models[n].complete(request(n)) for n in "ab"))
            return [*replies, models["a"].metrics().restarts]

    first, second, restarts = asyncio.run(scenario())
    assert (first.failure, second.failure, restarts) == (None, None, 1)
