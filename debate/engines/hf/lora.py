"""LoRA adapters beside a loaded model: one base, several adapters, one of them active at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import linear

from debate.engines.adapter_files import WEIGHTS, read_adapter_config
from debate.errors import ModelRefused

_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight")


@dataclass(frozen=True, kw_only=True)
class LowRankUpdate:
    """What an adapter adds to the output of one linear layer.

    `down` has the shape (rank, inputs), `up` (outputs, rank).
    """

    down: torch.Tensor
    up: torch.Tensor
    scale: float

    def compute(self, inputs: torch.Tensor) -> torch.Tensor:
        """Compute the addition, in the adapter's own type."""
        return linear(linear(inputs.to(self.down.dtype), self.down), self.up) * self.scale


Updates = Mapping[str, LowRankUpdate]
"""An adapter's updates, by the name of the layer."""


class AdapterSwitch:
    """The adapters of a model by folder. At first none is active.

    The base's weights stay as they are, so that it answers as itself between its adapters. Raises
    ModelRefused for an adapter that was made for another base.
    """

    def __init__(self, model: Any, folders: Iterable[str]) -> None:
        self._adapters = {folder: read_adapter(Path(folder), model) for folder in folders}
        self._active: Updates = {}
        for name in sorted({name for updates in self._adapters.values() for name in updates}):
            model.get_submodule(name).register_forward_hook(partial(self._add, name))

    def activate(self, folder: str | None) -> None:
        """Let the next batches be answered by this adapter, or by the bare base."""
        self._active = {} if folder is None else self._adapters[folder]

    def _add(self, name: str, _module: Any, inputs: Any, output: torch.Tensor) -> Any:
        update = self._active.get(name)
        return None if update is None else output + update.compute(inputs[0]).to(output.dtype)


def read_adapter(folder: Path, model: Any) -> Updates:
    """Read an adapter for a loaded model, on the layers' devices. Raises ModelRefused."""
    from safetensors.torch import load_file

    config = read_adapter_config(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelRefused(f"the folder {folder} holds no LoRA adapter: {WEIGHTS} is not there")
    sides: dict[str, dict[str, torch.Tensor]] = {}
    try:
        tensors = load_file(path)
    except Exception as error:
        raise ModelRefused(f"{path} cannot be read: {error}") from error
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise ModelRefused(f"{path} holds {key}, which is no LoRA weight of a linear layer")
        sides.setdefault(match["module"], {})[match["side"]] = tensor
    if not sides:
        raise ModelRefused(f"{path} holds no weights")
    layers = dict(model.named_modules())
    place = f"the adapter in {folder}, made for {config.get('base_model_name_or_path', 'a model')}"
    return {
        name: _make_update(f"{place}, does not fit: {name}", pair, layers.get(name), config, name)
        for name, pair in sides.items()
    }


def _make_update(
    place: str,
    pair: Mapping[str, torch.Tensor],
    layer: Any,
    config: Mapping[str, Any],
    name: str,
) -> LowRankUpdate:
    """Make the update of one layer. Raises ModelRefused where it does not fit the layer."""
    if len(pair) < 2:
        raise ModelRefused(f"{place} has only one of its two matrices")
    if not hasattr(layer, "in_features"):
        raise ModelRefused(f"{place} is no linear layer of this base")
    down, up = pair["A"], pair["B"]
    wanted, found = (down.shape[-1], up.shape[0]), (layer.in_features, layer.out_features)
    if wanted != found or down.shape[0] != up.shape[-1]:
        raise ModelRefused(
            f"{place} is {found[0]} → {found[1]} in this base, not {wanted[0]} → {wanted[1]}"
        )
    device = layer.weight.device
    scale = compute_scale(config, name, rank=down.shape[0])
    return LowRankUpdate(down=down.to(device), up=up.to(device), scale=scale)


def compute_scale(config: Mapping[str, Any], layer: str, *, rank: int) -> float:
    """Compute the factor of an update: alpha over the rank, or over its root where it says so.

    >>> compute_scale({"lora_alpha": 32}, "model.layers.0.mlp.up_proj", rank=16)
    2.0
    """
    alpha = float(config.get("lora_alpha", rank))
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(?:.*\.)?(?:{pattern})", layer):
            alpha = float(own)
            break
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
