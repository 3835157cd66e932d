"""Multi-agent debates between distinct models, and what they do to confidence in errors.

import debate

run = debate.run("configs/quickstart.yaml", overrides=["rounds=2"])
run.trajectories()          # polars; run.to_pandas("trajectories") for pandas
run.analyze()               # what `debate analyze` prints
debate.open_run("runs/quickstart").verdicts()
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from debate.results import Run

__all__ = ["open_run", "run", "run_async"]


def __dir__() -> list[str]:
    """What there is to call, and the modules that are loaded."""
    modules = (name for name, found in globals().items() if isinstance(found, ModuleType))
    return sorted({*__all__, *modules, *(n for n in globals() if n.startswith("__"))})


def run(
    config: Path | str | Mapping[str, Any],
    *,
    overrides: Iterable[str] = (),
    out: Path | str | None = None,
    quiet: bool = False,
    preflight: bool = True,
) -> Run:
    """Run or resume a configuration (a YAML file, a shipped name, or a mapping) to its end.

    `overrides` are as on the command line, `out` the run directory (by default runs/NAME below
    the working directory); without `preflight`, endpoints are not tried first. Raises InputError
    for what is wrong in the configuration, BoundaryError where a model or the disk fails. Inside a
    running event loop, as in a notebook, it runs in a thread of its own and keeps that loop
    waiting; `await run_async` lets it go on.
    """
    from debate.interrupts import run_to_end

    return run_to_end(
        run_async(config, overrides=overrides, out=out, quiet=quiet, preflight=preflight)
    )


async def run_async(
    config: Path | str | Mapping[str, Any],
    *,
    overrides: Iterable[str] = (),
    out: Path | str | None = None,
    quiet: bool = False,
    preflight: bool = True,
) -> Run:
    """The same as `run`, in the caller's event loop."""
    from debate.config.loader import load_run
    from debate.results import Run
    from debate.runner.execute import execute, get_run_directory
    from debate.runner.plan import make_plan
    from debate.terminal import make_console

    plan = make_plan(load_run(config, overrides))
    directory = get_run_directory(plan.spec, out)
    console = make_console(stderr=True)
    await execute(plan, directory, console=console, quiet=quiet, preflight=preflight)
    return Run(directory)


def open_run(directory: Path | str) -> Run:
    """A run directory to read, finished or in progress. Raises InputError where it holds none."""
    from debate.results import Run

    return Run(directory)
