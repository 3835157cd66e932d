"""The folder of a LoRA adapter: what must lie in it, and what its configuration says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from debate.config.models import LocalWeights
from debate.errors import ModelRefused

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

_REFUSED = {"use_dora": "DoRA", "modules_to_save": "whole modules of its own", "bias": "biases"}
"""Fields of a configuration that make an adapter more than LoRA, unless they are off."""


def read_adapter_config(folder: Path) -> Mapping[str, Any]:
    """Read what an adapter is. Raises ModelRefused where the folder holds no LoRA adapter."""
    if not folder.is_dir():
        raise ModelRefused(f"the folder {folder} does not exist, and so holds no LoRA adapter")
    path = folder / CONFIG
    if not path.is_file():
        raise ModelRefused(f"the folder {folder} holds no LoRA adapter: {CONFIG} is not there")
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise ModelRefused(f"{path} is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelRefused(f"{path} holds no adapter's fields")
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        raise ModelRefused(f"the adapter in {folder} is of type {kind}; only LORA can be used")
    for field, what in _REFUSED.items():
        if config.get(field) not in (None, False, "none", []):
            raise ModelRefused(f"the adapter in {folder} has {what} ({field}); only LoRA is read")
    return config


def list_adapters(spec: LocalWeights, others: Iterable[str]) -> tuple[str, ...]:
    """List the folders of the spec's own adapter and of the others, each once."""
    own = () if spec.adapter is None else (spec.adapter,)
    return tuple(dict.fromkeys((*own, *others)))
