"""The commands of `debate`, and what a command line can call them."""

from __future__ import annotations

import typer

from debate.cli import model_commands, read_commands, run_commands
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
