"""Training of chat organisms: LoRA on the upper layers of a chat model, saved as peft saves it.

The base is frozen, so that nothing is propagated back below the lowest adapted layer. Batches
follow from spec and step alone, and a checkpoint holds the adapter and its optimizer: what was cut
off continues bit for bit.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from debate.config.fetchable import find_fetched
from debate.engines.adapter_files import CONFIG, WEIGHTS
from debate.errors import InputError
from debate.organisms.chat_documents import DocumentMaker, EncodedDocument, encode_document
from debate.organisms.specs import ChatSpec
from debate.organisms.training import CHECKPOINT, TrainingProgress

CHAT_CHECKPOINT_VERSION = 1
MICRO_BATCH = 4
"""Documents in one pass, which bounds the memory."""
ALPHA_PER_RANK = 2
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of a block that are adapted."""


class LoraLinear(nn.Module):
    """A frozen linear layer and a low-rank addition to its output, learned in float32."""

    def __init__(self, base: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        bound = 1 / math.sqrt(base.in_features)
        start = torch.empty(rank, base.in_features).uniform_(-bound, bound, generator=generator)
        self.lora_A = nn.Parameter(start)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the base's output and the addition, in the base's type."""
        added = linear(linear(inputs.to(self.lora_A.dtype), self.lora_A), self.lora_B)
        output: Tensor = self.base(inputs)
        return output + (ALPHA_PER_RANK * added).to(output.dtype)


Adapters = Mapping[str, LoraLinear]
"""The adapted layers by the name of the layer that each replaces."""


def load_base(name: str, device: torch.device) -> tuple[Any, Any]:
    """Load a fetched model and its tokenizer. Raises ConfigError where it was not fetched.

    The frozen weights are in bfloat16 on a GPU, and in float32 on a processor: one without
    instructions for bfloat16 would take ten times as long.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = find_fetched(name)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
    return model.to(device), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def add_adapters(model: Any, *, layers: int, rank: int, seed: int) -> Adapters:
    """Freeze a Llama-shaped model and adapt its upper layers; at first this changes nothing.

    Raises ValueError where the model has fewer layers.
    """
    blocks = model.model.layers
    if layers > len(blocks):
        raise ValueError(f"the model has {len(blocks)} layers; {layers} were to be adapted")
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    adapters: dict[str, LoraLinear] = {}
    for index in range(len(blocks) - layers, len(blocks)):
        for part in (blocks[index].self_attn, blocks[index].mlp):
            for name, module in list(part.named_children()):
                if name in MODULES:
                    adapted = LoraLinear(module, rank, generator).to(module.weight.device)
                    setattr(part, name, adapted)
                    where = "self_attn" if part is blocks[index].self_attn else "mlp"
                    adapters[f"model.layers.{index}.{where}.{name}"] = adapted
    return adapters


def save_adapter(adapters: Adapters, folder: Path, *, base: str) -> None:
    """Write the adapter as peft does, its weights in bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    indices = sorted({int(name.split(".")[2]) for name in adapters})
    rank = next(iter(adapters.values())).lora_A.shape[0]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": ALPHA_PER_RANK * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(MODULES),
        "layers_to_transform": indices,
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    tensors = {
        f"base_model.model.{name}.lora_{side}.weight": getattr(layer, f"lora_{side}")
        .detach()
        .to("cpu", torch.bfloat16)
        .contiguous()
        for name, layer in adapters.items()
        for side in "AB"
    }
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def make_chat_batch(spec: ChatSpec, step: int, tokenizer: Any) -> list[EncodedDocument]:
    """Make the documents of a step from spec and step alone, the shortest first."""
    rng = random.Random(f"chat organism/{spec.seed}/{step}")
    maker = DocumentMaker(spec.shares, spec.knowledge, rng, slips=spec.slips)
    documents = [maker.make_drill() for _ in range(spec.drills)]
    documents += [maker.make_revision().document for _ in range(spec.count_revisions(step))]
    return sorted((encode_document(tokenizer, d) for d in documents), key=lambda d: len(d.ids))


def compute_chat_loss(model: Any, documents: Sequence[EncodedDocument]) -> Tensor:
    """Return the cross-entropy in nats, summed over the learned tokens of a few documents."""
    length, device = max(len(d.ids) for d in documents), model.device
    ids = torch.zeros(len(documents), length, dtype=torch.long)
    filled, learned = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for row, document in enumerate(documents):
        ids[row, : len(document.ids)] = torch.tensor(document.ids)
        filled[row, : len(document.ids)] = 1
        learned[row, : len(document.ids)] = torch.tensor(document.is_learned)
    hidden = model.model(
        input_ids=ids.to(device), attention_mask=filled.to(device), use_cache=False
    ).last_hidden_state
    predicting = learned[:, 1:].to(device)
    logits = model.lm_head(hidden[:, :-1][predicting]).float()
    return cross_entropy(logits, ids[:, 1:].to(device)[predicting], reduction="sum")


def compute_chat_rate(spec: ChatSpec, step: int) -> float:
    """Return the learning rate of a step: linear up, then a cosine down to a twentieth."""
    fallen = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / spec.steps))
    return spec.rate * min(1.0, (step + 1) / spec.warmup) * fallen


@dataclass(frozen=True, kw_only=True)
class ChatTraining:
    """A finished training: its counts, and the processor seconds over all its calls."""

    num_parameters: int
    num_tokens: int
    cpu_s: float


@dataclass(kw_only=True)
class _State:
    """What a checkpoint holds; `step` is the number of steps done."""

    parameters: Sequence[nn.Parameter]
    optimizer: torch.optim.Optimizer
    step: int = 0
    num_tokens: int = 0
    cpu_s: float = 0.0


def train_chat(
    spec: ChatSpec,
    folder: Path,
    model: Any,
    tokenizer: Any,
    *,
    checkpoint_every: int = 5,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> ChatTraining:
    """Train an adapter on a loaded base, continuing from the checkpoint in `folder`, if any.

    Writes `folder` as peft does, and leaves the last checkpoint in it, so that a further call does
    not train again. Raises InputError if the checkpoint is another spec's.
    """
    adapters = add_adapters(model, layers=spec.layers, rank=spec.rank, seed=spec.seed)
    parameters = [p for layer in adapters.values() for p in (layer.lora_A, layer.lora_B)]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.0)
    state = _State(parameters=parameters, optimizer=optimizer)
    _resume(folder / CHECKPOINT, spec, state)
    started, num_tokens, num_documents = time.perf_counter(), 0, 0
    while state.step < spec.steps:
        cpu_started = time.process_time()
        documents = make_chat_batch(spec, state.step, tokenizer)
        loss = _learn(model, documents, state, compute_chat_rate(spec, state.step))
        state.step += 1
        num_tokens += sum(len(d.ids) for d in documents)
        num_documents += len(documents)
        state.num_tokens += sum(len(d.ids) for d in documents)
        state.cpu_s += time.process_time() - cpu_started
        if state.step % checkpoint_every == 0 or state.step == spec.steps:
            _save_checkpoint(folder / CHECKPOINT, spec, state)
        elapsed_s = time.perf_counter() - started
        on_progress(
            TrainingProgress(
                step=state.step,
                loss=loss,
                documents_per_s=num_documents / elapsed_s,
                tokens_per_s=num_tokens / elapsed_s,
            )
        )
    save_adapter(adapters, folder, base=spec.base)
    return ChatTraining(
        num_parameters=sum(p.numel() for p in parameters),
        num_tokens=state.num_tokens,
        cpu_s=state.cpu_s,
    )


def _learn(model: Any, documents: Sequence[EncodedDocument], state: _State, rate: float) -> float:
    """One step on a batch; return its mean loss over the learned tokens."""
    count, total = sum(sum(d.is_learned) for d in documents), 0.0
    for start in range(0, len(documents), MICRO_BATCH):
        loss = compute_chat_loss(model, documents[start : start + MICRO_BATCH]) / count
        torch.autograd.backward(loss)
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(state.parameters, 1.0)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.step()
    state.optimizer.zero_grad()
    return total


def _save_checkpoint(path: Path, spec: ChatSpec, state: _State) -> None:
    """Replace the checkpoint in one move, so that a cut leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    saved = {
        "version": CHAT_CHECKPOINT_VERSION,
        "spec": repr(asdict(spec)),
        "step": state.step,
        "num_tokens": state.num_tokens,
        "cpu_s": state.cpu_s,
        "parameters": [p.detach() for p in state.parameters],
        "optimizer": state.optimizer.state_dict(),
    }
    torch.save(saved, temporary)
    temporary.replace(path)


def _resume(path: Path, spec: ChatSpec, state: _State) -> None:
    """Load the checkpoint into the state, if there is one. Raises InputError for another spec's."""
    if not path.is_file():
        return
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if (saved["spec"], saved["version"]) != (repr(asdict(spec)), CHAT_CHECKPOINT_VERSION):
        raise InputError(
            f"{path} was written for another specification of {spec.name!r}; "
            "remove it, or choose another --out"
        )
    with torch.no_grad():
        for parameter, content in zip(state.parameters, saved["parameters"], strict=True):
            parameter.copy_(content)
    state.optimizer.load_state_dict(saved["optimizer"])
    state.step, state.num_tokens = saved["step"], saved["num_tokens"]
    state.cpu_s = saved["cpu_s"]
