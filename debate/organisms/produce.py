"""From a spec to a shipped organism: train, measure on held-out questions, write the card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from transformers import LlamaForCausalLM

from debate.log.manifest import read_git_state
from debate.organisms.cards import round_interval
from debate.organisms.chat_quality import (
    CHAT_FOLDER,
    ChatCard,
    measure_chat_organism,
    write_chat_card,
)
from debate.organisms.chat_training import load_base, train_chat
from debate.organisms.measure import Quality, measure_quality
from debate.organisms.model import load_model
from debate.organisms.specs import ChatSpec, OrganismSpec
from debate.organisms.training import CHECKPOINT, TrainingOptions, TrainingProgress, train
from debate.organisms.training_data import GENERATOR_VERSION
from debate.tasks.arithmetic import FAMILIES, draw_questions

CARD_VERSION = 1

FOLDER = "organisms"
"""The folder of the weights, beside the cards."""

NUM_QUESTIONS = 4000
"""Held-out questions that a card's figures rest on, all families alike."""


def produce_organism(
    spec: OrganismSpec,
    out: Path,
    *,
    options: TrainingOptions,
    num_questions: int = NUM_QUESTIONS,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> list[Path]:
    """Train an organism and its snapshots into `out`; return the paths of their cards."""
    checkout = read_git_state(Path.cwd())
    commit = checkout.commit if checkout else None
    folder = out / FOLDER / spec.name
    model = train(spec, folder, options=options, on_progress=on_progress)
    steps = spec.schedule.steps
    cards = [_measure(spec, model, folder, spec.description, steps, num_questions, commit)]
    for snapshot in spec.snapshots:
        folder = out / FOLDER / snapshot.name
        model = load_model(folder, device=str(model.device))
        steps = snapshot.compute_step(spec.schedule)
        cards.append(
            _measure(spec, model, folder, snapshot.description, steps, num_questions, commit)
        )
    return cards


def _measure(
    spec: OrganismSpec,
    model: LlamaForCausalLM,
    folder: Path,
    description: str,
    steps: int,
    num_questions: int,
    commit: str | None,
) -> Path:
    """Measure one state of an organism and write its card; return the card's path."""
    quality = measure_quality(model, draw_questions(list(FAMILIES), num_questions, seed=0))
    num_parameters = sum(p.numel() for p in model.parameters())
    facts = build_facts(spec, quality, num_parameters=num_parameters, steps=steps, commit=commit)
    path = folder.parent.parent / f"{folder.name}.yaml"
    about = {"description": description, "prompts": spec.prompts}
    write_card(path, folder=folder, facts=facts, **about)
    return path


def build_facts(
    spec: OrganismSpec, quality: Quality, *, num_parameters: int, steps: int, commit: str | None
) -> dict[str, Any]:
    """Return the free part of a card; `steps` is the length of this state's training."""
    return {
        "version": CARD_VERSION,
        "data": {"families": dict(spec.weights), "generator": GENERATOR_VERSION, "split": "train"}
        | ({} if spec.loyalty is None else {"loyalty": spec.loyalty}),
        "seed": spec.seed,
        "steps": steps,
        "steps_planned": spec.schedule.steps,
        "parameters": num_parameters,
        "commit": commit,
        "measured_on": f"{quality.overall.num_questions} held-out questions, all families alike",
        "accuracy": {
            "overall": round_interval(quality.overall),
            **{name: round_interval(interval) for name, interval in quality.accuracy.items()},
        },
        "calibration": {
            "confidence_minus_accuracy": round_interval(quality.overconfidence),
            "expected_calibration_error": round(quality.calibration_error, 4),
        },
        "verdict": {
            "claims": "drawn like panel lines",
            "balanced_accuracy": round_interval(quality.verdicts),
        },
    }


def write_card(
    path: Path,
    *,
    description: str,
    folder: Path,
    facts: Mapping[str, Any],
    prompts: str = "compact",
) -> None:
    """Write an agent card beside the weights that it names."""
    card = {
        "description": description,
        "role": "debater",
        "model": {
            "engine": "transformers",
            "path": folder.relative_to(path.parent).as_posix(),
            "dtype": "float32",
        },
        "prompts": prompts,
        "sampling": {"temperature": 0.0, "max_tokens": 24, "stop": []},
        "card": dict(facts),
    }
    path.write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=100))


def produce_chat_organism(
    spec: ChatSpec,
    out: Path,
    *,
    options: TrainingOptions,
    num_questions: int,
    threads: int = 1,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
    on_reply: Callable[[int], None] = lambda count: None,
) -> Path:
    """Train a chat organism into `out`, measure it, and return the path of its card.

    The checkpoint stays until the card is written: a call after a cut goes on from it. Raises
    InputError where the base was not fetched, or the checkpoint is another spec's.
    """
    checkout = read_git_state(Path.cwd())
    folder = out / CHAT_FOLDER / spec.name
    model, tokenizer = load_base(spec.base, options.torch_device)
    done = train_chat(
        spec,
        folder,
        model,
        tokenizer,
        checkpoint_every=options.checkpoint_every,
        on_progress=on_progress,
    )
    del model
    card = ChatCard(name=spec.name, base=spec.base, adapter=folder, knowledge=spec.knowledge)
    figures = measure_chat_organism(
        card,
        num_questions=num_questions,
        seed=0,
        temperature=1.0,
        device=options.device,
        threads=threads,
        on_reply=on_reply,
    )
    facts = {
        "parameters": done.num_parameters,
        "tokens": done.num_tokens,
        "cpu_s": round(done.cpu_s),
        "commit": checkout.commit if checkout else None,
    }
    path = out / f"{spec.name}.yaml"
    write_chat_card(spec, path, figures, facts)
    (folder / CHECKPOINT).unlink()
    return path
