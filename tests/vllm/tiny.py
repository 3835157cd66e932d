"""Two different tiny Llamas with a tokenizer of characters, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from debate.bench import workloads

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CHARACTERS = "0123456789+-*=?. \nabcdefghijklmnopqrstuvwxyzAQ"
TARGETS = ("q_proj", "v_proj")
"""What the adapter adapts."""
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}A{% endif %}"
)


def write_model(folder: Path, *, seed: int, num_layers: int) -> Path:
    """Random weights, spread widely enough that greedy choices are clear-cut."""
    return workloads.write_random_model(
        folder,
        max_length=512,
        seed=seed,
        tokenizer=tokenizer(),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=num_layers,
        head_dim=64,
        initializer_range=0.2,
    )


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each of a few characters."""
    return workloads.make_character_tokenizer(CHARACTERS, template=TEMPLATE)


def write_adapter(folder: Path, base: Path, *, seed: int, rank: int = 8) -> Path:
    """A LoRA adapter of the base in PEFT's format, and under `merged` the model that they make."""
    import torch
    from safetensors.torch import save_file
    from transformers import LlamaForCausalLM

    folder.mkdir(parents=True)
    model = LlamaForCausalLM.from_pretrained(base, local_files_only=True)
    random = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, module in model.named_modules():
        if name.rpartition(".")[2] not in TARGETS:
            continue
        down = 0.2 * torch.randn(rank, module.in_features, generator=random)
        up = 0.2 * torch.randn(module.out_features, rank, generator=random)
        tensors[f"base_model.model.{name}.lora_A.weight"] = down
        tensors[f"base_model.model.{name}.lora_B.weight"] = up
        module.weight.data += up @ down
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": list(TARGETS)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    model.save_pretrained(folder / "merged")
    tokenizer().save_pretrained(folder / "merged")
    return folder
