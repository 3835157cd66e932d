"""A model as the orchestrator sees it: one request in, one completion out, batched in between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

from debate.engines.base import Completion, Request
from debate.engines.breaker import CircuitBreaker, OrderlyEnd, fail_ended
from debate.engines.meter import Meter
from debate.engines.metrics import ModelMetrics
from debate.engines.replica import Placement, Pulse, Replica, ReplicaLost
from debate.engines.replica_queue import InFlightBatch, PendingRequest, ReplicaQueue, to_failure
from debate.errors import BoundaryError, BudgetSpent, DebateError, EngineError, boundary


class ModelClient:
    """Batches requests to the replicas of one model and survives the loss of any of them.

    `max_in_flight` and `max_restarts` are per replica; once a replica has replied to nobody for
    `timeout_s`, what it has in flight fails. A request that was in flight at more than
    `max_restarts` losses fails. `secrets` are replaced in whatever comes back. With a `meter`, no
    attempt starts without its leave. `pulses` are those of replicas whose engines other models
    share; `max_batch` is the most requests of one batch.
    """

    def __init__(
        self,
        model: str,
        replicas: Sequence[Replica],
        *,
        max_in_flight: int = 256,
        timeout_s: float = 600.0,
        max_restarts: int = 3,
        secrets: Sequence[str] = (),
        meter: Meter | None = None,
        pulses: Sequence[Pulse] = (),
        max_batch: int | None = None,
    ) -> None:
        self.model = model
        self.breaker: CircuitBreaker | None = None
        self.end: OrderlyEnd | None = None
        self._meter = meter
        self._max_restarts = max_restarts
        self._restarts: set[asyncio.Task[None]] = set()
        self._last_error: DebateError | None = None
        self.replica_queues = tuple(
            ReplicaQueue(
                replica,
                index=index,
                label=model,
                capacity=max_in_flight,
                timeout_s=timeout_s,
                secrets=secrets,
                pulse=pulses[index] if pulses else None,
                max_batch=max_batch,
                on_lost=self._handle_loss,
                on_idle=self._steal,
            )
            for index, replica in enumerate(replicas)
        )

    @property
    def placements(self) -> tuple[Placement | None, ...]:
        """The placement of each replica; None before it has started."""
        return tuple(queue.replica.placement for queue in self.replica_queues)

    def metrics(self) -> ModelMetrics:
        """Return a snapshot for the live display."""
        replicas = tuple(queue.metrics() for queue in self.replica_queues)
        return ModelMetrics(model=self.model, replicas=replicas)

    async def start(self) -> None:
        """Start every replica at once. Raises the first one's error after closing the others.

        Replicas that share a slot are started by the slot.
        """
        own = [queue for queue in self.replica_queues if queue.on_change is None]
        try:
            await run_all(queue.replica.start() for queue in own)
        except BaseException:
            await self.close()
            raise
        for queue in own:
            queue.mark_ready()

    async def complete(self, request: Request) -> Completion:
        """Complete or score one request; an error comes back as the completion's failure.

        A model that is paused is waited for. Raises RunEnded where the run is ended in order before
        the call is sent, BudgetSpent where the meter does not grant it.
        """
        if self.end is None or self.breaker is None or request.is_preflight:
            return await self._spend(request)
        circuit = self.breaker
        return await self.end.call(lambda: circuit.call(request, partial(self._spend, request)))

    def withdraw_queued(self) -> None:
        """Take back all requests that no replica has been given yet; they are made anew later."""
        if self._meter is not None:
            self._meter.withdraw(self.model)
        for queue in self.replica_queues:
            queue.withdraw()

    async def _spend(self, request: Request) -> Completion:
        """Complete a request as soon as the meter grants it."""
        if self._meter is None:
            return await self._complete(request)
        return await self._meter.spend(self.model, request, partial(self._complete, request))

    async def _complete(self, request: Request) -> Completion:
        loop = asyncio.get_running_loop()
        pending = PendingRequest(
            request=request, future=loop.create_future(), queued_at=loop.time()
        )
        self._route(pending)
        try:
            return await pending.future
        except asyncio.CancelledError:
            pending.abandon()
            raise

    async def close(self) -> None:
        """Give up all requests (their callers get a failure) and free the replicas."""
        batches = [batch for queue in self.replica_queues for batch in queue.batches]
        tasks = [batch.task for batch in batches if batch.task]
        tasks.extend(self._restarts)
        for task in tasks:
            task.cancel()
        self._last_error = BoundaryError("the model was closed", boundary=f"{self.model}: close")
        for replica_queue in self.replica_queues:
            replica_queue.state = "dead"
            for batch in replica_queue.batches:
                self._refuse(batch.outstanding.values())
            self._refuse(replica_queue.queue)
            replica_queue.queue.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(queue.replica.close() for queue in self.replica_queues))

    def _route(self, pending: PendingRequest) -> None:
        queue = self._choose_queue(pending.request.affinity)
        if queue is None:
            self._refuse([pending])
        else:
            queue.push(pending)

    def _choose_queue(self, affinity: str) -> ReplicaQueue | None:
        """Return the affinity's home replica, or the idlest if home owes a full batch more."""
        if len(self.replica_queues) == 1:
            (only,) = self.replica_queues
            return None if only.state == "dead" else only
        queues = [queue for queue in self.replica_queues if queue.state == "ready"]
        queues = queues or [queue for queue in self.replica_queues if queue.state != "dead"]
        if len(queues) < 2:
            return queues[0] if queues else None
        idlest = min(queues, key=lambda queue: queue.load)
        if not affinity:
            return idlest
        home = max(queues, key=lambda queue: compute_affinity_weight(affinity, queue.index))
        return idlest if home.load >= idlest.load + home.capacity else home

    def _steal(self, thief: ReplicaQueue) -> None:
        """Move half of the longest queue to a replica that is less than half busy."""
        if len(self.replica_queues) < 2 or 2 * thief.in_flight >= thief.capacity:
            return
        longest = max(self.replica_queues, key=lambda each: len(each.queue))
        num_moved = min(len(longest.queue) // 2, thief.capacity - thief.in_flight)
        for _ in range(num_moved):
            thief.queue.appendleft(longest.queue.pop())

    def _handle_loss(self, queue: ReplicaQueue, batch: InFlightBatch, lost: ReplicaLost) -> None:
        """Send a dead replica's requests again, to it once it is back or to another one."""
        self._last_error = lost
        # Of the batches that died with one generation, only the first restarts the replica.
        if queue.state in ("ready", "draining") and batch.generation == queue.generation:
            queue.state = "restarting"
            restart = asyncio.get_running_loop().create_task(self._restart(queue))
            self._restarts.add(restart)
            restart.add_done_callback(self._restarts.discard)
            self._reroute(queue)
        for pending in batch.outstanding.values():
            pending.losses += 1
            pending.batch = None
            if pending.losses > self._max_restarts:
                self._refuse([pending])
            elif self._meter is None:
                self._route(pending)
            else:
                again = asyncio.get_running_loop().create_task(self._send_again(pending))
                self._restarts.add(again)
                again.add_done_callback(self._restarts.discard)

    async def _send_again(self, pending: PendingRequest) -> None:
        """Send a request again that died with its replica, once the meter grants it."""
        assert self._meter is not None
        try:
            await self._meter.extend(self.model, pending.request)
        except BudgetSpent as error:
            pending.set_result(fail_ended(pending.request, error))
        else:
            self._route(pending)

    async def wake_or_restart(self, queue: ReplicaQueue) -> None:
        """Wake a replica that slept, or start it anew if it does not wake.

        A replica that does not start either is dead.
        """
        queue.swaps += 1
        try:
            with boundary(EngineError, f"{self.model}: wake"):
                await queue.replica.wake()
        except BoundaryError as error:
            self._last_error = error
            await self._restart(queue)
        else:
            queue.mark_ready()

    async def _restart(self, queue: ReplicaQueue) -> None:
        while queue.restarts < self._max_restarts:
            queue.restarts += 1
            try:
                with boundary(EngineError, f"{self.model}: start"):
                    await queue.replica.start()
            except DebateError as error:
                self._last_error = error
            else:
                queue.mark_ready()
                return
        queue.state = "dead"
        self._reroute(queue)

    def _reroute(self, replica_queue: ReplicaQueue) -> None:
        """Route again what a replica had queued; to its own queue if there is no other."""
        queued = list(replica_queue.queue)
        replica_queue.queue.clear()
        for pending in queued:
            self._route(pending)

    def _refuse(self, refused: Iterable[PendingRequest]) -> None:
        """Answer with the last error."""
        assert self._last_error is not None
        failure = to_failure(self._last_error, f"{self.model}: replica lost")
        for pending in refused:
            self.replica_queues[0].refuse(pending, failure)


def compute_affinity_weight(affinity: str, index: int) -> bytes:
    """Compute a replica's weight for a prefix; the prefix's home is the one of greatest weight.

    This is rendezvous hashing: a replica that goes moves its own prefixes only.
    """
    return blake2b(f"{affinity}\n{index}".encode(), digest_size=8).digest()


async def run_all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all of them; the first error cancels the others and is raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as errors:
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
