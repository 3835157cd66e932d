"""`debate organisms`: train, list and evaluate the model organisms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from debate.config.shipped import shelf
from debate.errors import InputError
from debate.organisms.cards import read_cards
from debate.organisms.specs import SPECS, OrganismSpec, dial_pairs

app = typer.Typer(help="Small language models to debate with: train, list, evaluate.")

Agents = Annotated[
    Path | None, typer.Option(help="Folder of agent cards; by default the shipped ones.")
]


@contextmanager
def _user_errors() -> Iterator[None]:
    """Say what the user got wrong in one paragraph, and exit with code 2."""
    try:
        yield
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def chosen(names: list[str], *, dial: bool, everything: bool) -> list[OrganismSpec]:
    """The specs that a command line asks for; a snapshot stands for the organism it is of."""
    specs = list(SPECS.values()) if everything else [_spec(name) for name in names]
    if dial:
        pairs = dial_pairs()
        specs += [pairs[0].first, *(pair.second for pair in pairs)]
    if not specs:
        raise InputError(f"name an organism ({', '.join(SPECS)}), or say --all or --dial")
    return list({spec.name: spec for spec in specs}.values())


def _spec(name: str) -> OrganismSpec:
    """The declared organism of a name."""
    owners = {snapshot.name: s for s in SPECS.values() for snapshot in s.snapshots}
    known = {**SPECS, **owners}
    if name not in known:
        guess = get_close_matches(name, known, n=1)
        hint = f'; did you mean "{guess[0]}"?' if guess else ""
        raise InputError(f'organism "{name}" is unknown{hint} ({", ".join(known)})')
    return known[name]


@app.command()
def train(
    names: Annotated[list[str] | None, typer.Argument(help="Organisms to train.")] = None,
    dial: Annotated[bool, typer.Option("--dial", help="The pairs of the diversity dial.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="The shipped set.")] = False,
    out: Annotated[Path, typer.Option(help="Where cards and weights go.")] = Path("trained"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …")] = "auto",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Instead of the declared number.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
) -> None:
    """Train organisms; what was cut off continues where it was, bit for bit."""
    with _user_errors():
        specs = chosen(names or [], dial=dial, everything=everything)
        for spec in specs:
            _train_one(spec if steps is None else spec.with_steps(steps), out, device, threads)


def _train_one(spec: OrganismSpec, out: Path, device: str, threads: int) -> None:
    """Train one organism behind a progress bar, and print its cards' paths."""
    import torch

    from debate.organisms.produce import produce
    from debate.organisms.training import Progress, Runtime, can_compile

    torch.set_num_threads(threads)
    with _bar() as bar:
        task = bar.add_task(spec.name, total=spec.schedule.steps, figures="compiling")

        def show(progress: Progress) -> None:
            figures = (
                f"loss {progress.loss:.3f}  {progress.documents_per_s:,.0f} documents/s  "
                f"{progress.tokens_per_s:,.0f} tokens/s"
            )
            bar.update(task, completed=progress.step, figures=figures)

        runtime = Runtime(device=device, compile=can_compile())
        cards = produce(spec, out, runtime=runtime, on_progress=show)
    for card in cards:
        typer.echo(f"wrote {card}")


def _bar() -> Bar:
    """A progress bar with room for loss and throughput."""
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@app.command("list")
def list_organisms(agents: Agents = None) -> None:
    """Show the organisms' cards: what each learned, and how well."""
    from debate.organisms.tables import card_table

    with _user_errors():
        Console().print(card_table(read_cards(agents or shelf("agents"))))


@app.command()
def evaluate(
    agents: Agents = None,
    questions: Annotated[int, typer.Option(min=8, help="Fresh test questions.")] = 2000,
    seed: Annotated[int, typer.Option(help="Which test questions.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Measure the set: alone, rereading itself, hearing others, and judging answers."""
    import torch

    from debate.organisms.report import report
    from debate.organisms.tables import arm_table, critic_table

    torch.set_num_threads(threads)
    with _user_errors():
        cards = read_cards(agents or shelf("agents"))
        found = report(cards, num_questions=questions, seed=seed, device=device)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=1))
        return
    console = Console()
    console.print(arm_table(found.rows), critic_table(found.critics))
