"""The protocol that every engine speaks, and the completions that all engines make alike."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast, runtime_checkable

from debate.engines.human.reply_form import ReplyForm
from debate.types import AgentId, Failure, Kind, Message, Question, Turn, Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """Sampling parameters under vLLM's names. `extra` passes through to the backend untouched.

    A temperature, `top_p` or `max_tokens` of None is left to the backend.
    """

    temperature: float | None = 0.0
    top_p: float | None = 1.0
    top_k: int | None = None
    max_tokens: int | None = 512
    stop: tuple[str, ...] = ()
    seed: int | None = None
    extra: tuple[tuple[str, Any], ...] = ()


def resolve_sampling(sampling: Sampling) -> Sampling:
    """Return the sampling with a temperature and `top_p` of 1 where they are left to the engine."""
    temperature = 1.0 if sampling.temperature is None else sampling.temperature
    top_p = 1.0 if sampling.top_p is None else sampling.top_p
    return replace(sampling, temperature=temperature, top_p=top_p)


@dataclass(frozen=True, kw_only=True, slots=True)
class Guided:
    """A constraint on the generated text: one of `choice`, or a match of `regex`."""

    choice: tuple[str, ...] = ()
    regex: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DebateState:
    """The debate behind a prompt, for simulated agents. No language model ever sees it.

    `question` holds its target. `turns` are the turns of this debate that the agent has made or
    heard, oldest first; `heard` names those that it hears now, `withheld` those whose answer the
    edge kept back. `subject` is the turn under critique or in question, and `told_own` whether a
    critic is told that it is its own, None where it is told nothing of whose it is.
    """

    question: Question
    seed: int
    round: int
    kind: Kind
    agent: AgentId
    about: str | None = None
    subject: Turn | None = None
    heard: tuple[str, ...] = ()
    withheld: frozenset[str] = frozenset()
    turns: tuple[Turn, ...] = ()
    told_own: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One call. With `candidates`, score each as a continuation instead of generating.

    `prefill` is the beginning of the assistant's reply, to be continued. `affinity` is equal for
    requests that share a prompt prefix, so that one replica can serve them. `debate_state` is
    filled only for engines whose capabilities ask for it. With `is_preflight` it is the trial call
    before a run, which is to fail early rather than to be tried for long. `tools` names what the
    reply may use, and `part` counts the replies of its turn that did so before. `form`, filled only
    for engines that ask a person, says what the reply is to hold and how it would be read.
    """

    id: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    prefill: str = ""
    candidates: tuple[str, ...] = ()
    guided: Guided | None = None
    affinity: str = ""
    debate_state: DebateState | None = field(default=None, repr=False)
    is_preflight: bool = False
    tools: tuple[str, ...] = ()
    part: int = 0
    form: ReplyForm | None = field(default=None, repr=False, compare=False)


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
    for why the reply ended. `reasoning` is what the model wrote for itself before the reply, and
    is no part of `text`; where the reply ended inside it, `is_reasoning_open` is set. `notes` say
    what was done otherwise than asked. `served_by` is what an endpoint calls its model, and its
    fingerprint after a space. With a `failure` nothing else is meaningful.
    """

    id: str
    text: str = ""
    tokens: tuple[Token, ...] | None = None
    candidate_log_p: tuple[float, ...] | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    failure: Failure | None = None
    reasoning: str | None = None
    is_reasoning_open: bool = False
    notes: tuple[str, ...] = ()
    served_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """The capabilities of an engine; a config that needs more is refused before anything starts.

    One that `knows_truth` is no model: it is told whether the answers that it judges are right.
    """

    logprobs: bool = False
    scores: bool = False
    guided: bool = False
    needs_debate_state: bool = False
    simulated: bool = False
    knows_truth: bool = False
    human: bool = False
    reads_owner: bool = False
    """Whether what a critic is told of whose an answer is stands in its debate state."""


@runtime_checkable
class Engine(Protocol):
    """A model that completes requests. Built from a spec inside the process that hosts it.

    A custom engine is a class, to which `options:` of the model are given as arguments by name.
    Its `capabilities` stand on the class, so that they are known before anything is built. The
    constructor loads nothing; `start` does. A process hosts one object of it for each replica, and
    `complete` is called with lists of requests while earlier ones are still under way;
    `complete_concurrently` makes it from a coroutine function for one request.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this engine."""

    async def start(self) -> None:
        """Load the model. Raises EngineError with the cause in words."""

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield lists of finished completions, in any order, each request exactly once.

        A request that fails yields a completion with a `failure`; it stops no other.
        """

    async def close(self) -> None:
        """Free the model and what it holds."""


@runtime_checkable
class SupportsAdapters(Protocol):
    """An engine that holds several adapters of its model side by side."""

    def complete_with(
        self, adapter: str, requests: Sequence[Request]
    ) -> AsyncIterator[Sequence[Completion]]:
        """Do the same as `complete`, by the adapter in this folder."""


@runtime_checkable
class SupportsSleep(Protocol):
    """An engine that can free its device and keep what makes coming back quick."""

    async def sleep(self) -> None:
        """Free the device. No request is in flight, and none comes until `wake`."""

    async def wake(self) -> None:
        """Take the device again."""


@runtime_checkable
class SupportsFacts(Protocol):
    """An engine that can say what its replies depend on besides its weights and settings."""

    def describe(self) -> Mapping[str, str]:
        """Return facts by name, such as versions, kernels and types; called once it has started."""


def describe_engine(engine: object) -> tuple[tuple[str, str], ...]:
    """Return what an engine says of itself; nothing for one that says nothing."""
    return tuple(sorted(engine.describe().items())) if isinstance(engine, SupportsFacts) else ()


@runtime_checkable
class SupportsPrefixCache(Protocol):
    """An engine that keeps the beginnings of prompts in a cache."""

    async def reset_prefix_cache(self) -> None:
        """Empty the prefix cache. No request is in flight."""


def complete_with_adapter(
    engine: Engine, requests: Sequence[Request], adapter: str | None
) -> AsyncIterator[Sequence[Completion]]:
    """Complete requests by an adapter; without one, by the model that the engine was built as."""
    if adapter is None:
        return engine.complete(requests)
    return cast("SupportsAdapters", engine).complete_with(adapter, requests)


async def try_reset_prefix_cache(engine: object) -> bool:
    """Empty the engine's prefix cache, if it has one. Returns whether it has."""
    if not isinstance(engine, SupportsPrefixCache):
        return False
    await engine.reset_prefix_cache()
    return True


def fail_request(request: Request, place: str, message: str) -> Completion:
    """Return the completion of a request that failed at `place`.

    >>> fail_request(Request(id="1", messages=()), "adder", "out of memory").failure.message
    'out of memory'
    """
    return Completion(id=request.id, failure=Failure(boundary=place, message=message))


def refuse_unsupported(
    request: Request, capabilities: Capabilities, place: str
) -> Completion | None:
    """Return a failed completion if the request asks for what the engine cannot do, else None."""
    if request.candidates and not capabilities.scores:
        return fail_request(request, place, "this engine cannot score candidates")
    if request.guided is not None and not capabilities.guided:
        return fail_request(request, place, "this engine cannot constrain what it generates")
    if capabilities.needs_debate_state and request.debate_state is None:
        message = "this engine needs the debate behind the prompt, and the request has none"
        return fail_request(request, place, message)
    return None


def align_tokens(
    texts: Sequence[str], log_p: Sequence[float], text: str
) -> tuple[Token, ...] | None:
    """Return tokens whose texts join to `text` exactly; None where `texts` spell another one.

    A server's tokens may run on past the text, by a stop string or the end of the turn. They are
    cut where the text ends.

    >>> [token.text for token in align_tokens(["93", "6\\n", "<end>"], [-0.1, -0.2, -0.3], "936")]
    ['93', '6']
    """
    if not "".join(texts).startswith(text):
        return None
    kept, left = [], len(text)
    for piece, each in zip(texts, log_p, strict=True):
        if left == 0:
            break
        kept.append(Token(text=piece[:left], log_p=each))
        left -= len(kept[-1].text)
    return tuple(kept)


def decode_utf8_chunks(chunks: Iterable[bytes]) -> list[str]:
    """Decode chunks of UTF-8; a character belongs to the chunk that completes it.

    >>> decode_utf8_chunks([b"a", b"\\xc3", b"\\xa9!"])
    ['a', '', 'é!']
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return [decoder.decode(chunk) for chunk in chunks]


class CompletionClient(Protocol):
    """A client that puts requests to one model."""

    async def complete(self, request: Request) -> Completion:
        """Return the reply to one request; a failure is data."""


async def complete_concurrently(
    requests: Sequence[Request], complete_one: Callable[[Request], Awaitable[Completion]]
) -> AsyncIterator[list[Completion]]:
    """Complete every request in a task of its own; yield lists of those that have finished.

    An exception becomes a failed completion. Closing the iterator early cancels what is unfinished.
    """
    finished: asyncio.Queue[Completion] = asyncio.Queue()

    async def run(request: Request) -> None:
        try:
            completion = await complete_one(request)
        except Exception as cause:
            completion = fail_request(request, "engine", f"{type(cause).__name__}: {cause}")
        finished.put_nowait(completion)

    tasks = [asyncio.create_task(run(request)) for request in requests]
    try:
        num_left = len(tasks)
        while num_left:
            batch = await drain_queue(finished)
            num_left -= len(batch)
            yield batch
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def drain_queue(finished: asyncio.Queue[Completion]) -> list[Completion]:
    """Wait for one completion at least, and return it with all others that are there."""
    batch = [await finished.get()]
    while not finished.empty():
        batch.append(finished.get_nowait())
    return batch
