"""Engines by name: what each can do, how to build it, and what tells models apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import msgspec

from debate.config.models import (
    CustomModel,
    HumanModel,
    LocalWeights,
    ModelBase,
    ModelSpec,
    OpenaiModel,
    PythonModel,
    ReplayModel,
    ScriptedModel,
    SimulatedModel,
    TransformersModel,
    VllmModel,
)
from debate.config.registry import find, hash_code
from debate.engines.base import Capabilities, Engine
from debate.engines.dialects import DIALECTS, guess_from_url
from debate.engines.hf.gguf_files import is_gguf
from debate.errors import EngineError, ModelRefused, boundary
from debate.input_files import find_file_problem
from debate.installation import EXTRAS, list_missing, make_install_command

_CLASSES = {
    "calculator": "debate.engines.deterministic:CalculatorEngine",
    "checker": "debate.engines.truth:CheckerEngine",
    "human": "debate.engines.human.human_engine:HumanEngine",
    "openai": "debate.engines.openai:OpenaiEngine",
    "oracle": "debate.engines.truth:OracleEngine",
    "python": "debate.engines.python_tool:PythonEngine",
    "replay": "debate.engines.deterministic:ReplayEngine",
    "scripted": "debate.engines.deterministic:ScriptedEngine",
    "simulated": "debate.engines.simulated:SimulatedEngine",
    "transformers": "debate.engines.transformers:TransformersEngine",
    "vllm": "debate.engines.vllm:VllmEngine",
}


_CAPABILITIES = {
    "calculator": Capabilities(needs_debate_state=True),
    "checker": Capabilities(needs_debate_state=True, knows_truth=True),
    "oracle": Capabilities(needs_debate_state=True, knows_truth=True, simulated=True),
    "human": Capabilities(needs_debate_state=True, human=True),
    "python": Capabilities(needs_debate_state=True),
    "replay": Capabilities(needs_debate_state=True),
    "simulated": Capabilities(logprobs=True, scores=True, needs_debate_state=True, simulated=True),
    "transformers": Capabilities(logprobs=True, scores=True),
    "vllm": Capabilities(logprobs=True, scores=True, guided=True),
}


def get_capabilities(spec: ModelSpec) -> Capabilities:
    """Return what the engine of a spec can do, without loading it or anything that it needs.

    Of a custom engine the class is imported.

    >>> get_capabilities(OpenaiModel(engine="openai", model="m", url="http://localhost/v1")).scores
    False
    """
    if isinstance(spec, OpenaiModel):
        return Capabilities(logprobs=spec.logprobs, scores=_can_score(spec), guided=True)
    if isinstance(spec, ScriptedModel):
        return Capabilities(needs_debate_state=not isinstance(spec.replies, str))
    if isinstance(spec, SimulatedModel) and spec.ownership_shift:
        return replace(_CAPABILITIES[spec.engine], reads_owner=True)
    if isinstance(spec, CustomModel):
        capabilities: Capabilities = find("engines", spec.engine).value.capabilities
        return capabilities
    return _CAPABILITIES[spec.engine]


def _can_score(spec: OpenaiModel) -> bool:
    """Whether an endpoint is to be asked for scores; `auto` goes by its dialect or URL.

    Where the dialect is known to have none, or none without a chat template, it is not.
    """
    dialect = DIALECTS.get(spec.dialect) or guess_from_url(spec.url)
    if dialect is None:
        return spec.scores is True
    has_tokens = dialect.tokenize is not None or spec.chat_template is not None
    return bool(spec.scores) and dialect.scores is not None and has_tokens


def check_class(value: object) -> None:
    """Raise ValueError, saying what it must be, for an object that is no class of engines."""
    methods = ("start", "complete", "close")
    if not isinstance(value, type) or not all(callable(getattr(value, m, None)) for m in methods):
        raise ValueError("a class with `start`, `complete` and `close`, as debate.engines.base has")
    if not isinstance(getattr(value, "capabilities", None), Capabilities):
        raise ValueError("a class with its `capabilities`, as in `capabilities = Capabilities()`")


def get_extra(spec: ModelSpec) -> str | None:
    """Return the extra of this project that the engine of a spec needs; None where it needs none.

    >>> get_extra(TransformersModel(engine="transformers", model="m"))
    'local'
    """
    if isinstance(spec, TransformersModel):
        return "gguf" if is_gguf(spec.weights) else "local"
    if isinstance(spec, PythonModel):
        return "tools" if spec.code.sandbox == "monty" else None
    if isinstance(spec, HumanModel):
        return "serve" if spec.via == "web" else None
    return "vllm" if isinstance(spec, VllmModel) else None


def explain_missing(models: Mapping[str, ModelSpec]) -> str | None:
    """Say which models need an extra that is not installed here, and what installs it.

    None where nothing is missing.
    """
    wanted = {name: get_extra(spec) for name, spec in models.items()}
    lacking = [extra for extra in EXTRAS if extra in wanted.values() and list_missing(extra)]
    told = [
        _describe_need([name for name in wanted if wanted[name] == extra], extra)
        for extra in lacking
    ]
    return f"{'; '.join(told)}: {make_install_command(*lacking)}" if told else None


def _describe_need(names: list[str], extra: str) -> str:
    engine = {"vllm": "vllm", "tools": "pydantic_monty"}.get(extra, "transformers")
    missing = list_missing(extra)
    listed = ", ".join(f'"{name}"' for name in names)
    if extra == "serve":
        who = f"model {listed} is" if len(names) == 1 else f"models {listed} are"
        return f"the {who} asked on a page, which needs {', '.join(missing)}"
    lack = "is not installed" if engine in missing else f"lacks {', '.join(missing)}"
    subject = f"model {listed} runs" if len(names) == 1 else f"models {listed} run"
    return f"the {subject} on this machine by {engine}, which {lack}"


def build_engine(spec: ModelSpec, *, sharing: int = 1, adapters: tuple[str, ...] = ()) -> Engine:
    """Build the engine of a spec, not yet started. Only now is its library imported.

    `sharing` counts the models that take turns on its device, itself included; `adapters` are the
    folders of those that it serves beside the spec's own. Raises ModelRefused where the library is
    missing, EngineError where it cannot be imported.
    """
    if isinstance(spec, CustomModel):
        with boundary(EngineError, f"engine {spec.engine}"):
            return cast(Engine, find("engines", spec.engine).value(**spec.options))
    module, name = _CLASSES[spec.engine].split(":")
    options: dict[str, Any] = {"adapters": adapters} if isinstance(spec, LocalWeights) else {}
    if isinstance(spec, VllmModel):
        options["sharing"] = sharing
    place = f"engine {spec.engine}"
    if told := explain_missing({getattr(spec, "weights", spec.engine): spec}):
        raise ModelRefused(told, boundary=place)
    with boundary(EngineError, place):
        built = getattr(import_module(module), name)(spec, **options)
    return cast(Engine, built)


PAGE_FIELDS = ("port", "address", "hosts", "token_env")
"""Fields of a person's model that say where its page is."""

_MAX_WHOLE = 64 * 2**20
"""Bytes up to which a file is hashed whole."""


_NUM_SAMPLES, _SAMPLE_SIZE = 16, 2**20
"""Number and bytes of the pieces that stand for a larger file."""

_NOT_WEIGHTS = {".md", ".lock", ".png", ".svg", ".html"}


def compute_identity(spec: ModelSpec) -> str:
    """Compute a line that tells models apart, for caches keyed by content.

    It changes with weights, tokenizer and whatever alters replies; not with hardware, replicas,
    time-outs or prices. A local folder counts by its content, a hub model by its name, an
    endpoint by URL and model, a custom engine by its options and the file that defines it. Raises
    OSError for a folder that cannot be read, ConfigError for a custom engine that is not there.

    >>> from debate.config.models import CalculatorModel
    >>> compute_identity(CalculatorModel(engine="calculator", cpus=2))
    'calculator 2afb9b83f9314e5d029766197f539792'
    """
    settings = _select_settings(spec)
    if isinstance(spec, LocalWeights):
        settings["weights"] = _identify_weights(spec.weights)
        if adapter := getattr(spec, "adapter", None):
            settings["adapter"] = _identify_weights(adapter)
        if not spec.template_options:
            del settings["template_options"]
        if spec.revision is None:
            del settings["revision"]
    if isinstance(spec, OpenaiModel) and spec.chat_template is not None:
        settings["chat_template"] = hash_file(Path(spec.chat_template))
    if isinstance(spec, CustomModel):
        settings["code"] = hash_code("engines", spec.engine)
    if isinstance(spec, ReplayModel):
        settings["path"] = hash_folder(Path(spec.path) / "turns")
    encoded = msgspec.json.encode(settings, order="deterministic", enc_hook=repr)
    return f"{spec.engine} {hashlib.blake2b(encoded, digest_size=16).hexdigest()}"


def _select_settings(spec: ModelSpec) -> dict[str, Any]:
    """Return the engine's own fields, without those that only say how or where it runs."""
    hosting = {*ModelBase.model_fields, "engine"}
    effort = {"path", "device", "threads", "max_batch_size", "adapter"}
    waiting = {"api_key_env", "requests_per_minute", "retries", "latency_s", "logprobs"}
    kept = {"model"} if isinstance(spec, LocalWeights) else set()
    waiting |= {"via", *PAGE_FIELDS} if isinstance(spec, HumanModel) else set()
    if isinstance(spec, OpenaiModel):
        waiting |= {"dialect", "scores", "headers", "proxy", "ca_file", "chat_template"}
        # Only what changes a prompt or a reply tells models apart, and only where it is set.
        kept |= {"roles"} if spec.roles != "fold" else set()
        kept |= {"reasoning_effort"} if spec.reasoning_effort is None else set()
    if isinstance(spec, SimulatedModel):
        kept |= {name for name in ("ownership_shift", "familiarity") if not getattr(spec, name)}
    return spec.model_dump(exclude=(hosting | effort | waiting | kept), mode="python")


def _identify_weights(source: str) -> str:
    place = Path(source)
    if place.is_file():
        return _hash_files([place], place.parent)
    return hash_folder(place) if place.is_dir() else f"hub:{source}"


def hash_file(file: Path) -> str:
    """Hash the content of a file. Raises ModelRefused where it is no regular one."""
    if problem := find_file_problem(file):
        raise ModelRefused(f"{file} {problem}")
    return hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()


def hash_folder(folder: Path) -> str:
    """Hash the names and contents of a folder's files; large files count by samples."""
    return _hash_files(sorted(path for path in folder.rglob("*") if path.is_file()), folder)


def _hash_files(files: Iterable[Path], folder: Path) -> str:
    total = hashlib.blake2b(digest_size=16)
    for file in files:
        name = file.relative_to(folder).as_posix()
        if file.suffix in _NOT_WEIGHTS or any(part.startswith(".") for part in Path(name).parts):
            continue
        total.update(f"{name}\0{file.stat().st_size}\0".encode())
        for piece in _read_pieces(file):
            total.update(piece)
    return total.hexdigest()


def _read_pieces(file: Path) -> Iterator[bytes]:
    """Read a file; of a large one pieces at even distances, the first and last included."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= _MAX_WHOLE:
            yield stream.read()
            return
        for number in range(_NUM_SAMPLES):
            stream.seek((size - _SAMPLE_SIZE) * number // (_NUM_SAMPLES - 1))
            yield stream.read(_SAMPLE_SIZE)
