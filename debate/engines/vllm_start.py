"""A vLLM engine from a spec: its arguments, its log, and what went wrong at its start in words."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from debate.config.models import VllmModel
from debate.errors import EngineError, suggestion

MEMORY_SHARE = 0.9
"""vLLM's own default share of a GPU's memory; a replica on a part of a GPU takes that part."""

ASLEEP_SHARE = 0.03
"""What a sleeping engine still holds of a GPU's memory: its contexts, kernels and graphs."""

ADAPTER_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM can make room for."""

HINTS = (
    (
        r"out of memory|No available memory|less than desired|to serve at least one request|"
        r"KV cache is needed|less than requested memory",
        "out of memory",
        "give the replica more GPUs, or lower engine_kwargs.max_model_len or "
        "engine_kwargs.gpu_memory_utilization",
    ),
    (
        r"not a valid model identifier|RepositoryNotFound|Repository Not Found|HFValidationError|"
        r"LocalEntryNotFound|couldn't connect|does not appear to have a file named config\.json|"
        r"Invalid repository ID",
        "unknown model",
        "name a folder, or a hub id that this machine can reach",
    ),
    (
        r"undefined symbol|driver version is insufficient|driver on your system is too old|"
        r"no kernel image is available|cannot open shared object|DLL load failed",
        "versions that do not fit together",
        "install the vLLM build made for this machine's driver and torch",
    ),
    (
        r"not supported for now|no module or parameter named|Unsupported architecture|"
        r"are not supported|does not recognize this architecture",
        "a model that this vLLM cannot run",
        "use another model, or the transformers engine",
    ),
)
"""What to look for in an error, what it means, and what would help."""

ERROR_LINE = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception)\b(?:: .*)?$")


def engine_arguments(spec: VllmModel, log_config: Path, *, sharing: int = 1) -> Any:
    """`AsyncEngineArgs` of a spec. Raises EngineError where vLLM knows no such argument.

    `sharing` counts the engines that take turns on the device, this one included.
    """
    from vllm.config.logging import LoggingConfig
    from vllm.engine.arg_utils import AsyncEngineArgs

    known = {field.name for field in fields(AsyncEngineArgs)}
    for name in spec.engine_kwargs:
        if name not in known:
            hint = suggestion(name, known)
            raise EngineError(f'engine_kwargs: vLLM has no argument "{name}"; {hint}')
    logging = LoggingConfig(pylogging_config_file=str(log_config))
    chosen = arguments(spec, sharing=sharing if can_sleep() else 1)
    return AsyncEngineArgs(**({"logging_config": logging} | chosen))


def can_sleep() -> bool:
    """Whether vLLM can free this machine's device and keep the engine: not where there is none."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_sleep_mode_available())


def arguments(spec: VllmModel, *, sharing: int = 1) -> dict[str, Any]:
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
    if spec.adapter is not None:
        chosen |= {"enable_lora": True, "max_lora_rank": adapter_rank(Path(spec.adapter))}
    return chosen | spec.engine_kwargs


def adapter_rank(folder: Path) -> int:
    """The least rank that vLLM can make room for and the adapter fits into."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise EngineError(f"the folder {folder} holds no LoRA adapter: {path.name} is not there")
    rank = int(json.loads(path.read_text()).get("r", ADAPTER_RANKS[0]))
    if rank > ADAPTER_RANKS[-1]:
        raise EngineError(f"the adapter in {folder} has rank {rank}; vLLM takes up to 512")
    return min(room for room in ADAPTER_RANKS if room >= rank)


def prepare_environment() -> None:
    """Let several CPU engines share a machine: bound ones would all take the first core."""
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")


class EngineLog:
    """Where an engine and its processes write; read only to say what went wrong."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="debate-vllm-"))
        self.path = self._folder / "vllm.log"
        self.config = self._folder / "logging.json"
        self.config.write_text(json.dumps(log_config(self.path)))

    def root_cause(self) -> str | None:
        """The first exception in the log: later ones are its consequences in other processes."""
        if not self.path.exists():
            return None
        lines = self.path.read_text(errors="replace").splitlines()
        return next((line for line in lines if ERROR_LINE.match(line)), None)

    def remove(self) -> None:
        """Delete the log."""
        shutil.rmtree(self._folder)


def log_config(path: Path) -> Mapping[str, Any]:
    """Python's logging configuration for vLLM: all to one file, nothing to the terminal."""
    plain = {"format": "%(asctime)s %(processName)s %(levelname)s %(message)s"}
    handler = {"class": "logging.FileHandler", "filename": str(path), "formatter": "plain"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": plain},
        "handlers": {"file": handler},
        "loggers": {"vllm": {"handlers": ["file"], "level": "INFO", "propagate": False}},
    }


def in_words(error: BaseException, log: EngineLog | None, *, weights: str) -> str:
    """Why an engine did not start, and what would help."""
    if isinstance(error, ModuleNotFoundError) and error.name == "vllm":
        return "vLLM is not installed where this model runs: pip install '.[vllm]'"
    own = f"{type(error).__name__}: {error}"
    cause = (log.root_cause() if log else None) or own
    where = f" (vLLM's log: {log.path})" if log and log.path.exists() else ""
    for pattern, meaning, help_ in HINTS:
        if re.search(pattern, f"{cause}\n{own}"):
            return f"{weights}: {meaning}: {cause}; {help_}{where}"
    return f"{weights}: vLLM did not start: {cause}{where}"
