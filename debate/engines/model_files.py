"""The folders and files that models name, looked for on the machine that is to read them."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from debate.config.models import LocalWeights, ModelSpec, TransformersModel, VllmModel
from debate.engines.adapter_files import list_adapters, read_adapter_config
from debate.engines.hf.gguf_files import is_gguf
from debate.errors import ModelRefused


class ModelFile(NamedTuple):
    """A place on disk that a model names, and what must be there.

    vLLM reads several forms of models, so that of its own only the folder is known.
    """

    path: str
    kind: Literal["folder", "model", "gguf", "adapter"]


class MissingFile(NamedTuple):
    """A place that a host lacks, and what is wrong with it in words."""

    place: ModelFile
    host: str
    problem: str


def list_model_files(spec: ModelSpec, adapters: Iterable[str] = ()) -> tuple[ModelFile, ...]:
    """List the places on disk that a model names; a hub id is none.

    `adapters` are the folders that its engine holds beside the spec's own.

    >>> from debate.config.models import VllmModel
    >>> list_model_files(VllmModel(engine="vllm", model="Qwen/Qwen3-8B", adapter="/adapters/a"))
    (ModelFile(path='/adapters/a', kind='adapter'),)
    """
    if not isinstance(spec, LocalWeights):
        return ()
    folders = (ModelFile(folder, "adapter") for folder in list_adapters(spec, adapters))
    if spec.path is None and not Path(spec.weights).is_absolute():
        return tuple(folders)
    return (ModelFile(spec.weights, _get_kind(spec)), *folders)


def _get_kind(spec: LocalWeights) -> Literal["folder", "model", "gguf"]:
    if not isinstance(spec, TransformersModel):
        return "folder"
    return "gguf" if is_gguf(spec.weights) else "model"


def find_missing(places: Iterable[ModelFile]) -> tuple[MissingFile, ...]:
    """Return those of the places that cannot be read as a model or adapter on this machine."""
    host = platform.node()
    found = ((place, find_problem(place)) for place in dict.fromkeys(places))
    return tuple(MissingFile(place, host, problem) for place, problem in found if problem)


def find_problem(place: ModelFile) -> str | None:
    """Return what is wrong with a place on this machine's disk; None where all is there."""
    path = Path(place.path)
    if place.kind == "gguf":
        return None if path.is_file() else f"the file {path} does not exist"
    if place.kind == "adapter":
        try:
            read_adapter_config(path)
        except ModelRefused as error:
            return str(error)
    elif not path.is_dir():
        return f"the folder {path} does not exist"
    elif place.kind == "model" and not (path / "config.json").is_file():
        return f"the folder {path} holds no model: there is no config.json in it"
    return None


ARCHITECTURE = ("model_type", "hidden_size", "num_hidden_layers")
"""What the config.json of a folder of weights says of their kind, whatever they were trained on."""


def describe_architecture(spec: ModelSpec) -> str | None:
    """Return the kind and size of a model's weights, without reading them; None where unknown.

    It is known of folders alone, not of hub ids, GGUF files and endpoints.
    """
    if not isinstance(spec, LocalWeights):
        return None
    try:
        config = json.loads((Path(spec.weights) / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    told = [config.get(name) for name in ARCHITECTURE] if isinstance(config, dict) else [None]
    if None in told:
        return None
    return "{}, width {}, {} layers".format(*told)


def refuse_unreadable_files(
    spec: TransformersModel | VllmModel, adapters: Iterable[str] = ()
) -> None:
    """Raise ModelRefused for the first place that this machine lacks, before any hub is asked."""
    for place in list_model_files(spec, adapters):
        if problem := find_problem(place):
            raise ModelRefused(problem, boundary=f"{spec.engine}: {spec.weights}")


def describe_missing(
    missing: Iterable[MissingFile], models: Mapping[str, ModelSpec]
) -> Iterator[str]:
    """Yield a line for each model and place that is missing, with the hosts that lack it."""
    hosts: dict[tuple[ModelFile, str], dict[str, None]] = {}
    for place, host, problem in missing:
        hosts.setdefault((place, problem), {})[host] = None
    for name, spec in models.items():
        for place, problem in hosts:
            if place in list_model_files(spec):
                yield f'model "{name}" on {", ".join(hosts[place, problem])}: {problem}'


def refuse_missing(missing: Iterable[MissingFile], models: Mapping[str, ModelSpec]) -> None:
    """Raise ModelRefused that names every model, host and place, where anything is missing."""
    lines = list(describe_missing(missing, models))
    if lines:
        told = (
            lines[0] if len(lines) == 1 else "\n  ".join(["files of models are missing:", *lines])
        )
        raise ModelRefused(told, boundary="files of models")
