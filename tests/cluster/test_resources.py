"""What models want against what is there, offline."""

from __future__ import annotations

import subprocess
import sys

import pytest

from debate.cluster.packing import describe_shortage, find_unschedulable
from debate.cluster.resources import (
    Node,
    ResourceRequest,
    list_resource_requests,
    summarize_resources,
)
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, ScriptedModel, TransformersModel, VllmModel
from debate.errors import ConfigError


def vllm(**fields: object) -> VllmModel:
    return VllmModel(engine="vllm", model="m", **fields)


def want(gpus: float, cpus: float = 1, model: str = "llama") -> ResourceRequest:
    return ResourceRequest(model=model, replica=0, gpus=gpus, cpus=cpus)


def test_each_replica_of_an_actor_model_wants_its_own_share() -> None:
    models: dict[str, ModelSpec] = {
        "big": vllm(gpus=2, replicas=2, cpus=4),
        "small": TransformersModel(engine="transformers", model="m"),
        "script": ScriptedModel(engine="scripted", replies="4"),
    }
    assert [(each.model, each.gpus, each.cpus) for each in list_resource_requests(models)] == [
        ("big", 2, 4),
        ("big", 2, 4),
        ("small", 0, 1),
    ]


def test_gpus_wanted_are_set_against_gpus_there_without_a_cluster() -> None:
    models: dict[str, ModelSpec] = {"a": vllm(), "b": vllm(gpus=0.5, replicas=2)}
    there = summarize_resources(models, ClusterSpec(num_gpus=1))
    assert (there.requested_gpus, there.total_gpus) == (2, 1)


def test_what_an_existing_cluster_has_is_not_known_offline() -> None:
    assert summarize_resources({"a": vllm()}, ClusterSpec(address="auto")).total_gpus is None


def test_local_gpus_are_those_that_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert summarize_resources({"a": vllm()}, ClusterSpec()).total_gpus == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert summarize_resources({"a": vllm()}, ClusterSpec()).total_gpus == 0


def test_a_local_cluster_has_room_for_more_models_than_cores() -> None:
    spec = TransformersModel(engine="transformers", model="m", cpus=50)
    there = summarize_resources({"a": spec, "b": spec}, ClusterSpec())
    assert there.total_cpus is not None
    assert there.total_cpus >= 100


def test_one_and_a_half_gpus_cannot_be_placed() -> None:
    with pytest.raises(ConfigError, match=r'model "a" wants 1\.5 GPUs .* whole number'):
        list_resource_requests({"a": vllm(gpus=1.5)})


def test_a_replica_must_fit_on_one_node() -> None:
    nodes = [Node(name="n1", gpus=1, cpus=8), Node(name="n2", gpus=1, cpus=8)]
    assert find_unschedulable([want(1), want(1)], nodes) == []
    assert find_unschedulable([want(2)], nodes) == [want(2)]


def test_fractions_share_a_gpu_until_it_is_full() -> None:
    node = [Node(name="n", gpus=1, cpus=8)]
    assert find_unschedulable([want(0.3), want(0.3), want(0.4)], node) == []
    assert len(find_unschedulable([want(0.5), want(0.5), want(0.1)], node)) == 1


def test_a_shortage_says_what_is_asked_and_what_is_there() -> None:
    nodes = [Node(name="laptop", gpus=0, cpus=2)]
    said = describe_shortage(find_unschedulable([want(1)], nodes), nodes)
    assert 'model "llama" wants 1 GPU and 1 CPU' in said
    assert "the cluster has 0 GPUs and 2 CPUs" in said


def test_a_ray_client_address_is_refused_with_the_way_that_works() -> None:
    with pytest.raises(ValueError, match="ray job submit"):
        ClusterSpec(address="ray://head:10001")


PROGRAM = """
import asyncio, sys
from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ScriptedModel
from debate.engines.base import Request

async def main():
    specs = {"m": ScriptedModel(engine="scripted", replies="4")}
    async with launch_models(specs, ClusterSpec()) as models:
        print((await models["m"].complete(Request(id="1", messages=()))).text)
    print(sorted({"ray", "vllm", "torch", "transformers"} & set(sys.modules)))

asyncio.run(main())
"""


def test_models_in_the_drivers_process_need_no_ray() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == ["4", "[]"]
