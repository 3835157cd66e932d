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

from debate.analysis.text import print_whole
from debate.config.references import get_shipped_folder
from debate.errors import InputError
from debate.organisms.cards import build_card_table, read_cards
from debate.organisms.specs import SPECS, OrganismSpec, make_dial_pairs

app = typer.Typer(help="Small language models to debate with: train, list, evaluate.")

Agents = Annotated[
    Path | None, typer.Option(help="Folder of agent cards; by default the shipped ones.")
]


@contextmanager
def _report_user_errors() -> Iterator[None]:
    """Print an InputError as one paragraph, and exit with code 2."""
    try:
        yield
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def select_specs(names: list[str], *, dial: bool, everything: bool) -> list[OrganismSpec]:
    """Return the specs that a command line asks for; a snapshot stands for its organism."""
    specs = list(SPECS.values()) if everything else [_find_spec(name) for name in names]
    if dial:
        pairs = make_dial_pairs()
        specs += [pairs[0].first, *(pair.second for pair in pairs)]
    if not specs:
        raise InputError(f"name an organism ({', '.join(SPECS)}), or say --all or --dial")
    return list({spec.name: spec for spec in specs}.values())


def _find_spec(name: str) -> OrganismSpec:
    """The declared organism of a name, or of a snapshot's; raises InputError if unknown."""
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
    with _report_user_errors():
        specs = select_specs(names or [], dial=dial, everything=everything)
        for spec in specs:
            planned = spec if steps is None else spec.replace_steps(steps)
            _train_organism(planned, out, device, threads)


def _train_organism(spec: OrganismSpec, out: Path, device: str, threads: int) -> None:
    """Train one organism behind a progress bar, and print its cards' paths."""
    import torch

    from debate.organisms.produce import produce_organism
    from debate.organisms.training import TrainingOptions, TrainingProgress, can_compile

    torch.set_num_threads(threads)
    with _make_bar() as bar:
        task = bar.add_task(spec.name, total=spec.schedule.steps, figures="compiling")

        def show(progress: TrainingProgress) -> None:
            figures = (
                f"loss {progress.loss:.3f}  {progress.documents_per_s:,.0f} documents/s  "
                f"{progress.tokens_per_s:,.0f} tokens/s"
            )
            bar.update(task, completed=progress.step, figures=figures)

        options = TrainingOptions(device=device, compile=can_compile())
        cards = produce_organism(spec, out, options=options, on_progress=show)
    for card in cards:
        typer.echo(f"wrote {card}")


def _make_bar() -> Bar:
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
    with _report_user_errors():
        table = build_card_table(read_cards(agents or get_shipped_folder("agents")))
        print_whole(table, Console())


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

    from debate.organisms.evaluate import build_arm_table, build_critic_table, evaluate_organisms

    torch.set_num_threads(threads)
    with _report_user_errors():
        cards = read_cards(agents or get_shipped_folder("agents"))
        found = evaluate_organisms(cards, num_questions=questions, seed=seed, device=device)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=1))
        return
    console = Console()
    print_whole(build_arm_table(found.arms), console)
    print_whole(build_critic_table(found.critics), console)
