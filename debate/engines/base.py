"""What every engine speaks: requests in, lists of finished completions out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from debate.types import AgentId, Failure, Kind, Message, Question, Turn, Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How to sample, under vLLM's names. `extra` passes through to the backend untouched."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int | None = None
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    seed: int | None = None
    extra: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Guided:
    """A constraint on the generated text: one of `choice`, or a match of `regex`."""

    choice: tuple[str, ...] = ()
    regex: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What a simulated agent needs and a real engine must never see: the debate behind the prompt.

    `turns` are the turns of this debate that the agent has made or heard, oldest first; `heard`
    names those that it hears now. `subject` is the turn under critique or in question.
    """

    question: Question
    seed: int
    round: int
    kind: Kind
    agent: AgentId
    about: str | None = None
    subject: Turn | None = None
    heard: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One call. With `candidates`, score each as a continuation instead of generating.

    `prefill` is the beginning of the assistant's reply, to be continued. `affinity` is equal for
    requests that share a prompt prefix, so that one replica can serve them. `scene` is filled only
    for engines whose capabilities ask for it.
    """

    id: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    prefill: str = ""
    candidates: tuple[str, ...] = ()
    guided: Guided | None = None
    affinity: str = ""
    scene: Scene | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A generated token: its text and its log-probability (nats) under the model, temperature 1."""

    text: str
    log_p: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """The answer to one request, under the same id.

    `tokens` is None where the backend gives no log-probabilities; joined, their texts are `text`.
    `candidate_log_p` (nats, summed over each candidate's tokens) runs parallel to
    `Request.candidates`. `finish_reason` is `stop`, `length`, `refusal`, or the engine's own word
    for why the reply ended. With a `failure` nothing else is meaningful.
    """

    id: str
    text: str = ""
    tokens: tuple[Token, ...] | None = None
    candidate_log_p: tuple[float, ...] | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What an engine can do; a config that asks for more is refused before anything starts."""

    logprobs: bool = False
    scores: bool = False
    guided: bool = False
    needs_scene: bool = False
    simulated: bool = False


@runtime_checkable
class Engine(Protocol):
    """A model that completes requests. Built from a spec inside the process that hosts it."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""

    async def start(self) -> None:
        """Load the model. Raises EngineError with the cause in words."""

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield lists of finished completions, in any order, each request exactly once.

        A request that fails yields a completion with a `failure`; it stops no other.
        """

    async def close(self) -> None:
        """Free the model and what it holds."""
