"""A model as the orchestrator sees it: one request in, one completion out, batched in between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from hashlib import blake2b
from typing import Any

from debate.engines.base import Completion, Request
from debate.engines.counters import ModelCounters, ReplicaCounters
from debate.engines.lane import Lane
from debate.engines.replica import LocalReplica, Placement, Replica, ReplicaLost
from debate.engines.waiting import Call, Waiting, abandon, failure_of
from debate.errors import BoundaryError, DebateError, EngineError, boundary

__all__ = [
    "LocalReplica",
    "ModelClient",
    "ModelCounters",
    "Placement",
    "Replica",
    "ReplicaCounters",
    "ReplicaLost",
]


class ModelClient:
    """Batches requests to the replicas of one model and survives the loss of any of them.

    `max_in_flight` and `max_restarts` are per replica, `timeout_s` per request from the moment it
    is handed to a replica. A request that was in flight at more than `max_restarts` losses fails.
    """

    def __init__(
        self,
        model: str,
        replicas: Sequence[Replica],
        *,
        max_in_flight: int = 256,
        timeout_s: float = 600.0,
        max_restarts: int = 3,
    ) -> None:
        self.model = model
        self._max_restarts = max_restarts
        self._revivals: set[asyncio.Task[None]] = set()
        self._last_error: DebateError | None = None
        self._lanes = [
            Lane(
                replica,
                index=index,
                label=model,
                capacity=max_in_flight,
                timeout_s=timeout_s,
                on_lost=self._lost,
                on_idle=self._steal,
            )
            for index, replica in enumerate(replicas)
        ]

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The replicas' queues, for whoever decides when each may have its device."""
        return tuple(self._lanes)

    @property
    def placements(self) -> tuple[Placement | None, ...]:
        """Where each replica lives."""
        return tuple(lane.replica.placement for lane in self._lanes)

    def counters(self) -> ModelCounters:
        """A snapshot for the live display."""
        return ModelCounters(
            model=self.model, replicas=tuple(lane.counters() for lane in self._lanes)
        )

    async def start(self) -> None:
        """Start every replica at once. Raises the first one's error after closing the others.

        Replicas that share a slot are started by the slot.
        """
        own = [lane for lane in self._lanes if lane.on_change is None]
        try:
            await at_once(lane.replica.start() for lane in own)
        except BaseException:
            await self.close()
            raise
        for lane in own:
            lane.become_ready()

    async def complete(self, request: Request) -> Completion:
        """Complete or score one request; what goes wrong comes back as the completion's failure."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(request=request, future=loop.create_future(), queued_at=loop.time())
        self._route(waiting)
        try:
            return await waiting.future
        except asyncio.CancelledError:
            abandon(waiting)
            raise

    async def close(self) -> None:
        """Give up what is under way (its callers get a failure) and free the replicas."""
        tasks = [call.task for lane in self._lanes for call in lane.calls if call.task]
        tasks.extend(self._revivals)
        for task in tasks:
            task.cancel()
        self._last_error = BoundaryError("the model was closed", boundary=f"{self.model}: close")
        for lane in self._lanes:
            lane.state = "dead"
            self._refuse(waiting for call in lane.calls for waiting in call.outstanding.values())
            self._refuse(lane.queue)
            lane.queue.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(lane.replica.close() for lane in self._lanes))

    def _route(self, waiting: Waiting) -> None:
        lane = self._choose(waiting.request.affinity)
        if lane is None:
            self._refuse([waiting])
        else:
            lane.push(waiting)

    def _choose(self, affinity: str) -> Lane | None:
        """The affinity's home replica, unless it owes a full batch more than the idlest one."""
        if len(self._lanes) == 1:
            return None if self._lanes[0].state == "dead" else self._lanes[0]
        lanes = [lane for lane in self._lanes if lane.state == "ready"]
        lanes = lanes or [lane for lane in self._lanes if lane.state != "dead"]
        if len(lanes) < 2:
            return lanes[0] if lanes else None
        idlest = min(lanes, key=lambda lane: lane.load)
        if not affinity:
            return idlest
        home = max(lanes, key=lambda lane: weight(affinity, lane.index))
        return idlest if home.load >= idlest.load + home.capacity else home

    def _steal(self, thief: Lane) -> None:
        """Move half of the longest queue to a replica that is less than half busy."""
        if len(self._lanes) < 2 or 2 * thief.in_flight >= thief.capacity:
            return
        longest = max(self._lanes, key=lambda lane: len(lane.queue))
        num_moved = min(len(longest.queue) // 2, thief.capacity - thief.in_flight)
        for _ in range(num_moved):
            thief.queue.appendleft(longest.queue.pop())

    def _lost(self, lane: Lane, call: Call, lost: ReplicaLost) -> None:
        """Send a dead replica's requests again, to it once it is back or to another one."""
        self._last_error = lost
        if lane.state in ("ready", "draining") and call.generation == lane.generation:
            lane.state = "restarting"
            revival = asyncio.get_running_loop().create_task(self._revive(lane))
            self._revivals.add(revival)
            revival.add_done_callback(self._revivals.discard)
            self._reroute(lane)
        for waiting in call.outstanding.values():
            waiting.losses += 1
            waiting.call = None
            if waiting.losses > self._max_restarts:
                self._refuse([waiting])
            else:
                self._route(waiting)

    async def rouse(self, lane: Lane) -> None:
        """Wake a replica that slept; start it anew if it will not wake, dead if it cannot start."""
        lane.swaps += 1
        try:
            with boundary(EngineError, f"{self.model}: wake"):
                await lane.replica.wake()
        except BoundaryError as error:
            self._last_error = error
            await self._revive(lane)
        else:
            lane.become_ready()

    async def _revive(self, lane: Lane) -> None:
        while lane.restarts < self._max_restarts:
            lane.restarts += 1
            try:
                with boundary(EngineError, f"{self.model}: start"):
                    await lane.replica.start()
            except DebateError as error:
                self._last_error = error
            else:
                lane.become_ready()
                return
        lane.state = "dead"
        self._reroute(lane)

    def _reroute(self, lane: Lane) -> None:
        """Find another place for what a replica had queued; its own queue if there is none."""
        queued = list(lane.queue)
        lane.queue.clear()
        for waiting in queued:
            self._route(waiting)

    def _refuse(self, refused: Iterable[Waiting]) -> None:
        """Answer with what went wrong last."""
        assert self._last_error is not None
        failure = failure_of(self._last_error, f"{self.model}: replica lost")
        for waiting in refused:
            self._lanes[0].refuse(waiting, failure)


def weight(affinity: str, index: int) -> bytes:
    """Rendezvous hashing: a prefix's home is the replica of the greatest weight.

    A replica that goes moves its own prefixes only.
    """
    return blake2b(f"{affinity}\n{index}".encode(), digest_size=8).digest()


async def at_once(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
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
