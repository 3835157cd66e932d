"""GGUF files: quantised weights and their tokenizer in one file, read dequantised."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from debate.errors import ModelRefused, boundary
from debate.installation import list_missing, make_install_command


def is_gguf(weights: str) -> bool:
    """Whether weights are named by a GGUF file.

    >>> is_gguf("models/small.Q4_1.gguf"), is_gguf("Qwen/Qwen3-0.6B-GGUF")
    (True, False)
    """
    return weights.endswith(".gguf")


def refuse_missing_reader(place: str) -> None:
    """Raise ModelRefused where the packages that read GGUF files are not installed."""
    if missing := list_missing("gguf"):
        told = f"reading GGUF files needs {', '.join(missing)}: {make_install_command('gguf')}"
        raise ModelRefused(told, boundary=place)


def refuse_unreadable(file: Path, place: str) -> None:
    """Raise ModelRefused where a file is not there, is no GGUF file, or cannot be read here."""
    if not file.is_file():
        raise ModelRefused(f"the file {file} does not exist", boundary=place)
    with file.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise ModelRefused(f"{file} is no GGUF file: it begins otherwise", boundary=place)
    refuse_missing_reader(place)


def load_gguf_model(file: Path, *, dtype: Any, **options: Any) -> Any:
    """Load the model of a GGUF file, its weights dequantised to `dtype`."""
    from transformers import AutoModelForCausalLM, GgufConfig

    chosen = {"dtype": dtype, "quantization_config": GgufConfig(dequantize=True)} | options
    with redirect_stderr(io.StringIO()):  # transformers draws a bar that nothing else turns off
        return AutoModelForCausalLM.from_pretrained(
            str(file.parent), gguf_file=file.name, local_files_only=True, **chosen
        )


def load_gguf_tokenizer(file: Path) -> Any:
    """Load the tokenizer of a GGUF file, with the chat template where the file holds one."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        str(file.parent), gguf_file=file.name, local_files_only=True
    )


def convert_gguf(file: Path, folder: Path, *, template: str | None = None) -> None:
    """Write a GGUF file's model and tokenizer as an ordinary folder, in bfloat16.

    `template` is the chat template where the file has none. Raises ModelRefused where the file
    cannot be read, EngineError with transformers' own words where it does not know the model.
    """
    place = f"GGUF: {file.name}"
    refuse_unreadable(file, place)
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    with boundary(ModelRefused, place):
        tokenizer = load_gguf_tokenizer(file)
        model = load_gguf_model(file, dtype=torch.bfloat16)
    tokenizer.chat_template = tokenizer.chat_template or template
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
