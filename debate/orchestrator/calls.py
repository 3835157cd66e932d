"""From a request to a turn on disk: recorded, shared with another cell, or computed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from debate.engines.base import Completion, Request
from debate.errors import EngineError
from debate.orchestrator.promise import Promise, keep_or_fail
from debate.orchestrator.scores import Scores
from debate.types import CallResult, DebateKey, Turn, Verdict


class Client(Protocol):
    """A model's queue."""

    async def complete(self, request: Request) -> Completion:
        """The reply to one request; a failure is data."""


class Log(Protocol):
    """The part of a run log that a debate needs."""

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """The debate's finished turns by their ref."""

    def queue(self, turn: Turn) -> None:
        """Record a turn, which reaches the disk before whatever is recorded after it."""

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Return when the verdicts of a debate are on disk, and with them all of its turns."""

    def settle(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Take note of what a debate that is over has; nothing else of it counts."""


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
    """A turn before its call, whose `prompt_hash` is the digest of all that decides the call.

    `compute` makes the call.
    """

    turn: Turn
    compute: Callable[[], Awaitable[CallResult]]


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
    scores: Scores = field(default_factory=Scores)
    _recorded: dict[str, dict[str, Turn]] = field(default_factory=dict)
    _shared: dict[str, Promise[Turn]] = field(default_factory=dict)
    _recomputed: set[tuple[str, str]] = field(default_factory=set)
    _taken: dict[str, set[str]] = field(default_factory=dict)

    def recorded(self, debate: DebateKey, ref: str) -> Turn | None:
        """The finished turn that the log has under this name; None where it failed or is absent."""
        turn = self.all_recorded(debate).get(ref)
        return None if turn is None or turn.failure is not None else turn

    def all_recorded(self, debate: DebateKey) -> Mapping[str, Turn]:
        """What the log had of the debate when it began, by ref."""
        found = self._recorded.get(debate.cell)
        if found is None:
            found = self._recorded[debate.cell] = self.log.recorded(debate)
        return found

    def note(self, draft: Draft) -> None:
        """The debate has come to this turn."""
        self._taken.setdefault(draft.turn.cell, set()).add(draft.turn.ref)

    def taken(self, debate: DebateKey) -> frozenset[str]:
        """The refs of all turns of the debate that were taken here, made or found."""
        return frozenset(self._taken.get(debate.cell, ()))

    async def take(self, draft: Draft) -> Turn:
        """The turn, on record: whatever hears it reaches the disk after it."""
        self.note(draft)
        begun = draft.turn
        old = self.recorded(begun.debate, begun.ref)
        if old is not None:
            if old.prompt_hash == begun.prompt_hash and not self._heard_new(begun):
                self._shared.setdefault(begun.prompt_hash, Promise.kept(old))
                self.watcher.on_turn(old, replayed=True)
                return old
            self.stale.append(f"{begun.cell}/{begun.question}/{begun.seed}/{begun.ref}")
        self._recomputed.add((begun.cell, begun.ref))
        turn = self._known(begun) or await self._compute(draft)
        self.log.queue(turn)
        self.watcher.on_turn(turn, replayed=False)
        return turn

    def _heard_new(self, begun: Turn) -> bool:
        return any((begun.cell, ref) in self._recomputed for ref in begun.heard)

    def _known(self, begun: Turn) -> Turn | None:
        """The turn, where another run has made the call."""
        digest = begun.prompt_hash
        if self.cache is None or digest in self._shared:
            return None
        cached = self.cache.get(digest)
        if cached is None:
            return None
        turn = _shared(cached, begun, "cache")
        self._shared[digest] = Promise.kept(turn)
        return turn

    async def _compute(self, draft: Draft) -> Turn:
        """The turn: another cell's identical call, or one made now that others may share."""
        begun, digest = draft.turn, draft.turn.prompt_hash
        while (known := self._shared.get(digest)) is not None:
            try:
                other = await known
            except asyncio.CancelledError:
                if not known.is_over:
                    raise  # nobody waits for this turn any more
                self._forget(digest, known)
            else:
                return _shared(other, begun, other.shared_with or f"{other.cell}:{other.ref}")
        promise = self._shared[digest] = Promise()
        await keep_or_fail(promise, _made(draft))
        turn = promise.result()
        if self.cache is not None and turn.failure is None:
            self.cache.put(digest, turn)
        return turn

    def _forget(self, digest: str, given_up: Promise[Turn]) -> None:
        """Let a call be made again by who still wants it: the cell that had begun it gave up."""
        if self._shared.get(digest) is given_up:
            del self._shared[digest]


async def _made(draft: Draft) -> Turn:
    """The turn, by calls made now."""
    result = await draft.compute()
    return replace(draft.turn.with_result(result), finished_at=time.time())


def _shared(other: Turn, begun: Turn, source: str) -> Turn:
    """What an identical call gave, at this place in this debate."""
    placed = begun.with_result(other.result)
    return replace(placed, shared_with=source, finished_at=time.time())


async def ask(client: Client, request: Request) -> Completion:
    """One call whose failure is an exception, for callers that make several."""
    reply = await client.complete(request)
    if reply.failure is not None:
        raise EngineError(reply.failure.message, boundary=reply.failure.boundary)
    return reply
