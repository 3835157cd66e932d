"""LoRA adapters of the transformers engine, against the same update merged into the weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import TransformersModel
from debate.engines.base import Request, Sampling
from debate.engines.transformers import TransformersEngine
from debate.errors import EngineError, InputError
from tests.engines.builders import complete_one, completions, request, save_model, save_tokenizer

LAYER = "model.layers.1.self_attn.q_proj"
RANK, ALPHA = 2, 6


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("base"))


def save_adapter(
    folder: Path, *, seed: int = 0, width: int = 32, layer: str = LAYER, **config: Any
) -> Path:
    """An adapter of one layer, as peft writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    usual = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "base_model_name_or_path": "tiny"}
    (folder / "adapter_config.json").write_text(json.dumps(usual | config))
    rng = torch.Generator().manual_seed(seed)
    place = f"base_model.model.{layer}"
    tensors = {
        f"{place}.lora_A.weight": torch.randn(RANK, width, generator=rng),
        f"{place}.lora_B.weight": torch.randn(32, RANK, generator=rng),
    }
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def merge(base: Path, adapter: Path, folder: Path, scale: float) -> Path:
    """The base with the adapter's product added to its weights."""
    folder.mkdir()
    for name in ("config.json", "generation_config.json"):
        (folder / name).write_text((base / name).read_text())
    save_tokenizer(folder)
    weights = load_file(base / "model.safetensors")
    down, up = (
        load_file(adapter / "adapter_model.safetensors")[
            f"base_model.model.{LAYER}.lora_{side}.weight"
        ]
        for side in "AB"
    )
    weights[f"{LAYER}.weight"] += scale * up @ down
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def spec(folder: Path, adapter: Path | None = None, **fields: Any) -> TransformersModel:
    named = None if adapter is None else str(adapter)
    return TransformersModel(engine="transformers", path=str(folder), adapter=named, **fields)


def ask(number: int) -> Request:
    return request(f"Q{number}+1", id=f"r{number}", sampling=Sampling(max_tokens=8))


def score(number: int) -> Request:
    return request(f"Q{number}+1", id=f"s{number}", candidates=("12", "3"))


async def answer(model: TransformersModel) -> Mapping[str, Any]:
    engine = TransformersEngine(model)
    await engine.start()
    found = await completions(engine, [ask(1), ask(2), score(1)])
    await engine.close()
    return {id: each.candidate_log_p or each.text for id, each in found.items()}


async def test_an_adapter_answers_as_its_merged_weights_do(base: Path, tmp_path: Path) -> None:
    for number, (fields, scale) in enumerate(
        [
            ({}, ALPHA / RANK),
            ({"use_rslora": True}, ALPHA / RANK**0.5),
            ({"alpha_pattern": {"q_proj": 1}}, 1 / RANK),
        ]
    ):
        adapter = save_adapter(tmp_path / f"adapter{number}", **fields)
        merged = merge(base, adapter, tmp_path / f"merged{number}", scale)
        found, wanted = await answer(spec(base, adapter)), await answer(spec(merged))
        assert found["s1"] == pytest.approx(wanted["s1"], abs=1e-4)
        assert (found["r1"], found["r2"]) == (wanted["r1"], wanted["r2"])
        assert found["s1"] != pytest.approx((await answer(spec(base)))["s1"], abs=1e-3)


async def test_models_that_share_a_base_answer_as_they_do_alone(base: Path, tmp_path: Path) -> None:
    adapters = [save_adapter(tmp_path / f"a{seed}", seed=seed) for seed in (1, 2)]
    team = {"base": spec(base, host="driver")} | {
        path.name: spec(base, path, host="driver") for path in adapters
    }
    async with launch_models(team, ClusterSpec()) as clients:
        shared = {
            name: [await client.complete(score(n)) for n in (1, 2)]
            for name, client in clients.items()
        }
    scores = {name: [each.candidate_log_p for each in found] for name, found in shared.items()}
    assert len({str(each) for each in scores.values()}) == len(team)
    for name, model in team.items():
        assert scores[name][0] == pytest.approx((await answer(model))["s1"], abs=1e-5)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"width": 48}, "is 32 → 32 in this base, not 48 → 32"),
        ({"layer": "model.layers.9.self_attn.q_proj"}, "is no linear layer of this base"),
        ({"layer": "model.norm"}, "is no linear layer of this base"),
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "whole modules"),
        ({"peft_type": "IA3"}, "of type IA3"),
    ],
)
async def test_an_adapter_that_does_not_fit_is_told_in_one_line(
    base: Path, tmp_path: Path, fields: dict[str, Any], told: str
) -> None:
    engine = TransformersEngine(spec(base, save_adapter(tmp_path / "adapter", **fields)))
    with pytest.raises(EngineError, match=told) as error:
        await engine.start()
    await engine.close()
    assert isinstance(error.value, InputError)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("adapter_config.json", "adapter_config.json is not there"),
        ("adapter_model.safetensors", "adapter_model.safetensors is not there"),
        (None, "does not exist"),
    ],
)
async def test_a_folder_without_an_adapter_is_told(
    base: Path, tmp_path: Path, missing: str | None, told: str
) -> None:
    folder = save_adapter(tmp_path / "adapter")
    if missing:
        (folder / missing).unlink()
    engine = TransformersEngine(spec(base, folder if missing else tmp_path / "absent"))
    with pytest.raises(EngineError, match=told):
        await engine.start()
    await engine.close()


async def test_the_chat_template_is_given_its_options(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model")
    save_tokenizer(folder, template="{{ messages[0]['content'] }}{{ mark }}A")
    for options, length in (({"mark": "123"}, 5), ({}, 2)):
        engine = TransformersEngine(spec(folder, template_options=options))
        await engine.start()
        asked = request("7", sampling=Sampling(max_tokens=1))
        usage = (await complete_one(engine, asked)).usage
        assert usage is not None
        assert usage.prompt_tokens == length
        await engine.close()
