"""A vLLM engine from a spec: its arguments, and what its machine needs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from debate.config.models import VllmModel
from debate.engines.vllm_errors import ModelRefused
from debate.errors import suggestion

MEMORY_SHARE = 0.9
"""vLLM's own default share of a GPU's memory; a replica on a part of a GPU takes that part."""

ASLEEP_SHARE = 0.03
"""What a sleeping engine still holds of a GPU's memory: its contexts, kernels and graphs."""

ADAPTER_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM can make room for."""


def engine_arguments(
    spec: VllmModel, log_config: Path, *, sharing: int = 1, adapters: Sequence[str] = ()
) -> Any:
    """`AsyncEngineArgs` of a spec. Raises ModelRefused where vLLM knows no such argument.

    `sharing` counts the engines that take turns on the device, this one included; `adapters` are
    the folders of those that it is to hold beside the spec's own.
    """
    from vllm.config.logging import LoggingConfig
    from vllm.engine.arg_utils import AsyncEngineArgs

    known = {field.name for field in fields(AsyncEngineArgs)}
    for name in spec.engine_kwargs:
        if name not in known:
            hint = suggestion(name, known)
            raise ModelRefused(f'engine_kwargs: vLLM has no argument "{name}"; {hint}')
    logging = LoggingConfig(pylogging_config_file=str(log_config))
    chosen = arguments(spec, sharing=sharing if can_sleep() else 1, adapters=adapters)
    spare = spare_room(len(every_adapter(spec, adapters)), chosen)
    return AsyncEngineArgs(**({"logging_config": logging} | machine_defaults() | chosen | spare))


def machine_defaults() -> dict[str, Any]:
    """What this machine's build of vLLM must be told where the user says nothing.

    A CPU build dies of a seeded request whose prompt it reads in parts: it takes back what it drew
    after a part, and torch's generator of the CPU cannot be turned back ("CPU Generator does not
    use offset"). So prompts are read whole there.
    """
    from vllm.platforms import current_platform

    return {"enable_chunked_prefill": False} if current_platform.is_cpu() else {}


def spare_room(num_adapters: int, chosen: dict[str, Any]) -> dict[str, Any]:
    """On a CPU, room for one adapter more than there are, which stays empty.

    vLLM 0.32 gives requests without an adapter the number -1, with which its kernels for CPUs take
    the last adapter's weights as soon as a batch has requests of both kinds. Those of the empty
    room are zero.
    """
    from vllm.platforms import current_platform

    if not num_adapters or not current_platform.is_cpu():
        return {}
    return {"max_loras": max(num_adapters + 1, chosen["max_loras"])}


def can_sleep() -> bool:
    """Whether vLLM can free this machine's device and keep the engine: not where there is none."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_sleep_mode_available())


def arguments(spec: VllmModel, *, sharing: int = 1, adapters: Sequence[str] = ()) -> dict[str, Any]:
    """What the spec means in vLLM's names; `engine_kwargs` come last and stay as they are.

    An engine that shares its device leaves room for what the others hold in their sleep.

    >>> arguments(VllmModel(engine="vllm", model="m", gpus=2))["tensor_parallel_size"]
    2
    >>> arguments(VllmModel(engine="vllm", model="m", gpus=0.5))["gpu_memory_utilization"]
    0.45
    """
    chosen: dict[str, Any] = {
        "model": spec.weights,
        "dtype": spec.dtype,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
    }
    if spec.gpus > 1:
        chosen |= {
            "tensor_parallel_size": int(spec.gpus),
            "distributed_executor_backend": "mp",
        }
    elif 0 < spec.gpus < 1:
        chosen["gpu_memory_utilization"] = MEMORY_SHARE * spec.gpus
    if sharing > 1:
        whole = chosen.get("gpu_memory_utilization", MEMORY_SHARE)
        chosen["gpu_memory_utilization"] = whole - ASLEEP_SHARE * (sharing - 1)
        chosen["enable_sleep_mode"] = True
    return chosen | adapter_room(every_adapter(spec, adapters)) | spec.engine_kwargs


def every_adapter(spec: VllmModel, others: Sequence[str]) -> tuple[str, ...]:
    """The folders of the spec's own adapter and of the others, each once."""
    own = () if spec.adapter is None else (spec.adapter,)
    return tuple(dict.fromkeys((*own, *others)))


def adapter_room(folders: Sequence[str]) -> dict[str, Any]:
    """Room for all adapters at a time, so that one batch can hold requests of each."""
    if not folders:
        return {}
    return {
        "enable_lora": True,
        "max_loras": len(folders),
        "max_lora_rank": max(adapter_rank(Path(folder)) for folder in folders),
    }


def adapter_rank(folder: Path) -> int:
    """The least rank that vLLM can make room for and the adapter fits into."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise ModelRefused(f"the folder {folder} holds no LoRA adapter: {path.name} is not there")
    rank = int(json.loads(path.read_text()).get("r", ADAPTER_RANKS[0]))
    if rank > ADAPTER_RANKS[-1]:
        raise ModelRefused(f"the adapter in {folder} has rank {rank}; vLLM takes up to 512")
    return min(room for room in ADAPTER_RANKS if room >= rank)


def prepare_environment() -> None:
    """Let several CPU engines share a machine: bound ones would all take the first core."""
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
