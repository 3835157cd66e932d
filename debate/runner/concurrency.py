"""Debates side by side: in one process, or in shards of the questions with a process each."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, OpenaiModel
from debate.engines.base import CompletionClient
from debate.engines.breaker import OrderlyEnd
from debate.engines.client import ModelClient, run_all
from debate.engines.metrics import ModelMetrics
from debate.errors import DebateError, RunEnded
from debate.log import CallCache, RunLog
from debate.log.spend import SpendJournal
from debate.orchestrator.call_store import CallStore, TurnWatcher
from debate.orchestrator.condition import Condition
from debate.orchestrator.question import debate_question
from debate.runner.budget import Account
from debate.runner.lazy_models import Guard
from debate.runner.monitoring import RunProgress
from debate.runner.plan import Plan, WorkItem
from debate.runner.tariff import Tariff
from debate.types import Question

GC_THRESHOLDS = (50_000, 20, 50)
"""Python's own thresholds suit programs with little in memory. Debates under way are much, live
long, and hold no cycles, so that looking through them again and again finds nothing."""


async def run_debates(
    work: Iterable[tuple[Question, int]],
    cells: Sequence[Condition],
    *,
    num_workers: int,
    clients: Mapping[str, CompletionClient],
    log: RunLog,
    watcher: TurnWatcher,
    cache: CallCache | None,
    stale: list[str],
    account: Account | None = None,
) -> None:
    """Debate every question with its seed in every cell, `num_workers` questions at a time.

    Where the run is ended in order, what was begun by then is recorded as far as it came. Names of
    recorded turns that had to be made again are added to `stale`. Raises LogError.
    """
    left = iter(work)

    async def debate_rest() -> None:
        for question, seed in left:
            calls = CallStore(clients=clients, log=log, watcher=watcher, cache=cache, stale=stale)
            item = f"{question.id}/{seed}"
            if account is not None and not await account.admit(item):
                return
            try:
                await debate_question(question, cells, calls, seed=seed)
            except RunEnded:
                return
            except asyncio.CancelledError as lost:
                # A task group would take this for a worker that was told to stop.
                if not _is_told_to_stop():
                    raise DebateError(f"the debate of question {question.id} was lost") from lost
                raise
            finally:
                if account is not None:
                    account.finish(item)

    await run_workers(debate_rest, num_workers)


def _is_told_to_stop() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def run_workers(worker: Callable[[], Coroutine[Any, Any, None]], num: int) -> None:
    """Run `num` of a worker side by side; the first error stops the others and is raised alone."""
    with reduce_gc():
        await run_all(worker() for _ in range(num))


@contextmanager
def reduce_gc() -> Iterator[None]:
    """Collect garbage less often while the body runs; a collector that is off stays off."""
    before = gc.get_threshold()
    gc.set_threshold(*(GC_THRESHOLDS if before[0] else before))
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass(frozen=True, kw_only=True)
class Shard:
    """The work of one process. `specs` are all models; it starts those without an actor."""

    directory: Path
    cells: tuple[Condition, ...]
    work: tuple[WorkItem, ...]
    specs: Mapping[str, ModelSpec]
    cache: str | None
    num_workers: int
    keep_going: bool
    share: AccountShare | None = None


@dataclass(frozen=True, kw_only=True)
class AccountShare:
    """What a process needs to open an account of its own on a run's budget; see `Account`."""

    tariff: Tariff
    ends_at: float | None
    calls_per_item: float
    num_sharing: int

    def open(self, journal: SpendJournal, by: str) -> Account:
        """Open it, as the process of this number."""
        return Account(
            self.tariff,
            journal,
            by=by,
            ends_at=self.ends_at,
            calls_per_item=self.calls_per_item,
            num_sharing=self.num_sharing,
        )


class ShardStatus(NamedTuple):
    """The counts of a shard since its process began; what has ended the run in it, if anything."""

    counts: Mapping[str, float]
    metrics: tuple[ModelMetrics, ...]
    stale: tuple[str, ...]
    ended: RunEnded | None = None


class ShardRunner:
    """Debates a shard into log files of its own, which `attempt` numbers."""

    def __init__(self, shard: Shard, attempt: int) -> None:
        self._shard = shard
        self._attempt = attempt
        self._progress = RunProgress(
            models=shard.specs, num_debates=len(shard.work) * len(shard.cells)
        )
        self._own: Mapping[str, ModelClient] = {}
        self._stale: list[str] = []
        self._account: Account | None = None
        self._guard = Guard(keep_going=shard.keep_going)

    async def run(self, client: Callable[[str], CompletionClient]) -> None:
        """Debate everything, or until the run is ended in order, which the status tells.

        Raises LogError where the disk fails or the run is not there.
        """
        shard = self._shard
        own = {name: spec for name, spec in shard.specs.items() if spec.host == "driver"}
        async with AsyncExitStack() as stack:
            log = stack.enter_context(RunLog.join(shard.directory, shard=str(self._attempt)))
            cache = CallCache(Path(shard.cache)) if shard.cache else None
            if cache:
                stack.callback(cache.close)
            if shard.share is not None:
                journal = SpendJournal(shard.directory)
                stack.callback(journal.close)
                self._account = shard.share.open(journal, str(self._attempt))
                stack.push_async_callback(self._account.settle)
            launched = launch_models(own, ClusterSpec(), meter=self._account)
            async with launched as self._own:
                self._guard.watch(own, self._own)
                wrap = self._guard.wrap
                clients = {n: self._own.get(n) or wrap(client(n)) for n in shard.specs}
                await run_debates(
                    shard.work,
                    shard.cells,
                    num_workers=shard.num_workers,
                    clients=clients,
                    log=log,
                    watcher=self._progress,
                    cache=cache,
                    stale=self._stale,
                    account=self._account,
                )

    def status(self) -> ShardStatus:
        """The counts so far."""
        metrics = tuple(each.metrics() for each in self._own.values())
        ended = self._guard.end.error
        return ShardStatus(self._progress.counts, metrics, tuple(self._stale), ended)

    def end(self, error: RunEnded) -> None:
        """End it in order, as other processes are."""
        self._guard.end.begin(error)


@dataclass(kw_only=True)
class CombinedProgress:
    """The statuses of all shards, added up.

    kept_stale: recorded turns that this process made again, or one that is gone.
    """

    progress: RunProgress
    latest: dict[int, ShardStatus] = field(default_factory=dict)
    kept_stale: list[str] = field(default_factory=list)

    def update(self, shard: int, status: object) -> ShardStatus:
        """Add what a shard has counted since its last status; return the status."""
        assert isinstance(status, ShardStatus)
        before = self.latest[shard].counts if shard in self.latest else {}
        self.progress.add({name: n - before.get(name, 0) for name, n in status.counts.items()})
        self.latest[shard] = status
        return status

    def drop(self, shard: int) -> None:
        """Take off what the replacement of a lost process will find in the log and count again."""
        status = self.latest.pop(shard, None)
        if status is not None:
            self.kept_stale += status.stale
            again = ("debates", "ties", "replayed")
            self.progress.add({name: -status.counts[name] for name in again})

    def metrics(self) -> list[ModelMetrics]:
        """The counters of the models inside the shards."""
        return [each for status in self.latest.values() for each in status.metrics]

    @property
    def stale(self) -> list[str]:
        """Recorded turns that were made again."""
        found = [name for status in self.latest.values() for name in status.stale]
        return [*self.kept_stale, *found]


async def run_sharded_debates(
    plan: Plan,
    directory: Path,
    clients: Mapping[str, CompletionClient],
    combined: CombinedProgress,
    *,
    num_workers: int,
    end: OrderlyEnd,
    account: Account | None = None,
) -> None:
    """Debate every shard in an actor of its own, or until one is ended in order, and so all are.

    Raises the first one's error.
    """
    from debate.cluster.orchestrators import run_shares

    shards = make_shards(plan, directory, num_workers=num_workers, account=account)
    attempts: dict[int, int] = {}

    def make_runner(number: int, attempt: int) -> ShardRunner:
        attempts[number] = attempt
        return ShardRunner(shards[number], attempt)

    def update(number: int, status: object) -> None:
        ended = combined.update(number, status).ended
        if ended is not None:
            end.begin(ended)

    def drop(number: int) -> None:
        combined.drop(number)
        if account is not None:
            account.drop(str(attempts[number]))

    runners = [partial(make_runner, number) for number in range(len(shards))]
    await run_shares(
        runners,
        plan.spec.cluster,
        clients,
        run=plan.spec.name,
        on_status=update,
        on_lost=drop,
        end=end,
    )


def make_shards(
    plan: Plan, directory: Path, *, num_workers: int, account: Account | None = None
) -> list[Shard]:
    """Deal out the run's work item by item, and divide what limits the whole run."""
    num = min(plan.spec.cluster.orchestrators, plan.num_work)
    share = None
    if account is not None:
        share = AccountShare(
            tariff=account.tariff,
            ends_at=account.ends_at,
            calls_per_item=account.calls_per_item,
            num_sharing=num,
        )
    return [
        Shard(
            directory=directory.resolve(),
            cells=plan.cells,
            work=tuple(islice(plan.work, first, None, num)),
            specs={name: divide_limits(spec, num) for name, spec in plan.models.items()},
            cache=str(Path(plan.spec.log.cache).resolve()) if plan.spec.log.cache else None,
            num_workers=math.ceil(num_workers / num),
            keep_going=plan.spec.keep_going,
            share=share,
        )
        for first in range(num)
    ]


def divide_limits(spec: ModelSpec, num: int) -> ModelSpec:
    """Divide the limits of a model that runs inside each of `num` processes."""
    if spec.host != "driver":
        return spec
    limits: dict[str, object] = {"max_in_flight": math.ceil(spec.max_in_flight / num)}
    if isinstance(spec, OpenaiModel) and spec.requests_per_minute:
        limits["requests_per_minute"] = spec.requests_per_minute / num
    return spec.model_copy(update=limits)
