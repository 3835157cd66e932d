"""The start of a vLLM engine from a spec: its arguments, its log, and its errors in words."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from debate.config.models import VllmModel
from debate.engines.adapter_files import list_adapters, read_adapter_config
from debate.errors import EngineError, ModelRefused, suggest
from debate.installation import make_install_command

DEFAULT_MEMORY_SHARE = 0.9
"""vLLM's own default share of a GPU's memory; a replica on a part of a GPU takes that part."""

ASLEEP_MEMORY_SHARE = 0.03
"""The share of a GPU's memory that a sleeping engine holds: contexts, kernels and graphs."""

MAX_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM allows for `max_lora_rank`."""


def make_engine_args(
    spec: VllmModel, log_config: Path, *, sharing: int = 1, adapters: Sequence[str] = ()
) -> Any:
    """Make the `AsyncEngineArgs` of a spec. Raises ModelRefused where vLLM knows no such argument.

    `sharing` counts the engines that take turns on the device, this one included; `adapters` are
    the folders of those that it is to hold beside the spec's own.
    """
    from vllm.config.logging import LoggingConfig
    from vllm.engine.arg_utils import AsyncEngineArgs

    known = {field.name for field in fields(AsyncEngineArgs)}
    for name in spec.engine_kwargs:
        if name not in known:
            hint = suggest(name, known)
            raise ModelRefused(f'engine_kwargs: vLLM has no argument "{name}"; {hint}')
    logging = LoggingConfig(pylogging_config_file=str(log_config))
    chosen = make_spec_args(spec, sharing=sharing if can_sleep() else 1, adapters=adapters)
    spare = make_spare_lora_args(len(list_adapters(spec, adapters)), chosen)
    return AsyncEngineArgs(
        **({"logging_config": logging} | get_machine_defaults() | chosen | spare)
    )


def get_machine_defaults() -> dict[str, Any]:
    """Return arguments that this machine's build of vLLM needs where the user gives none.

    A CPU build dies of a seeded request whose prompt it reads in parts: it takes back what it drew
    after a part, and torch's generator of the CPU cannot be turned back ("CPU Generator does not
    use offset"). So prompts are read whole there.
    """
    from vllm.platforms import current_platform

    return {"enable_chunked_prefill": False} if current_platform.is_cpu() else {}


def make_spare_lora_args(num_adapters: int, chosen: dict[str, Any]) -> dict[str, Any]:
    """Make room on a CPU for one adapter more than there are, which stays empty.

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


def make_spec_args(
    spec: VllmModel, *, sharing: int = 1, adapters: Sequence[str] = ()
) -> dict[str, Any]:
    """Make vLLM's arguments from a spec; `engine_kwargs` come last and are not changed.

    An engine that shares its device leaves room for the memory that the others hold asleep.

    >>> make_spec_args(VllmModel(engine="vllm", model="m", gpus=2))["tensor_parallel_size"]
    2
    >>> make_spec_args(VllmModel(engine="vllm", model="m", gpus=0.5))["gpu_memory_utilization"]
    0.45
    """
    chosen: dict[str, Any] = {
        "model": spec.weights,
        "dtype": spec.dtype,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
    }
    if spec.revision is not None:
        chosen |= {"revision": spec.revision, "tokenizer_revision": spec.revision}
    if spec.gpus > 1:
        chosen |= {
            "tensor_parallel_size": int(spec.gpus),
            "distributed_executor_backend": "mp",
        }
    elif 0 < spec.gpus < 1:
        chosen["gpu_memory_utilization"] = DEFAULT_MEMORY_SHARE * spec.gpus
    if sharing > 1:
        whole = chosen.get("gpu_memory_utilization", DEFAULT_MEMORY_SHARE)
        chosen["gpu_memory_utilization"] = whole - ASLEEP_MEMORY_SHARE * (sharing - 1)
        chosen["enable_sleep_mode"] = True
    return chosen | make_lora_args(list_adapters(spec, adapters)) | spec.engine_kwargs


def make_lora_args(folders: Sequence[str]) -> dict[str, Any]:
    """Make arguments with room for all adapters at a time, so that one batch can hold them all."""
    if not folders:
        return {}
    return {
        "enable_lora": True,
        "max_loras": len(folders),
        "max_lora_rank": max(find_max_lora_rank(Path(folder)) for folder in folders),
    }


def find_max_lora_rank(folder: Path) -> int:
    """Find the least `max_lora_rank` of vLLM that the adapter in a folder fits into."""
    rank = int(read_adapter_config(folder).get("r", MAX_LORA_RANKS[0]))
    if rank > MAX_LORA_RANKS[-1]:
        raise ModelRefused(f"the adapter in {folder} has rank {rank}; vLLM takes up to 512")
    return min(room for room in MAX_LORA_RANKS if room >= rank)


def prepare_environment() -> None:
    """Let several CPU engines share a machine: bound ones would all take the first core."""
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")


_DESCRIBED = {
    "dtype": "model_config.dtype",
    "quantization": "model_config.quantization",
    "enforce_eager": "model_config.enforce_eager",
    "max_model_len": "model_config.max_model_len",
    "attention": "attention_config.backend",
    "kv_cache_dtype": "cache_config.cache_dtype",
    "prefix_caching": "cache_config.enable_prefix_caching",
    "max_num_seqs": "scheduler_config.max_num_seqs",
    "max_num_batched_tokens": "scheduler_config.max_num_batched_tokens",
    "tensor_parallel_size": "parallel_config.tensor_parallel_size",
}
"""What a configuration of vLLM holds that replies may depend on, by the path in it."""


def describe_config(config: Any) -> dict[str, str]:
    """Return what a loaded engine's replies depend on besides its weights and settings.

    `batch_invariant` is vLLM's switch for replies that do not depend on what else is in a batch. A
    path that this version of vLLM does not have is left out.
    """
    import torch
    import vllm

    found = {"vllm": vllm.__version__, "torch": torch.__version__}
    for name, path in _DESCRIBED.items():
        value = config
        for part in path.split("."):
            value = getattr(value, part, None)
        if value is not None:
            found[name] = str(getattr(value, "name", value)).removeprefix("torch.")
    found.setdefault("attention", os.environ.get("VLLM_ATTENTION_BACKEND", "auto"))
    is_invariant = os.environ.get("VLLM_BATCH_INVARIANT", "0").lower() in ("1", "true")
    return found | {"batch_invariant": str(is_invariant).lower()}


ERROR_LINE = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception)\b(?:: .*)?$")
"""The line of a log with an exception's name and message, at the end of a traceback."""


class EngineLog:
    """The log of an engine and its processes; read only to explain an error."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="debate-vllm-"))
        self.path = self._folder / "vllm.log"
        self.config = self._folder / "logging.json"
        self.config.write_text(json.dumps(make_log_config(self.path)))

    def find_root_cause(self) -> str | None:
        """Find the first exception in the log; later ones follow from it in other processes."""
        if not self.path.exists():
            return None
        lines = self.path.read_text(errors="replace").splitlines()
        return next((line for line in lines if ERROR_LINE.match(line)), None)

    def remove(self) -> None:
        """Delete the log."""
        shutil.rmtree(self._folder)


def make_log_config(path: Path) -> Mapping[str, Any]:
    """Make Python's logging configuration for vLLM: all to one file, nothing to the terminal."""
    plain = {"format": "%(asctime)s %(processName)s %(levelname)s %(message)s"}
    handler = {"class": "logging.FileHandler", "filename": str(path), "formatter": "plain"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": plain},
        "handlers": {"file": handler},
        "loggers": {"vllm": {"handlers": ["file"], "level": "INFO", "propagate": False}},
    }


class Hint(NamedTuple):
    """A pattern to look for in an error, its meaning, and what would help."""

    pattern: str
    meaning: str
    help: str


HINTS = (
    Hint(
        r"out of memory|No available memory|less than desired|to serve at least one request|"
        r"KV cache is needed|less than requested memory",
        "out of memory",
        "lower engine_kwargs.max_model_len or max_num_seqs, or give the replica more: GPUs, "
        "engine_kwargs.gpu_memory_utilization, or engine_kwargs.kv_cache_memory_bytes on a CPU",
    ),
    Hint(
        r"not a valid model identifier|RepositoryNotFound|Repository Not Found|HFValidationError|"
        r"LocalEntryNotFound|couldn't connect|does not appear to have a file named config\.json|"
        r"Invalid repository ID|Cannot find any model weights",
        "unknown model",
        "name a folder with its config.json and weights, or a hub id that this machine can reach",
    ),
    Hint(
        r"undefined symbol|driver version is insufficient|driver on your system is too old|"
        r"no kernel image is available|cannot open shared object|DLL load failed",
        "versions that do not fit together",
        "install the vLLM build made for this machine's driver and torch",
    ),
    Hint(
        r"[Uu]nknown quantization|Cannot find the config file for|quantization is not supported|"
        r"quantization method .* is not supported|does not match the quantization method",
        "a quantisation that does not fit",
        "leave engine_kwargs.quantization out: a quantised model's own config.json says how",
    ),
    Hint(
        r"not supported for now|no module or parameter named|Unsupported architecture|"
        r"are not supported|does not recognize this architecture|does not support LoRA",
        "a model that this vLLM cannot run",
        "use another model, or the transformers engine",
    ),
    Hint(
        r"No common block size",
        "a block size that this machine's kernels do not have",
        "leave engine_kwargs.block_size out, or write a multiple of what they take",
    ),
)


def explain_start_error(
    error: BaseException, log: EngineLog | None, spec: VllmModel
) -> EngineError:
    """Explain why an engine did not start: by ModelRefused where it is known what would help.

    The log is deleted unless it is needed to find out more.
    """
    own = f"{type(error).__name__}: {error}"
    cause = (log.find_root_cause() if log else None) or own
    said = list_validation_errors(error, spec) if isinstance(error, ValidationError) else cause
    hint = next((each for each in HINTS if re.search(each.pattern, f"{cause}\n{own}")), None)
    place = f"vllm: {spec.weights}"
    if isinstance(error, ModuleNotFoundError) and error.name == "vllm":
        command = make_install_command("vllm")
        missing = f"vLLM is not installed where this model runs: {command}"
        return ModelRefused(missing, boundary=place)
    if hint is None and not isinstance(error, ValidationError):
        where = f" (vLLM's log: {log.path})" if log and log.path.exists() else ""
        return EngineError(f"{spec.weights}: vLLM did not start: {said}{where}", boundary=place)
    if log:
        log.remove()
    if hint is None:
        return ModelRefused(f"{spec.weights}: {said}", boundary=place)
    return ModelRefused(f"{spec.weights}: {hint.meaning}: {said}; {hint.help}", boundary=place)


def list_validation_errors(error: ValidationError, spec: VllmModel) -> str:
    """List the objections of vLLM's own checks, one for each argument.

    >>> from pydantic import TypeAdapter
    >>> wanted = VllmModel(engine="vllm", model="m", engine_kwargs={"seed": "x"})
    >>> try:
    ...     TypeAdapter(dict[str, int]).validate_python({"seed": "x"})
    ... except ValidationError as error:
    ...     list_validation_errors(error, wanted)[:50]
    'engine_kwargs.seed: Input should be a valid intege'
    """
    found: dict[str, str] = {}
    for each in error.errors(include_url=False, include_input=False):
        name = str(each["loc"][0]).partition(".")[0] if each["loc"] else ""
        prefix = "engine_kwargs." if name in spec.engine_kwargs else ""
        message = " ".join(each["msg"].removeprefix("Value error, ").split()).rstrip(".")
        found.setdefault(name, f"{prefix}{name}: {message}" if name else message)
    return "; ".join(found.values())
