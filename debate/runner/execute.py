"""From a plan to a finished run directory."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
from rich.console import Console

from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.config.run import RunSpec
from debate.engines.base import Completion, CompletionClient, Request
from debate.engines.client import ModelClient
from debate.engines.meter import Meter
from debate.engines.metrics import ModelMetrics
from debate.errors import EngineError
from debate.interrupts import run_to_end
from debate.log import CallCache, LogProblem, Run, RunLog
from debate.log.manifest import RunStatus, read_manifest
from debate.runner.budget import Account
from debate.runner.concurrency import CombinedProgress, run_debates, run_sharded_debates
from debate.runner.describe import print_outline, warn_of_targets
from debate.runner.monitoring import (
    Observer,
    RunProgress,
    merge_counters,
    record_utilisation,
    show_progress,
)
from debate.runner.plan import Plan, open_log
from debate.runner.spending import (
    Spending,
    SpendingLine,
    open_account,
    print_budget,
    sum_up,
)
from debate.terminal import make_console
from debate.types import DebateKey

MIN_DEBATES, MAX_DEBATES = 16, 4096
MAX_REASONS = 3
"""Reasons that are told where every call failed; the rest are counted."""
MAX_TURNS_FOR_FORECAST = 200_000
"""Turns up to which a log is read for a forecast; more would keep the run waiting."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The end of a run, or of a part of it.

    problems: damage that the log was opened with. stale: names of recorded turns whose prompt had
    changed, made again. spending: what was spent, where that is counted.
    """

    directory: Path
    progress: RunProgress
    problems: tuple[LogProblem, ...]
    stale: tuple[str, ...]
    spending: Spending | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether the budget has stopped it."""
        return self.spending is not None and self.spending.spent_on is not None


def raise_if_all_failed(result: RunResult) -> None:
    """Raise EngineError, with the reasons and how often each occurred, where every call failed."""
    counts = result.progress
    if counts.replayed or not counts.turns or counts.failures < counts.turns:
        return
    reasons = Run(result.directory).scan_turns().group_by("failure").agg(num=pl.len()).collect()
    ordered = reasons.sort("num", "failure", descending=[True, False]).rows()
    told = [f"{num:,} × {' '.join(reason.split())}" for reason, num in ordered[:MAX_REASONS]]
    if len(ordered) > MAX_REASONS:
        told.append(f"{sum(num for _, num in ordered[MAX_REASONS:]):,} × other reasons")
    raise EngineError(f"every one of {counts.turns:,} calls failed: {'; '.join(told)}")


def get_run_directory(spec: RunSpec, out: Path | str | None = None) -> Path:
    """Return where the run is written: `out`, the configuration's `output`, or runs/NAME."""
    return Path(out or spec.output or Path("runs") / spec.name)


async def execute(
    plan: Plan, directory: Path, *, console: Console, quiet: bool = False
) -> RunResult:
    """Run or resume the plan in the directory.

    Raises RunConflict where the directory holds another run, BoundaryError where a model cannot
    be started or the disk refuses; what was acknowledged until then is on disk.
    """
    with open_log(plan, directory) as log:
        warn_of_targets(plan, console)
        if not quiet:
            _announce(plan, log, console)
        cache = CallCache(Path(plan.spec.log.cache)) if plan.spec.log.cache else None
        try:
            result = await _execute(plan, log, cache, console, quiet=quiet)
            ended: RunStatus = "budget" if result.is_stopped else "complete"
            is_part = plan.is_pilot and not result.is_stopped
            spent = None if result.spending is None else result.spending.record
            log.close("interrupted" if is_part else ended, spent=spent)
            return result
        finally:
            if cache:
                cache.close()


def run_pilot(plan: Plan, num: int, out: Path | None, console: Console) -> RunResult:
    """Debate `num` of the questions in all cells, in the run's own directory, and estimate.

    What the pilot makes is a part of the run, and counts towards its budget. Raises as `execute`
    does, and EngineError where every call failed.
    """
    from debate.runner.forecast import make_forecast, print_forecast

    directory = get_run_directory(plan.spec, out)
    result = run_to_end(execute(plan.pilot(num), directory, console=make_console(stderr=True)))
    raise_if_all_failed(result)
    found = make_forecast(plan, directory)
    if found is not None:
        print_forecast(found, console)
        print_budget(plan, console, found)
    if result.spending is not None:
        console.print(result.spending.in_words(), markup=False, highlight=False, soft_wrap=True)
    console.print(f"the pilot is part of {directory}: `debate run` goes on from it", soft_wrap=True)
    return result


def _announce(plan: Plan, log: RunLog, console: Console) -> None:
    """Print the run's size, what was added to it, and, where it is begun, what the rest takes."""
    print_outline(plan, console)
    starts = read_manifest(log.directory).starts
    added = starts[-1].added
    changed = [name for name, code in starts[0].code.items() if starts[-1].code.get(name) != code]
    if changed:
        told = f"warning: begun with other code of {', '.join(changed)}; what is recorded stays"
        console.print(told, style="yellow", markup=False, highlight=False)
    if added:
        console.print(f"added to the run: {', '.join(added)}", markup=False, highlight=False)
    found = None
    if not plan.is_pilot and 0 < log.num_turns <= MAX_TURNS_FOR_FORECAST:
        from debate.runner.forecast import make_forecast, print_forecast

        found = make_forecast(plan, log.directory)
        if found is not None and found.num_items < found.num_all:
            print_forecast(found, console)
    print_budget(plan, console, found)


async def _execute(
    plan: Plan, log: RunLog, cache: CallCache | None, console: Console, *, quiet: bool
) -> RunResult:
    specs = plan.models
    progress = RunProgress(models=specs, num_debates=plan.num_work * len(plan.cells))
    combined = CombinedProgress(progress=progress)
    complete = is_complete(plan, log)
    is_sharded = plan.spec.cluster.orchestrators > 1 and not complete
    if is_sharded:
        specs = {name: spec for name, spec in specs.items() if spec.host == "actor"}
    async with AsyncExitStack() as stack:
        models = LazyModels(specs, plan.spec.cluster, run=plan.spec.name)
        await stack.enter_async_context(models)
        async with open_account(plan, log) as account:
            models.meter = account
            if account is not None:
                progress.describe_budget = SpendingLine(account, progress).format
            if not complete:
                await models.start()
            async with _monitor(plan, log, models, combined, console, quiet=quiet):
                await _debate(plan, log, models, combined, cache, account, is_sharded=is_sharded)
    return RunResult(
        directory=log.directory,
        progress=progress,
        problems=log.problems,
        stale=tuple(combined.stale),
        spending=None if account is None else sum_up(account, combined.spent_on),
    )


async def _debate(
    plan: Plan,
    log: RunLog,
    models: LazyModels,
    combined: CombinedProgress,
    cache: CallCache | None,
    account: Account | None,
    *,
    is_sharded: bool,
) -> None:
    """Debate everything, in this process or in shards, or until the budget is spent."""
    time_sharing = has_sleeping_replicas(models.metrics())
    num_workers = compute_num_workers(plan, time_sharing=time_sharing)
    if is_sharded:
        await run_sharded_debates(
            plan, log.directory, models, combined, num_workers=num_workers, account=account
        )
        return
    await run_debates(
        plan.work,
        plan.cells,
        num_workers=num_workers,
        clients=models,
        log=log,
        watcher=combined.progress,
        cache=cache,
        stale=combined.kept_stale,
        account=account,
    )


@asynccontextmanager
async def _monitor(
    plan: Plan,
    log: RunLog,
    models: LazyModels,
    combined: CombinedProgress,
    console: Console,
    *,
    quiet: bool,
) -> AsyncIterator[None]:
    """Show, and write down, what happens in the body."""

    def read_counters() -> list[ModelMetrics]:
        return merge_counters([*models.metrics(), *combined.metrics()])

    async with (
        record_utilisation(log.directory, read_counters, _make_observers(plan)),
        show_progress(combined.progress, read_counters, console, quiet=quiet),
    ):
        yield


def _make_observers(plan: Plan) -> Sequence[Observer]:
    """Ray's metrics, where Ray takes part."""
    hosts = {spec.host for spec in plan.models.values()}
    if "actor" not in hosts and plan.spec.cluster.orchestrators == 1:
        return ()
    from debate.cluster.metrics import RayMetrics

    return (RayMetrics(plan.spec.name),)


def is_complete(plan: Plan, log: RunLog) -> bool:
    """Whether the log has the final verdict of every debate, so that no model need start."""
    keys = (
        DebateKey(cell=cell.name, question=question.id, seed=seed)
        for question, seed in plan.work
        for cell in plan.cells
    )
    return all(any(verdict.final for verdict in log.verdicts(key)) for key in keys)


def has_sleeping_replicas(models: Sequence[ModelMetrics]) -> bool:
    """Whether some model waits asleep for its turn on a device."""
    return any(row.state == "asleep" for model in models for row in model.replicas)


def compute_num_workers(plan: Plan, *, time_sharing: bool = False) -> int:
    """Return how many questions to debate at once: twice what fills every engine's batch.

    Where models take turns on a device, as many as there may be: every swap serves all that wait.
    """
    most = plan.num_work
    if plan.spec.max_debates:
        return min(plan.spec.max_debates, most)
    if time_sharing:
        return min(most, MAX_DEBATES)
    room = sum(spec.max_in_flight * spec.replicas for spec in plan.models.values())
    seats = sum(len(cell.agents) for cell in plan.cells)
    return min(most, max(MIN_DEBATES, min(MAX_DEBATES, math.ceil(2 * room / seats))))


class LazyModels(Mapping[str, CompletionClient]):
    """Clients by model name, all started when the first call is made at the latest.

    A run whose log is complete never starts them.
    """

    def __init__(self, specs: Mapping[str, ModelSpec], cluster: ClusterSpec, *, run: str) -> None:
        self._specs = specs
        self._cluster = cluster
        self._run = run
        self.meter: Meter | None = None
        self._stack = AsyncExitStack()
        self._starting: asyncio.Task[Mapping[str, ModelClient]] | None = None
        self._clients: Mapping[str, ModelClient] = {}

    async def start(self) -> Mapping[str, ModelClient]:
        """Start every model, once. Raises BoundaryError with the first one's error in words."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._open())
        self._clients = await asyncio.shield(self._starting)
        return self._clients

    async def _open(self) -> Mapping[str, ModelClient]:
        opened = launch_models(self._specs, self._cluster, run=self._run, meter=self.meter)
        return await self._stack.enter_async_context(opened)

    def metrics(self) -> list[ModelMetrics]:
        """A snapshot of every started model."""
        return [client.metrics() for client in self._clients.values()]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def __getitem__(self, name: str) -> CompletionClient:
        return self._clients.get(name) or _StartOnFirstCall(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


class _StartOnFirstCall:
    """A client that starts all models with its first call, unless they are up."""

    def __init__(self, models: LazyModels, name: str) -> None:
        self._models = models
        self._name = name

    async def complete(self, request: Request) -> Completion:
        clients = self._models._clients or await self._models.start()
        return await clients[self._name].complete(request)
