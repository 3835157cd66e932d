"""Which weights, behind which engine, on which hardware."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from debate.config.model_base import DriverModel, ModelBase
from debate.config.secrets import looks_like_key
from debate.config.weightless import CalculatorModel, ReplayModel, ScriptedModel, SimulatedModel

__all__ = [
    "CalculatorModel",
    "LocalWeights",
    "ModelBase",
    "ModelSpec",
    "OpenaiModel",
    "ReplayModel",
    "ScriptedModel",
    "SimulatedModel",
    "TransformersModel",
    "VllmModel",
]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class LocalWeights(ModelBase):
    """A model whose weights this framework loads."""

    model: str | None = None
    """A hub id or an absolute folder."""
    path: str | None = None
    """A folder, relative to the file that names it."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The weights' type in memory."""

    @model_validator(mode="after")
    def _one_source(self) -> LocalWeights:
        if (self.model is None) == (self.path is None):
            raise ValueError("name the weights by exactly one of `model` (hub id) and `path`")
        return self

    @property
    def weights(self) -> str:
        """The hub id or folder to load."""
        return self.model or self.path or ""


class TransformersModel(LocalWeights):
    """Hugging Face transformers in one process, CPU or GPU, batched."""

    engine: Literal["transformers"]
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
    max_batch_size: PositiveInt = 64
    """Requests in one forward pass."""
    threads: PositiveInt | None = None
    """Torch threads of a CPU replica; by default its share of the machine's cores."""
    engine_kwargs: dict[str, Any] = {}
    """Passed to `AutoModelForCausalLM.from_pretrained` untouched."""


class VllmModel(LocalWeights):
    """vLLM's AsyncLLM."""

    engine: Literal["vllm"]
    gpus: NonNegativeFloat = 1
    """GPUs of each replica; with more than one, the tensor-parallel size."""
    adapter: str | None = None
    """A LoRA adapter's folder, relative to the file that names it."""
    engine_kwargs: dict[str, Any] = {}
    """Passed to vLLM's `AsyncEngineArgs` untouched."""


class OpenaiModel(DriverModel):
    """Any endpoint that speaks the OpenAI chat-completions protocol."""

    engine: Literal["openai"]
    model: str
    """The model's name at the endpoint."""
    url: str
    """The endpoint up to and including its version, as in `http://localhost:8000/v1`."""
    api_key_env: str | None = None
    """The environment variable that holds the key; the key itself is never written anywhere."""
    requests_per_minute: PositiveFloat | None = None
    """A ceiling on the rate of requests."""
    retries: Annotated[int, Field(ge=0)] = 5
    """Further attempts after 429, 5xx, a time-out or a lost connection, with back-off."""
    logprobs: bool = True
    """Ask for the log-probabilities of generated tokens."""
    extra_body: dict[str, Any] = {}
    """Added to each request's JSON untouched."""

    @field_validator("api_key_env")
    @classmethod
    def _a_variable(cls, name: str | None) -> str | None:
        if name is not None and (not _VARIABLE.fullmatch(name) or looks_like_key(name)):
            raise ValueError("name the environment variable, as in MY_KEY, never the key itself")
        return name


ModelSpec = Annotated[
    TransformersModel
    | VllmModel
    | OpenaiModel
    | SimulatedModel
    | ScriptedModel
    | ReplayModel
    | CalculatorModel,
    Field(discriminator="engine"),
]
