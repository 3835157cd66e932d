"""What a run ends with: accuracy and confidence by round, and where everything lies."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from debate.analysis import Analysis, Estimate
from debate.analysis.present import grids
from debate.analysis.tables.findings import findings
from debate.analysis.text import clean
from debate.log import Run
from debate.log.cut import cut_off, cut_sentence
from debate.report.material import read_material
from debate.report.write import PAGE, write_page
from debate.wiring.execute import Outcome

COLUMNS = {"accuracy": "accuracy", "confidence": "confidence", "over_confidence": "over-confidence"}
RATES = {"abstention_rate": "abstained", "failure_rate": "failed"}


def print_summary(outcome: Outcome, console: Console) -> None:
    """The closing table, what was mended or made again, and where to look next.

    Writes the report, which is among what to look at.
    """
    _print_made_again(outcome, console)
    material = read_material(outcome.directory)
    analysis = material.analysis
    console.print(by_round(analysis))
    for lines in grids(findings(analysis), console.width) if analysis.findings else ():
        console.print(lines)
    _print_rates(analysis, console)
    _print_cut(Run(outcome.directory), console)
    page = write_page(material, material.source / PAGE)
    _print_next(material.source, page, console)


def _print_made_again(outcome: Outcome, console: Console) -> None:
    for problem in outcome.problems:
        told = clean(f"damaged, made again: {problem}")
        console.print(told, markup=False, highlight=False)
    if outcome.stale:
        console.print(
            f"{len(outcome.stale)} recorded turns had another prompt and were made again: "
            f"{', '.join(outcome.stale[:5])}{', …' if len(outcome.stale) > 5 else ''}",
            markup=False,
            highlight=False,
        )


def _print_rates(analysis: Analysis, console: Console) -> None:
    """The highest rates of answers that are missing; accuracy takes them for wrong."""
    for name, word in RATES.items():
        rates = [e for e in analysis.select(name) if e.subject is None and e.value]
        worst = max(rates, key=lambda e: e.value or 0.0, default=None)
        if worst is not None:
            where = f"at most {worst.value:.1%} (arm {worst.cell}, round {worst.round})"
            console.print(Text(f"{word}: {where}; in accuracy they count as wrong"))


def _print_cut(run: Run, console: Console) -> None:
    """Loudly, whose replies were cut off at their token limit, where they are many."""
    told = cut_sentence(cut_off(run.scan_turns(), run.manifest.spec))
    if told is not None:
        console.print(Text(clean(f"WARNING: {told}"), style="bold red"), soft_wrap=True)


def _print_next(directory: Path, page: Path, console: Console) -> None:
    for label, what in (
        ("run directory", str(directory)),
        ("all estimates", f"debate analyze {directory}"),
        ("report", str(page)),
    ):
        console.print(Text(f"{label}: {what}"), soft_wrap=True)


def by_round(analysis: Analysis) -> Table:
    """A line for each arm and round."""
    title = "95 % intervals by question"
    if analysis.confidence is not None:
        title += f"; confidence: {clean(analysis.confidence)}"
    table = Table("arm", "round", *COLUMNS.values(), title=title)
    for cell in analysis.cells:
        rounds = sorted({e.round or 0 for e in analysis.select("accuracy", cell=cell)})
        for number in rounds:
            found = [analysis.find(name, cell=cell, round=number) for name in COLUMNS]
            table.add_row(Text(analysis.labels.arm(cell)), str(number), *map(_shown, found))
        table.add_section()
    return table


def _shown(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "–"
    sign = "+" if estimate.name == "over_confidence" else ""
    value = f"{estimate.value:{sign}.3f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{estimate.low:.2f}, {estimate.high:.2f}]"
