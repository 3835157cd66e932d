"""Three models on one vLLM engine: the bare base and two adapters of it, one start for all tests.

What is expected comes from transformers, on the base's folder and on those with an adapter merged
into the weights.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import VllmModel
from debate.engines.base import Completion
from debate.engines.processes import find_vllm_processes
from tests.vllm.team import (
    NEEDS_VLLM,
    SMALL,
    Team,
    answers,
    ask,
    by_transformers,
    describe_descendants,
    engines_of,
)
from tests.vllm.tiny import write_adapter, write_model

pytestmark = [
    pytest.mark.vllm,
    NEEDS_VLLM,
    pytest.mark.ray,
    pytest.mark.asyncio(loop_scope="module"),
]

LONG = "the sum of all of the numbers from one to ninety nine " * 4


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The base, and two adapters of different ranks whose folders have the same last name."""
    root = tmp_path_factory.mktemp("models")
    base = write_model(root / "base", seed=0, num_layers=2)
    return {
        "base": base,
        "a": write_adapter(root / "a" / "adapter", base, seed=1, rank=8),
        "b": write_adapter(root / "b" / "adapter", base, seed=2, rank=12),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def team(folders: dict[str, Path]) -> AsyncIterator[Team]:
    specs = {
        name: VllmModel(
            engine="vllm",
            model=str(folders["base"]),
            adapter=None if name == "base" else str(folders[name]),
            dtype="float32",
            gpus=1,
            engine_kwargs=SMALL,
        )
        for name in folders
    }
    async with launch_models(specs, ClusterSpec(num_gpus=1), run="adapters") as models:
        processes = engines_of(models["base"])
        yield models
        processes += engines_of(models["base"])
    assert find_vllm_processes(processes) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reference(folders: dict[str, Path]) -> AsyncIterator[Team]:
    merged = {
        name: folder if name == "base" else folder / "merged" for name, folder in folders.items()
    }
    async with by_transformers(merged) as models:
        yield models


def texts(found: Mapping[str, Sequence[Completion]]) -> dict[str, list[str]]:
    assert [reply.failure for own in found.values() for reply in own if reply.failure] == []
    return {name: [reply.text for reply in own] for name, own in found.items()}


async def test_three_models_live_in_one_process_on_one_gpu(team: Team) -> None:
    assert engines_of(team["base"]), f"below the actor: {describe_descendants(team['base'])}"
    places = [client.placements for client in team.values()]
    assert places[0] == places[1] == places[2]
    assert places[0][0] is not None
    assert places[0][0].gpus == ("0",)


async def test_each_model_answers_and_scores_by_its_own_adapter(
    team: Team, reference: Team
) -> None:
    generated = [ask(number, f"{number}*{number + 7}=? ") for number in range(10)]
    found = texts(await answers(team, generated))
    assert found == texts(await answers(reference, generated))
    assert len(set(map(tuple, found.values()))) == 3
    scored = [ask(0, "3+4=?", candidates=("7", "12", "121"))]
    mine, theirs = await answers(team, scored), await answers(reference, scored)
    for name in team:
        assert mine[name][0].candidate_log_p == pytest.approx(
            theirs[name][0].candidate_log_p, abs=1e-3
        )
    counted = [client.metrics() for client in team.values()]
    assert [(each.done, each.failed) for each in counted] == 3 * [(11, 0)]


async def test_what_one_adapter_left_in_the_prefix_cache_serves_no_other(
    team: Team, reference: Team
) -> None:
    asked = [ask(0, LONG)]
    expected = texts(await answers(reference, asked))
    for name, client in team.items():
        cold, warm = [(await answers({name: client}, asked))[name][0] for _ in range(2)]
        assert cold.usage.cached_tokens == 0
        assert (warm.usage.cached_tokens or 0) > 0.5 * (warm.usage.prompt_tokens or 0)
        assert [cold.text, warm.text] == 2 * expected[name]


async def test_the_three_sleep_and_wake_as_one(team: Team) -> None:
    asked = [ask(number, f"{number}+4=? ") for number in range(3)]
    before = texts(await answers(team, asked))
    for method in ("sleep", "wake"):
        for client in team.values():
            await getattr(client.replica_queues[0].replica, method)()
    assert texts(await answers(team, asked)) == before


async def test_a_lost_engine_is_started_once_for_all_its_models(team: Team) -> None:
    asked = [ask(number, f"{number}+9=? ") for number in range(4)]
    before = texts(await answers(team, asked))
    (lost,) = team["base"].placements
    assert lost is not None
    os.kill(lost.pid, signal.SIGKILL)
    assert texts(await answers(team, asked)) == before
    places = {client.placements for client in team.values()}
    assert len(places) == 1
    assert lost not in places.pop()
    assert [client.metrics().restarts for client in team.values()] == [1, 1, 1]
