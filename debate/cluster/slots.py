"""One place, several models: each has it in its turn, the one with the most work first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from debate.cluster.tenants import Tenant
from debate.config.cluster import SlotsSpec

LINGER = 0.1
"""A drained model keeps its slot for this share of what a swap takes: who has just been answered
may ask again at once."""


class Slot:
    """Decides which of its tenants is awake.

    A tenant keeps the slot until it has no work left; then the one with the most waiting requests
    gets it. After `max_wait_s` a waiting tenant comes before all others, and the one that has the
    slot gives it up as soon as what it has begun is done and `min_residency_s` are over. Whoever
    gets the slot serves a batch at least, so no tenant waits for ever.
    """

    def __init__(self, tenants: Sequence[Tenant], spec: SlotsSpec) -> None:
        self._tenants = tuple(tenants)
        self._spec = spec
        self._news = asyncio.Event()
        self._resident = self._tenants[-1]
        self._since = 0.0
        self._swap_s = 0.0
        self._working: asyncio.Task[None] | None = None
        for tenant in self._tenants:
            for seat in tenant.seats:
                seat.lane.on_change = self._news.set

    async def start(self) -> None:
        """Start every tenant, one after another; the last one stays awake.

        Raises the first error in the engine's own words: nothing is found out later that could be
        found out now.
        """
        for tenant in self._tenants:
            await tenant.start()
            if tenant is not self._resident:
                for lane in tenant.lanes:
                    await lane.replica.sleep()
                tenant.state = "asleep"
        self._since = now()
        for lane in self._resident.lanes:
            lane.become_ready()
        self._working = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop deciding; the replicas are their clients' to close."""
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working

    async def _work(self) -> None:
        while True:
            self._news.clear()
            successor = self._successor(now())
            if successor is None:
                await self._pause()
            elif await self._leave():
                await self._enter(successor)

    def _successor(self, at: float) -> Tenant | None:
        """Who should have the slot instead of the one that has it."""
        waiting = self._waiting()
        if not waiting or self._resident.state == "restarting":
            return None
        longest = min(waiting, key=lambda tenant: tenant.waited_since)
        is_overdue = at - longest.waited_since >= self._spec.max_wait_s
        stayed_s = at - self._since
        if self._resident.load and self._resident.state != "dead":
            return longest if is_overdue and stayed_s >= self._spec.min_residency_s else None
        return longest if is_overdue else max(waiting, key=lambda tenant: tenant.num_queued)

    def _waiting(self) -> list[Tenant]:
        return [each for each in self._tenants if each.state == "asleep" and each.num_queued]

    async def _pause(self) -> None:
        """Wait for news, or until somebody who waits may have waited too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s(now())):
                await self._news.wait()

    def _patience_s(self, at: float) -> float | None:
        waiting = self._waiting()
        if not waiting:
            return None
        overdue_at = min(t.waited_since for t in waiting) + self._spec.max_wait_s
        return max(0.01, overdue_at - at, self._since + self._spec.min_residency_s - at)

    async def _leave(self) -> bool:
        """Empty the slot; False where its tenant has got new work meanwhile, or was lost."""
        leaving = self._resident
        if leaving.state == "dead":
            return True
        if not leaving.load and not await self._is_done():
            return False
        leaving.state = "draining"
        while leaving.in_flight and leaving.state == "draining":
            self._news.clear()
            await self._news.wait()
        if leaving.state != "draining":
            leaving.go_on()
            return leaving.state == "dead"
        leaving.state = "swapping"
        started = now()
        await leaving.sleep()
        leaving.state = "asleep"
        self._swap_s = now() - started
        return True

    async def _is_done(self) -> bool:
        """Whether the tenant has no work, and gets none for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER * self._swap_s):
                while not self._resident.load:
                    self._news.clear()
                    await self._news.wait()
        return not self._resident.load

    async def _enter(self, tenant: Tenant) -> None:
        started = now()
        tenant.state = "swapping"
        self._resident = tenant
        await tenant.rouse()
        self._since = now()
        self._swap_s += self._since - started
        await asyncio.sleep(0)  # it hands its first batch over before it can be asked to leave


def now() -> float:
    """The event loop's clock, by which requests are queued."""
    return asyncio.get_running_loop().time()
