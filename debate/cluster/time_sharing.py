"""Time-sharing of one device: replicas sleep and wake in turn (vLLM's sleep mode)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from debate.config.cluster import SlotsSpec
from debate.engines.client import ModelClient
from debate.engines.metrics import ReplicaState
from debate.engines.replica_queue import ReplicaQueue
from debate.errors import BoundaryError, ClusterError, boundary

IDLE_GRACE = 0.1
"""Share of the last swap's duration for which an awake replica without requests keeps the device:
a debate that was just answered often calls the same model again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedModel:
    """A model that a time-shared replica serves, and the model's queue to that replica."""

    client: ModelClient
    replica_queue: ReplicaQueue


class TimeSharedReplica:
    """A replica that takes turns on a device, with the queues of all models that it serves.

    Its models sleep and wake together. Each operation is called through every queue; a replica
    shared by several models does it once.
    """

    def __init__(self, *models: ServedModel) -> None:
        self.models = models

    @property
    def replica_queues(self) -> list[ReplicaQueue]:
        """The queues that are not dead."""
        return [model.replica_queue for model in self.models if model.replica_queue.state != "dead"]

    @property
    def label(self) -> str:
        """The models' names."""
        return " + ".join(model.replica_queue.label for model in self.models)

    @property
    def state(self) -> ReplicaState:
        """The state of its queues; restarting while any of them is."""
        states = {replica_queue.state for replica_queue in self.replica_queues}
        if "restarting" in states:
            return "restarting"
        return states.pop() if len(states) == 1 else "ready" if states else "dead"

    @state.setter
    def state(self, state: ReplicaState) -> None:
        for replica_queue in self.replica_queues:
            replica_queue.state = state

    @property
    def num_queued(self) -> int:
        """Requests that wait."""
        return sum(len(replica_queue.queue) for replica_queue in self.replica_queues)

    @property
    def in_flight(self) -> int:
        """Requests that have been sent and not been answered."""
        return sum(replica_queue.in_flight for replica_queue in self.replica_queues)

    @property
    def load(self) -> int:
        """Requests that wait or are in flight."""
        return self.num_queued + self.in_flight

    @property
    def oldest_queued_at(self) -> float:
        """The time at which the oldest waiting request was queued."""
        return min(
            replica_queue.queue[0].queued_at
            for replica_queue in self.replica_queues
            if replica_queue.queue
        )

    async def start(self) -> None:
        """Start the replica. Raises BoundaryError."""
        for replica_queue in self.replica_queues:
            await replica_queue.replica.start()

    async def sleep(self) -> None:
        """Free the device; a replica that fails to is closed, and waking starts it anew."""
        try:
            with boundary(ClusterError, f"{self.label}: sleep"):
                for replica_queue in self.replica_queues:
                    await replica_queue.replica.sleep()
        except BoundaryError:
            for replica_queue in self.replica_queues:
                await replica_queue.replica.close()

    async def wake(self) -> None:
        """Wake the replica, or start it anew."""
        for model in self.models:
            if model.replica_queue.state != "dead":
                await model.client.wake_or_restart(model.replica_queue)

    def cancel_draining(self) -> None:
        """Send the queued requests after all."""
        for replica_queue in self.replica_queues:
            if replica_queue.state == "draining":
                replica_queue.mark_ready()


class SharedDevice:
    """A device that several replicas share; decides which one of them is awake.

    A replica stays awake until it has no requests left; then the one with the most waiting
    requests is next. Once a replica has waited `max_wait_s` it comes before all others, and the
    one that is awake is sent no more requests as soon as it has stayed `min_residency_s`. Each
    replica that wakes serves at least one batch, so none waits for ever.
    """

    def __init__(self, replicas: Sequence[TimeSharedReplica], spec: SlotsSpec) -> None:
        self._replicas = tuple(replicas)
        self._spec = spec
        self._changed = asyncio.Event()
        self._resident = self._replicas[-1]
        self._resident_since = 0.0
        self._swap_s = 0.0
        self._task: asyncio.Task[None] | None = None
        for replica in self._replicas:
            for model in replica.models:
                model.replica_queue.on_change = self._changed.set

    async def start(self) -> None:
        """Start every replica, one after another; the last one stays awake.

        All are started although one will do at first, so that an engine that cannot start ends the
        run at its beginning. Raises the first error in the engine's own words.
        """
        for replica in self._replicas:
            await replica.start()
            if replica is not self._resident:
                for replica_queue in replica.replica_queues:
                    await replica_queue.replica.sleep()
                replica.state = "asleep"
        self._resident_since = get_loop_time()
        for replica_queue in self._resident.replica_queues:
            replica_queue.mark_ready()
        self._task = asyncio.create_task(self._swap_forever())

    async def close(self) -> None:
        """Stop swapping. The clients close the replicas."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _swap_forever(self) -> None:
        while True:
            self._changed.clear()
            successor = self._choose_successor(get_loop_time())
            if successor is None:
                await self._wait_for_change()
            elif await self._suspend_resident():
                await self._activate(successor)

    def _choose_successor(self, at: float) -> TimeSharedReplica | None:
        """Return the replica that should wake now; None if the resident should stay."""
        waiting = self._list_waiting()
        if not waiting or self._resident.state == "restarting":
            return None
        longest = min(waiting, key=lambda replica: replica.oldest_queued_at)
        is_overdue = at - longest.oldest_queued_at >= self._spec.max_wait_s
        stayed_s = at - self._resident_since
        if self._resident.load and self._resident.state != "dead":
            return longest if is_overdue and stayed_s >= self._spec.min_residency_s else None
        return longest if is_overdue else max(waiting, key=lambda replica: replica.num_queued)

    def _list_waiting(self) -> list[TimeSharedReplica]:
        return [each for each in self._replicas if each.state == "asleep" and each.num_queued]

    async def _wait_for_change(self) -> None:
        """Wait until a queue changes, or until a waiting replica may have become overdue."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._compute_timeout_s(get_loop_time())):
                await self._changed.wait()

    def _compute_timeout_s(self, at: float) -> float | None:
        waiting = self._list_waiting()
        if not waiting:
            return None
        overdue_at = min(each.oldest_queued_at for each in waiting) + self._spec.max_wait_s
        may_leave_at = self._resident_since + self._spec.min_residency_s
        return max(0.01, overdue_at - at, may_leave_at - at)

    async def _suspend_resident(self) -> bool:
        """Drain the resident and put it to sleep.

        False if it stays: it got new requests meanwhile, or was lost and is being restarted.
        """
        leaving = self._resident
        if leaving.state == "dead":
            return True
        if not leaving.load and not await self._stays_idle():
            return False
        leaving.state = "draining"
        while leaving.in_flight and leaving.state == "draining":
            self._changed.clear()
            await self._changed.wait()
        if leaving.state != "draining":
            leaving.cancel_draining()
            return leaving.state == "dead"
        leaving.state = "swapping"
        started = get_loop_time()
        await leaving.sleep()
        leaving.state = "asleep"
        self._swap_s = get_loop_time() - started
        return True

    async def _stays_idle(self) -> bool:
        """Wait for the grace period; whether the resident got no request in it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_GRACE * self._swap_s):
                while not self._resident.load:
                    self._changed.clear()
                    await self._changed.wait()
        return not self._resident.load

    async def _activate(self, replica: TimeSharedReplica) -> None:
        started = get_loop_time()
        replica.state = "swapping"
        self._resident = replica
        await replica.wake()
        self._resident_since = get_loop_time()
        self._swap_s += self._resident_since - started
        await asyncio.sleep(0)  # let it send its first batch before it can be suspended


def get_loop_time() -> float:
    """Return the event loop's time, by which requests are queued."""
    return asyncio.get_running_loop().time()
