"""The end of a run in order, and what pauses a model: failures in a row, which end it or go on to
trial calls."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy

from debate.engines.base import Completion, Request, fail_request
from debate.errors import BudgetSpent, RunEnded

MAX_TRIALS = 6
"""Trial calls to a paused model, each after twice the wait; when all have failed it is given up."""
MAX_REASONS = 3
"""Reasons of failures that are told; the rest are counted."""
_NUM_TICKS = 20
"""Turns of the event loop in which an answered call reaches the log."""
BUDGET, ENDED = "budget", "ended"
"""The boundaries of failures that say that a call was not made, because the run is ended."""

ABOUT_REQUEST = re.compile(
    r"context[ _](?:length|window|size)|maximum context|too (?:long|large|many tokens)|"
    r"max_model_len|content[ _](?:filter|policy|management)",
    re.IGNORECASE,
)
"""Failures that are about what was asked, and say nothing of the model."""


class Withdrawn(Exception):
    """A call was taken back before it was sent; it may be made anew."""


class OrderlyEnd:
    """Ends a run in order: no further call begins, and those under way are answered.

    It is begun by the first error that says why: a model that is paused, or a budget that is spent.
    `error` is that one from then on, and is what every further call raises, once those under way
    have reached the log. What is in `on_begin` is called first, to take back calls that wait.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.error: RunEnded | None = None
        self.on_begin: list[Callable[[], None]] = []
        self._tell = tell
        self._num_under_way = 0
        self._has_begun = asyncio.Event()
        self._is_drained = asyncio.Event()

    async def call(self, make: Callable[[], Awaitable[Completion]]) -> Completion:
        """Make a call as soon as it may begin, and anew where it was taken back.

        Raises the error of the end. One that the call itself raises begins it.
        """
        while True:
            await self._raise_if_ended()
            self._num_under_way += 1
            try:
                return await make()
            except Withdrawn:
                pass
            except RunEnded as error:
                self.begin(error)
            finally:
                self._num_under_way -= 1
                self._check_drained()

    async def pause(self, seconds: float) -> None:
        """Wait. Raises Withdrawn as soon as the end begins."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_begun.wait()
        if self.error is not None:
            raise Withdrawn

    def begin(self, error: RunEnded) -> None:
        """Let no further call begin."""
        if self.error is not None:
            return
        self.error = error
        self._has_begun.set()
        for take_back in self.on_begin:
            take_back()
        if self._tell:
            self._tell(f"{error}; the calls under way are waited for, no other is made")
        self._check_drained()

    async def _raise_if_ended(self) -> None:
        if self.error is None:
            return
        await self._is_drained.wait()
        for _ in range(_NUM_TICKS):
            await asyncio.sleep(0)
        raise copy(self.error)

    def _check_drained(self) -> None:
        if self.error is not None and self._num_under_way == 0:
            self._is_drained.set()


def fail_ended(request: Request, error: RunEnded) -> Completion:
    """Return the end of a run as the failure of a call, to be sent to another process."""
    if isinstance(error, BudgetSpent):
        return fail_request(request, BUDGET, error.cap)
    return fail_request(request, ENDED, str(error))


def raise_if_ended(completion: Completion) -> Completion:
    """Return a completion. Raises the error that `fail_ended` has made one of."""
    failure = completion.failure
    if failure is not None and failure.boundary == BUDGET:
        raise spend_all_of(failure.message)
    if failure is not None and failure.boundary == ENDED:
        raise RunEnded(failure.message)
    return completion


def spend_all_of(cap: str) -> BudgetSpent:
    """Return the error that says that nothing is left of a cap."""
    return BudgetSpent(f"the budget is spent: {cap}", cap=cap)


class CircuitBreaker:
    """Pauses a model after `limit` failures in a row, which nothing but a reply ends.

    Failures that are about what was asked, and scores, do not count. A pause ends the run in order
    by `end`; with `keep_going`, one trial call is made after `pause_s` seconds, then after twice
    that and so on, while all other calls wait. When `MAX_TRIALS` have failed, every further call
    fails. `on_pause` is called when a pause begins, to take back calls that wait to be sent.
    """

    def __init__(
        self,
        model: str,
        *,
        limit: int | None,
        pause_s: float,
        end: OrderlyEnd,
        keep_going: bool = False,
        on_pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_pause = on_pause
        self._model = model
        self._limit = limit
        self._pause_s = pause_s
        self._end = end
        self._keep_going = keep_going
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
        while self.is_open and self._keep_going:
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
        await self._end.pause(self._pause_s * 2.0**self._num_trials)
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
        if self._keep_going:
            self._on_pause()
        else:
            self._end.begin(RunEnded(self.describe()))

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
