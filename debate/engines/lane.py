"""One replica's queue and its calls under way."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, cast

from debate.engines.base import Completion
from debate.engines.counters import ReplicaCounters, State, Tally
from debate.engines.replica import Replica, ReplicaLost
from debate.engines.waiting import Call, Waiting, failure_of, settle, timed
from debate.engines.wellformed import checked
from debate.errors import DebateError, EngineError, boundary
from debate.types import Failure


class Lane:
    """Sends what is queued as one batch per loop tick, at most `capacity` requests at a time.

    `on_lost(lane, call, error)` is told of a dead replica and takes over the call's outstanding
    requests; `on_idle(lane)` is told when there is room and nothing queued. A lane that shares its
    device tells `on_change` when something is queued while it sleeps, and when it may have drained.
    """

    def __init__(
        self,
        replica: Replica,
        *,
        index: int,
        label: str,
        capacity: int,
        timeout_s: float,
        on_lost: Callable[[Lane, Call, ReplicaLost], None],
        on_idle: Callable[[Lane], None],
    ) -> None:
        self.replica = replica
        self.index = index
        self.label = label
        self.capacity = capacity
        self.queue: deque[Waiting] = deque()
        self.calls: set[Call] = set()
        self.in_flight = 0
        self.on_change: Callable[[], None] | None = None
        self.generation = 0
        self.restarts = 0
        self.swaps = 0
        self._state: State = "new"
        self._timeout_s = timeout_s
        self._on_lost = on_lost
        self._on_idle = on_idle
        self._send_is_scheduled = False
        self._tally = Tally()

    @property
    def state(self) -> State:
        """What the replica is doing; only a ready one is sent requests."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._tally.clock(time.monotonic(), self._state, busy=self.in_flight > 0)
        self._state = state
        if self.on_change:
            self.on_change()

    @property
    def load(self) -> int:
        """Requests that this lane still owes."""
        return len(self.queue) + self.in_flight

    def push(self, waiting: Waiting) -> None:
        """Queue a request: behind the others, or before them if a replica died with it."""
        if waiting.losses:
            self.queue.appendleft(waiting)
        else:
            self.queue.append(waiting)
        self.wake()

    def refuse(self, waiting: Waiting, failure: Failure) -> None:
        """Answer a request that no replica will take."""
        completion = Completion(id=waiting.request.id, failure=failure)
        self._tally.add(completion)
        settle(waiting, completion)

    def wake(self) -> None:
        """Send on the loop's next tick, so that what is queued until then travels together."""
        if self._state != "ready" and self.on_change:
            self.on_change()
        if self._send_is_scheduled or self._state != "ready" or self.in_flight >= self.capacity:
            return
        self._send_is_scheduled = True
        asyncio.get_running_loop().call_soon(self._send)

    def become_ready(self) -> None:
        """The replica has (re)started."""
        self.generation += 1
        self.state = "ready"
        self.wake()

    def counters(self) -> ReplicaCounters:
        """What this replica has done and has to do."""
        tally = self._tally
        tally.clock(time.monotonic(), self._state, busy=self.in_flight > 0)
        return ReplicaCounters(
            index=self.index,
            state=self.state,
            placement=self.replica.placement,
            queued=len(self.queue),
            in_flight=self.in_flight,
            restarts=self.restarts,
            done=tally.done,
            failed=tally.failed,
            prompt_tokens=tally.prompt_tokens,
            cached_tokens=tally.cached_tokens,
            generated_tokens=tally.generated_tokens,
            busy_s=tally.busy_s,
            asleep_s=tally.asleep_s,
            swapping_s=tally.swapping_s,
            queued_s=tally.queued_s,
            running_s=tally.running_s,
            waits=tuple(tally.waits),
            runs=tuple(tally.runs),
            swaps=self.swaps,
        )

    def _send(self) -> None:
        self._send_is_scheduled = False
        if self._state != "ready":
            return
        if not self.queue:
            self._on_idle(self)
        batch = self._take(self.capacity - self.in_flight)
        if batch:
            self._launch(batch)
        elif self.on_change and not self.load:
            self.on_change()

    def _take(self, room: int) -> dict[str, Waiting]:
        """Up to `room` requests with distinct ids; those whose callers left are dropped."""
        batch: dict[str, Waiting] = {}
        while self.queue and len(batch) < room:
            if self.queue[0].request.id in batch:
                break
            waiting = self.queue.popleft()
            if not waiting.future.done():
                batch[waiting.request.id] = waiting
        return batch

    def _launch(self, batch: dict[str, Waiting]) -> None:
        loop = asyncio.get_running_loop()
        call = Call(
            outstanding=batch,
            generation=self.generation,
            sent_at=loop.time(),
            wanted=len(batch),
        )
        for waiting in batch.values():
            waiting.call = call
        self._occupy(len(batch), call.sent_at)
        self.calls.add(call)
        call.task = loop.create_task(self._run(call))

    async def _run(self, call: Call) -> None:
        """See one batch through; whatever is left at the end fails or goes to `on_lost`."""
        try:
            async with asyncio.timeout_at(call.sent_at + self._timeout_s):
                with boundary(EngineError, f"{self.label}: complete"):
                    await self._receive(call)
        except TimeoutError:
            self._fail(call, self._failure("time-out", f"no reply within {self._timeout_s:g} s"))
        except ReplicaLost as lost:
            self._on_lost(self, call, lost)
        except DebateError as error:
            self._fail(call, failure_of(error, f"{self.label}: complete"))
        else:
            self._fail(call, self._failure("complete", "the engine gave no completion"))
        finally:
            self._release(call)

    async def _receive(self, call: Call) -> None:
        requests = [waiting.request for waiting in call.outstanding.values()]
        lists = self.replica.complete(requests)
        async with aclosing(cast("AsyncGenerator[Sequence[Completion], Any]", lists)):
            async for completions in lists:
                self._deliver(call, completions)

    def _deliver(self, call: Call, completions: Sequence[Completion]) -> None:
        """Answer the callers; completions of requests that this call does not owe are dropped."""
        now = asyncio.get_running_loop().time()
        queued_s: list[float] = []
        for given in completions:
            waiting = _asked(call, given)
            if waiting is None:
                continue
            completion = checked(given, waiting.request, f"{self.label}: complete")
            self._tally.add(completion)
            queued_s.append(call.sent_at - waiting.queued_at)
            settle(waiting, timed(completion, queued_s[-1], now - call.sent_at))
            del call.outstanding[given.id]
        self._tally.time(queued_s=queued_s, running_s=now - call.sent_at)
        self._occupy(-len(queued_s), now)
        self.wake()

    def _fail(self, call: Call, failure: Failure) -> None:
        if call.outstanding:
            self._deliver(call, [Completion(id=key, failure=failure) for key in call.outstanding])

    def _release(self, call: Call) -> None:
        """Free the slots of the requests that nobody will settle here."""
        self.calls.discard(call)
        self._occupy(-len(call.outstanding), asyncio.get_running_loop().time())
        call.outstanding = {}
        self.wake()

    def _occupy(self, num_requests: int, now: float) -> None:
        self._tally.clock(now, self._state, busy=self.in_flight > 0)
        self.in_flight += num_requests

    def _failure(self, place: str, message: str) -> Failure:
        return Failure(boundary=f"{self.label}: {place}", message=message)


def _asked(call: Call, given: Completion) -> Waiting | None:
    """Who waits for what an engine gave; None for a stranger's, or for what is no completion."""
    if not isinstance(given, Completion) or not isinstance(given.id, str):
        return None
    return call.outstanding.get(given.id)
