"""The commands of `debate`, and what a command line can call them."""

from __future__ import annotations

from typing import Annotated

import typer

from debate.cli import model_commands, new_command, read_commands, run_commands
from debate.installation import DISTRIBUTION, describe_namesake
from debate.organisms.cli import app as organisms

app = typer.Typer(
    name="debate",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(new_command.new)
app.command()(run_commands.run)
app.command()(run_commands.validate)
app.command()(run_commands.probe)
app.command()(run_commands.power)
app.command()(read_commands.topology)
app.command()(read_commands.schema)
app.command()(read_commands.analyze)
app.command()(read_commands.summarise)
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
