"""The queue of one replica, and its batches in flight."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from debate.engines.base import Completion, Request, fail_request
from debate.engines.breaker import Withdrawn
from debate.engines.human.reply_form import list_waiting
from debate.engines.metrics import ReplicaMetrics, ReplicaState, RunningTotals
from debate.engines.replica import Pulse, Replica, ReplicaLost
from debate.engines.spans import hide_texts
from debate.engines.validation import validate_completion
from debate.errors import BoundaryError, DebateError, EngineError, boundary
from debate.types import Failure


@dataclass(eq=False, slots=True)
class PendingRequest:
    """A request and the future that its caller awaits.

    `losses` counts the replicas that died with it.
    """

    request: Request
    future: asyncio.Future[Completion]
    queued_at: float
    losses: int = 0
    batch: InFlightBatch | None = None

    def set_result(self, completion: Completion) -> None:
        """Answer the caller, unless it has left."""
        if not self.future.done():
            self.future.set_result(completion)

    def abandon(self) -> None:
        """Note that the caller has left; cancel the batch where all its callers have."""
        if self.batch is None:
            return
        self.batch.num_waiting -= 1
        if self.batch.num_waiting <= 0 and self.batch.task is not None:
            self.batch.task.cancel()


@dataclass(eq=False, slots=True)
class InFlightBatch:
    """A batch handed to a replica: its unanswered requests by id, and `num_waiting` callers."""

    outstanding: dict[str, PendingRequest]
    generation: int
    sent_at: float
    num_waiting: int
    task: asyncio.Task[None] | None = None
    watch: asyncio.TimerHandle | None = None


class ReplicaQueue:
    """Sends what is queued as one batch per loop tick, at most `capacity` requests at a time.

    `on_lost(queue, batch, error)` is called when the replica is dead, and takes over the batch's
    outstanding requests; `on_idle(queue)` is called when there is room and nothing queued. Where
    the replica shares its device, `on_change()` is called when its state changes, when something is
    queued while it sleeps, and when it may have drained. `pulse` is that of an engine which other
    models share. `max_batch` is the most requests of one batch: a request that is given up is
    taken back from the replica only with all others of its batch.
    """

    def __init__(
        self,
        replica: Replica,
        *,
        index: int,
        label: str,
        capacity: int,
        timeout_s: float,
        on_lost: Callable[[ReplicaQueue, InFlightBatch, ReplicaLost], None],
        on_idle: Callable[[ReplicaQueue], None],
        secrets: Sequence[str] = (),
        pulse: Pulse | None = None,
        max_batch: int | None = None,
    ) -> None:
        self.replica = replica
        self.index = index
        self.label = label
        self.capacity = capacity
        self.queue: deque[PendingRequest] = deque()
        self.batches: set[InFlightBatch] = set()
        self.in_flight = 0
        self.on_change: Callable[[], None] | None = None
        self.generation = 0
        self.restarts = 0
        self.swaps = 0
        self._state: ReplicaState = "new"
        self._timeout_s = timeout_s
        self._max_batch = max_batch
        self._pulse = pulse or Pulse()
        self._secrets = tuple(secrets)
        self._on_lost = on_lost
        self._on_idle = on_idle
        self._send_is_scheduled = False
        self._totals = RunningTotals()

    @property
    def state(self) -> ReplicaState:
        """The state of the replica; only a ready one is sent requests."""
        return self._state

    @state.setter
    def state(self, state: ReplicaState) -> None:
        self._totals.clock(time.monotonic(), self._state, busy=self.in_flight > 0)
        self._state = state
        if self.on_change:
            self.on_change()

    @property
    def load(self) -> int:
        """Requests that the replica has not answered yet, queued or in flight."""
        return len(self.queue) + self.in_flight

    def push(self, pending: PendingRequest) -> None:
        """Queue a request: behind the others, or before them if a replica died with it."""
        if pending.losses:
            self.queue.appendleft(pending)
        else:
            self.queue.append(pending)
        self.schedule_send()

    def withdraw(self) -> None:
        """Take back all requests that are queued: their callers get Withdrawn."""
        for pending in self.queue:
            if not pending.future.done():
                pending.future.set_exception(Withdrawn())
        self.queue.clear()

    def refuse(self, pending: PendingRequest, failure: Failure) -> None:
        """Answer a request that no replica will take."""
        completion = Completion(id=pending.request.id, failure=failure)
        self._totals.add(completion)
        pending.set_result(completion)

    def schedule_send(self) -> None:
        """Send on the loop's next tick, so that all requests queued until then form one batch."""
        if self._state != "ready" and self.on_change:
            self.on_change()
        if self._send_is_scheduled or self._state != "ready" or self.in_flight >= self.capacity:
            return
        self._send_is_scheduled = True
        asyncio.get_running_loop().call_soon(self._send)

    def mark_ready(self) -> None:
        """Note that the replica has started, restarted or woken, and begin to send."""
        self.generation += 1
        self.state = "ready"
        self.schedule_send()

    def metrics(self) -> ReplicaMetrics:
        """Return a snapshot of what this replica has done and has to do."""
        totals = self._totals
        totals.clock(time.monotonic(), self._state, busy=self.in_flight > 0)
        return ReplicaMetrics(
            index=self.index,
            state=self.state,
            placement=self.replica.placement,
            queued=len(self.queue),
            in_flight=self.in_flight,
            restarts=self.restarts,
            done=totals.done,
            failed=totals.failed,
            prompt_tokens=totals.prompt_tokens,
            cached_tokens=totals.cached_tokens,
            generated_tokens=totals.generated_tokens,
            busy_s=totals.busy_s,
            asleep_s=totals.asleep_s,
            swapping_s=totals.swapping_s,
            queued_s=totals.queued_s,
            running_s=totals.running_s,
            waits=tuple(totals.waits),
            runs=tuple(totals.runs),
            swaps=self.swaps,
            waiting=list_waiting(self.replica),
        )

    def _send(self) -> None:
        self._send_is_scheduled = False
        if self._state != "ready":
            return
        if not self.queue:
            self._on_idle(self)
        room = self.capacity - self.in_flight
        requests = self._take_batch(room if self._max_batch is None else min(room, self._max_batch))
        if requests:
            self._launch(requests)
            if self._max_batch is not None and self.queue:
                self.schedule_send()
        elif self.on_change and not self.load:
            self.on_change()

    def _take_batch(self, room: int) -> dict[str, PendingRequest]:
        """Take up to `room` requests with distinct ids; drop those whose callers have left."""
        taken: dict[str, PendingRequest] = {}
        while self.queue and len(taken) < room:
            # Completions are told apart by id, so a repeated id waits for a batch of its own.
            if self.queue[0].request.id in taken:
                break
            pending = self.queue.popleft()
            if not pending.future.done():
                taken[pending.request.id] = pending
        return taken

    def _launch(self, requests: dict[str, PendingRequest]) -> None:
        loop = asyncio.get_running_loop()
        batch = InFlightBatch(
            outstanding=requests,
            generation=self.generation,
            sent_at=loop.time(),
            num_waiting=len(requests),
        )
        for pending in requests.values():
            pending.batch = batch
        self._occupy(len(requests), batch.sent_at)
        self.batches.add(batch)
        batch.task = loop.create_task(self._run(batch))

    async def _run(self, batch: InFlightBatch) -> None:
        """Run one batch; requests that are left at the end fail or go to `on_lost`."""
        try:
            async with asyncio.timeout(None) as limit:
                self._watch(batch, limit)
                with boundary(EngineError, f"{self.label}: complete"):
                    await self._receive(batch)
        except TimeoutError:
            self._fail(
                batch, self._make_failure("time-out", f"no reply within {self._timeout_s:g} s")
            )
        except ReplicaLost as lost:
            self._on_lost(self, batch, lost)
        except DebateError as error:
            self._fail(batch, to_failure(error, f"{self.label}: complete"))
        else:
            self._fail(batch, self._make_failure("complete", "the engine gave no completion"))
        finally:
            if batch.watch is not None:
                batch.watch.cancel()
            self._release(batch)

    def _watch(self, batch: InFlightBatch, limit: asyncio.Timeout) -> None:
        """End the batch once the engine has replied to nobody for its time.

        One that works through a long queue is slow, not stuck.
        """
        loop = asyncio.get_running_loop()
        due = max(batch.sent_at, self._pulse.at) + self._timeout_s
        if loop.time() < due:
            batch.watch = loop.call_at(due, self._watch, batch, limit)
        else:
            limit.reschedule(due)

    async def _receive(self, batch: InFlightBatch) -> None:
        requests = [pending.request for pending in batch.outstanding.values()]
        lists = self.replica.complete(requests)
        async with aclosing(cast("AsyncGenerator[Sequence[Completion], Any]", lists)):
            async for completions in lists:
                self._pulse.at = asyncio.get_running_loop().time()
                self._deliver(batch, completions)

    def _deliver(self, batch: InFlightBatch, completions: Sequence[Completion]) -> None:
        """Answer the callers; drop completions of requests that are not in the batch."""
        now = asyncio.get_running_loop().time()
        queued_s: list[float] = []
        for given in completions:
            pending = _find_request(batch, given)
            if pending is None:
                continue
            completion = self._validate(given, pending.request)
            self._totals.add(completion)
            queued_s.append(batch.sent_at - pending.queued_at)
            pending.set_result(with_timings(completion, queued_s[-1], now - batch.sent_at))
            del batch.outstanding[given.id]
        self._totals.time(queued_s=queued_s, running_s=now - batch.sent_at)
        self._occupy(-len(queued_s), now)
        self.schedule_send()

    def _validate(self, given: Completion, request: Request) -> Completion:
        """Validate one completion, without keys. What goes wrong with it fails it alone."""
        place = f"{self.label}: complete"
        try:
            found = validate_completion(given, request, place)
        except Exception as cause:
            found = fail_request(request, place, f"{type(cause).__name__}: {cause}")
        return hide_texts(found, self._secrets, "[key]")

    def _fail(self, batch: InFlightBatch, failure: Failure) -> None:
        if batch.outstanding:
            self._deliver(batch, [Completion(id=key, failure=failure) for key in batch.outstanding])

    def _release(self, batch: InFlightBatch) -> None:
        """Free the room of the requests that are not answered here."""
        self.batches.discard(batch)
        self._occupy(-len(batch.outstanding), asyncio.get_running_loop().time())
        batch.outstanding = {}
        self.schedule_send()

    def _occupy(self, num_requests: int, now: float) -> None:
        self._totals.clock(now, self._state, busy=self.in_flight > 0)
        self.in_flight += num_requests

    def _make_failure(self, place: str, message: str) -> Failure:
        return Failure(boundary=f"{self.label}: {place}", message=message)


def _find_request(batch: InFlightBatch, given: Completion) -> PendingRequest | None:
    """Find the request of a completion; None where it is of no request, or no completion."""
    if not isinstance(given, Completion) or not isinstance(given.id, str):
        return None
    return batch.outstanding.get(given.id)


def with_timings(completion: Completion, queued_s: float, running_s: float) -> Completion:
    """Return the completion with the client's own times, in seconds."""
    usage = replace(completion.usage, queued_s=queued_s, running_s=running_s)
    return replace(completion, usage=usage)


def to_failure(error: DebateError, place: str) -> Failure:
    """Return an error as data for a turn; at `place` where the error names none."""
    if isinstance(error, BoundaryError) and error.boundary:
        return error.failure
    return Failure(boundary=place, message=str(error))
