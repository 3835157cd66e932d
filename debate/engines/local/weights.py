"""A causal language model with its tokenizer, loaded from a folder or a hub."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from debate.config.models import TransformersModel
from debate.errors import EngineError, boundary

_LOADING = threading.Lock()
"""Held while a model is loaded: transformers imports and builds models through global state."""

EXACT_BELOW = 50_000_000
"""Parameters up to which a CPU batch is filled up to `EXACT_ROWS`."""

EXACT_ROWS = 16
"""Rows in whole multiples of which matrix products on a CPU round every row alike."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A model on its device. `row_multiple` is what the number of rows of a batch must divide by.

    For small models on a CPU it makes results independent of a request's neighbours to the last
    bit; elsewhere the last bits may differ, as they do with any batching engine.
    """

    model: Any
    tokenizer: Any
    device: torch.device
    eos_ids: frozenset[int]
    pad_id: int
    max_length: int | None
    row_multiple: int


def load(spec: TransformersModel) -> Weights:
    """Load model and tokenizer. Raises EngineError with the cause in words.

    A folder is read without asking any hub.
    """
    place = f"transformers: {spec.weights}"
    is_folder = Path(spec.weights).is_dir()
    if not is_folder and (spec.path is not None or Path(spec.weights).is_absolute()):
        raise EngineError(f"the folder {spec.weights} does not exist", boundary=place)
    if is_folder and not (Path(spec.weights) / "config.json").is_file():
        raise EngineError(
            f"the folder {spec.weights} holds no model: there is no config.json in it",
            boundary=place,
        )
    with _LOADING, boundary(EngineError, place):
        tokenizer = _load_tokenizer(spec, local=is_folder)
        model = _load_model(spec, local=is_folder)
        return _weights(model, tokenizer)


def _load_tokenizer(spec: TransformersModel, *, local: bool) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(spec.weights, local_files_only=local)
    if not tokenizer.chat_template:
        raise EngineError(
            f"the tokenizer of {spec.weights} has no chat template; "
            "add one as chat_template.jinja beside tokenizer.json",
            boundary=f"transformers: {spec.weights}",
        )
    return tokenizer


def _load_model(spec: TransformersModel, *, local: bool) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    dtype = spec.dtype if spec.dtype == "auto" else getattr(torch, spec.dtype)
    options = {"dtype": dtype, "local_files_only": local} | spec.engine_kwargs
    model = AutoModelForCausalLM.from_pretrained(spec.weights, **options)
    if "device_map" not in spec.engine_kwargs:
        model = model.to(_device(spec.device))
    return model.eval()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _weights(model: Any, tokenizer: Any) -> Weights:
    eos_ids = _ids(model.generation_config.eos_token_id) | _ids(tokenizer.eos_token_id)
    pad_id = tokenizer.pad_token_id
    config = model.config.get_text_config(decoder=True)
    is_small = model.device.type == "cpu" and model.num_parameters() < EXACT_BELOW
    return Weights(
        model=model,
        tokenizer=tokenizer,
        device=model.device,
        eos_ids=eos_ids,
        pad_id=min(eos_ids, default=0) if pad_id is None else pad_id,
        max_length=getattr(config, "max_position_embeddings", None),
        row_multiple=EXACT_ROWS if is_small else 1,
    )


def _ids(given: int | Iterable[int] | None) -> frozenset[int]:
    """Token ids, which configurations give as none, one or several."""
    if given is None:
        return frozenset()
    return frozenset((given,) if isinstance(given, int) else given)


def is_out_of_memory(cause: BaseException) -> bool:
    """Whether an exception says that a device, or the machine, has no memory left."""
    return isinstance(cause, torch.OutOfMemoryError | MemoryError) or "can't allocate" in str(cause)
