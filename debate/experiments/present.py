"""A comparison of runs as tables in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from debate.analysis.present import grids
from debate.analysis.registry import words
from debate.analysis.summary import Analysis
from debate.analysis.tables.diversity import contrasts, doses, teams
from debate.analysis.tables.table import Entry, Table, interval, p_value, table
from debate.analysis.text import clean, count, number
from debate.experiments.compare import Difference, RunComparison
from debate.log.differences import listed

NOTE = (
    "Last round of each arm; intervals are 95 %, clustered by question. p is corrected by Holm "
    "over all lines: none of them was claimed beforehand."
)


def present_comparison(found: RunComparison, console: Console) -> None:
    """Print how the runs are paired, their differences, their configurations', and their teams."""
    for sentence in found.pairings:
        console.print(Text(clean(sentence)))
    _print(differences_table(found), console)
    console.print(Text(NOTE, style="dim"))
    for label, clauses in found.configs.items():
        what = f"{label} differs in its configuration:\n{listed(clauses)}"
        console.print(Text(clean(what if clauses else f"{label}: equally configured", keep="\n")))
    for made in _teams(found):
        _print(made, console)
    for sentence in found.caveats:
        console.print(Text(f"• {clean(sentence)}"))


def _print(made: Table, console: Console) -> None:
    if made.rows:
        for lines in grids(made, console.width):
            console.print(lines)


def differences_table(found: RunComparison) -> Table:
    """A line for each measure of each arm that was compared."""
    columns = ["arm", "measure", "run", "here", "first run", "difference", "p (Holm)", "questions"]
    title = f"Compared with {found.labels[0]}"
    return table(title, columns, [_row(each) for each in found.differences], names=3)


def _row(each: Difference) -> list[Entry]:
    return [
        Entry(clean(each.cell)),
        Entry(words(each.measure), each.missing),
        Entry(clean(each.second)),
        Entry(number(each.second_value)),
        Entry(number(each.first_value)),
        interval(each.value, each.low, each.high, signed=True),
        Entry(p_value(each.p_holm)),
        Entry(count(each.num_questions) if each.num_questions else "–"),
    ]


def _teams(found: RunComparison) -> tuple[Table, ...]:
    """The teams' tables, made as those of a single analysis are."""
    if not found.tables:
        return ()
    cells = tuple(dict.fromkeys(found.tables["teams"]["cell"]))
    whole = Analysis(
        estimates=found.estimates, comparisons=(), tables=found.tables, caveats=(), cells=cells
    )
    return teams(whole), contrasts(whole), doses(whole)
