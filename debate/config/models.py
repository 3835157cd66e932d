"""Models: which weights, behind which engine, on which hardware; and models without weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from debate.config.registry import RECORDED, CodeName, is_custom, list_entry_points
from debate.config.sandbox import SandboxSpec
from debate.config.secrets import is_secret_name, looks_like_key
from debate.config.spec import CUSTOM_TAG, Probability, Spec
from debate.config.urls import split_url

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
VARIABLE_IN_TEXT = re.compile(r"\$(?:\{([A-Za-z_]\w{0,99})\}|([A-Za-z_]\w{0,99}))")
"""An environment variable named in a text, as `$NAME` or `${NAME}`."""

DialectName = Literal[
    "auto",
    "openai",
    "azure",
    "vllm",
    "sglang",
    "llamacpp",
    "ollama",
    "lmstudio",
    "tgi",
    "together",
    "openrouter",
    "mistral",
    "anthropic",
    "gemini",
]


def check_variable(name: str | None) -> str | None:
    """Return the name of an environment variable. Raises ValueError where it is none, or a key."""
    if name is not None and (not _VARIABLE.fullmatch(name) or looks_like_key(name)):
        raise ValueError("name the environment variable, as in MY_KEY, never the key itself")
    return name


class TokenPrice(Spec):
    """What tokens cost, in US dollars per million tokens; another currency is printed as if it were
    dollars."""

    prompt: NonNegativeFloat = 0.0
    """US dollars for a million prompt tokens."""
    generated: NonNegativeFloat = 0.0
    """US dollars for a million generated tokens."""


class ModelBase(Spec):
    """What the models of all engines have in common."""

    host: Literal["actor", "driver"] = "actor"
    """Where the engine runs: in a Ray actor of its own (the default), or in the driver's
    process."""
    replicas: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Copies of the model; requests that share a prefix go to the same copy."""
    gpus: NonNegativeFloat = 0
    """GPUs of each replica: a whole number, or a fraction of one."""
    cpus: NonNegativeFloat = 1
    """CPUs of each replica."""
    max_in_flight: PositiveInt = 256
    """The most requests that one replica is given at a time."""
    timeout_s: PositiveFloat = 600.0
    """Seconds without any reply from a replica after which what it has in flight fails; for an
    endpoint, also the limit of each call."""
    max_restarts: Annotated[int, Field(ge=0)] = 3
    """How often a replica that died is started again before its requests fail."""
    max_failures: PositiveInt | None = 20
    """The most calls that may fail in a row, each after all its attempts, before the model is
    paused; what is about the request itself (too long, filtered) does not count. Null: no limit."""
    pause_s: PositiveFloat = 15.0
    """With `keep_going`: seconds until a paused model is tried again, doubled after each of six
    trials, when it is given up."""
    price: TokenPrice | None = None
    """Token prices, for the cost in progress and reports; by default no cost is shown."""


class DriverModel(ModelBase):
    """A model that needs no resources to speak of: by default it has no actor of its own."""

    host: Literal["actor", "driver"] = "driver"
    """Where the engine runs: in the driver's process (the default), or in a Ray actor of its
    own."""
    max_failures: PositiveInt | None = None
    """The most calls that may fail in a row before the model is paused; by default no limit."""


class LocalWeights(ModelBase):
    """A model whose weights this framework loads."""

    model: str | None = None
    """A Hugging Face hub id, an absolute folder, or the name of a fetched model (`debate models
    list`); exactly one of `model` and `path` is given."""
    path: str | None = None
    """A folder with the weights, or with engine `transformers` a GGUF file, relative to the file
    that names it."""
    adapter: str | None = None
    """A LoRA adapter's folder, relative to the file that names it; by default none. Models that are
    equal but for it share one loaded base."""
    template_options: dict[str, Any] = {}
    """Passed to the tokenizer's chat template by name, as in `enable_thinking: false`."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The weights' type in memory; `auto` is the type they are stored in."""
    revision: str | None = None
    """The branch, tag or commit of a hub id, such as an earlier checkpoint; by default the newest
    of its main branch."""

    @model_validator(mode="after")
    def _check_one_source(self) -> LocalWeights:
        if (self.model is None) == (self.path is None):
            raise ValueError("name the weights by exactly one of `model` (hub id) and `path`")
        if self.revision is not None and (self.path is not None or self.weights.startswith("/")):
            raise ValueError("`revision` is of a hub id; a folder is one revision, leave it out")
        return self

    @property
    def weights(self) -> str:
        """The hub id or folder to load."""
        return self.model or self.path or ""


class TransformersModel(LocalWeights):
    """Hugging Face transformers in one process, CPU or GPU, batched."""

    engine: Literal["transformers"]
    """Loads the weights with transformers."""
    device: str = "auto"
    """`cpu`, `cuda` or `cuda:N`; `auto`, the default, takes a GPU where there is one."""
    max_batch_size: PositiveInt = 64
    """The most requests in one forward pass."""
    threads: PositiveInt | None = None
    """Torch threads of a CPU replica; by default its share of the machine's cores."""
    engine_kwargs: dict[str, Any] = {}
    """Passed to `AutoModelForCausalLM.from_pretrained` untouched."""


class VllmModel(LocalWeights):
    """A vLLM engine in each replica."""

    engine: Literal["vllm"]
    """Loads the weights with vLLM."""
    gpus: NonNegativeFloat = 1
    """GPUs of each replica: a fraction of one, or a whole number, which is the tensor-parallel
    size."""
    engine_kwargs: dict[str, Any] = {}
    """Passed to vLLM's `AsyncEngineArgs` untouched."""

    @model_validator(mode="after")
    def _check_is_no_gguf(self) -> VllmModel:
        if self.weights.endswith(".gguf"):
            raise ValueError(
                "vLLM reads no GGUF file; make a folder of it with `debate models convert FILE "
                "FOLDER`, or take engine `transformers`"
            )
        return self


class OpenaiModel(DriverModel):
    """Any endpoint that speaks the OpenAI chat-completions protocol."""

    engine: Literal["openai"]
    """Calls an endpoint."""
    max_failures: PositiveInt | None = 20
    """The most calls that may fail in a row, each after all its attempts, before the model is
    paused; what is about the request itself (too long, filtered) does not count. Null: no limit."""
    model: str
    """The model's name at the endpoint."""
    url: str
    """The endpoint up to and including its version, as in `http://localhost:8000/v1`, or the whole
    address of its chat completions; a query is kept."""
    dialect: DialectName = "auto"
    """The kind of server, which decides what parameters are called and how constraints and
    log-probabilities are asked for; `auto`, the default, tells by the URL, the list of models or
    the first reply."""
    api_key_env: str | None = None
    """The environment variable that holds the key, which is never written anywhere; by default no
    key is sent."""
    requests_per_minute: PositiveFloat | None = None
    """The most requests in a minute; by default no limit."""
    retries: Annotated[int, Field(ge=0)] = 5
    """The number of further attempts after 429, 5xx, a time-out or a lost connection, with
    back-off."""
    logprobs: bool = True
    """Whether to ask for the log-probabilities of generated tokens."""
    scores: bool | Literal["auto"] = False
    """Whether candidate replies can be scored, as the probes `belief` and `p_true` do: by default
    not, `true` through the prompt log-probabilities of the server's `/completions`, `auto` where
    the dialect, given or told by the URL, has them."""
    chat_template: str | None = None
    """A file with the model's chat template (jinja), relative to the file that names it, by which
    prompts to score become text; by default the server is asked for their tokens."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    """How much a reasoning model is asked to reason; by default nothing is said of it."""
    roles: Literal["auto", "fold", "keep"] = "auto"
    """Whether the system text goes to the head of the first user message and repeated turns of one
    speaker are joined: once the endpoint has refused such roles (`auto`), always, or never."""
    headers: dict[str, str] = {}
    """Further headers of each request; `$NAME` in a value stands for an environment variable, which
    is never written anywhere."""
    proxy: str | None = None
    """The proxy to ask through, or `$NAME`; by default that of the environment (`HTTPS_PROXY`,
    `NO_PROXY`), and none for the machine itself."""
    ca_file: str | None = None
    """A file with certificates to trust besides the system's, relative to the file that names
    it."""
    extra_body: dict[str, Any] = {}
    """Added to each request's JSON untouched."""

    def list_variables(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """List the environment variables that it sends: the field that names each, and its name."""
        key = [] if self.api_key_env is None else [(("api_key_env",), self.api_key_env)]
        texts: list[tuple[tuple[str, ...], str]] = [
            (("headers", name), value) for name, value in self.headers.items()
        ]
        if self.proxy is not None:
            texts.append((("proxy",), self.proxy))
        named = [
            (field, match[1] or match[2])
            for field, text in texts
            for match in VARIABLE_IN_TEXT.finditer(text)
        ]
        return (*key, *named)

    @field_validator("url")
    @classmethod
    def _check_is_url(cls, url: str) -> str:
        split_url(url)
        return url

    @field_validator("api_key_env")
    @classmethod
    def _check_is_variable(cls, name: str | None) -> str | None:
        return check_variable(name)

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not value.isprintable():
                raise ValueError(f'"{name}" is no header; write it as in `X-Team: debate`')
            if not VARIABLE_IN_TEXT.search(value) and (
                is_secret_name(name) or any(map(looks_like_key, value.split()))
            ):
                raise ValueError(
                    f"{name}: name an environment variable, as in $MY_KEY, never the key itself"
                )
        return headers


class SimulatedModel(DriverModel):
    """Opinion dynamics with known parameters; what it says is labelled simulated."""

    engine: Literal["simulated"]
    """Draws replies from simulated opinions."""
    competence: Probability = 0.6
    """Probability that the opening answer is right, averaged over questions."""
    concentration: PositiveFloat = 4.0
    """Total prior weight of the Dirichlet opinion; lower is more opinionated."""
    num_wrong: PositiveInt = 3
    """The number of wrong answers that a number or text question can draw."""
    shared: Probability = 0.0
    """Share of questions on which all simulated models with equal `world` have one opinion."""
    world: int = 0
    """Seed of what models share."""
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
    ownership_shift: float = 0.0
    """With `discernment`: logits between being told that an answer is one's own and being told
    that it is another's; half is added for the one, half taken off for the other."""
    familiarity: float = 0.0
    """With `discernment`: logits added for each nat by which the agent finds the answer likelier,
    by its mean log-probability for a character."""
    judgement_noise: NonNegativeFloat = 1.0
    """With `discernment`: standard deviation of P(true)'s error, in logits."""
    latency_s: NonNegativeFloat = 0.0
    """Seconds until a reply comes."""
    parse_failure: Probability = 0.0
    """Probability of a reply without a readable answer."""
    failure: Probability = 0.0
    """Probability of an engine failure."""


ScriptedReplies = str | list[str | list[str]]
"""One reply, or one for each round; one in parts is a list."""


class ScriptedModel(DriverModel):
    """Fixed replies, written beforehand."""

    engine: Literal["scripted"]
    """Gives fixed replies."""
    replies: dict[str, ScriptedReplies] | ScriptedReplies | None = None
    """One reply for everything, a list with one for each round, or either by question id (`*` for
    the others); exactly one of `replies` and `states` is given. A list in place of a round's reply
    holds the replies of one turn: the first, and those after the use of a tool."""
    states: Literal["wrong", "right"] | None = None
    """Instead of `replies`: the right answer to each question, or one and the same wrong one."""
    latency_s: NonNegativeFloat = 0.0
    """Seconds until a reply comes."""

    @model_validator(mode="after")
    def _check_one_script(self) -> ScriptedModel:
        if (self.replies is None) == (self.states is None):
            raise ValueError("write what is said as exactly one of `replies` and `states`")
        return self


class ReplayModel(DriverModel):
    """A finished run's turns, given again."""

    engine: Literal["replay"]
    """Gives the turns of a finished run."""
    path: str
    """The run directory, relative to the file that names it."""
    agent: str | None = None
    """The recorded agent to speak as; by default the one that asks."""


class CalculatorModel(DriverModel):
    """An exact calculator for arithmetic questions: the tool that a debate can be anchored to."""

    engine: Literal["calculator"]
    """Calculates."""


class PythonModel(DriverModel):
    """Runs the Python in what it reviews, or in the question: a tool that shows what code does."""

    engine: Literal["python"]
    """Runs code in a sandbox."""
    code: SandboxSpec = SandboxSpec()
    """Where code runs, and what each program may take."""


class CheckerModel(DriverModel):
    """The exact scorer as a critic: an anchor that knows the right answers. It says whether an
    answer is right, never what would be; where it is asked for an answer, it abstains."""

    engine: Literal["checker"]
    """Checks answers by the task's own scoring."""


class OracleModel(DriverModel):
    """A critic of set errors that knows the right answers, or a user who corrects: the dial for how
    good an anchor must be. What it says is labelled simulated.

    Its errors are drawn by seed, question and the answer that it judges, whatever the round."""

    engine: Literal["oracle"]
    """Draws verdicts with set error rates."""
    coverage: Probability = 1.0
    """Share of questions that it knows anything about; on the others it gives no verdict, whatever
    the answer. Of a user who corrects, this is the reliability."""
    false_accept: Probability = 0.0
    """Probability that a wrong answer is accepted."""
    false_reject: Probability = 0.0
    """Probability that a right answer is rejected."""
    redraw: bool = False
    """Whether each verdict is drawn anew; by default the same answer to a question gets the same
    verdict however often it is asked, so that asking again tells nothing."""
    states_answer: bool = False
    """Whether it also states an answer: the one that it accepts, or, where it rejects one, what it
    takes for right instead (the target; if it rejects a right answer, a wrong one). Asked for an
    answer of its own, it then states the target of the questions that it covers."""
    latency_s: NonNegativeFloat = 0.0
    """Seconds until a reply comes."""


class HumanModel(DriverModel):
    """A person, who is asked in the terminal of the run, or on a page that it serves."""

    engine: Literal["human"]
    """Asks a person. All agents of one person name one model."""
    host: Literal["actor", "driver"] = "driver"
    """A person is asked by the run's own process; `actor` is refused."""
    via: Literal["terminal", "web"] = "terminal"
    """Where the person is asked: in the terminal of `debate run`, or on a page in a browser."""
    timeout_s: PositiveFloat = 86_400.0
    """Seconds without any reply from the person after which the turns that wait for one fail."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8765
    """With `via: web`: the port of the page; 0 takes one that is free."""
    address: str = "127.0.0.1"
    """With `via: web`: the address of this machine that the page is served at; by default only
    browsers on the machine itself reach it."""
    hosts: tuple[str, ...] = ()
    """With `via: web`: further names under which browsers may ask for the page, such as that of
    this machine in a network; by default `localhost` and `address`."""
    token_env: str | None = None
    """With `via: web`: the environment variable that holds the token of the page's link; by default
    one is drawn, and each link works once."""

    @model_validator(mode="after")
    def _check_place(self) -> HumanModel:
        if self.host != "driver":
            raise ValueError("a person is asked by the run's own process; leave out `host`")
        if self.replicas != 1:
            raise ValueError("there is one of each person; leave out `replicas`")
        return self

    @field_validator("token_env")
    @classmethod
    def _check_is_variable(cls, name: str | None) -> str | None:
        return check_variable(name)


class CustomModel(DriverModel):
    """A model behind an engine of an installed package's or of the user's own."""

    code_fields = {"engine": "engines"}

    engine: Annotated[str, CodeName("engines")]
    """The engine: its name in an installed package, or `module.Class`."""
    max_failures: PositiveInt | None = 20
    """The most calls that may fail in a row before the model is paused. Null: no limit."""
    options: dict[str, Any] = {}
    """Given to the class as arguments by name."""

    @model_validator(mode="before")
    @classmethod
    def _check_known(cls, value: Any, info: ValidationInfo) -> Any:
        engine = _get_engine(value)
        if info.context is RECORDED or is_custom("engines", engine):
            return value
        known = sorted({*ENGINES, *list_entry_points("engines")})
        expected = ", ".join(map(repr, known))
        context = {"discriminator": "'engine'", "tag": engine, "expected_tags": expected}
        raise PydanticKnownError("union_tag_invalid", context)


OwnModel = Annotated[
    TransformersModel
    | VllmModel
    | OpenaiModel
    | SimulatedModel
    | ScriptedModel
    | ReplayModel
    | CalculatorModel
    | PythonModel
    | CheckerModel
    | OracleModel
    | HumanModel,
    Field(discriminator="engine"),
]
ENGINES: Mapping[str, type[ModelBase]] = MappingProxyType(
    {
        get_args(spec.model_fields["engine"].annotation)[0]: spec
        for spec in get_args(get_args(OwnModel)[0])
    }
)
"""The specs of this package's engines, by name."""


OWN_TAG = "engine of this package"


def _get_engine(value: Any) -> Any:
    return value.get("engine") if isinstance(value, Mapping) else getattr(value, "engine", None)


def _get_model_tag(value: Any) -> str:
    engine = _get_engine(value)
    return CUSTOM_TAG if isinstance(engine, str) and engine not in ENGINES else OWN_TAG


ModelSpec = Annotated[
    Annotated[OwnModel, Tag(OWN_TAG)] | Annotated[CustomModel, Tag(CUSTOM_TAG)],
    Discriminator(_get_model_tag),
]
