"""The command line: each command parses, calls one library function, and prints."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from debate.cli import model_commands, read_commands, run_commands
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
app.command()(run_commands.run)
app.command()(run_commands.validate)
app.command()(run_commands.probe)
app.command()(run_commands.power)
app.command()(read_commands.topology)
app.command()(read_commands.schema)
app.command()(read_commands.analyze)
app.command()(read_commands.show)
app.command()(read_commands.compare)
app.command()(read_commands.report)
app.command()(read_commands.reading)
app.command()(read_commands.verify)
app.command(name="list")(read_commands.list_names)
app.command()(read_commands.doctor)
app.command()(run_commands.bench)
app.add_typer(organisms, name="organisms")
app.add_typer(model_commands.app, name="models")

INPUT_WRONG, RUN_FAILED, INTERRUPTED = 2, 1, 130


def main() -> None:
    """Run the command line. Exits 0 when done, 1 if the run failed, 2 if the input was wrong."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        app()
    except InputError as error:
        console.print(_format_error("error", error), style="red", markup=False, highlight=False)
        sys.exit(INPUT_WRONG)
    except DebateError as error:
        console.print(_format_error("failed", error), style="red", markup=False, highlight=False)
        sys.exit(RUN_FAILED)
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here", style="yellow")
        sys.exit(INTERRUPTED)


def _format_error(what: str, error: DebateError) -> str:
    """Format an error so that nothing that it quotes can steer the terminal."""
    from debate.analysis.text import clean

    return clean(f"{what}: {error}", keep="\n\t")
