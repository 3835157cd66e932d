"""Cards and evaluations as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from debate.analysis.intervals import Interval
from debate.organisms.cards import Card
from debate.organisms.evaluate import Row
from debate.organisms.verdicts import Critic


def card_table(cards: Sequence[Card]) -> Table:
    """One line for each organism."""
    families = [name for name in cards[0].facts["accuracy"] if name != "overall"]
    headings = ["organism", "data", "seed", "steps", "parameters", *families, "over-confidence"]
    table = _table([*headings, "ECE", "verdicts"], title="accuracy by family on held-out questions")
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


def arm_table(rows: Sequence[Row]) -> Table:
    """Accuracy, over-confidence and persistence of wrong answers, by organism and arm."""
    headings = ["organism", "arm", "accuracy", "confidence - accuracy", "p(own | wrong at 0)"]
    table = _table(headings, title="fresh questions; 95 % intervals clustered by question")
    for row in rows:
        figures = (row.accuracy, row.overconfidence, row.own_given_wrong)
        table.add_row(row.organism, row.arm, *map(_text, figures))
    return table


def critic_table(critics: Sequence[Critic]) -> Table:
    """Verdicts on others' opening answers and on one's own."""
    headings = ["critic", "balanced accuracy on others", "false accept, others"]
    headings += ["false accept, own", "own - other, both wrong and different"]
    table = _table(headings, title="verdicts; 95 % intervals clustered by question")
    for critic in critics:
        figures = (
            critic.balanced_accuracy,
            critic.false_accept_others,
            critic.false_accept_own,
            critic.paired_gap,
        )
        table.add_row(critic.organism, *map(_text, figures))
    return table


def _table(headings: Sequence[str], *, title: str) -> Table:
    """A table whose first column is on the left and the others on the right."""
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == headings[0] else "right")
    return table


def _text(interval: Interval) -> str:
    """A value with its interval or why it has none; a dash where nothing was observed."""
    if interval.value is None:
        return "—"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.3f} ({interval.reason})"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
