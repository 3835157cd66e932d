"""An engine that keeps what passes through another: each request with its completion."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from debate.config.models import OpenaiModel, TransformersModel, VllmModel
from debate.engines.base import Capabilities, Completion, Request
from debate.engines.registry import build_engine
from debate.types import Message

SPECS = {"openai": OpenaiModel, "transformers": TransformersModel, "vllm": VllmModel}


class Asked(NamedTuple):
    """What a model is asked, whichever debate it comes from: equal prompts are equal here."""

    messages: tuple[Message, ...]
    prefill: str
    candidates: tuple[str, ...]


class Exchange(NamedTuple):
    """A request and what came back."""

    request: Request
    completion: Completion


Tape = dict[Asked, Exchange]
TAPES: dict[str, Tape] = {}
"""What was recorded in this process, by the name of the tape."""


class RecordingEngine:
    """The engine of `spec`, whose exchanges go to a tape."""

    capabilities = Capabilities(logprobs=True, scores=True)

    def __init__(self, *, spec: Mapping[str, Any], tape: str) -> None:
        self._engine = build_engine(SPECS[spec["engine"]](**spec))
        self._tape = TAPES.setdefault(tape, {})

    async def start(self) -> None:
        """Start the engine."""
        await self._engine.start()

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Complete by the engine, and keep both sides."""
        by_id = {request.id: request for request in requests}
        async for completions in self._engine.complete(requests):
            for completion in completions:
                request = by_id[completion.id]
                asked = Asked(request.messages, request.prefill, request.candidates)
                self._tape[asked] = Exchange(request, completion)
            yield completions

    async def close(self) -> None:
        """Close the engine."""
        await self._engine.close()
