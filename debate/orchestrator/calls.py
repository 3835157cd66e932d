"""From a request to a turn on disk: recorded, shared with another cell, or computed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from debate.engines.base import Completion, Request
from debate.errors import EngineError
from debate.types import DebateKey, Turn, Verdict


class Client(Protocol):
    """A model's queue."""

    async def complete(self, request: Request) -> Completion:
        """The reply to one request; a failure is data."""


class Log(Protocol):
    """The part of a run log that a debate needs."""

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """The debate's finished turns by their ref."""

    async def append(self, turn: Turn) -> None:
        """Return when the turn is on disk."""

    async def append_verdict(self, verdict: Verdict) -> None:
        """Return when the verdict is on disk."""


class Cache(Protocol):
    """Turns of other runs by the digest of their call."""

    def get(self, digest: str) -> Turn | None:
        """What this call has given before."""

    def put(self, digest: str, turn: Turn) -> None:
        """Keep what this call gave."""


class Watcher(Protocol):
    """Who is told what happens, for progress."""

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """A turn counts: computed now, or found in the log."""

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """A debate is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A turn about to be taken: its place, the digest of its calls, and what it hears."""

    turn: Turn
    digest: str
    compute: Callable[[Turn], Awaitable[Turn]]


@dataclass(kw_only=True)
class Calls:
    """Takes turns for all cells of one question and seed, each call made and paid once.

    A recorded turn stands if its prompt's hash is the same and nothing that it heard was
    recomputed. A call that another cell has made with the same content is shared, not repeated.
    """

    clients: Mapping[str, Client]
    log: Log
    watcher: Watcher
    cache: Cache | None = None
    stale: list[str] = field(default_factory=list)
    _recorded: dict[DebateKey, dict[str, Turn]] = field(default_factory=dict)
    _shared: dict[str, asyncio.Task[Turn]] = field(default_factory=dict)
    _recomputed: set[tuple[str, str]] = field(default_factory=set)

    def recorded(self, debate: DebateKey, ref: str) -> Turn | None:
        """The finished turn that the log has under this name; None where it failed or is absent."""
        if debate not in self._recorded:
            self._recorded[debate] = self.log.recorded(debate)
        turn = self._recorded[debate].get(ref)
        return None if turn is None or turn.failure is not None else turn

    async def take(self, draft: Draft) -> Turn:
        """The turn, on disk."""
        blank = draft.turn
        old = self.recorded(blank.debate, blank.ref)
        stands = old is not None and old.prompt_hash == draft.digest and not self._heard_new(blank)
        if old is not None and stands:
            self._shared.setdefault(draft.digest, asyncio.ensure_future(_done(old)))
            self.watcher.on_turn(old, replayed=True)
            return old
        if old is not None:
            self.stale.append(f"{blank.cell}/{blank.question}/{blank.seed}/{blank.ref}")
        self._recomputed.add((blank.cell, blank.ref))
        turn = await self._compute(draft)
        await self.log.append(turn)
        self.watcher.on_turn(turn, replayed=False)
        return turn

    def _heard_new(self, blank: Turn) -> bool:
        return any((blank.cell, ref) in self._recomputed for ref in blank.heard)

    async def _compute(self, draft: Draft) -> Turn:
        """The turn: another cell's identical call, another run's, or a call made now."""
        blank = replace(draft.turn, prompt_hash=draft.digest, started_at=time.time())
        known = self._shared.get(draft.digest)
        if known is not None:
            other = await asyncio.shield(known)
            return _placed(other, blank, other.shared_with or f"{other.cell}:{other.ref}")
        cached = self.cache.get(draft.digest) if self.cache else None
        if cached is not None:
            turn = _placed(cached, blank, "cache")
            self._shared[draft.digest] = asyncio.ensure_future(_done(turn))
            return turn
        own = asyncio.ensure_future(draft.compute(blank))
        self._shared[draft.digest] = own
        turn = replace(await own, finished_at=time.time())
        if self.cache and turn.failure is None:
            self.cache.put(draft.digest, turn)
        return turn


def _placed(other: Turn, blank: Turn, source: str) -> Turn:
    """What an identical call gave, at this place in this debate."""
    place = {name: getattr(blank, name) for name in PLACE}
    return replace(other, **place, shared_with=source, finished_at=time.time())


PLACE = (
    "cell",
    "question",
    "seed",
    "round",
    "kind",
    "agent",
    "about",
    "heard",
    "late",
    "dropped",
    "started_at",
)


async def _done(turn: Turn) -> Turn:
    return turn


async def ask(client: Client, request: Request) -> Completion:
    """One call whose failure is an exception, for callers that make several."""
    reply = await client.complete(request)
    if reply.failure is not None:
        raise EngineError(reply.failure.message, boundary=reply.failure.boundary)
    return reply
