"""An engine that can be constrained: it works without stating an answer, and keeps what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from debate.engines.base import (
    Capabilities,
    Completion,
    Request,
    Token,
    complete_concurrently,
    fail_request,
)
from debate.types import Usage

MUMBLE = "I have looked at it from all sides."


class Mumbler:
    """Says `reply` to what is asked, and `line` where its final line is asked for.

    A `line` of None fails. `ends` is why a reply ends, `line_ends` why a line does. Where there is
    a `thought`, a reply ends inside it.
    """

    capabilities = Capabilities(logprobs=True, guided=True)
    requests: ClassVar[list[Request]] = []

    def __init__(
        self,
        *,
        reply: str = MUMBLE,
        line: str | None = "4",
        ends: str = "stop",
        line_ends: str = "stop",
        thought: str | None = None,
    ) -> None:
        self._reply, self._line = reply, line
        self._ends, self._line_ends = ends, line_ends
        self._thought = thought

    async def start(self) -> None:
        """Load nothing."""

    async def close(self) -> None:
        """Free nothing."""

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        return complete_concurrently(requests, self._complete_one)

    async def _complete_one(self, request: Request) -> Completion:
        Mumbler.requests.append(request)
        if is_line(request):
            if self._line is None:
                return fail_request(request, "mumbler", "out of breath")
            return _say(request, self._line, self._line_ends, prompt_tokens=30)
        said = _say(request, self._reply, self._ends, prompt_tokens=20)
        return replace(said, reasoning=self._thought, is_reasoning_open=self._thought is not None)


def _say(request: Request, text: str, ends: str, *, prompt_tokens: int) -> Completion:
    usage = Usage(prompt_tokens=prompt_tokens, cached_tokens=0, generated_tokens=len(text))
    tokens = (Token(text=text, log_p=-0.1),)
    return Completion(id=request.id, text=text, tokens=tokens, finish_reason=ends, usage=usage)


def is_line(request: Request) -> bool:
    """Whether a final line is asked for."""
    return request.id.endswith("/final_line")


def mumbler(name: str, *, seat: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """A seat of it, in this process."""
    model = {"engine": "tests.reading.guided.Mumbler", "options": options, "host": "driver"}
    return {"id": name, "model": model, **(seat or {})}
