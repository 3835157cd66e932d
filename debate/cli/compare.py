"""`debate compare`: runs made at different times, held against the first of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Runs = Annotated[
    list[Path], typer.Argument(help="Two run directories or tables of transcripts, or more.")
]


def compare(
    runs: Runs,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Compare runs, paired where they asked the same questions."""
    from debate.experiments.compare import compare_runs
    from debate.experiments.present import present_comparison

    found = compare_runs(runs)
    if json:
        typer.echo(found.to_json())
    else:
        present_comparison(found, Console())
