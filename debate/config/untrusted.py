"""What a stranger's configuration may not say: `--no-custom-code` refuses what could run code.

Lists say what is allowed; whatever is not on them is refused, since nobody knows all variables and
arguments by which a library loads code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from debate.config.cluster import ClusterSpec
from debate.config.document import KeyPath, Problem
from debate.config.models import (
    VARIABLE_IN_TEXT,
    HumanModel,
    LocalWeights,
    ModelSpec,
    OpenaiModel,
)
from debate.config.registry import REFUSAL
from debate.config.run import RunSpec

ALLOWED_VARIABLES = frozenset(
    {
        "CUDA_DEVICE_ORDER",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_VISIBLE_DEVICES",
        "HF_HUB_DISABLE_PROGRESS_BARS",
        "HF_HUB_DISABLE_TELEMETRY",
        "HF_HUB_OFFLINE",
        "MKL_NUM_THREADS",
        "NCCL_DEBUG",
        "NCCL_P2P_DISABLE",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TOKENIZERS_PARALLELISM",
        "TRANSFORMERS_OFFLINE",
        "VLLM_LOGGING_LEVEL",
    }
)
"""Variables of actors that switch something, or count: none names a file, a host or code."""

ALLOWED_ARGUMENTS = frozenset(
    {
        *("attn_implementation", "block_size", "cpu_offload_gb", "device_map"),
        *("disable_custom_all_reduce", "disable_log_stats", "dtype", "enable_chunked_prefill"),
        *("enable_expert_parallel", "enable_prefix_caching", "enforce_eager"),
        *("gpu_memory_utilization", "kv_cache_dtype", "load_format", "low_cpu_mem_usage"),
        *("max_logprobs", "max_loras", "max_lora_rank", "max_model_len"),
        *("max_num_batched_tokens", "max_num_seqs", "num_gpu_blocks_override"),
        *("pipeline_parallel_size", "quantization", "seed", "swap_space"),
        *("tensor_parallel_size", "torch_dtype", "trust_remote_code", "use_cache"),
        "use_safetensors",
    }
)
"""Arguments of engines that are numbers, switches, or words out of the engine's own lists."""

ALLOWED_WORDS = {
    "load_format": ("auto", "bitsandbytes", "dummy", "gguf", "safetensors"),
    "attn_implementation": ("eager", "flash_attention_2", "sdpa"),
    "trust_remote_code": (False,),
    "use_safetensors": (True,),
}
"""Arguments of which one value reads pickled weights, or fetches code, and another does not."""

PICKLED = ("*.bin", "*.ckpt", "*.pt", "*.pth")
"""Files of weights that may hold code; `*.safetensors` and `*.gguf` hold numbers."""

NUMBERS_FIRST = ("model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors")
"""Files beside which no engine reads a pickled one."""

_ENDS_OF_KEYS = ("KEY", "TOKEN")

_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_,.:-]{0,100}")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_-]*")


def find_loading_problems(spec: RunSpec) -> Iterator[Problem]:
    """Find what could make Ray, an actor or an engine load code, or unpickle what others wrote."""
    yield from _refuse(_find_cluster_problems(spec.cluster), ("cluster",))
    for name, model in spec.models.items():
        yield from _refuse(_find_model_problems(model), ("models", name))


def _refuse(problems: Iterator[Problem], below: KeyPath) -> Iterator[Problem]:
    for path, message in problems:
        yield Problem((*below, *path), f"{message}; {REFUSAL}")


def _find_cluster_problems(cluster: ClusterSpec) -> Iterator[Problem]:
    if cluster.address not in (None, "auto", "local"):
        what = "a Ray cluster can run anything here; set RAY_ADDRESS for one that you trust"
        yield Problem(("address",), what)
    if cluster.runtime_env:
        yield Problem(("runtime_env",), "a runtime environment can install and run anything")
    for variable, value in cluster.env.items():
        if variable not in ALLOWED_VARIABLES:
            known = ", ".join(sorted(ALLOWED_VARIABLES))
            what = f"the variable {variable} could make the actors load code; allowed: {known}"
            yield Problem(("env", variable), what)
        elif value is not None and not _PLAIN_VALUE.fullmatch(value):
            what = f"{value!r} is no plain value of {variable}"
            yield Problem(("env", variable), what)


def _find_model_problems(model: ModelSpec) -> Iterator[Problem]:
    for name, value in getattr(model, "engine_kwargs", {}).items():
        if message := _find_argument_problem(name, value):
            yield Problem(("engine_kwargs", name), message)
    if isinstance(model, LocalWeights):
        for field in ("model", "path", "adapter"):
            if file := _find_pickle(getattr(model, field)):
                what = f"{file} may hold pickled code; weights are to be safetensors or GGUF"
                yield Problem((field,), what)
    if isinstance(model, HumanModel):
        yield from _find_page_problems(model)


def _find_page_problems(model: HumanModel) -> Iterator[Problem]:
    """Find what would let others than whoever runs it answer on the page for a person."""
    if model.address not in ("127.0.0.1", "::1", "localhost"):
        what = f"at {model.address} others in the network could reach the page for a person"
        yield Problem(("address",), what)
    if model.hosts:
        yield Problem(("hosts",), "the page for a person is to have no further names")
    if model.token_env and not model.token_env.upper().endswith(_ENDS_OF_KEYS):
        what = f"${model.token_env}, whose name ends in neither KEY nor TOKEN, may be guessed"
        yield Problem(("token_env",), what)


def _find_argument_problem(name: str, value: Any) -> str | None:
    if name not in ALLOWED_ARGUMENTS:
        known = ", ".join(sorted(ALLOWED_ARGUMENTS))
        return f"{name} could make the engine load code; allowed: {known}"
    if name in ALLOWED_WORDS and value not in ALLOWED_WORDS[name]:
        known = ", ".join(map(str, ALLOWED_WORDS[name]))
        return f"{name}: {value!r} could make the engine load code; allowed: {known}"
    if isinstance(value, Mapping | list | tuple):
        return f"{name} is to be a number, a switch or a word"
    if isinstance(value, str) and not _PLAIN_WORD.fullmatch(value):
        return f"{value!r} could name code or a file of the engine's"
    return None


def _find_pickle(weights: str | None) -> Path | None:
    """Return a pickled file that an engine may read from this file or folder, if it is here."""
    if weights is None:
        return None
    place = Path(weights)
    if place.is_dir():
        if any((place / name).is_file() for name in NUMBERS_FIRST):
            return None
        return next((file for pattern in PICKLED for file in sorted(place.glob(pattern))), None)
    return place if any(place.match(pattern) for pattern in PICKLED) else None


def find_sent_variables(spec: RunSpec, allowed: Collection[str] = ()) -> Iterator[Problem]:
    """Find each environment variable that a model sends and that is named like no key.

    A proxy that is a variable as a whole is sent nowhere.
    """
    for name, model in spec.models.items():
        if not isinstance(model, OpenaiModel):
            continue
        for path, variable in model.list_variables():
            is_whole = path == ("proxy",) and VARIABLE_IN_TEXT.fullmatch(model.proxy or "")
            if not (is_whole or variable in allowed or variable.upper().endswith(_ENDS_OF_KEYS)):
                yield Problem(
                    ("models", name, *path),
                    f"it sends ${variable}, whose name ends in neither KEY nor TOKEN; {REFUSAL}, "
                    f"unless --allow-key {variable} is given",
                )
