"""What went wrong when a vLLM engine started, in words, and what would help."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import ValidationError

from debate.config.models import VllmModel
from debate.engines.vllm_log import EngineLog
from debate.errors import EngineError, InputError


class ModelRefused(EngineError, InputError):
    """A model that cannot be started as it is written; what the message names is the user's."""


class Hint(NamedTuple):
    """What to look for in an error, what it means, and what would help."""

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


def explained(error: BaseException, log: EngineLog | None, spec: VllmModel) -> EngineError:
    """The error of an engine that did not start: ModelRefused where it is known what would help.

    The log is deleted unless it is needed to find out more.
    """
    own = f"{type(error).__name__}: {error}"
    cause = (log.root_cause() if log else None) or own
    said = refusals(error, spec) if isinstance(error, ValidationError) else cause
    hint = next((each for each in HINTS if re.search(each.pattern, f"{cause}\n{own}")), None)
    place = f"vllm: {spec.weights}"
    if isinstance(error, ModuleNotFoundError) and error.name == "vllm":
        missing = "vLLM is not installed where this model runs: pip install '.[vllm]'"
        return ModelRefused(missing, boundary=place)
    if hint is None and not isinstance(error, ValidationError):
        where = f" (vLLM's log: {log.path})" if log and log.path.exists() else ""
        return EngineError(f"{spec.weights}: vLLM did not start: {said}{where}", boundary=place)
    if log:
        log.remove()
    if hint is None:
        return ModelRefused(f"{spec.weights}: {said}", boundary=place)
    return ModelRefused(f"{spec.weights}: {hint.meaning}: {said}; {hint.help}", boundary=place)


def refusals(error: ValidationError, spec: VllmModel) -> str:
    """What vLLM's own checks object to, once for each argument.

    >>> from pydantic import TypeAdapter
    >>> wanted = VllmModel(engine="vllm", model="m", engine_kwargs={"seed": "x"})
    >>> try:
    ...     TypeAdapter(dict[str, int]).validate_python({"seed": "x"})
    ... except ValidationError as error:
    ...     refusals(error, wanted)[:50]
    'engine_kwargs.seed: Input should be a valid intege'
    """
    found: dict[str, str] = {}
    for each in error.errors(include_url=False, include_input=False):
        name = str(each["loc"][0]).partition(".")[0] if each["loc"] else ""
        prefix = "engine_kwargs." if name in spec.engine_kwargs else ""
        message = " ".join(each["msg"].removeprefix("Value error, ").split()).rstrip(".")
        found.setdefault(name, f"{prefix}{name}: {message}" if name else message)
    return "; ".join(found.values())
