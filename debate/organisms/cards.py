"""The organisms' agent cards: YAML that the framework seats, with measured figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from debate.analysis.intervals import Interval
from debate.config.document import read_document
from debate.errors import InputError


@dataclass(frozen=True, kw_only=True)
class OrganismCard:
    """An organism's card as read back: its name, its weights' folder, and its facts."""

    name: str
    folder: Path
    description: str
    facts: Mapping[str, Any]

    @property
    def families(self) -> dict[str, float]:
        """Relative shares of the families in training."""
        return dict(self.facts["data"]["families"])


def read_cards(directory: Path) -> list[OrganismCard]:
    """Read the organisms among the agent cards of a directory, by name.

    Raises InputError if there are none.
    """
    found = [card for path in sorted(directory.glob("*.yaml")) if (card := _read_card(path))]
    if not found:
        raise InputError(f"{directory} holds no organism's card; train one, or say --agents")
    return found


def _read_card(path: Path) -> OrganismCard | None:
    """One card, or None if it describes something else than an organism."""
    content = read_document(path).value
    facts = content.get("card") if isinstance(content, dict) else None
    if not isinstance(facts, dict) or "data" not in facts:
        return None
    return OrganismCard(
        name=path.stem,
        folder=path.parent / content["model"]["path"],
        description=content["description"],
        facts=facts,
    )


def build_card_table(cards: Sequence[OrganismCard]) -> Table:
    """Return a table for the terminal with one line for each organism."""
    families = [name for name in cards[0].facts["accuracy"] if name != "overall"]
    headings = ["organism", "data", "seed", "steps", "parameters", *families, "over-confidence"]
    title = "accuracy by family on held-out questions"
    table = make_table([*headings, "ECE", "verdicts"], title=title)
    for card in cards:
        facts = card.facts
        calibration = facts["calibration"]
        table.add_row(
            card.name,
            " ".join(f"{name}:{weight:g}" for name, weight in card.families.items()),
            str(facts["seed"]),
            f"{facts['steps']:,}",
            f"{facts['parameters']:,}",
            *(f"{facts['accuracy'][name]['value']:.3f}" for name in families),
            f"{calibration['confidence_minus_accuracy']['value']:+.3f}",
            f"{calibration['expected_calibration_error']:.3f}",
            f"{facts['verdict']['balanced_accuracy']['value']:.3f}",
        )
    return table


def make_table(headings: Sequence[str], *, title: str) -> Table:
    """Return an empty table whose first column is on the left and the others on the right."""
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == headings[0] else "right")
    return table


def round_interval(interval: Interval) -> dict[str, float | None]:
    """Return a value with its 95 % interval, for YAML; null where there is none."""
    ends = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {name: None if end is None else round(end, 4) for name, end in ends.items()}
