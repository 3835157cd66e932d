"""The engine that asks a person: every request waits in a queue until its reply is handed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from debate.config.models import HumanModel
from debate.engines.base import (
    Capabilities,
    Completion,
    Request,
    complete_concurrently,
    refuse_unsupported,
)
from debate.engines.human.human_queue import HumanQueue
from debate.engines.human.reply_form import WaitingTurn
from debate.engines.registry import get_capabilities
from debate.types import Usage

NOTHING_SPENT = Usage(prompt_tokens=0, cached_tokens=0, generated_tokens=0)


class HumanFront(Protocol):
    """A front that shows the turns of a queue to a person and hands in the replies."""

    @property
    def place(self) -> str:
        """Where the person can answer, in words or as a link."""

    async def start(self) -> None:
        """Begin to show turns. Raises ModelRefused where it cannot be done here."""

    async def close(self) -> None:
        """Show nothing any more."""


MakeFront = Callable[[HumanModel, HumanQueue], HumanFront]


def make_front(spec: HumanModel, queue: HumanQueue) -> HumanFront:
    """Make the front that the spec names."""
    if spec.via == "web":
        from debate.engines.human.human_web import WebFront

        return WebFront(spec, queue)
    from debate.engines.human.human_terminal import TerminalFront

    return TerminalFront(queue)


class HumanEngine:
    """Asks a person, one turn after the other; a reply takes no tokens.

    A turn that is given up, by a time-out or because a quorum goes on without it, leaves the queue.
    """

    def __init__(self, spec: HumanModel, make_front: MakeFront = make_front) -> None:
        self.spec = spec
        self._make_front = make_front
        self._queue = HumanQueue()
        self._front: HumanFront | None = None

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of a person."""
        return get_capabilities(self.spec)

    async def start(self) -> None:
        """Open the front. Raises ModelRefused where nobody can be asked by it here."""
        self._queue = HumanQueue()
        front = self._make_front(self.spec, self._queue)
        await front.start()
        self._front = front

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield the replies as they are handed in."""
        return complete_concurrently(requests, self._ask)

    async def close(self) -> None:
        """Close the front."""
        front, self._front = self._front, None
        if front is not None:
            await front.close()

    def describe(self) -> Mapping[str, str]:
        """Return by which front the person was asked."""
        return {"via": self.spec.via}

    def list_waiting(self) -> Sequence[WaitingTurn]:
        """List the turns that wait for the person, the next one first."""
        place = self._front.place if self._front is not None else ""
        return [
            WaitingTurn(
                agent=turn.state.agent,
                question=turn.question.id,
                what=turn.what,
                round=turn.state.round,
                since=turn.since,
                place=place,
            )
            for turn in self._queue.waiting
        ]

    async def _ask(self, request: Request) -> Completion:
        refused = refuse_unsupported(request, self.capabilities, "human")
        if refused is not None:
            return refused
        text = await self._queue.ask(request)
        return Completion(id=request.id, text=text, finish_reason="stop", usage=NOTHING_SPENT)
