"""`debate bench`: what a debate costs beyond its models, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def bench(
    part: Annotated[
        list[str], typer.Option(help="Which parts, of a to e: a,b or one option for each.")
    ] = ["a,b,c,d,e"],  # noqa: B006 - typer copies it
    json: Annotated[Path | None, typer.Option(help="Also write everything to this file.")] = None,
    quick: Annotated[bool, typer.Option(help="Smaller: a look, in minutes.")] = False,
    config: Annotated[
        str | None, typer.Option(help="The run to measure in c and d; default: the organisms.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where runs are written; its disk is measured too.")
    ] = None,
) -> None:
    """Measure orchestration, latency, throughput, prefix cache and memory, as ratios of one run."""
    from debate.bench.measure import TITLES
    from debate.bench.run import as_json, load_now, measured, parts_of
    from debate.bench.table import table
    from debate.log.environment import hardware

    wanted, load = parts_of(",".join(part)), load_now()
    results, console = [], Console(stderr=True)
    with console.status("measuring") as status:
        for result in measured(wanted, quick=quick, folder=folder, config=config):
            results.append(result)
            status.update(f"({result.part}) {TITLES[result.part]}: {result.what}")
    Console().print(table(results, load=load, cpus=hardware().cpus))
    if json is not None:
        json.write_bytes(as_json(results, quick=quick, load=load))
        typer.echo(json)
