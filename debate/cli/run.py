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
NoCustomCode = Annotated[
    bool,
    typer.Option(
        "--no-custom-code",
        help="Refuse a configuration that names code of its own: protocols, plug-ins, runtimes.",
    ),
]


def run(
    config: Config,
    out: Annotated[Path | None, typer.Option(help="Run directory; default runs/NAME.")] = None,
    override: Overrides = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress display.")] = False,
    no_custom_code: NoCustomCode = False,
) -> None:
    """Run a configuration, or go on with it where it was interrupted."""
    from debate.config.resolve import load_run
    from debate.wiring.execute import execute, require_a_reply, run_directory
    from debate.wiring.plan import make_plan
    from debate.wiring.summary import print_summary

    plan = make_plan(load_run(config, override or (), custom_code=not no_custom_code))
    directory = run_directory(plan.spec, out)
    outcome = asyncio.run(execute(plan, directory, console=Console(stderr=True), quiet=quiet))
    print_summary(outcome, Console())
    require_a_reply(outcome)


def probe(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress display.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing, and ask nothing.")
    ] = False,
    custom_code: Annotated[
        bool, typer.Option("--custom-code", help="Import the protocols of the run's own.")
    ] = False,
) -> None:
    """Score after a run what its belief probes left out, so that all its cells have one set.

    At each answer, every candidate that anybody stated in any cell; what is on record is not asked
    again, and no answer or decision changes. Kill it whenever you like; the same command goes on.
    """
    from debate.analysis.text import clean
    from debate.wiring.probe_run import probe_run

    console = Console(stderr=True)
    found = probe_run(
        directory, console=console, quiet=quiet, custom_code=custom_code, dry_run=dry_run
    )
    for what in found.in_words(dry_run=dry_run):
        typer.echo(clean(what))


def validate(
    config: Config,
    override: Overrides = None,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Also say how many calls `debate probe` makes afterwards."),
    ] = False,
    pilot: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Debate N of the questions and estimate the whole run from them. They go into "
            "the run directory, and `debate run` makes none of their calls again.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run directory of the pilot; default runs/NAME.")
    ] = None,
    no_custom_code: NoCustomCode = False,
) -> None:
    """Check a configuration and show what it would do: offline, unless with a pilot."""
    from debate.config.resolve import load_run
    from debate.wiring.describe import print_further, print_plan
    from debate.wiring.pilot import run_pilot
    from debate.wiring.plan import make_plan

    loaded = load_run(config, override or (), custom_code=not no_custom_code)
    plan, console = make_plan(loaded), Console()
    print_plan(plan, console)
    if probe:
        print_further(plan, console)
    if pilot is not None:
        run_pilot(plan, pilot, out, console)
