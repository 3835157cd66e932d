"""Engines by name: what each can do, known offline, and how to build it."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from debate.config.models import ModelSpec, OpenaiModel, ScriptedModel, VllmModel
from debate.engines.base import Capabilities, Engine
from debate.engines.identity import identity
from debate.errors import EngineError, boundary

__all__ = ["build_engine", "capabilities", "identity"]

_CLASSES = {
    "calculator": "debate.engines.calculator:CalculatorEngine",
    "openai": "debate.engines.openai:OpenaiEngine",
    "replay": "debate.engines.replay:ReplayEngine",
    "scripted": "debate.engines.scripted:ScriptedEngine",
    "simulated": "debate.engines.simulated:SimulatedEngine",
    "transformers": "debate.engines.transformers:TransformersEngine",
    "vllm": "debate.engines.vllm:VllmEngine",
}

_CAPABILITIES = {
    "calculator": Capabilities(needs_scene=True),
    "replay": Capabilities(needs_scene=True),
    "simulated": Capabilities(logprobs=True, scores=True, needs_scene=True, simulated=True),
    "transformers": Capabilities(logprobs=True, scores=True),
    "vllm": Capabilities(logprobs=True, scores=True, guided=True),
}


def capabilities(spec: ModelSpec) -> Capabilities:
    """What the engine of a spec can do, without loading it or anything that it needs.

    >>> capabilities(OpenaiModel(engine="openai", model="m", url="http://localhost/v1")).scores
    False
    """
    if isinstance(spec, OpenaiModel):
        return Capabilities(logprobs=spec.logprobs, guided=True)
    if isinstance(spec, ScriptedModel):
        return Capabilities(needs_scene=not isinstance(spec.replies, str))
    return _CAPABILITIES[spec.engine]


def build_engine(spec: ModelSpec, *, sharing: int = 1, adapters: tuple[str, ...] = ()) -> Engine:
    """The engine of a spec, not yet started. Only now is its library imported.

    `sharing` counts the models that take turns on its device, itself included; `adapters` are the
    folders of those that it serves beside the spec's own. Raises EngineError where the library is
    missing or cannot be imported.
    """
    module, name = _CLASSES[spec.engine].split(":")
    is_vllm = isinstance(spec, VllmModel)
    options = {"sharing": sharing, "adapters": adapters} if is_vllm else {}
    with boundary(EngineError, f"engine {spec.engine}"):
        built = getattr(import_module(module), name)(spec, **options)
    return cast(Engine, built)
