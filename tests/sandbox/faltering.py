"""An engine that uses a tool in each turn, tells what its calls took, and may fail after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from debate.engines.base import (
    Capabilities,
    Completion,
    Request,
    Token,
    complete_concurrently,
    fail_request,
)
from debate.types import Usage

ASKS = "```calculator\n37*24\n```"


class Faltering:
    """Asks for a calculation, then fails as often as `failures` says, then answers."""

    capabilities = Capabilities(logprobs=True)
    failures: ClassVar[int] = 0
    requests: ClassVar[list[Request]] = []

    async def start(self) -> None:
        """Load nothing."""

    async def close(self) -> None:
        """Free nothing."""

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        return complete_concurrently(requests, self._complete_one)

    async def _complete_one(self, request: Request) -> Completion:
        Faltering.requests.append(request)
        if request.part and Faltering.failures:
            Faltering.failures -= 1
            return fail_request(request, "faltering", "out of breath")
        text = "Answer: 888" if request.part else ASKS
        usage = Usage(prompt_tokens=len(request.messages), cached_tokens=0, generated_tokens=7)
        tokens = (Token(text=text, log_p=-0.1),)
        return Completion(
            id=request.id, text=text, tokens=tokens, finish_reason="stop", usage=usage
        )
