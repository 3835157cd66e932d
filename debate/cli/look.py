"""`debate topology` and `debate doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def topology(
    name: Annotated[str, typer.Argument(help="A shipped topology's name, or a YAML file.")],
    agents: Annotated[int, typer.Option("--agents", "-n", min=1, help="How many debaters.")] = 4,
    out: Annotated[Path | None, typer.Option(help="Write an .svg or .png instead.")] = None,
    round: Annotated[int, typer.Option(min=1, help="Which round's graph.")] = 1,
) -> None:
    """Draw who critiques whom."""
    from debate.topologies import build, default_seats, draw, draw_text, load_topology

    spec = load_topology(name)
    graph = build(spec, default_seats(agents, spec)).at(round)
    if out is None:
        Console().print(draw_text(graph), markup=False, highlight=False)
    else:
        draw(graph, out, title=name)
        typer.echo(out)


def doctor() -> None:
    """Say what this machine has: Ray, GPUs, engines, and versions that clash."""
    from debate.wiring.doctor import print_findings

    print_findings(Console())
