"""The command line: each command parses, calls one library function, and prints."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from debate.cli import bench, compare, inspect, look, power, run
from debate.errors import DebateError, InputError
from debate.organisms.cli import app as organisms

app = typer.Typer(
    name="debate",
    help="Debates between language models, and what they do to confidence in errors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run.run)
app.command()(run.validate)
app.command()(run.probe)
app.command()(power.power)
app.command()(look.topology)
app.command()(inspect.analyze)
app.command()(compare.compare)
app.command()(inspect.report)
app.command()(inspect.verify)
app.command()(look.doctor)
app.command()(bench.bench)
app.add_typer(organisms, name="organisms")

INPUT_WRONG, RUN_FAILED, INTERRUPTED = 2, 1, 130


def main() -> None:
    """Exit 0 when done, 1 when the run failed, 2 when the input was wrong."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        app()
    except InputError as error:
        console.print(_told("error", error), style="red", markup=False, highlight=False)
        sys.exit(INPUT_WRONG)
    except DebateError as error:
        console.print(_told("failed", error), style="red", markup=False, highlight=False)
        sys.exit(RUN_FAILED)
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here", style="yellow")
        sys.exit(INTERRUPTED)


def _told(what: str, error: DebateError) -> str:
    """An error in words that cannot steer the terminal, whatever they quote."""
    from debate.analysis.text import clean

    return clean(f"{what}: {error}", keep="\n\t")
