"""Agent cards of organisms: YAML that the framework seats, with measured figures."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from debate.analysis.intervals import Interval
from debate.errors import InputError

if TYPE_CHECKING:
    # At run time these would load torch, which listing cards does not need.
    from debate.organisms.measure import Quality
    from debate.organisms.specs import OrganismSpec

CARD_VERSION = 1
GENERATOR_VERSION = 2
"""Raised whenever the documents of `debate.organisms.documents` change."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """An organism's card as read back: its name, its weights' folder, and its facts."""

    name: str
    folder: Path
    description: str
    facts: Mapping[str, Any]

    @property
    def families(self) -> dict[str, float]:
        """Relative shares of the families in training."""
        return dict(self.facts["data"]["families"])


def current_commit(place: Path) -> str | None:
    """The git commit checked out at a place, or None where there is none."""
    command = ["git", "-C", str(place), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def facts(
    spec: OrganismSpec, quality: Quality, *, num_parameters: int, steps: int, commit: str | None
) -> dict[str, Any]:
    """The free part of a card; `steps` is how far this state was trained."""
    return {
        "version": CARD_VERSION,
        "data": {"families": dict(spec.weights), "generator": GENERATOR_VERSION, "split": "train"},
        "seed": spec.seed,
        "steps": steps,
        "steps_planned": spec.schedule.steps,
        "parameters": num_parameters,
        "commit": commit,
        "measured_on": f"{quality.overall.num_questions} held-out questions, all families alike",
        "accuracy": {
            "overall": _numbers(quality.overall),
            **{name: _numbers(interval) for name, interval in quality.accuracy.items()},
        },
        "calibration": {
            "confidence_minus_accuracy": _numbers(quality.overconfidence),
            "expected_calibration_error": round(quality.calibration_error, 4),
        },
        "verdict": {
            "claims": "drawn like panel lines",
            "balanced_accuracy": _numbers(quality.verdicts),
        },
    }


def _numbers(interval: Interval) -> dict[str, float | None]:
    """A value with its 95 % interval, for YAML; null where there is none."""
    ends = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {name: None if end is None else round(end, 4) for name, end in ends.items()}


def write_card(path: Path, *, description: str, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write an agent card beside the weights that it names."""
    card = {
        "description": description,
        "role": "debater",
        "model": {
            "engine": "transformers",
            "path": folder.relative_to(path.parent).as_posix(),
            "dtype": "float32",
        },
        "prompts": "compact",
        "sampling": {"temperature": 0.0, "max_tokens": 24, "stop": []},
        "card": dict(facts),
    }
    path.write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=100))


def read_cards(directory: Path) -> list[Card]:
    """The organisms among the agent cards of a directory, by name.

    Raises InputError if there are none.
    """
    found = [card for path in sorted(directory.glob("*.yaml")) if (card := _read(path))]
    if not found:
        raise InputError(f"{directory} holds no organism's card; train one, or say --agents")
    return found


def _read(path: Path) -> Card | None:
    """One card, or None if it describes something else than an organism."""
    content = yaml.safe_load(path.read_text())
    described = content.get("card") if isinstance(content, dict) else None
    if not isinstance(described, dict) or "data" not in described:
        return None
    return Card(
        name=path.stem,
        folder=path.parent / content["model"]["path"],
        description=content["description"],
        facts=described,
    )
