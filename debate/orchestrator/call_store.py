"""Turns and scores that were computed once: on record, shared between cells, or computed now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Protocol, TypeVar

from debate.engines.base import Completion, CompletionClient, Request
from debate.errors import EngineError
from debate.orchestrator.shared_future import SharedFuture, set_from
from debate.types import CallResult, DebateKey, Turn, Usage, Verdict

N = TypeVar("N", int, float)


class TurnLog(Protocol):
    """The part of a run log that a debate needs."""

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """Return the debate's finished turns by their ref."""

    def queue(self, turn: Turn) -> None:
        """Record a turn, which reaches the disk before whatever is recorded after it."""

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Return when the verdicts of a debate are on disk, and with them all of its turns."""

    def prune(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Note which turns and rounds a debate that is over has; nothing else of it counts."""


class TurnCache(Protocol):
    """Turns of other runs by the digest of their call."""

    def get(self, digest: str) -> Turn | None:
        """Return a turn that the same call has given, if there is one."""

    def put(self, digest: str, turn: Turn) -> None:
        """Keep the turn that a call gave."""


class TurnWatcher(Protocol):
    """An object that is told of turns and verdicts, such as a progress display."""

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """Called for each turn: computed now, or found in the log."""

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Called with all verdicts of a debate that is over."""


ComputeScores = Callable[[tuple[str, ...]], Awaitable[Sequence[float]]]
"""Scores candidates, in their order, by a call made now."""


class ScoreStore:
    """Log-probabilities (nats) of candidate replies, for all cells of one question and seed.

    A context is the digest of all that a candidate's score depends on but the candidate.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, SharedFuture[float]]] = {}

    def note(self, context: str, log_p: Mapping[str, float]) -> None:
        """Add scores that are on record; a score that is known already stands."""
        known = self._known.setdefault(context, {})
        for candidate, score in log_p.items():
            if candidate not in known:
                known[candidate] = SharedFuture.from_result(score)

    def missing(self, context: str, candidates: Sequence[str]) -> tuple[str, ...]:
        """Return the candidates that are neither scored nor being scored."""
        known = self._known.get(context, {})
        return tuple(candidate for candidate in dict.fromkeys(candidates) if candidate not in known)

    async def get_or_compute(
        self, context: str, candidates: Sequence[str], compute: ComputeScores
    ) -> dict[str, float]:
        """Return the scores of all candidates; `compute` is given those that are missing, if any.

        Raises what `compute` raises, also to others who wait for its scores; they are then missing
        again.
        """
        known = self._known.setdefault(context, {})
        missing = self.missing(context, candidates)
        wanted = {c: known.setdefault(c, SharedFuture()) for c in candidates}
        if missing:
            await self._compute(known, missing, compute)
        return {candidate: await future for candidate, future in wanted.items()}

    async def _compute(
        self,
        known: dict[str, SharedFuture[float]],
        missing: tuple[str, ...],
        compute: ComputeScores,
    ) -> None:
        try:
            scores = await compute(missing)
        except BaseException as error:
            told = error if isinstance(error, Exception) else EngineError("a call was given up")
            for candidate in missing:
                known.pop(candidate).set_exception(told)
            raise
        for candidate, score in zip(missing, scores, strict=True):
            known[candidate].set_result(score)


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingTurn:
    """A turn before its call, whose `prompt_hash` is the digest of all that decides the call.

    `compute` makes the call. Where it does not cross runs, nothing is taken from other runs, and
    nothing kept for them: in another run another person may sit there.
    """

    turn: Turn
    compute: Callable[[], Awaitable[CallResult]]
    crosses_runs: bool = True


@dataclass(kw_only=True)
class CallStore:
    """The turns of all cells of one question and seed, each call made and paid once.

    A recorded turn stands if its prompt's hash is the same and nothing that it heard was
    recomputed; otherwise its name is added to `stale`. A call that another cell has made with the
    same content is shared, not repeated.
    """

    clients: Mapping[str, CompletionClient]
    log: TurnLog
    watcher: TurnWatcher
    cache: TurnCache | None = None
    stale: list[str] = field(default_factory=list)
    scores: ScoreStore = field(default_factory=ScoreStore)
    _recorded: dict[str, dict[str, Turn]] = field(default_factory=dict)
    _shared: dict[str, SharedFuture[Turn]] = field(default_factory=dict)
    _recomputed: set[tuple[str, str]] = field(default_factory=set)
    _reached: dict[str, set[str]] = field(default_factory=dict)

    def get_recorded(self, debate: DebateKey) -> Mapping[str, Turn]:
        """Return the turns that the log had of the debate when it began, by ref."""
        found = self._recorded.get(debate.cell)
        if found is None:
            found = self._recorded[debate.cell] = self.log.recorded(debate)
        return found

    def find_recorded(self, debate: DebateKey, ref: str) -> Turn | None:
        """Return the finished turn on record under this ref; None where it failed or is absent."""
        turn = self.get_recorded(debate).get(ref)
        return None if turn is None or turn.failure is not None else turn

    def note_reached(self, pending: PendingTurn) -> None:
        """Note that the debate has come to this turn."""
        self._reached.setdefault(pending.turn.cell, set()).add(pending.turn.ref)

    def get_reached(self, debate: DebateKey) -> frozenset[str]:
        """Return the refs of all turns that the debate has come to, computed or found."""
        return frozenset(self._reached.get(debate.cell, ()))

    async def get_or_compute(self, pending: PendingTurn) -> Turn:
        """Return the turn, on record: whatever hears it reaches the disk after it."""
        self.note_reached(pending)
        begun = pending.turn
        old = self.find_recorded(begun.debate, begun.ref)
        if old is not None:
            if old.prompt_hash == begun.prompt_hash and not self._has_heard_recomputed(begun):
                self._shared.setdefault(begun.prompt_hash, SharedFuture.from_result(old))
                self.watcher.on_turn(old, replayed=True)
                return old
            self.stale.append(f"{begun.cell}/{begun.question}/{begun.seed}/{begun.ref}")
        self._recomputed.add((begun.cell, begun.ref))
        turn = self._find_cached(pending) or await self._share_or_compute(pending)
        self.log.queue(turn)
        self.watcher.on_turn(turn, replayed=False)
        return turn

    def _has_heard_recomputed(self, begun: Turn) -> bool:
        return any((begun.cell, ref) in self._recomputed for ref in begun.heard)

    def _find_cached(self, pending: PendingTurn) -> Turn | None:
        """Return the turn, where another run has made the call."""
        begun, digest = pending.turn, pending.turn.prompt_hash
        if self.cache is None or digest in self._shared or not pending.crosses_runs:
            return None
        cached = self.cache.get(digest)
        if cached is None:
            return None
        turn = _copy_result(cached, begun, "cache")
        self._shared[digest] = SharedFuture.from_result(turn)
        return turn

    async def _share_or_compute(self, pending: PendingTurn) -> Turn:
        """Return the turn by another cell's identical call, or by one that others may share."""
        begun, digest = pending.turn, pending.turn.prompt_hash
        while (shared := self._shared.get(digest)) is not None:
            try:
                other = await shared
            except asyncio.CancelledError:
                if not shared.done():
                    raise  # this turn was cancelled, not the one that it waits for
                self._forget(digest, shared)
            else:
                return _copy_result(other, begun, other.shared_with or f"{other.cell}:{other.ref}")
        future = self._shared[digest] = SharedFuture()
        await set_from(future, _compute(pending))
        turn = future.result()
        if self.cache is not None and turn.failure is None and pending.crosses_runs:
            self.cache.put(digest, turn)
        return turn

    def _forget(self, digest: str, cancelled: SharedFuture[Turn]) -> None:
        """Let a call be made again by a cell that still wants it; the one that began it stopped."""
        if self._shared.get(digest) is cancelled:
            del self._shared[digest]


async def _compute(pending: PendingTurn) -> Turn:
    """Make the turn's calls now."""
    result = await pending.compute()
    return replace(pending.turn.with_result(result), finished_at=time.time())


def _copy_result(other: Turn, begun: Turn, source: str) -> Turn:
    """Return `begun` with the result of an identical call, made by `source`."""
    placed = begun.with_result(other.result)
    return replace(placed, shared_with=source, finished_at=time.time())


async def complete_or_raise(client: CompletionClient, request: Request) -> Completion:
    """Make one call. Raises EngineError where the reply is a failure."""
    reply = await client.complete(request)
    if reply.failure is not None:
        raise EngineError(reply.failure.message, boundary=reply.failure.boundary)
    return reply


def sum_usages(usages: Sequence[Usage]) -> Usage:
    """Sum the cost of several calls; a count that any of them lacks is unknown."""
    if not usages:
        return Usage()
    counted = {
        each.name: _sum_known([getattr(usage, each.name) for usage in usages])
        for each in fields(usages[0])
    }
    return replace(usages[0], **counted)


def _sum_known(values: Sequence[N | None]) -> N | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(values) else None
