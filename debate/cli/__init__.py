"""The command line: each command parses, calls one library function, and prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from debate.cli import model_commands, read_commands, run_commands
from debate.errors import DebateError, InputError
from debate.installation import DISTRIBUTION, describe_namesake
from debate.organisms.cli import app as organisms

app = typer.Typer(
    name="debate",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
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


def print_version(wanted: bool) -> None:
    """Print what is installed, and end the command, where it is asked for."""
    from importlib.metadata import PackageNotFoundError, version

    if not wanted:
        return
    try:
        typer.echo(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
    except PackageNotFoundError:
        typer.echo(f"{DISTRIBUTION}, run from its files without being installed")
    raise typer.Exit


@app.callback()
def begin(
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Debates between language models, and what they do to confidence in errors."""
    if told := describe_namesake():
        typer.secho(f"warning: {told}", fg=typer.colors.YELLOW, err=True)


def main() -> None:
    """Run the command line. Exits 0 when done, 1 if the run failed, 2 if the input was wrong."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        _require_docstrings()
        app(prog_name=DISTRIBUTION if Path(sys.argv[0]).stem == DISTRIBUTION else "debate")
    except InputError as error:
        console.print(_format_error("error", error), style="red", markup=False, highlight=False)
        sys.exit(INPUT_WRONG)
    except DebateError as error:
        console.print(_format_error("failed", error), style="red", markup=False, highlight=False)
        sys.exit(RUN_FAILED)
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here", style="yellow")
        sys.exit(INTERRUPTED)


def _require_docstrings() -> None:
    """Raise InputError where Python has dropped all docstrings, of which help is made."""
    if sys.flags.optimize > 1:
        raise InputError(
            "python -OO (PYTHONOPTIMIZE=2) drops the docstrings, without which neither help nor "
            "pictures can be made; use -O, or neither"
        )


def _format_error(what: str, error: DebateError) -> str:
    """Format an error so that nothing that it quotes can steer the terminal."""
    from debate.analysis.text import clean

    return clean(f"{what}: {error}", keep="\n\t")
