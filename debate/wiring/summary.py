"""What a run ends with: accuracy and confidence by round, and where everything lies."""

from __future__ import annotations

from rich.console import Console

from debate.analysis.present import headline
from debate.wiring.analyses import analyze_source
from debate.wiring.execute import Outcome


def print_summary(outcome: Outcome, console: Console) -> None:
    """The closing tables, what was mended or made again, and the run directory."""
    for problem in outcome.problems:
        console.print(f"damaged, made again: {problem}", markup=False, highlight=False)
    if outcome.stale:
        console.print(
            f"{len(outcome.stale)} recorded turns had another prompt and were made again: "
            f"{', '.join(outcome.stale[:5])}{', …' if len(outcome.stale) > 5 else ''}",
            markup=False,
            highlight=False,
        )
    console.print(headline(analyze_source(outcome.directory)))
    console.print(f"run directory: {outcome.directory}", markup=False, highlight=False)
