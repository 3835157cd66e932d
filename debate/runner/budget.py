"""The account of a run's budget: each call held at its worst before it starts, settled after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from debate.engines.base import Completion, Request
from debate.engines.breaker import Withdrawn, raise_if_ended, spend_all_of
from debate.engines.meter import bound_call
from debate.errors import BudgetSpent
from debate.log.files import FIRST_SHARD
from debate.log.spend import CallSize, SpendJournal, SpendLine, SpendTotals
from debate.runner.admission import Admission
from debate.runner.tariff import Tariff, Units, add_units

_QUIET_TICKS = 20
"""Ticks of the event loop in which nothing may happen before calls that wait are refused."""

_OTHERS_S = 0.1
"""Seconds between looks at what other processes have given back."""


@dataclass(eq=False, kw_only=True)
class _Waiter:
    """A call that waits to start. Of several, that of the item begun first comes first."""

    place: int
    number: int
    model: str
    size: CallSize
    price: Units
    goes_on: bool
    """Whether it is another attempt at a call that has begun."""
    future: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Account:
    """The budget as one process sees it. All processes of a run share its journal.

    A call waits while others in flight may give back what it lacks. `spent_on` names the cap that
    stopped the run, once nothing is in flight and the next call does not fit: from then on every
    call is refused. Calls wait in the order in which the questions were begun.
    """

    def __init__(
        self,
        tariff: Tariff,
        journal: SpendJournal,
        *,
        by: str = FIRST_SHARD,
        ends_at: float | None = None,
        calls_per_item: float = 1.0,
        num_sharing: int = 1,
    ) -> None:
        """Open an account of this process, `by` its number.

        ends_at: when the hours are over, in seconds since the epoch; None where they have no cap.
        calls_per_item: the most calls of one question and seed in all cells. num_sharing: processes
        that begin questions of their own.
        """
        self.tariff = tariff
        self.spent_on: str | None = None
        self.opened_at = time.monotonic()
        self.stopped_at: float | None = None
        self.ends_at, self.calls_per_item = ends_at, calls_per_item
        self._journal, self._by = journal, by
        self._caps = tariff.caps
        self._totals = journal.read()
        self._admission = Admission(calls_per_item=calls_per_item, num_sharing=num_sharing)
        self._waiting: list[_Waiter] = []
        self._returned: dict[str, tuple[CallSize, int]] = {}
        self._changed = asyncio.Event()
        self._pumping: asyncio.Task[None] | None = None
        self._in_flight = self._num_waiters = 0
        self._longest_s = 0.0

    @property
    def counts_tokens(self) -> bool:
        """Whether some cap depends on the length of replies."""
        return self.tariff.budget.counts_tokens

    @property
    def totals(self) -> SpendTotals:
        """The sums of the journal as of the last look."""
        return self._totals

    @property
    def units(self) -> Units:
        """What the run has come to, calls in flight at their worst, as of the last look."""
        return self.tariff.sum_up(self._totals)

    def refresh(self) -> Units:
        """Look at what all processes have spent, and return it."""
        self._totals = self._journal.read()
        return self.units

    # Calls

    async def spend(
        self, model: str, request: Request, call: Callable[[], Awaitable[Completion]]
    ) -> Completion:
        """Make a call once its worst case fits, and charge what it took; see `Meter`."""
        size = bound_call(request, self.tariff.models[model])
        item = request.affinity or request.id
        await self._hold(model, size, item, goes_on=False)
        unused, started = CallSize(), time.monotonic()
        try:
            async with asyncio.timeout(self.left_s) as limit:
                completion = await call()
            unused = _find_unused(size, completion, scores=bool(request.candidates))
        except TimeoutError:
            if not limit.expired():
                raise
            raise self.close("hours") from None
        except Withdrawn:
            unused = size
            raise
        finally:
            self._release(model, unused, item)
            self._longest_s = max(self._longest_s, time.monotonic() - started)
        return raise_if_ended(completion)

    async def extend(self, model: str, request: Request, *, free: bool = False) -> None:
        """Charge another attempt at a call in flight; see `Meter`."""
        size = bound_call(request, self.tariff.models[model])
        wanted = CallSize(calls=1) if free else size._replace(calls=1)
        self._release(model, CallSize(), None)  # while it waits, nothing of it is in flight
        try:
            await self._hold(model, wanted, request.affinity or request.id, goes_on=True)
        except BaseException:
            self._release(model, CallSize(), None, ended=-1)
            raise

    def withdraw(self, model: str) -> None:
        """Take back the calls of a model that wait to start; see `Meter`."""
        taken = {each for each in self._waiting if each.model == model and not each.goes_on}
        self._waiting = [each for each in self._waiting if each not in taken]
        for waiter in taken:
            if not waiter.future.done():
                waiter.future.set_exception(Withdrawn())

    async def _hold(self, model: str, size: CallSize, item: str, *, goes_on: bool) -> None:
        """Wait until a call fits and is written down as held. Raises BudgetSpent, Withdrawn."""
        if self.spent_on is not None:
            raise spend_all_of(self.spent_on)
        self._num_waiters += 1
        price = self.tariff.price(model, size)
        waiter = _Waiter(
            place=self._admission.get_place(item),
            number=self._num_waiters,
            model=model,
            size=size,
            price=price,
            goes_on=goes_on,
        )
        self._waiting.append(waiter)
        self._wake()
        try:
            await waiter.future
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif waiter.future.done() and not waiter.future.cancelled():
                self._release(model, size, None)
            raise
        self._admission.charge(item, price)

    def _release(self, model: str, unused: CallSize, item: str | None, *, ended: int = 1) -> None:
        """Give back what a call that has ended did not use."""
        self._in_flight -= ended
        size, num = self._returned.get(model, (CallSize(), 0))
        self._returned[model] = (size.plus(unused), num + ended)
        if item is not None:
            given = self.tariff.price(model, unused)
            self._admission.charge(item, {name: -amount for name, amount in given.items()})
        self._wake()

    # The journal

    def _wake(self) -> None:
        self._changed.set()
        if self._pumping is None or self._pumping.done():
            self._pumping = asyncio.get_running_loop().create_task(self._pump())

    async def _pump(self) -> None:
        """Write down what was returned and grant what fits, until nothing is left to do."""
        while self._changed.is_set():
            self._changed.clear()
            try:
                await self._commit()
            except Exception as error:
                self._fail(error)
                return
            self._admission.review(self._count_left())
            if self._waiting and not self._changed.is_set():
                await self._refuse_if_final()

    async def _commit(self) -> None:
        waiting = sorted(self._waiting, key=lambda each: (each.place, each.number))
        returned, self._returned = self._returned, {}
        granted: list[_Waiter] = []

        def decide(totals: SpendTotals) -> Sequence[SpendLine]:
            back = [
                SpendLine(by=self._by, model=model, open=-num, **_negate(size)._asdict())
                for model, (size, num) in returned.items()
            ]
            sums = self.tariff.sum_up(totals)
            for line in back:
                add_units(sums, self.tariff.price(line.model or "", line.size))
            granted.extend(self._choose(sums, waiting))
            return back + _hold_lines(granted, self._by)

        self._totals = await asyncio.to_thread(self._journal.commit, decide)
        for waiter in granted:
            self._in_flight += 1
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            if waiter.future.done():  # its caller has left meanwhile
                self._release(waiter.model, waiter.size, None)
            else:
                waiter.future.set_result(None)

    def _choose(self, sums: Units, waiting: Sequence[_Waiter]) -> list[_Waiter]:
        """Choose the first waiting calls that fit together; none overtakes one that does not."""
        chosen = []
        for waiter in waiting:
            if self._find_lack(sums, waiter.price) is not None:
                break
            add_units(sums, waiter.price)
            chosen.append(waiter)
        return chosen

    def _find_lack(self, sums: Units, price: Units) -> str | None:
        """Find the cap that a call would pass; None where it fits."""
        left_s = self.left_s
        if left_s is not None and left_s <= self._longest_s:
            return "hours"
        for name, cap in self._caps.items():
            if name in price and sums[name] + price[name] > cap:
                return name
        return None

    async def _refuse_if_final(self) -> None:
        """Refuse the calls that wait, if nothing in flight anywhere can make room for them."""
        for _ in range(_QUIET_TICKS):
            if self._in_flight or self._changed.is_set():
                return
            await asyncio.sleep(0)
        if any(num for by, num in self._totals.open.items() if by != self._by):
            await asyncio.sleep(_OTHERS_S)
            self._changed.set()
        elif self._waiting:
            first = min(self._waiting, key=lambda each: (each.place, each.number))
            lack = self._find_lack(self.units, first.price)
            if lack is None:
                self._changed.set()
            else:
                self.close(lack)

    # The end

    def close(self, spent_on: str) -> BudgetSpent:
        """Refuse all that waits, and all that comes; return what they raise."""
        if self.spent_on is None:
            self.spent_on, self.stopped_at = spent_on, time.monotonic()
        refusal = spend_all_of(self.spent_on)
        self._fail(refusal)
        return refusal

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.future.done():
                waiter.future.set_exception(error)
        self._admission.close()

    @property
    def left_s(self) -> float | None:
        """Seconds for which calls may yet go on; None where the hours have no cap."""
        return None if self.ends_at is None else max(0.0, self.ends_at - time.time())

    def _count_left(self) -> Units:
        """What is left of each cap on what calls take."""
        sums = self.units
        return {name: cap - sums[name] for name, cap in self._caps.items() if name != "hours"}

    # Questions

    async def admit(self, item: str) -> bool:
        """Wait until a question and seed may be begun; False where the budget is spent.

        It may once it is expected to fit beside those that are under way, so that these are
        finished first.
        """
        if self.spent_on is not None:
            return False
        return await self._admission.admit(item, self._count_left())

    def finish(self, item: str) -> None:
        """Note that a question and seed is no longer under way."""
        self._admission.finish(item, self._count_left())

    def drop(self, by: str) -> None:
        """Note that a process was lost: nothing of it is in flight any more."""
        self._totals = self._journal.commit(lambda _: [SpendLine(by=by, lost=True)])
        self._wake()

    async def move(self, journal: SpendJournal) -> None:
        """Go on in another journal, which has what this one has."""
        await self.settle()
        self._journal = journal
        self.refresh()

    async def settle(self) -> None:
        """Write down what is still to be given back."""
        if self._pumping is not None:
            await self._pumping
        if self._returned:
            await self._commit()


def _negate(size: CallSize) -> CallSize:
    return CallSize().minus(size)


def _hold_lines(granted: Sequence[_Waiter], by: str) -> list[SpendLine]:
    """A line for each model of the calls that are about to start."""
    sizes: dict[str, tuple[CallSize, int]] = {}
    for waiter in granted:
        size, num = sizes.get(waiter.model, (CallSize(), 0))
        sizes[waiter.model] = (size.plus(waiter.size), num + 1)
    return [
        SpendLine(by=by, model=model, open=num, **size._asdict())
        for model, (size, num) in sizes.items()
    ]


def _find_unused(size: CallSize, completion: Completion, *, scores: bool) -> CallSize:
    """What a call did not use of what was held for it; a count that is not told was used whole.

    scores: whether it scored candidates, for which servers make a token that they do not tell of.
    """
    usage = completion.usage
    told = (usage.prompt_tokens, None if scores else usage.generated_tokens)
    held = (size.prompt_tokens, size.generated_tokens)
    unused = [0 if used is None else most - used for used, most in zip(told, held, strict=True)]
    return CallSize(0, *unused)
