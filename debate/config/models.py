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

from debate.config.base import Spec
from debate.config.secrets import looks_like_key

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")

Probability = Annotated[float, Field(ge=0, le=1)]


class Price(Spec):
    """What tokens cost, in the user's currency per million."""

    prompt: NonNegativeFloat = 0.0
    """Price of a million prompt tokens."""
    generated: NonNegativeFloat = 0.0
    """Price of a million generated tokens."""


class ModelBase(Spec):
    """What every engine's model has."""

    host: Literal["actor", "driver"] = "actor"
    """Where the engine lives: in its own Ray actor, or in the driver's process."""
    replicas: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Copies of the model; requests that share a prefix go to the same copy."""
    gpus: NonNegativeFloat = 0
    """GPUs of each replica: a whole number, or a fraction of one."""
    cpus: NonNegativeFloat = 1
    """CPUs of each replica."""
    max_in_flight: PositiveInt = 256
    """Requests handed to one replica at a time."""
    timeout_s: PositiveFloat = 600.0
    """A request that takes longer than this many seconds fails."""
    max_restarts: Annotated[int, Field(ge=0)] = 3
    """How often a replica that died is started again before its requests fail."""
    price: Price | None = None
    """Token prices, for the cost in progress and reports."""


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


class OpenaiModel(ModelBase):
    """Any endpoint that speaks the OpenAI chat-completions protocol."""

    engine: Literal["openai"]
    model: str
    """The model's name at the endpoint."""
    url: str
    """The endpoint up to and including its version, as in `http://localhost:8000/v1`."""
    api_key_env: str | None = None
    """The environment variable that holds the key; the key itself is never written anywhere."""
    host: Literal["actor", "driver"] = "driver"
    """Where the client lives."""
    max_in_flight: PositiveInt = 256
    """Requests under way at once."""
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
        if name is not None and (not VARIABLE.fullmatch(name) or looks_like_key(name)):
            raise ValueError("name the environment variable, as in MY_KEY, never the key itself")
        return name


class SimulatedModel(ModelBase):
    """Opinion dynamics with known parameters; what it says is labelled simulated."""

    engine: Literal["simulated"]
    host: Literal["actor", "driver"] = "driver"
    """Where the simulation lives."""
    competence: Probability = 0.6
    """Probability that the opening answer is right, averaged over questions."""
    concentration: PositiveFloat = 4.0
    """Total prior weight of the Dirichlet opinion; lower is more opinionated."""
    num_wrong: PositiveInt = 3
    """Wrong answers that a number or text question can draw."""
    shared: Probability = 0.0
    """Share of questions whose opinion is common to all simulated models with equal `world`."""
    world: int = 0
    """Seed of what is shared between models."""
    conformity: NonNegativeFloat = 1.0
    """Weight of each heard answer of another agent in the opinion's update."""
    self_trust: NonNegativeFloat = 1.0
    """Weight of the agent's own heard answer in the update; above zero it entrenches."""
    drift: float = 0.0
    """Extra weight per round on the truth (negative: on errors); zero is a martingale."""
    confidence_noise: NonNegativeFloat = 0.0
    """Standard deviation of the stated confidence's error, in logits."""
    confidence_bias: float = 0.0
    """Shift of the stated confidence, in logits; above zero is over-confident."""
    discernment: NonNegativeFloat | None = None
    """As a critic, by how many logits P(true) lies above zero for right answers and below it for
    wrong ones; unset, P(true) is the agent's own belief in the answer."""
    leniency: float = 0.0
    """With `discernment`: logits added to P(true) of whatever the critic judges."""
    self_leniency: float = 0.0
    """With `discernment`: logits added where the critic judges an answer of its own."""
    judgement_noise: NonNegativeFloat = 1.0
    """With `discernment`: standard deviation of P(true)'s error, in logits."""
    latency_s: NonNegativeFloat = 0.0
    """Seconds until a reply."""
    parse_failure: Probability = 0.0
    """Probability of a reply without a readable answer."""
    failure: Probability = 0.0
    """Probability of an engine failure."""


class ScriptedModel(ModelBase):
    """Fixed answers, written beforehand."""

    engine: Literal["scripted"]
    host: Literal["actor", "driver"] = "driver"
    """Where the script is read out."""
    replies: dict[str, str | list[str]] | list[str] | str | None = None
    """One reply for everything; one per round; or by question id (`*` for the others)."""
    states: Literal["wrong", "right"] | None = None
    """Instead of `replies`: the right answer to each question, or one and the same wrong one."""
    latency_s: NonNegativeFloat = 0.0
    """Seconds until a reply."""

    @model_validator(mode="after")
    def _one_script(self) -> ScriptedModel:
        if (self.replies is None) == (self.states is None):
            raise ValueError("write what is said as exactly one of `replies` and `states`")
        return self


class ReplayModel(ModelBase):
    """A finished run's turns, given again."""

    engine: Literal["replay"]
    host: Literal["actor", "driver"] = "driver"
    """Where the log is read."""
    path: str
    """The run directory, relative to the file that names it."""
    agent: str | None = None
    """The recorded agent to speak as; by default the one that asks."""


class CalculatorModel(ModelBase):
    """An exact calculator for arithmetic questions: the tool that a debate can be anchored to."""

    engine: Literal["calculator"]
    host: Literal["actor", "driver"] = "driver"
    """Where it calculates."""


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
