"""`debate analyze`, `debate report` and `debate verify`: a run directory or a table, read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from debate.errors import InputError

MOST_SHOWN = 50

Source = Annotated[
    Path, typer.Argument(help="A run directory, or a table of transcripts (Parquet, CSV, JSONL).")
]
Confidence = Annotated[
    str,
    typer.Option(
        metavar="SOURCE",
        help="The estimator to analyse: verbal, answer_token, sequence, p_true, consistency, "
        "belief; by default the one that all turns carry.",
    ),
]
Cells = Annotated[
    list[str] | None, typer.Option("--cell", help="An arm to keep; repeat it for more. All.")
]
Control = Annotated[
    str | None, typer.Option(help="The arm of mere resampling, by default `repeat`.")
]
Baseline = Annotated[
    str | None, typer.Option(help="The arm that others are compared with, by default `single`.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="THEIRS=OURS",
        help="What a table calls one of our columns, as in qid=question_id; repeat it for more.",
    ),
]

Kind = Annotated[
    str | None,
    typer.Option(
        metavar="number|choice|text",
        help="How a table's answers are compared; by default as numbers or letters where all "
        "targets are such, else as texts.",
    ),
]


def analyze(
    source: Source,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    confidence: Confidence = "confidence",
    cell: Cells = None,
    control: Control = None,
    baseline: Baseline = None,
    columns: Columns = None,
    kind: Kind = None,
) -> None:
    """Estimate what the debate did to accuracy and confidence."""
    from debate.analysis.present import present
    from debate.analysis.source import read_source

    read = read_source(source, columns=mapped(columns), kind=kind, cells=cell or ())
    read = read.with_confidence(confidence)
    analysis = read.analyze(**_options(confidence, control, baseline))
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
    confidence: Confidence = "confidence",
    cell: Cells = None,
    control: Control = None,
    baseline: Baseline = None,
    columns: Columns = None,
    kind: Kind = None,
) -> None:
    """Write one self-contained page with the run's tables and pictures."""
    from debate.report import write_report

    options = _options(confidence, control, baseline)
    page = write_report(
        source,
        out=out,
        figures=figures,
        columns=mapped(columns),
        kind=kind,
        cells=cell or (),
        **options,
    )
    typer.echo(page)


def _options(confidence: str, control: str | None, baseline: str | None) -> dict[str, Any]:
    return {"confidence": confidence, "control": control, "baseline": baseline}


def mapped(pairs: list[str] | None) -> dict[str, str]:
    """The columns of `--map`, theirs to ours. Raises InputError for what is no pair.

    >>> mapped(["qid=question_id"])
    {'qid': 'question_id'}
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        theirs, equals, ours = pair.rpartition("=")
        if not (theirs and equals and ours):
            raise InputError(f'--map {pair}: write theirs=ours, such as "qid=question_id"')
        if ours in found.values() or theirs in found:
            raise InputError(f"--map {pair}: each column is mapped once")
        found[theirs] = ours
    return found


def verify(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    custom_code: Annotated[
        bool, typer.Option("--custom-code", help="Import the protocols of the run's own.")
    ] = False,
) -> None:
    """Check a run directory against its invariants and its configuration; exit 1 if one is broken.

    Every debate is gone through again from the log: who heard whom, prompts, answers, verdicts.
    """
    from debate.analysis.text import clean
    from debate.wiring.audit import audit

    found = audit(directory, custom_code=custom_code)
    for problem in found.problems[:MOST_SHOWN]:
        typer.echo(clean(str(problem)), err=True)
    for what in found.unchecked:
        typer.echo(clean(f"not checked: {what}"), err=True)
    num = len(found.problems)
    more = f", {MOST_SHOWN} of them shown" if num > MOST_SHOWN else ""
    typer.echo(f"{num} problems found{more}" if num else "no problem found")
    raise typer.Exit(1 if num else 0)
