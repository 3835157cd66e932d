"""Which model a spec names: equal strings mean equal weights and settings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from debate.config.models import LocalWeights, ModelBase, ModelSpec, ReplayModel

_WHOLE = 64 * 2**20
"""Bytes up to which a file is hashed whole."""

_SAMPLES, _SAMPLE = 16, 2**20
"""Number and bytes of the pieces that stand for a larger file."""

_NO_WEIGHTS = {".md", ".lock", ".png", ".svg", ".html"}


def identity(spec: ModelSpec) -> str:
    """A line that tells models apart, for caches keyed by content.

    It changes with weights, tokenizer and whatever alters replies; not with hardware, replicas,
    time-outs or prices. A local folder counts by its content, a hub model by its name, an
    endpoint by URL and model. Raises OSError for a folder that cannot be read.

    >>> from debate.config.models import CalculatorModel
    >>> identity(CalculatorModel(engine="calculator", cpus=2))
    'calculator 2afb9b83f9314e5d029766197f539792'
    """
    settings = _settings(spec)
    if isinstance(spec, LocalWeights):
        settings["weights"] = _weights(spec.weights)
        if adapter := getattr(spec, "adapter", None):
            settings["adapter"] = _weights(adapter)
    if isinstance(spec, ReplayModel):
        settings["path"] = folder_fingerprint(Path(spec.path) / "turns")
    encoded = msgspec.json.encode(settings, order="deterministic", enc_hook=repr)
    return f"{spec.engine} {hashlib.blake2b(encoded, digest_size=16).hexdigest()}"


def _settings(spec: ModelSpec) -> dict[str, Any]:
    """What the engine's own fields say, without those that only say how or where it runs."""
    hosting = {*ModelBase.model_fields, "engine"}
    effort = {"path", "device", "threads", "max_batch_size", "adapter"}
    waiting = {"api_key_env", "requests_per_minute", "retries", "latency_s", "logprobs"}
    kept = {"model"} if isinstance(spec, LocalWeights) else set()
    return spec.model_dump(exclude=(hosting | effort | waiting | kept), mode="python")


def _weights(source: str) -> str:
    folder = Path(source)
    return folder_fingerprint(folder) if folder.is_dir() else f"hub:{source}"


def folder_fingerprint(folder: Path) -> str:
    """A hash over the names and contents of a folder's files; large files count by samples."""
    total = hashlib.blake2b(digest_size=16)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if file.suffix in _NO_WEIGHTS or any(part.startswith(".") for part in Path(name).parts):
            continue
        total.update(f"{name}\0{file.stat().st_size}\0".encode())
        for piece in _pieces(file):
            total.update(piece)
    return total.hexdigest()


def _pieces(file: Path) -> Iterator[bytes]:
    """A file's content; of a large one pieces at even distances, the first and last included."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= _WHOLE:
            yield stream.read()
            return
        for number in range(_SAMPLES):
            stream.seek((size - _SAMPLE) * number // (_SAMPLES - 1))
            yield stream.read(_SAMPLE)
