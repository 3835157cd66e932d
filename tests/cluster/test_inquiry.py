"""A cluster is asked before a run, and named when a run joins it."""

from __future__ import annotations

import platform
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from debate.cli import app
from debate.cluster.inquiry import ask_cluster, require_answer
from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, ScriptedModel, TransformersModel, VllmModel
from debate.errors import ClusterError, ModelRefused

HOST = platform.node()


def test_an_address_where_nobody_listens_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        require_answer(address)
    with pytest.raises(ClusterError, match=f"no cluster answers at {address}: Connection refused"):
        require_answer(address)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    require_answer("auto")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ClusterError, match=f"no cluster answers at {address}"):
        require_answer("auto")


def test_a_cluster_has_a_limit_to_answer_in() -> None:
    with pytest.raises(ClusterError, match=r"no answer within 0\.01 s"):
        ask_cluster(ClusterSpec(address="auto"), limit_s=0.01)


async def test_all_missing_files_of_this_machine_are_told_before_anything_starts() -> None:
    models: dict[str, ModelSpec] = {
        "a": TransformersModel(engine="transformers", path="/nowhere/a"),
        "b": TransformersModel(engine="transformers", path="/nowhere/b.gguf", host="driver"),
    }
    with pytest.raises(ModelRefused) as refused:
        async with launch_models(models, ClusterSpec()):
            pass
    assert str(refused.value).splitlines() == [
        "files of models are missing:",
        f'  model "a" on {HOST}: the folder /nowhere/a does not exist',
        f'  model "b" on {HOST}: the file /nowhere/b.gguf does not exist',
    ]


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[str]:
    """The address of a cluster of two nodes with two GPUs each."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 4, "num_gpus": 2, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    try:
        yield cluster.address
    finally:
        ray.shutdown()
        cluster.shutdown()


def validate(folder: Path, address: str, gpus: list[float]) -> str:
    """Return what `debate validate` prints for scripted models that want these GPUs."""
    model: dict[str, Any] = {"engine": "scripted", "replies": "4", "host": "actor"}
    config = {
        "agents": [{"id": f"m{n}", "model": {**model, "gpus": g}} for n, g in enumerate(gpus)],
        "topology": "complete",
        "task": {"generator": "arithmetic", "n": 2},
        "cluster": {"address": address},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    done = CliRunner().invoke(app, ["validate", str(path)])
    assert done.exit_code == 0
    assert "the configuration is valid" in done.output
    return done.output


@pytest.mark.ray
@pytest.mark.system
async def test_validate_asks_the_cluster_and_a_run_says_which_it_joined(
    two_nodes: str, tmp_path: Path
) -> None:
    said = validate(tmp_path, two_nodes, [8, 1])
    there = f"{HOST}, {HOST} (2 GPUs and 4 CPUs each); free now: 4 GPUs and 8 CPUs"
    assert f"the Ray cluster at {two_nodes} (of user" in said
    assert there in said
    assert "GPUs wanted: 9; there: 4" in said
    assert 'this run cannot start there: model "m0" wants 8 GPUs' in said
    assert "turns" not in said

    said = validate(tmp_path, two_nodes, [2, 2, 1])
    assert "m0, m2 take turns in one place" in said
    assert "this run can start there" in said

    told: list[str] = []
    weights = {"path": "/nowhere/base", "cpus": 1}
    models: dict[str, ModelSpec] = {
        "whole": VllmModel(engine="vllm", model="/nowhere/whole", gpus=2, replicas=2),
        "base": TransformersModel(engine="transformers", **weights),
        "tuned": TransformersModel(engine="transformers", **weights, adapter="/nowhere/lora"),
        "sharing": VllmModel(engine="vllm", model="/nowhere/sharing"),
        "well": ScriptedModel(engine="scripted", replies="4", host="actor"),
    }
    with pytest.raises(ModelRefused) as refused:
        async with launch_models(models, ClusterSpec(address=two_nodes), tell=told.append):
            pass
    assert there in told[0]
    assert "whole, sharing take turns" in told[1]
    assert set(str(refused.value).splitlines()[1:]) == {
        f'  model "whole" on {HOST}: the folder /nowhere/whole does not exist',
        f'  model "base" on {HOST}: the folder /nowhere/base does not exist',
        f'  model "tuned" on {HOST}: the folder /nowhere/base does not exist',
        f'  model "tuned" on {HOST}: the folder /nowhere/lora does not exist, and so holds no '
        "LoRA adapter",
        f'  model "sharing" on {HOST}: the folder /nowhere/sharing does not exist',
    }


@pytest.mark.ray
def test_validate_is_of_use_where_the_cluster_cannot_be_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    said = validate(tmp_path, address, [1, 1])
    assert f"the cluster ({address}) could not be asked: no cluster answers at {address}" in said
    assert "turns" not in said
