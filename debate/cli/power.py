"""`debate power`: how many questions the hypotheses of a configuration need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from debate.cli.run import Config, NoCustomCode, Overrides


def power(
    config: Config,
    pilot: Annotated[
        Path,
        typer.Option(
            metavar="RUN",
            help="A run of the same agents and conditions on a few questions, such as "
            "`debate validate CONFIG --pilot N` leaves.",
        ),
    ],
    target: Annotated[
        float, typer.Option(help="The share of runs that is to end with the claimed outcome.")
    ] = 0.8,
    confidence: Annotated[
        str, typer.Option(metavar="SOURCE", help="The estimator, as in `debate analyze`.")
    ] = "confidence",
    override: Overrides = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    no_custom_code: NoCustomCode = False,
) -> None:
    """Simulate the hypotheses from a pilot: questions, seeds and price to support them."""
    from debate.config.resolve import load_run
    from debate.wiring.plan import make_plan
    from debate.wiring.power import estimate_power
    from debate.wiring.present_power import present_power

    plan = make_plan(load_run(config, override or (), custom_code=not no_custom_code))
    with Console(stderr=True).status("simulating the hypotheses"):
        found = estimate_power(plan, pilot, target=target, confidence=confidence)
    if json:
        typer.echo(found.to_json())
    else:
        present_power(found, Console())
