"""Commands that start nothing: on runs and tables, on topologies and schemas, on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.table import Table as Grid
from rich.text import Text

from debate.cli.run_commands import CustomCodeOption, JsonOption, NoCustomCodeOption
from debate.config.registry import KINDS
from debate.errors import InputError, suggest
from debate.terminal import make_console
from debate.types import AnswerKind

if TYPE_CHECKING:
    from debate.analysis.tables import Table

MAX_SHOWN = 50

SourceArgument = Annotated[
    Path, typer.Argument(help="A run directory, or a table of transcripts (Parquet, CSV, JSONL).")
]
ConfidenceOption = Annotated[
    str,
    typer.Option(
        metavar="SOURCE",
        help="The estimator of confidence, such as answer_token; by default the one that all "
        "turns carry.",
    ),
]
CellOption = Annotated[
    list[str] | None,
    typer.Option("--cell", help="An arm to keep, by default all; repeat it for more."),
]
ControlOption = Annotated[
    str | None, typer.Option(help="The arm of mere resampling, by default `repeat`.")
]
BaselineOption = Annotated[
    str | None, typer.Option(help="The arm that others are compared with, by default `single`.")
]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="THEIRS=OURS",
        help="What a table calls one of our columns, as in qid=question_id; repeat it for more.",
    ),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(get_args(AnswerKind)),
        help="How a table's answers are compared; by default as numbers or letters where all "
        "targets are such, else as texts.",
    ),
]
RunsArgument = Annotated[
    list[Path], typer.Argument(help="Two run directories or tables of transcripts, or more.")
]


def analyze(
    source: SourceArgument,
    section: Annotated[
        list[str] | None,
        typer.Option(
            help="A part to print, such as votes or errors; repeat it for more. Without it, the "
            "main questions, the headline and a list of parts."
        ),
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Main questions and headline.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every table and caveat.")] = False,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="markdown|latex|csv",
            help="Print the tables of the parts named, or all, in this form.",
        ),
    ] = None,
    json: JsonOption = False,
    confidence: ConfidenceOption = "confidence",
    cell: CellOption = None,
    control: ControlOption = None,
    baseline: BaselineOption = None,
    columns: ColumnsOption = None,
    kind: KindOption = None,
) -> None:
    """Estimate what the debate did to accuracy and confidence.

    Prints the main questions with their answers, the headline, the caveats, and which parts there
    are; each part by `--section NAME`, everything by `--all`.
    """
    from debate.analysis import present
    from debate.analysis.source import read_source

    write = _read_format(form)
    if sum((bool(section), brief, everything)) > 1:
        raise InputError("give one of --section, --brief and --all")
    read = read_source(source, columns=parse_column_map(columns), kind=kind, cells=cell or ())
    read = read.with_confidence(confidence)
    analysis = read.analyze(confidence=confidence, control=control, baseline=baseline)
    console = make_console(overflows=True)
    if json:
        typer.echo(analysis.to_json())
    elif write is not None:
        parts = ["headline"] if brief else section or ()
        typer.echo(write(present.make_tables(analysis, parts)), nl=False)
    elif section or everything:
        present.present(analysis, console, sections=section or ())
    elif brief:
        present.present_brief(analysis, console)
    else:
        command = shlex.join(["debate", "analyze", str(source)])
        present.present_overview(analysis, console, command=command)


def _read_format(form: str | None) -> Callable[[Sequence[Table]], str] | None:
    """The writer of a form. Raises InputError for one that is not there."""
    from debate.analysis.tables.formats import FORMATS

    if form is not None and form not in FORMATS:
        raise InputError(f'--format: "{form}" is unknown; {suggest(form, FORMATS)}')
    return None if form is None else FORMATS[form]


def summarise(source: SourceArgument, json: JsonOption = False) -> None:
    """Say what came out: the main questions answered, accuracy by round, and where to look."""
    from debate.analysis.main_questions import answer_main_questions
    from debate.analysis.source import read_source
    from debate.runner.report_run import print_summary

    analysis = read_source(source).analyze()
    if json:
        answers = [asdict(each) for each in answer_main_questions(analysis)]
        typer.echo(dumps(answers, indent=2, ensure_ascii=False))
        return
    print_summary(analysis, make_console(overflows=True), source=source)


def report(
    source: SourceArgument,
    out: Annotated[
        Path | None, typer.Option(help="The page; by default report.html in the run directory.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Also write each picture as SVG and PDF to this folder.")
    ] = None,
    confidence: ConfidenceOption = "confidence",
    cell: CellOption = None,
    control: ControlOption = None,
    baseline: BaselineOption = None,
    columns: ColumnsOption = None,
    kind: KindOption = None,
) -> None:
    """Write one self-contained page with the run's tables and pictures."""
    from debate.report import write_report
    from debate.runner.prompt_examples import render_examples
    from debate.text import clean

    page = write_report(
        source,
        out=out,
        prompts=render_examples(source),
        figures=figures,
        columns=parse_column_map(columns),
        kind=kind,
        cells=cell or (),
        confidence=confidence,
        control=control,
        baseline=baseline,
        tell=lambda told: typer.echo(f"warning: {clean(told)}", err=True),
    )
    typer.echo(clean(str(page)))


def parse_column_map(pairs: list[str] | None) -> dict[str, str]:
    """Parse the columns of `--map`, theirs to ours. Raises InputError for what is no pair.

    >>> parse_column_map(["qid=question_id"])
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


def compare(runs: RunsArgument, json: JsonOption = False) -> None:
    """Compare runs, paired where they asked the same questions."""
    from debate.comparison.compare_runs import compare_runs, print_comparison

    found = compare_runs(runs)
    if json:
        typer.echo(found.to_json())
    else:
        print_comparison(found, make_console(overflows=True))


def show(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    question: Annotated[
        str | None,
        typer.Argument(
            help="Its id, the beginning of its id, or its number from 1; without it, the questions "
            "are listed."
        ),
    ] = None,
    cell: Annotated[
        str | None, typer.Option(help="The arm; by default the first that debated it.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed; by default the first.")] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Also the prompt of each turn, where they were kept.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show one debate: who said and heard what, what was read of it, and each round's verdict."""
    from debate.log import Run
    from debate.runner import show_debate

    run = Run(directory)
    if question is None and json:
        listed = show_debate.list_questions(run).items()
        rows = [{"number": number, "id": each.id, "text": each.text} for number, each in listed]
        typer.echo(dumps(rows, indent=2, ensure_ascii=False))
        return
    if question is None:
        for line in show_debate.describe_questions(run, width=make_console().width):
            typer.echo(line)
        return
    found = show_debate.read_debate(run, question, cell=cell, seed=seed)
    if json:
        typer.echo(found.to_json())
        return
    for line in show_debate.describe_debate(found, width=make_console().width, prompts=prompts):
        typer.echo(line)


def reading(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    json: JsonOption = False,
    samples: Annotated[
        int, typer.Option(min=0, help="How many unread replies to show of each agent and kind.")
    ] = 3,
) -> None:
    """Say how replies were read: by form, abstained, cut, failed; and what would read the rest."""
    from debate.analysis.reading import format_counts, read_counts, to_plain

    counts = read_counts(directory, num_samples=samples)
    if json:
        typer.echo(dumps(to_plain(counts), indent=2))
        return
    console = make_console()
    for line in format_counts(counts):
        console.print(Text(line))


def verify(
    directory: Annotated[Path, typer.Argument(help="A run directory.")],
    custom_code: CustomCodeOption = False,
) -> None:
    """Check a run directory against its invariants and its configuration; exit 1 if one is broken.

    Every debate is gone through again from the log: who heard whom, prompts, answers, verdicts.
    """
    from debate.runner.verify_run import verify_run
    from debate.text import clean

    found = verify_run(directory, custom_code=custom_code)
    for problem in found.problems[:MAX_SHOWN]:
        typer.echo(clean(str(problem)), err=True)
    for what in found.unchecked:
        typer.echo(clean(f"not checked: {what}"), err=True)
    num = len(found.problems)
    more = f", {MAX_SHOWN} of them shown" if num > MAX_SHOWN else ""
    typer.echo(f"{num} problems found{more}" if num else "no problem found")
    raise typer.Exit(1 if num else 0)


def topology(
    name: Annotated[str, typer.Argument(help="A shipped topology's name, or a YAML file.")],
    agents: Annotated[int, typer.Option("--agents", "-n", min=1, help="How many debaters.")] = 4,
    out: Annotated[Path | None, typer.Option(help="Write an .svg or .png instead.")] = None,
    round: Annotated[int, typer.Option(min=1, help="Which round's graph.")] = 1,
    no_custom_code: NoCustomCodeOption = False,
) -> None:
    """Draw who critiques whom."""
    from debate.topologies import (
        build_schedule,
        draw_picture,
        draw_text,
        load_topology,
        make_default_seats,
    )

    spec = load_topology(name, custom_code=not no_custom_code)
    graph = build_schedule(spec, make_default_seats(agents, spec)).at(round)
    if out is None:
        make_console().print(draw_text(graph), markup=False, highlight=False)
    else:
        draw_picture(graph, out, title=name)
        typer.echo(out)


def list_names(
    kind: Annotated[
        str | None, typer.Argument(help=f"One of {', '.join(KINDS)}; by default all.")
    ] = None,
    json: JsonOption = False,
    no_custom_code: Annotated[
        bool, typer.Option("--no-custom-code", help="Import nothing of installed packages.")
    ] = False,
) -> None:
    """List what a configuration can name, where each comes from, and what it is.

    Code of one's own can be named besides, as `module.name`.
    """
    from debate.config.registry import list_registered, read_kind
    from debate.terminal import print_whole
    from debate.text import clean

    kinds = [read_kind(kind)] if kind else list(KINDS)
    rows = [row for each in kinds for row in list_registered(each, custom_code=not no_custom_code)]
    if json:
        typer.echo(dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        return
    table = Grid("kind", "name", "from", "what it is")
    for row in rows:
        table.add_row(*(Text(clean(word)) for word in (row.kind, row.name, row.source, row.what)))
    print_whole(table, make_console())


def schema(
    kind: Annotated[
        str, typer.Argument(metavar="run|topology|agent", help="The kind of file.")
    ] = "run",
) -> None:
    """Print a JSON Schema, by which editors complete and check YAML files."""
    from debate.config.schema import make_schema, parse_kind

    typer.echo(dumps(make_schema(parse_kind(kind)), indent=2, ensure_ascii=False))


def doctor() -> None:
    """Say what this machine has: Ray, GPUs, engines, and versions that clash."""
    from debate.runner.doctor import print_machine

    print_machine(make_console())
