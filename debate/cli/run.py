"""`debate run` and `debate validate`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Config = Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped configuration.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", metavar="A.B=VALUE", help="Change one field; repeatable."),
]


def run(
    config: Config,
    out: Annotated[Path | None, typer.Option(help="Run directory; default runs/NAME.")] = None,
    override: Overrides = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress display.")] = False,
) -> None:
    """Run a configuration, or go on with it where it was interrupted."""
    from debate.config.resolve import load_run
    from debate.wiring.execute import execute, run_directory
    from debate.wiring.plan import make_plan
    from debate.wiring.summary import print_summary

    plan = make_plan(load_run(config, override or ()))
    directory = run_directory(plan.spec, out)
    outcome = asyncio.run(execute(plan, directory, console=Console(stderr=True), quiet=quiet))
    print_summary(outcome, Console())


def validate(config: Config, override: Overrides = None) -> None:
    """Check a configuration offline and show what it would do."""
    from debate.config.resolve import load_run
    from debate.wiring.describe import print_plan
    from debate.wiring.plan import make_plan

    print_plan(make_plan(load_run(config, override or ())), Console())
