"""Which models of a run share an engine, and what the plan says of it."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from debate.cluster.packing import describe_slots, plan_room
from debate.cluster.resources import (
    describe_shared_engines,
    list_resource_requests,
    plan_engines,
    summarize_resources,
)
from debate.config.cluster import ClusterSpec
from debate.config.loader import load_run
from debate.config.models import ModelSpec, TransformersModel, VllmModel
from debate.engines.registry import compute_identity
from debate.engines.vllm_start import make_spec_args
from debate.runner.describe import print_plan
from debate.runner.plan import make_plan
from tests.support import write_questions


def vllm(adapter: str | None = None, **fields: object) -> VllmModel:
    return VllmModel(engine="vllm", model="m", adapter=adapter, **fields)


TEAM: dict[str, ModelSpec] = {"base": vllm(), "a": vllm("/adapters/a"), "b": vllm("/adapters/b")}


def together(models: dict[str, ModelSpec]) -> list[tuple[str, ...]]:
    return [each.models for each in plan_engines(models)]


def test_adapters_of_one_base_share_an_engine_with_the_bare_base() -> None:
    (engine,) = plan_engines(TEAM)
    assert engine.models == ("base", "a", "b")
    assert engine.adapters == ("/adapters/a", "/adapters/b")
    assert isinstance(engine.spec, VllmModel)
    assert engine.spec.adapter is None


def test_models_that_differ_in_more_than_the_adapter_stay_apart() -> None:
    other = vllm("/adapters/b", engine_kwargs={"max_model_len": 512})
    assert together({**TEAM, "b": other}) == [("base", "a"), ("b",)]
    assert together({**TEAM, "b": vllm("/adapters/b", replicas=2)}) == [("base", "a"), ("b",)]
    assert together({**TEAM, "b": vllm("/adapters/b", host="driver")}) == [("base", "a"), ("b",)]


def test_transformers_models_share_a_base_wherever_they_live() -> None:
    for host in ("actor", "driver"):
        base = TransformersModel(engine="transformers", model="m", host=host)
        a, b = (base.model_copy(update={"adapter": name}) for name in ("/a", "/b"))
        assert together({"a": a, "b": b, "c": vllm("/a")}) == [("a", "b"), ("c",)]


def test_a_model_may_have_a_price_and_limits_of_its_own() -> None:
    other = vllm("/adapters/b", price={"prompt": 1}, max_in_flight=8, timeout_s=5, max_restarts=0)
    (engine,) = plan_engines({**TEAM, "b": other})
    assert engine.models == ("base", "a", "b")
    assert engine.spec.max_in_flight == 256 + 256 + 8


def test_without_an_adapter_equal_models_keep_an_engine_each() -> None:
    assert together({"a": vllm(), "b": vllm()}) == [("a",), ("b",)]
    spec = TransformersModel(engine="transformers", model="m")
    assert together({"a": spec, "b": spec}) == [("a",), ("b",)]


def test_an_adapter_that_two_models_name_is_held_once() -> None:
    (engine,) = plan_engines({"a": vllm("/adapters/a"), "b": vllm("/adapters/a")})
    assert engine.adapters == ("/adapters/a",)


def test_a_shared_engine_wants_its_gpus_once_on_each_replica() -> None:
    assert summarize_resources(TEAM, ClusterSpec(num_gpus=1)).requested_gpus == 1
    assert plan_room(TEAM, ClusterSpec(num_gpus=1)).slots == ()
    copies: dict[str, ModelSpec] = {
        name: spec.model_copy(update={"replicas": 2}) for name, spec in TEAM.items()
    }
    assert [(want.model, want.replica) for want in list_resource_requests(copies)] == [
        ("base + a + b", 0),
        ("base + a + b", 1),
    ]


def test_a_shared_engine_takes_turns_as_one() -> None:
    models = {**TEAM, "judge": vllm(dtype="float16")}
    (line,) = describe_slots(plan_room(models, ClusterSpec(num_gpus=1)).slots or ())
    assert line.startswith("base + a + b, judge take turns in one place (1 GPU and 1 CPU)")


def test_sharing_an_engine_leaves_every_model_its_identity() -> None:
    assert len({compute_identity(spec) for spec in TEAM.values()}) == 3


def test_the_engine_has_room_for_all_adapters_at_once(tmp_path: Path) -> None:
    for name, rank in (("a", 8), ("b", 24)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(json.dumps({"r": rank}))
    chosen = make_spec_args(vllm(), adapters=[str(tmp_path / "a"), str(tmp_path / "b")])
    assert (chosen["enable_lora"], chosen["max_loras"], chosen["max_lora_rank"]) == (True, 2, 32)
    assert "enable_lora" not in make_spec_args(vllm())


def test_a_line_names_the_models_of_each_shared_engine() -> None:
    assert describe_shared_engines(plan_engines({**TEAM, "judge": vllm(dtype="float16")})) == [
        "base, a, b share one engine: m with 2 adapters"
    ]


def test_the_plan_counts_gpus_once_and_says_who_shares(tmp_path: Path) -> None:
    agents = [
        {"id": name, "model": {"engine": "vllm", "model": "m", "adapter": f"/adapters/{name}"}}
        for name in "ab"
    ]
    config = {"agents": agents, "topology": "complete", "task": write_questions(tmp_path)}
    console = Console(record=True, width=200)
    print_plan(make_plan(load_run({**config, "cluster": {"num_gpus": 1}})), console)
    said = console.export_text()
    assert "GPUs wanted: 1; there: 1" in said
    assert "a, b share one engine: m with 2 adapters" in said
    assert "take turns" not in said
