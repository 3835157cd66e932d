"""Starts engines that cannot start, in one process, and prints what each says as JSON.

python -m tests.vllm.refusals FOLDER
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from debate.config.models import VllmModel
from debate.engines.vllm import VllmEngine
from debate.errors import DebateError
from tests.vllm.tiny import write_model

SOUND = {
    "enforce_eager": True,
    "max_model_len": 256,
    "block_size": 32,
    "kv_cache_memory_bytes": 32 * 2**20,
}


def cases(folder: Path) -> dict[str, dict[str, Any]]:
    """What is wrong, and the fields of a model in which it is."""
    model = write_model(folder / "sound", seed=0, num_layers=1)
    (folder / "empty").mkdir()
    odd = shutil.copytree(model, folder / "odd")
    config = (odd / "config.json").read_text()
    (odd / "config.json").write_text(config.replace('"llama"', '"quux"'))
    wrong: dict[str, dict[str, Any]] = {
        "missing folder": {"model": str(folder / "nowhere")},
        "empty folder": {"model": str(folder / "empty")},
        "unknown hub id": {"model": "quux/none-such"},
        "unknown architecture": {"model": str(odd)},
    }
    arguments: dict[str, dict[str, Any]] = {
        "unknown argument": {"max_model_length": 99},
        "wrong type": {"max_model_len": "lots"},
        "wrong dtype": {"dtype": "float31"},
        "unknown quantisation": {"quantization": "awq9"},
        "quantisation of another model": {"quantization": "awq"},
        "longer than the model": {"max_model_len": 5000},
        "too little memory": {"kv_cache_memory_bytes": 2**14},
    }
    for name, kwargs in arguments.items():
        wrong[name] = {"model": str(model), "engine_kwargs": {**SOUND, **kwargs}}
    return wrong


async def said(fields: dict[str, Any]) -> dict[str, Any]:
    """The error of an engine that is started, and how long it took to come."""
    engine = VllmEngine(VllmModel(engine="vllm", gpus=0, **fields))
    started = time.monotonic()
    try:
        await engine.start()
    except DebateError as error:
        kind, message = type(error).__name__, str(error)
    else:
        kind, message = "started", ""
        await engine.close()
    return {"kind": kind, "message": message, "seconds": round(time.monotonic() - started, 1)}


async def main(folder: Path) -> None:
    """Try all of them."""
    found = {name: await said(fields) for name, fields in cases(folder).items()}
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
