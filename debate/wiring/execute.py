"""From a plan to a finished run directory."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from debate.config.run import RunSpec
from debate.errors import DebateError
from debate.log import CallCache, Problem, RunLog
from debate.orchestrator.calls import Calls
from debate.orchestrator.question import debate_question
from debate.types import DebateKey, Question
from debate.wiring.models import Models
from debate.wiring.plan import Plan
from debate.wiring.progress import Tally, shown

MIN_DEBATES, MAX_DEBATES = 16, 4096
NOT_IDENTITY = (
    "output",
    "cluster",
    "max_debates",
    "description",
    "log.cache",
    "agents.*.description",
    "agents.*.card",
    *(f"models.*.{field}" for field in ("host", "replicas", "gpus", "cpus", "max_in_flight")),
    *(f"models.*.{field}" for field in ("timeout_s", "max_restarts", "price", "threads")),
)
"""Fields that change where and how fast a run goes, not what it is."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run went. `stale` names recorded turns whose prompt had changed, made again."""

    directory: Path
    tally: Tally
    problems: tuple[Problem, ...]
    stale: tuple[str, ...]


async def execute(plan: Plan, directory: Path, *, console: Console, quiet: bool = False) -> Outcome:
    """Run or resume the plan in the directory.

    Raises RunConflict where the directory holds another run, BoundaryError where a model cannot
    be started or the disk refuses; what was acknowledged until then is on disk.
    """
    log = RunLog.open(
        directory,
        spec=plan.spec.model_dump(mode="json"),
        questions=plan.questions,
        seeds=plan.spec.seeds,
        agents=[agent.id for agent in plan.agents],
        identity_ignores=NOT_IDENTITY,
    )
    with log:
        cache = CallCache(Path(plan.spec.log.cache)) if plan.spec.log.cache else None
        try:
            return await _debate_all(plan, log, cache, console, quiet=quiet)
        finally:
            if cache:
                cache.close()


async def _debate_all(
    plan: Plan, log: RunLog, cache: CallCache | None, console: Console, *, quiet: bool
) -> Outcome:
    specs = {name: plan.spec.models[name] for name in plan.models}
    tally = Tally(models=specs, num_debates=plan.num_debates)
    stale: list[str] = []
    async with Models(specs, plan.spec.cluster, run=plan.spec.name) as models:
        if not is_complete(plan, log):
            await models.start()
        work = _work(plan)

        async def worker() -> None:
            for question, seed in work:
                calls = Calls(clients=models, log=log, watcher=tally, cache=cache, stale=stale)
                await debate_question(question, plan.cells, calls, seed=seed)

        async with shown(tally, models.counters, console, quiet=quiet):
            await all_or_first_error([worker() for _ in range(debates_at_once(plan))])
    return Outcome(directory=log.directory, tally=tally, problems=log.problems, stale=tuple(stale))


def _work(plan: Plan) -> Iterator[tuple[Question, int]]:
    """What the workers take from, one after another; only they are in memory at once."""
    return ((question, seed) for seed in plan.spec.seeds for question in plan.questions)


def is_complete(plan: Plan, log: RunLog) -> bool:
    """Whether the log has the final verdict of every debate, so that no model need start."""
    keys = (
        DebateKey(cell=cell.name, question=question.id, seed=seed)
        for question, seed in _work(plan)
        for cell in plan.cells
    )
    return all(any(verdict.final for verdict in log.verdicts(key)) for key in keys)


def debates_at_once(plan: Plan) -> int:
    """Questions under way at once: twice what fills every engine, so that no batch runs dry."""
    most = len(plan.questions) * len(plan.spec.seeds)
    if plan.spec.max_debates:
        return min(plan.spec.max_debates, most)
    models = [plan.spec.models[name] for name in plan.models]
    room = sum(model.max_in_flight * model.replicas for model in models)
    seats = sum(len(cell.agents) for cell in plan.cells)
    return min(most, max(MIN_DEBATES, min(MAX_DEBATES, math.ceil(2 * room / seats))))


async def all_or_first_error(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Everything, or the first error alone, after all else has been stopped."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except* DebateError as errors:
        raise _first(errors) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def run_directory(spec: RunSpec, out: Path | str | None = None) -> Path:
    """Where the run is written: `out`, the configuration's `output`, or runs/NAME."""
    return Path(out or spec.output or Path("runs") / spec.name)
