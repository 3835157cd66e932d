"""A causal language model with its tokenizer: load it, and run batches of rows through it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from debate.config.models import TransformersModel
from debate.engines.hf.batching import compute_padded_length
from debate.engines.hf.gguf_files import (
    is_gguf,
    load_gguf_model,
    load_gguf_tokenizer,
    refuse_unreadable,
)
from debate.engines.hf.tokenization import TokenIds
from debate.engines.model_files import refuse_unreadable_files
from debate.errors import EngineError, ModelRefused, boundary

_LOADING = threading.Lock()
"""Held while a model is loaded: transformers imports and builds models through global state."""

MAX_EXACT_PARAMETERS = 50_000_000
"""Parameters up to which a batch on a CPU is padded to a multiple of `EXACT_ROW_MULTIPLE`."""

EXACT_ROW_MULTIPLE = 16
"""Number of rows in multiples of which matrix products on a CPU round every row alike."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model on its device. The rows of a batch are padded to a multiple of `row_multiple`.

    For small models on a CPU that makes results independent of the other requests of a batch to the
    last bit; elsewhere the last bits may differ, as they do with any batching engine.
    """

    model: Any
    tokenizer: Any
    device: torch.device
    eos_ids: frozenset[int]
    pad_id: int
    max_length: int | None
    row_multiple: int


def load_model(spec: TransformersModel) -> LoadedModel:
    """Load model and tokenizer. Raises EngineError with the cause in words.

    A folder is read without asking any hub.
    """
    place = f"transformers: {spec.weights}"
    if is_gguf(spec.weights) and (spec.path is not None or Path(spec.weights).is_absolute()):
        return _load_gguf(spec, place)
    refuse_unreadable_files(spec)
    is_folder = Path(spec.weights).is_dir()
    with _LOADING, boundary(EngineError, place):
        tokenizer = _load_tokenizer(spec, local=is_folder)
        model = _load_weights(spec, local=is_folder)
        return _describe_model(model, tokenizer)


def _load_gguf(spec: TransformersModel, place: str) -> LoadedModel:
    """Load model and tokenizer from one GGUF file; `auto` stands for bfloat16."""
    file = Path(spec.weights)
    refuse_unreadable(file, place)
    dtype = torch.bfloat16 if spec.dtype == "auto" else getattr(torch, spec.dtype)
    with _LOADING, boundary(EngineError, place):
        tokenizer = load_gguf_tokenizer(file)
        if not tokenizer.chat_template:
            raise ModelRefused(
                f"{file} has no chat template; make a folder of it with `debate models convert`, "
                "and add one there as chat_template.jinja",
                boundary=place,
            )
        model = load_gguf_model(file, dtype=dtype, **spec.engine_kwargs)
        return _describe_model(_place_model(model, spec), tokenizer)


def _load_tokenizer(spec: TransformersModel, *, local: bool) -> Any:
    from transformers import AutoTokenizer

    options = {} if spec.revision is None else {"revision": spec.revision}
    tokenizer = AutoTokenizer.from_pretrained(spec.weights, local_files_only=local, **options)
    if not tokenizer.chat_template:
        raise EngineError(
            f"the tokenizer of {spec.weights} has no chat template; "
            "add one as chat_template.jinja beside tokenizer.json",
            boundary=f"transformers: {spec.weights}",
        )
    return tokenizer


def _load_weights(spec: TransformersModel, *, local: bool) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    dtype = spec.dtype if spec.dtype == "auto" else getattr(torch, spec.dtype)
    options = {"dtype": dtype, "local_files_only": local}
    options |= ({} if spec.revision is None else {"revision": spec.revision}) | spec.engine_kwargs
    return _place_model(AutoModelForCausalLM.from_pretrained(spec.weights, **options), spec)


def _place_model(model: Any, spec: TransformersModel) -> Any:
    if "device_map" not in spec.engine_kwargs:
        model = model.to(_choose_device(spec.device))
    return model.eval()


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _describe_model(model: Any, tokenizer: Any) -> LoadedModel:
    eos_ids = _to_id_set(model.generation_config.eos_token_id) | _to_id_set(tokenizer.eos_token_id)
    pad_id = tokenizer.pad_token_id
    config = model.config.get_text_config(decoder=True)
    is_small = model.device.type == "cpu" and model.num_parameters() < MAX_EXACT_PARAMETERS
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        device=model.device,
        eos_ids=eos_ids,
        pad_id=min(eos_ids, default=0) if pad_id is None else pad_id,
        max_length=getattr(config, "max_position_embeddings", None),
        row_multiple=EXACT_ROW_MULTIPLE if is_small else 1,
    )


def _to_id_set(given: int | Iterable[int] | None) -> frozenset[int]:
    """Return token ids, which configurations give as none, one or several, as a set."""
    if given is None:
        return frozenset()
    return frozenset((given,) if isinstance(given, int) else given)


def is_out_of_memory(cause: BaseException) -> bool:
    """Whether an exception says that a device, or the machine, has no memory left."""
    return isinstance(cause, torch.OutOfMemoryError | MemoryError) or "can't allocate" in str(cause)


class BatchContext:
    """A batch that the model has read: left-padded prompts, mask, positions, key-value cache."""

    def __init__(self, loaded: LoadedModel, prompts: Sequence[TokenIds]) -> None:
        """Read the prompts, which share one padded length; `logits` are those at their ends."""
        width = compute_padded_length(max(map(len, prompts)))
        ids = [[loaded.pad_id] * (width - len(prompt)) + [*prompt] for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self.loaded = loaded
        self.mask = torch.tensor(mask, device=loaded.device)
        self.lengths = self.mask.sum(-1)
        self.cache = _make_cache(loaded.model)
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        self.logits = self._forward(
            torch.tensor(ids, device=loaded.device), positions, logits_to_keep=1
        )[:, -1]

    def select(self, rows: Sequence[int]) -> BatchContext:
        """Return a context of these rows, in this order, with repetitions; keep this one."""
        chosen = copy.copy(self)
        places = torch.tensor(rows, device=self.loaded.device)
        chosen.mask, chosen.lengths = self.mask[places], self.lengths[places]
        chosen.logits = self.logits[places]
        chosen.cache = copy.copy(self.cache)
        chosen.cache.layers = [copy.copy(layer) for layer in self.cache.layers]
        chosen.cache.batch_select_indices(places)
        return chosen

    def step(self, ids: torch.Tensor) -> None:
        """Read one further token per row, ids of shape (rows,)."""
        self.logits = self.read(ids[:, None], torch.ones_like(ids[:, None]))[:, -1]

    def read(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Read right-padded tokens, shape (rows, n); return logits, shape (rows, n, vocabulary)."""
        positions = self.lengths[:, None] + (mask.cumsum(-1) - 1).clamp(min=0)
        self.mask = torch.cat([self.mask, mask], dim=-1)
        self.lengths = self.lengths + mask.sum(-1)
        return self._forward(ids, positions)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, **options: int) -> torch.Tensor:
        output = self.loaded.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            **options,
        )
        logits: torch.Tensor = output.logits.float()
        return logits


def _make_cache(model: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=model.config)
