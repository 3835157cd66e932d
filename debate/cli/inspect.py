"""`debate analyze`, `debate report` and `debate verify`: a run directory, read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

MOST_SHOWN = 50

Source = Annotated[
    Path, typer.Argument(help="A run directory, or a table of transcripts (Parquet, CSV, JSONL).")
]


def analyze(
    source: Source,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Estimate what the debate did to accuracy and confidence."""
    from debate.analysis.present import present
    from debate.wiring.analyses import analyze_source

    analysis = analyze_source(source)
    if json:
        typer.echo(analysis.to_json())
    else:
        present(analysis, Console())


def report(
    source: Source,
    out: Annotated[
        Path | None, typer.Option(help="The page; by default report.html in the run directory.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Also write each picture as SVG and PDF to this folder.")
    ] = None,
) -> None:
    """Write one self-contained page with the run's tables and pictures."""
    from debate.report import write_report

    typer.echo(write_report(source, out=out, figures=figures))


def verify(directory: Annotated[Path, typer.Argument(help="A run directory.")]) -> None:
    """Check a run directory against its invariants; exit 1 where one is broken."""
    from debate.log import verify as problems_of

    found = problems_of(directory)
    for problem in found[:MOST_SHOWN]:
        typer.echo(str(problem), err=True)
    more = f", {MOST_SHOWN} of them shown" if len(found) > MOST_SHOWN else ""
    typer.echo(f"{len(found)} problems found{more}" if found else "no problem found")
    raise typer.Exit(1 if found else 0)
