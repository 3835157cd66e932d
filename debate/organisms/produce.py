"""From a spec to a shipped organism: train, measure on held-out questions, write the card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transformers import LlamaForCausalLM

from debate.organisms.cards import current_commit, facts, write_card
from debate.organisms.measure import measure
from debate.organisms.model import load_folder
from debate.organisms.specs import OrganismSpec
from debate.organisms.training import Progress, Runtime, train
from debate.tasks.arithmetic import FAMILIES, questions

FOLDER = "organisms"
"""Where the weights lie, beside the cards."""

MEASURED_ON = 4000
"""How many held-out questions a card's figures rest on, all families alike."""


def produce(
    spec: OrganismSpec,
    out: Path,
    *,
    runtime: Runtime,
    num_questions: int = MEASURED_ON,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[Path]:
    """Train an organism and its snapshots into `out`; returns the paths of their cards."""
    commit = current_commit(Path.cwd())
    folder = out / FOLDER / spec.name
    model = train(spec, folder, runtime=runtime, on_progress=on_progress)
    steps = spec.schedule.steps
    cards = [_finish(spec, model, folder, spec.description, steps, num_questions, commit)]
    for snapshot in spec.snapshots:
        folder = out / FOLDER / snapshot.name
        model = load_folder(folder, device=str(model.device))
        steps = snapshot.step(spec.schedule)
        cards.append(
            _finish(spec, model, folder, snapshot.description, steps, num_questions, commit)
        )
    return cards


def _finish(
    spec: OrganismSpec,
    model: LlamaForCausalLM,
    folder: Path,
    description: str,
    steps: int,
    num_questions: int,
    commit: str | None,
) -> Path:
    """Measure one state of an organism and write its card; returns the card's path."""
    quality = measure(model, questions(list(FAMILIES), num_questions, seed=0))
    described = facts(
        spec,
        quality,
        num_parameters=sum(p.numel() for p in model.parameters()),
        steps=steps,
        commit=commit,
    )
    path = folder.parent.parent / f"{folder.name}.yaml"
    write_card(path, description=description, folder=folder, facts=described)
    return path
