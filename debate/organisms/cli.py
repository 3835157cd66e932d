"""`debate organisms`: train, list and evaluate the model organisms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from debate.errors import InputError
from debate.installation import require_extra
from debate.organisms.specs import (
    CHAT_SPECS,
    READERS,
    SPECS,
    ChatSpec,
    OrganismSpec,
    make_dial_pairs,
)
from debate.terminal import make_console, print_whole

if TYPE_CHECKING:
    from debate.organisms.chat_quality import FamilyFigures

app = typer.Typer(help="Small language models to debate with: train, list, evaluate.")

Spec = TypeVar("Spec")

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
    """Return the specs that a command line asks for, if any; a snapshot stands for its organism."""
    specs = (
        [*SPECS.values(), *READERS.values()] if everything else [_find_spec(name) for name in names]
    )
    if dial:
        pairs = make_dial_pairs()
        specs += [pairs[0].first, *(pair.second for pair in pairs)]
    return list({spec.name: spec for spec in specs}.values())


def _find_spec(name: str) -> OrganismSpec:
    """The declared organism of a name, or of a snapshot's; raises InputError if unknown."""
    owners = {snapshot.name: s for s in SPECS.values() for snapshot in s.snapshots}
    if name in CHAT_SPECS:
        raise InputError(f'"{name}" is a chat organism; say --chat {name}')
    return _pick(name, {**SPECS, **READERS, **owners}, "organism")


def _pick(name: str, known: Mapping[str, Spec], kind: str) -> Spec:
    """The spec of a name; raises InputError if unknown."""
    if name not in known:
        guess = get_close_matches(name, known, n=1)
        hint = f'; did you mean "{guess[0]}"?' if guess else ""
        raise InputError(f'{kind} "{name}" is unknown{hint} ({", ".join(known)})')
    return known[name]


@app.command()
def train(
    names: Annotated[list[str] | None, typer.Argument(help="Organisms to train.")] = None,
    dial: Annotated[bool, typer.Option("--dial", help="The pairs of the diversity dial.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="The shipped set.")] = False,
    chat: Annotated[
        list[str] | None,
        typer.Option(help=f"Chat organisms, which take hours on a CPU: {', '.join(CHAT_SPECS)}."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where cards and weights go.")] = Path("trained"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …")] = "auto",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Instead of the declared number.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    questions: Annotated[
        int, typer.Option(min=1, help="Test questions of a family, for a chat organism's card.")
    ] = 200,
) -> None:
    """Train organisms; what was cut off continues where it was, bit for bit."""
    with _report_user_errors():
        specs = select_specs(names or [], dial=dial, everything=everything)
        chat_specs = [_pick(name, CHAT_SPECS, "chat organism") for name in chat or []]
        if not specs and not chat_specs:
            known = f"{', '.join((*SPECS, *READERS))}; with --chat {', '.join(CHAT_SPECS)}"
            raise InputError(f"name an organism ({known}), or say --all or --dial")
        require_extra("local", "training organisms")
        for spec in specs:
            planned = spec if steps is None else spec.replace_steps(steps)
            _train_organism(planned, out, device, threads)
        for each in chat_specs:
            shortened = each if steps is None else each.replace_steps(steps)
            _train_chat_organism(shortened, out, device, threads, questions)


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


def _train_chat_organism(
    spec: ChatSpec, out: Path, device: str, threads: int, questions: int
) -> None:
    """Train and measure one chat organism behind progress bars, and print its card's path."""
    import torch

    from debate.organisms.produce import produce_chat_organism
    from debate.organisms.training import TrainingOptions, TrainingProgress

    torch.set_num_threads(threads)
    with _make_bar() as bar:
        task = bar.add_task(spec.name, total=spec.steps, figures="loading")
        total = questions * len(spec.knowledge)
        measured = bar.add_task(f"{spec.name}: replies", total=total, figures="")

        def show(progress: TrainingProgress) -> None:
            figures = f"loss {progress.loss:.3f}  {progress.tokens_per_s:,.0f} tokens/s"
            bar.update(task, completed=progress.step, figures=figures)

        card = produce_chat_organism(
            spec,
            out,
            options=TrainingOptions(device=device, checkpoint_every=1),
            num_questions=questions,
            threads=threads,
            on_progress=show,
            on_reply=lambda count: bar.update(measured, completed=count),
        )
    typer.echo(f"wrote {card}")


def _make_bar() -> Bar:
    """A progress bar with room for loss and throughput."""
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
        console=make_console(stderr=True),
    )


@app.command("list")
def list_organisms(agents: Agents = None) -> None:
    """Show the organisms' cards: what each learned, and how well."""
    from debate.config.references import get_shipped_folder
    from debate.organisms.cards import build_card_table, read_cards

    with _report_user_errors():
        table = build_card_table(read_cards(agents or get_shipped_folder("agents")))
        print_whole(table, make_console())


@app.command()
def evaluate(
    agents: Agents = None,
    questions: Annotated[
        int | None, typer.Option(min=8, help="Test questions: 2000, or 200 of a family with chat.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which test questions.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
    chat: Annotated[bool, typer.Option("--chat", help="The chat organisms of the folder.")] = False,
    temperature: Annotated[float, typer.Option(min=0, help="Of the chat organisms.")] = 1.0,
    validation: Annotated[
        bool, typer.Option("--validation", help="With --chat: choose by these, and test once.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Measure the set: alone, rereading itself, hearing others, and judging answers.

    With --chat, measure the openings of the chat organisms on word problems.
    """
    with _report_user_errors():
        require_extra("local", "evaluating organisms")
    import torch

    from debate.config.references import get_shipped_folder
    from debate.organisms.cards import read_cards
    from debate.organisms.evaluate import build_arm_table, build_critic_table, evaluate_organisms

    torch.set_num_threads(threads)
    folder = agents or get_shipped_folder("agents")
    with _report_user_errors():
        if chat:
            found_chat = _measure_chat(
                folder,
                num_questions=questions or 200,
                seed=seed,
                temperature=temperature,
                split="validation" if validation else "test",
                device=device,
                threads=threads,
            )
            _print_chat(found_chat, as_json=as_json)
            return
        found = evaluate_organisms(
            read_cards(folder), num_questions=questions or 2000, seed=seed, device=device
        )
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=1))
        return
    console = make_console()
    print_whole(build_arm_table(found.arms), console)
    print_whole(build_critic_table(found.critics), console)


def _measure_chat(folder: Path, **options: Any) -> dict[str, list[FamilyFigures]]:
    """Measure the chat organisms of a folder, by name."""
    from debate.organisms.chat_quality import measure_chat_organism, read_chat_cards

    return {card.name: measure_chat_organism(card, **options) for card in read_chat_cards(folder)}


def _print_chat(found: Mapping[str, list[FamilyFigures]], *, as_json: bool) -> None:
    """Print the figures of chat organisms."""
    from debate.organisms.chat_quality import build_chat_table, to_numbers

    if as_json:
        rows = {name: {f.family: to_numbers(f) for f in each} for name, each in found.items()}
        typer.echo(json.dumps(rows, indent=1))
        return
    print_whole(build_chat_table(found), make_console())
