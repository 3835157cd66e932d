"""Runs of a configuration in this process, with engines of one's own in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from debate.config.loader import load_run
from debate.config.models import ModelSpec
from debate.engines.base import Engine
from debate.engines.client import ModelClient
from debate.engines.registry import build_engine
from debate.engines.replica import LocalReplica
from debate.runner.concurrency import run_debates
from debate.runner.execute import execute
from debate.runner.monitoring import RunProgress
from debate.runner.plan import Plan, make_plan, open_log

Wrap = Callable[[str, Engine], Engine]


def undisturbed(config: Mapping[str, Any], directory: Path) -> None:
    """Run, or resume, to the end as `debate run` does."""
    plan = make_plan(load_run(config))
    asyncio.run(execute(plan, directory, console=Console(stderr=True), quiet=True, preflight=False))


def disturbed(config: Mapping[str, Any], directory: Path, wrap: Wrap) -> None:
    """The same run with each engine wrapped."""
    asyncio.run(_debate_all(make_plan(load_run(config)), directory, wrap))


async def _debate_all(plan: Plan, directory: Path, wrap: Wrap) -> None:
    clients = {name: _client(name, spec, wrap) for name, spec in plan.models.items()}
    with open_log(plan, directory) as log:
        for client in clients.values():
            await client.start()
        try:
            await run_debates(
                plan.work,
                plan.cells,
                num_workers=plan.spec.max_debates or 8,
                clients=clients,
                log=log,
                watcher=RunProgress(models=plan.models, num_debates=plan.num_debates),
                cache=None,
                stale=[],
            )
        finally:
            await asyncio.gather(*(client.close() for client in clients.values()))


def _client(name: str, spec: ModelSpec, wrap: Wrap) -> ModelClient:
    return ModelClient(
        name,
        [LocalReplica(wrap(name, build_engine(spec)))],
        max_in_flight=spec.max_in_flight,
        timeout_s=spec.timeout_s,
        max_restarts=spec.max_restarts,
    )
