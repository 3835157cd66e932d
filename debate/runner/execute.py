"""From a plan to a finished run directory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
from rich.console import Console

from debate.agents.tool_use import explain_missing_tools
from debate.config.run import RunSpec
from debate.engines.breaker import OrderlyEnd, describe_reasons
from debate.engines.metrics import ModelMetrics
from debate.errors import BudgetSpent, ConfigError, DebateError, EngineError, RunEnded
from debate.interrupts import run_to_end
from debate.log import CallCache, LogProblem, Run, RunLog
from debate.log.files import MANIFEST
from debate.log.manifest import RunStatus, diff_versions, read_manifest
from debate.runner.budget import Account
from debate.runner.concurrency import CombinedProgress, run_debates, run_sharded_debates
from debate.runner.describe import print_outline, warn_of_targets
from debate.runner.lazy_models import Guard, LazyModels
from debate.runner.monitoring import RunProgress, show_progress
from debate.runner.plan import Plan, open_log
from debate.runner.preflight import Preflight
from debate.runner.preview import describe_unpriced
from debate.runner.replica_samples import Observer, merge_counters, record_utilisation
from debate.runner.spending import (
    Spending,
    SpendingLine,
    begin_account,
    open_account,
    print_budget,
    sum_up,
)
from debate.terminal import make_console
from debate.text import clean
from debate.types import DebateKey

MIN_DEBATES, MAX_DEBATES = 16, 4096
MAX_TURNS_FOR_FORECAST = 200_000
"""Turns up to which a log is read for a forecast; more would keep the run waiting."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The end of a run, or of a part of it.

    problems: damage that the log was opened with. stale: names of recorded turns whose prompt had
    changed, made again. spending: what was spent, where that is counted. ended: what has ended it
    in order, before it was done.
    """

    directory: Path
    progress: RunProgress
    problems: tuple[LogProblem, ...]
    stale: tuple[str, ...]
    spending: Spending | None = None
    ended: RunEnded | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether the budget has stopped it."""
        return isinstance(self.ended, BudgetSpent)


def raise_if_failed(result: RunResult, *, min_completed: float) -> None:
    """Raise EngineError, with the reasons and how often each occurred, where too few turns came.

    Too few are none, or a share of all turns below `min_completed`. Probes do not count.
    """
    if not result.progress.failures:
        return
    turns = Run(result.directory).scan_turns().filter(pl.col("kind") != "probe")
    counted = turns.group_by("failure").agg(num=pl.len()).collect()
    reasons = Counter({reason: num for reason, num in counted.rows() if reason is not None})
    num_failed, num_turns = reasons.total(), counted["num"].sum()
    if not num_failed or (1 - num_failed / num_turns >= min_completed and num_failed < num_turns):
        return
    which = f"{num_failed:,} of {num_turns:,}"
    if num_failed == num_turns:
        which = f"every one of {num_turns:,}"
    told = describe_reasons(Counter({" ".join(reason.split()): n for reason, n in reasons.items()}))
    raise EngineError(f"{which} calls failed: {told}")


@dataclass(frozen=True, kw_only=True)
class StartedModels:
    """The models of a run, its end in order, and the calls by which its endpoints were tried.

    account: what these have spent where the run is new.
    """

    models: LazyModels
    end: OrderlyEnd
    tries: Preflight | None
    account: Account | None

    @asynccontextmanager
    async def record_in(self, log: RunLog, combined: CombinedProgress) -> AsyncIterator[None]:
        """Record at the end, whatever it is, what the trial calls cost and the engines say."""
        try:
            yield
        finally:
            metrics = merge_counters([*self.models.metrics(), *combined.metrics()])
            with suppress(DebateError):  # what stops the run is told by whoever met it first
                log.record_models(
                    preflight=self.tries.trial_calls if self.tries else (),
                    engines={each.model: each.facts for each in metrics},
                )


def get_run_directory(spec: RunSpec, out: Path | str | None = None) -> Path:
    """Return where the run is written: `out`, the configuration's `output`, or runs/NAME."""
    return Path(out or spec.output or Path("runs") / spec.name)


async def execute(
    plan: Plan,
    directory: Path,
    *,
    console: Console,
    quiet: bool = False,
    preflight: bool = True,
) -> RunResult:
    """Run or resume the plan in the directory.

    With `preflight`, each endpoint is tried by one call first; of a new run nothing is written
    before. Raises RunConflict where the directory holds another run, ModelRefused where an endpoint
    does not answer that call, RunEnded where a model fails too often in a row, BoundaryError where
    a model cannot be started or the disk refuses; what was acknowledged until then is on disk.
    """
    tries = Preflight(plan, console, quiet=quiet) if preflight else None
    guard = Guard(keep_going=plan.spec.keep_going, tell=partial(_warn, console))
    models = LazyModels(
        plan.models,
        plan.spec.cluster,
        run=plan.spec.name,
        preflight=tries,
        guard=guard,
        tell=None if quiet else partial(print_line, console),
        find_lack=partial(explain_missing_tools, plan.seated_agents),
    )
    async with AsyncExitStack() as stack:
        account = None
        is_tried_first = preflight and not (directory / MANIFEST).exists()
        if is_tried_first:
            account = models.meter = stack.enter_context(begin_account(plan))
        stack.push_async_callback(models.close)
        if is_tried_first:
            with suppress(BudgetSpent):  # the run is begun, and stopped at once
                await models.open_endpoints()
        started = StartedModels(models=models, end=guard.end, tries=tries, account=account)
        return await _execute_in_log(plan, directory, started, console, quiet=quiet)


async def _execute_in_log(
    plan: Plan,
    directory: Path,
    started: StartedModels,
    console: Console,
    *,
    quiet: bool,
) -> RunResult:
    with open_log(plan, directory) as log, ExitStack() as stack:
        warn_of_targets(plan, console)
        if not quiet:
            _announce(plan, log, console)
        cache = CallCache(Path(plan.spec.log.cache)) if plan.spec.log.cache else None
        if cache:
            stack.callback(cache.close)
        result = await _execute(plan, log, started, cache, console, quiet=quiet)
        spent = None if result.spending is None else result.spending.record
        log.close(_choose_status(plan, result), spent=spent)
    if result.ended is not None and not result.is_stopped:
        raise RunEnded(f"{result.ended}. {_describe_way_on(directory)}") from result.ended
    return result


def _choose_status(plan: Plan, result: RunResult) -> RunStatus:
    if result.ended is not None:
        return "budget" if result.is_stopped else "failed"
    return "interrupted" if plan.is_pilot else "complete"


def _describe_way_on(directory: Path) -> str:
    return (
        f"What was answered is recorded in {directory}; once the model answers again, the same "
        "command goes on from there. With --keep-going (keep_going: true) the run waits for it, "
        "and the other models go on."
    )


def _warn(console: Console, told: str) -> None:
    console.print(clean(told), style="yellow", markup=False, highlight=False, soft_wrap=True)


def print_line(console: Console, told: str) -> None:
    """Print a text in one line, as long as it is."""
    console.print(clean(told), markup=False, highlight=False, soft_wrap=True)


def run_pilot(
    plan: Plan, num: int, out: Path | None, console: Console, *, preflight: bool = True
) -> RunResult:
    """Debate `num` of the questions in all cells, in the run's own directory, and estimate.

    What the pilot makes is a part of the run, and counts towards its budget. Raises as `execute`
    does, and EngineError where every call failed.
    """
    from debate.runner.forecast import make_forecast, print_forecast

    directory = get_run_directory(plan.spec, out)
    result = run_to_end(
        execute(plan.pilot(num), directory, console=make_console(stderr=True), preflight=preflight)
    )
    raise_if_failed(result, min_completed=plan.spec.min_completed)
    found = make_forecast(plan, directory)
    if found is not None:
        print_forecast(found, console)
        print_budget(plan, console, found)
        for told in describe_unpriced(plan):
            console.print(told, markup=False, highlight=False, soft_wrap=True)
    if result.spending is not None:
        console.print(result.spending.in_words(), markup=False, highlight=False, soft_wrap=True)
    console.print(f"the pilot is part of {directory}: `debate run` goes on from it", soft_wrap=True)
    return result


def _announce(plan: Plan, log: RunLog, console: Console) -> None:
    """Print the run's size, what was added to it, and, where it is begun, what the rest takes."""
    print_outline(plan, console)
    starts = read_manifest(log.directory).starts
    added = starts[-1].added
    if others := diff_versions(starts[0].environment, starts[-1].environment):
        told = f"warning: begun with other versions: {', '.join(others)}; what is recorded stays"
        console.print(told, style="yellow", markup=False, highlight=False, soft_wrap=True)
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
    plan: Plan,
    log: RunLog,
    started: StartedModels,
    cache: CallCache | None,
    console: Console,
    *,
    quiet: bool,
) -> RunResult:
    progress = RunProgress(
        models=plan.models,
        num_debates=plan.num_work * len(plan.cells),
        full_turns={} if quiet else _count_full_turns(plan),
    )
    combined = CombinedProgress(progress=progress)
    complete = is_complete(plan, log)
    is_sharded = plan.spec.cluster.orchestrators > 1 and not complete
    end = started.end
    async with started.models as models, started.record_in(log, combined):
        opened = open_account(plan, log, end=end.begin, begun=started.account)
        async with opened as account:
            models.meter = account
            if account is not None:
                progress.describe_budget = SpendingLine(account, progress).format
            try:
                await _start_models(started, progress, complete=complete, is_sharded=is_sharded)
            except RunEnded as spent:
                end.begin(spent)
            else:
                async with _monitor(plan, log, models, combined, console, quiet=quiet):
                    await _debate(plan, log, started, combined, cache, account, is_sharded)
    return RunResult(
        directory=log.directory,
        progress=progress,
        problems=log.problems,
        stale=tuple(combined.stale),
        spending=None if account is None else sum_up(account, end.error),
        ended=end.error,
    )


def _count_full_turns(plan: Plan) -> dict[str, float]:
    """Count the turns of a debate of each condition at full length.

    Empty where custom code cannot be tried without models: then no time left is told.
    """
    try:
        calls = {cell.name: plan.count_max_calls(cell) for cell in plan.cells}
    except ConfigError:
        return {}
    return {name: num / max(1, plan.num_work) for name, num in calls.items()}


async def _start_models(
    started: StartedModels, progress: RunProgress, *, complete: bool, is_sharded: bool
) -> None:
    """Start what the rest of the run needs. Raises BudgetSpent where a trial call does not fit."""
    models, tries = started.models, started.tries
    try:
        if not complete:
            await models.open_endpoints()
        if is_sharded:
            models.keep_actors()
        if not complete:
            await models.start()
    finally:
        for model, usage in tries.usages.items() if tries else ():
            progress.add_usage(model, usage)


async def _debate(
    plan: Plan,
    log: RunLog,
    started: StartedModels,
    combined: CombinedProgress,
    cache: CallCache | None,
    account: Account | None,
    is_sharded: bool,
) -> None:
    """Debate everything, in this process or in shards, or until the run is ended in order."""
    models, end = started.models, started.end
    time_sharing = has_sleeping_replicas(models.metrics())
    num_workers = compute_num_workers(plan, time_sharing=time_sharing)
    if is_sharded:
        await run_sharded_debates(
            plan, log.directory, models, combined, num_workers=num_workers, end=end, account=account
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
