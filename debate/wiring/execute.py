"""From a plan to a finished run directory."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from rich.console import Console

from debate.config.run import RunSpec
from debate.engines.counters import ModelCounters
from debate.errors import EngineError
from debate.log import CallCache, Problem, Run, RunLog
from debate.types import DebateKey
from debate.wiring.announce import announce
from debate.wiring.debating import debate_all
from debate.wiring.identity import open_log
from debate.wiring.models import Models
from debate.wiring.plan import Plan
from debate.wiring.progress import Tally, shown
from debate.wiring.shares import Gathered, debate_shares
from debate.wiring.utilisation import Observer, by_replica, watched

MIN_DEBATES, MAX_DEBATES = 16, 4096
MOST_REASONS = 3
"""Reasons that are told where every call failed; the rest are counted."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run went. `stale` names recorded turns whose prompt had changed, made again."""

    directory: Path
    tally: Tally
    problems: tuple[Problem, ...]
    stale: tuple[str, ...]


def require_a_reply(outcome: Outcome) -> None:
    """Raise EngineError, with the reasons and how often each occurred, where every call failed."""
    tally = outcome.tally
    if tally.replayed or not tally.turns or tally.failures < tally.turns:
        return
    reasons = Run(outcome.directory).scan_turns().group_by("failure").agg(num=pl.len()).collect()
    ordered = reasons.sort("num", "failure", descending=[True, False]).rows()
    told = [f"{num:,} × {' '.join(reason.split())}" for reason, num in ordered[:MOST_REASONS]]
    if len(ordered) > MOST_REASONS:
        told.append(f"{sum(num for _, num in ordered[MOST_REASONS:]):,} × other reasons")
    raise EngineError(f"every one of {tally.turns:,} calls failed: {'; '.join(told)}")


async def execute(plan: Plan, directory: Path, *, console: Console, quiet: bool = False) -> Outcome:
    """Run or resume the plan in the directory.

    Raises RunConflict where the directory holds another run, BoundaryError where a model cannot
    be started or the disk refuses; what was acknowledged until then is on disk.
    """
    with open_log(plan, directory) as log:
        if not quiet:
            announce(plan, log, console)
        cache = CallCache(Path(plan.spec.log.cache)) if plan.spec.log.cache else None
        try:
            outcome = await _debate_all(plan, log, cache, console, quiet=quiet)
            if plan.is_pilot:
                log.close("interrupted")
            return outcome
        finally:
            if cache:
                cache.close()


async def _debate_all(
    plan: Plan, log: RunLog, cache: CallCache | None, console: Console, *, quiet: bool
) -> Outcome:
    specs = plan.models
    gathered = Gathered(tally=Tally(models=specs, num_debates=plan.num_work * len(plan.cells)))
    complete = is_complete(plan, log)
    in_shares = plan.spec.cluster.orchestrators > 1 and not complete
    if in_shares:
        specs = {name: spec for name, spec in specs.items() if spec.host == "actor"}
    async with Models(specs, plan.spec.cluster, run=plan.spec.name) as models:
        if not complete:
            await models.start()
        at_once = debates_at_once(plan, taking_turns=takes_turns(models.counters()))
        async with _followed(plan, log, models, gathered, console, quiet=quiet):
            if in_shares:
                await debate_shares(plan, log.directory, models, gathered, at_once=at_once)
            else:
                await debate_all(
                    plan.work,
                    plan.cells,
                    at_once=at_once,
                    clients=models,
                    log=log,
                    watcher=gathered.tally,
                    cache=cache,
                    stale=gathered.kept_stale,
                )
    return Outcome(
        directory=log.directory,
        tally=gathered.tally,
        problems=log.problems,
        stale=tuple(gathered.stale),
    )


@asynccontextmanager
async def _followed(
    plan: Plan, log: RunLog, models: Models, gathered: Gathered, console: Console, *, quiet: bool
) -> AsyncIterator[None]:
    """Show, and write down, what happens in the body."""

    def counters() -> list[ModelCounters]:
        return by_replica([*models.counters(), *gathered.counters()])

    async with (
        watched(log.directory, counters, exporters(plan)),
        shown(gathered.tally, counters, console, quiet=quiet),
    ):
        yield


def exporters(plan: Plan) -> Sequence[Observer]:
    """Who is told of utilisation beside the log: Ray's metrics, where Ray takes part."""
    hosts = {spec.host for spec in plan.models.values()}
    if "actor" not in hosts and plan.spec.cluster.orchestrators == 1:
        return ()
    from debate.cluster.metrics import Metrics

    return (Metrics(plan.spec.name),)


def is_complete(plan: Plan, log: RunLog) -> bool:
    """Whether the log has the final verdict of every debate, so that no model need start."""
    keys = (
        DebateKey(cell=cell.name, question=question.id, seed=seed)
        for question, seed in plan.work
        for cell in plan.cells
    )
    return all(any(verdict.final for verdict in log.verdicts(key)) for key in keys)


def takes_turns(models: Sequence[ModelCounters]) -> bool:
    """Whether some model waits asleep for its turn on a device."""
    return any(row.state == "asleep" for model in models for row in model.replicas)


def debates_at_once(plan: Plan, *, taking_turns: bool = False) -> int:
    """Questions under way at once: twice what fills every engine, so that no batch runs dry.

    Where models take turns, as many as there may be: every swap serves all that wait.
    """
    most = plan.num_work
    if plan.spec.max_debates:
        return min(plan.spec.max_debates, most)
    if taking_turns:
        return min(most, MAX_DEBATES)
    room = sum(spec.max_in_flight * spec.replicas for spec in plan.models.values())
    seats = sum(len(cell.agents) for cell in plan.cells)
    return min(most, max(MIN_DEBATES, min(MAX_DEBATES, math.ceil(2 * room / seats))))


def run_directory(spec: RunSpec, out: Path | str | None = None) -> Path:
    """Where the run is written: `out`, the configuration's `output`, or runs/NAME."""
    return Path(out or spec.output or Path("runs") / spec.name)
