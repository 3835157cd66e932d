"""When a model is paused: failures in a row end the run in order, or are followed by trials."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from debate.engines.base import Completion, Request, fail_request
from debate.errors import RunEnded

MAX_TRIALS = 6
"""Trial calls to a paused model, each after twice the wait; when all have failed it is given up."""
MAX_REASONS = 3
"""Reasons of failures that are told; the rest are counted."""
_NUM_TICKS = 20
"""Turns of the event loop in which an answered call reaches the log."""

ABOUT_REQUEST = re.compile(
    r"context[ _](?:length|window|size)|maximum context|too (?:long|large|many tokens)|"
    r"max_model_len|content[ _](?:filter|policy|management)",
    re.IGNORECASE,
)
"""Failures that are about what was asked, and say nothing of the model."""


class OrderlyEnd:
    """Ends a run in order: no further call begins, and those under way are answered.

    `reason` is set from then on. Whoever wants to make a further call waits until it is cancelled.
    What is in `on_begin` is called first, to take back calls that are queued.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.reason: str | None = None
        self.on_begin: list[Callable[[], None]] = []
        self._tell = tell
        self._num_under_way = 0
        self._is_drained = asyncio.Event()

    async def enter(self) -> None:
        """Return where a call may begin."""
        if self.reason is not None:
            await asyncio.get_running_loop().create_future()
        self._num_under_way += 1

    def leave(self) -> None:
        """Note that a call is answered, or given up."""
        self._num_under_way -= 1
        self._check_drained()

    def begin(self, reason: str) -> None:
        """Let no further call begin."""
        if self.reason is not None:
            return
        self.reason = reason
        for take_back in self.on_begin:
            take_back()
        if self._tell:
            self._tell(f"{reason}; the calls under way are waited for, no other is made")
        self._check_drained()

    async def wait(self) -> None:
        """Wait until the end has begun and no call is under way."""
        await self._is_drained.wait()
        for _ in range(_NUM_TICKS):
            await asyncio.sleep(0)

    def _check_drained(self) -> None:
        if self.reason is not None and self._num_under_way == 0:
            self._is_drained.set()


async def run_until_ended(end: OrderlyEnd, work: Coroutine[Any, Any, None]) -> None:
    """Do the work. Raises RunEnded, with the work cancelled, where it was ended in order."""
    working = asyncio.ensure_future(work)
    ending = asyncio.ensure_future(end.wait())
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return await working
        raise RunEnded(str(end.reason))
    finally:
        working.cancel()
        ending.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)


class CircuitBreaker:
    """Pauses a model after `limit` failures in a row, which nothing but a reply ends.

    Failures that are about what was asked, and scores, do not count. A pause ends the run in order
    by `end`; without that, one trial call is made after `pause_s` seconds, then after twice that
    and so on, while all other calls wait. When `MAX_TRIALS` have failed, every further call fails.
    `on_pause` is called when a pause begins, to take back calls that are queued.
    """

    def __init__(
        self,
        model: str,
        *,
        limit: int | None,
        pause_s: float,
        end: OrderlyEnd | None,
        on_pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_pause = on_pause
        self._model = model
        self._limit = limit
        self._pause_s = pause_s
        self._end = end
        self._num_in_a_row = 0
        self._num_trials = 0
        self._reasons: Counter[str] = Counter()
        self._trying = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the model is paused."""
        return self._limit is not None and self._num_in_a_row >= self._limit

    async def call(self, request: Request, make: Callable[[], Awaitable[Completion]]) -> Completion:
        """Make a call as soon as it may be made; a model that is given up gives a failure."""
        while self.is_open and self._end is None:
            async with self._trying:
                if self.is_open:
                    return await self._try_again(request, make)
        completion = await make()
        self._note(request, completion)
        return completion

    async def _try_again(
        self, request: Request, make: Callable[[], Awaitable[Completion]]
    ) -> Completion:
        if self._num_trials >= MAX_TRIALS:
            return fail_request(request, f"{self._model}: paused", self.describe())
        await asyncio.sleep(self._pause_s * 2.0**self._num_trials)
        self._num_trials += 1
        completion = await make()
        self._note(request, completion)
        return completion

    def _note(self, request: Request, completion: Completion) -> None:
        if request.candidates:
            return
        if completion.failure is None:
            self._num_in_a_row = self._num_trials = 0
            self._reasons.clear()
        elif not ABOUT_REQUEST.search(completion.failure.message):
            was_open = self.is_open
            self._num_in_a_row += 1
            self._reasons[" ".join(completion.failure.message.split())] += 1
            if self.is_open and not was_open:
                self._pause()

    def _pause(self) -> None:
        if self._end is None:
            self._on_pause()
        else:
            self._end.begin(self.describe())

    def describe(self) -> str:
        """Say how often the model has failed in a row, and why."""
        return (
            f"model {self._model} is paused after {self._num_in_a_row:,} failures in a row: "
            f"{describe_reasons(self._reasons)}"
        )


def describe_reasons(reasons: Counter[str]) -> str:
    """List reasons of failures, the most frequent first, with their numbers.

    >>> describe_reasons(Counter({"HTTP 500": 2, "no reply within 9 s": 1}))
    '2 × HTTP 500; 1 × no reply within 9 s'
    """
    ordered = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    told = [f"{num:,} × {reason}" for reason, num in ordered[:MAX_REASONS]]
    if len(ordered) > MAX_REASONS:
        told.append(f"{sum(num for _, num in ordered[MAX_REASONS:]):,} × other reasons")
    return "; ".join(told)
