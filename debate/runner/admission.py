"""Which questions of a run with a budget are begun when, so that those begun are finished."""

from __future__ import annotations

import asyncio
from collections import deque
from decimal import Decimal

from debate.runner.tariff import Units

MIN_FINISHED = 8
"""Items after which those that are finished tell what others take: the first to be so are cheap."""


class Admission:
    """Admits an item (a question and seed, in all cells) once it is expected to fit.

    One that is under way is expected to take what the dearest one so far took in all; until
    `MIN_FINISHED` are finished, all its calls at the worst that any call has been held at. Where
    nothing is under way, the next one is begun in any case: its calls are not lost, a later start
    goes on with them.
    """

    def __init__(self, *, calls_per_item: float, num_sharing: int) -> None:
        self._calls_per_item = Decimal(repr(float(calls_per_item)))
        self._num_sharing = num_sharing
        self._places: dict[str, int] = {}
        self._taken: dict[str, Units] = {}
        self._largest: Units = {"calls": Decimal(1)}
        self._dearest: Units = {}
        self._num_finished = 0
        self._waiting: deque[tuple[str, asyncio.Future[bool]]] = deque()

    def get_place(self, item: str) -> int:
        """Return the place of an item in the order in which they were begun."""
        return self._places.setdefault(item, len(self._places))

    def charge(self, item: str, amounts: Units) -> None:
        """Note what a call of an item is held at, or, below zero, what it has given back."""
        taken = self._taken.get(item)
        for name, amount in amounts.items():
            self._largest[name] = max(self._largest.get(name, Decimal(0)), amount)
            if taken is not None:
                taken[name] = taken.get(name, Decimal(0)) + amount

    async def admit(self, item: str, left: Units) -> bool:
        """Wait until the item may be begun; False where none may be any more."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiter = (item, future)
        self._waiting.append(waiter)
        self.review(left)
        try:
            return await future
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def finish(self, item: str, left: Units) -> None:
        """Note that an item is no longer under way."""
        taken = self._taken.pop(item, None)
        if taken is not None and any(taken.values()):
            self._num_finished += 1
            for name, amount in taken.items():
                self._dearest[name] = max(amount, self._dearest.get(name, amount))
        self.review(left)

    def review(self, left: Units) -> None:
        """Begin the items that wait, in their order, as long as they are expected to fit."""
        while self._waiting and (not self._taken or self._fits(left)):
            item, future = self._waiting.popleft()
            self.get_place(item)
            self._taken[item] = {}
            if not future.done():
                future.set_result(True)

    def close(self) -> None:
        """Begin nothing any more."""
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(False)

    def _fits(self, left: Units) -> bool:
        """Whether another item is expected to fit beside what those under way will yet take."""
        for name, amount in left.items():
            each = self._expect(name)
            begun = (each - taken.get(name, Decimal(0)) for taken in self._taken.values())
            if each + sum(max(Decimal(0), rest) for rest in begun) > amount / self._num_sharing:
                return False
        return True

    def _expect(self, name: str) -> Decimal:
        if self._num_finished >= MIN_FINISHED:
            return self._dearest.get(name, Decimal(0))
        return self._calls_per_item * self._largest.get(name, Decimal(0))
