"""An analysis as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from debate.analysis.design import NO_CONTROL
from debate.analysis.registry import get_words
from debate.analysis.summary import Analysis
from debate.analysis.tables import Entry, Table, TableMaker, is_lacking, write_copied_note
from debate.analysis.tables.confidence import (
    tabulate_calibration_changes,
    tabulate_calibration_errors,
    tabulate_conformity,
    tabulate_drift,
    tabulate_entrenchment,
    tabulate_error_parts,
    tabulate_errors,
    tabulate_flips,
    tabulate_ranking,
    tabulate_revisions,
    tabulate_scores,
)
from debate.analysis.tables.influence import (
    RANKINGS,
    tabulate_alternatives,
    tabulate_credit,
    tabulate_critique_matrix,
    tabulate_edges,
    tabulate_hazards,
    tabulate_hotspots,
    tabulate_labels,
    tabulate_self_critique,
)
from debate.analysis.tables.results import (
    tabulate_accuracy,
    tabulate_across_factors,
    tabulate_comparisons,
    tabulate_confidence_alone,
    tabulate_findings,
    tabulate_headline,
    tabulate_replies,
    tabulate_tokens,
    tabulate_votes,
)
from debate.analysis.tables.team_tables import (
    tabulate_dose_response,
    tabulate_team,
    tabulate_team_contrasts,
    tabulate_teams,
)
from debate.analysis.text import clean, join_names

TABLES: tuple[TableMaker, ...] = (
    tabulate_findings,
    tabulate_headline,
    tabulate_replies,
    tabulate_accuracy,
    tabulate_across_factors,
    tabulate_teams,
    tabulate_team_contrasts,
    tabulate_dose_response,
    tabulate_self_critique,
    tabulate_critique_matrix,
    tabulate_alternatives,
    tabulate_labels,
    tabulate_errors,
    tabulate_error_parts,
    tabulate_entrenchment,
    tabulate_scores,
    tabulate_calibration_errors,
    tabulate_ranking,
    tabulate_calibration_changes,
    tabulate_drift,
    tabulate_flips,
    tabulate_conformity,
    tabulate_revisions,
    tabulate_votes,
    tabulate_comparisons,
    tabulate_team,
    tabulate_hazards,
    tabulate_credit,
    tabulate_edges,
    *RANKINGS.values(),
    tabulate_hotspots,
    tabulate_tokens,
)
"""Every table of an analysis, in the order in which a terminal prints them.

A new table is one function from an `Analysis` to a `Table` and one line here. A table without rows
is not printed. The report's sections pick from the same functions.
"""
Justify = Literal["left", "right"]
PADDING, WIDEST_NAME = 3, 24


def present(analysis: Analysis, console: Console) -> None:
    """Print which confidence is analysed, every table that has rows, then the caveats."""
    if analysis.confidence is not None:
        named = f"{analysis.confidence}{write_copied_note(analysis)}"
        console.print(Text(f"Confidence: {clean(named)}\n"))
    for make in (tabulate_confidence_alone,) if analysis.is_reference_free else TABLES:
        made = make(analysis)
        if made.rows:
            for lines in build_grids(made, console.width):
                console.print(lines)
            if made.note:
                console.print(Text(clean(made.note), style="dim"))
            console.print()
    for sentence in (*analysis.caveats, *list_lacking(analysis)):
        console.print(Text(f"• {clean(sentence)}"))


def list_lacking(analysis: Analysis) -> list[str]:
    """List what estimates of conditions with several rounds lack, one sentence each.

    The control condition is not among it: its lack is a caveat.
    """
    moving = {e.cell for e in analysis.select("accuracy", "confidence") if e.round}
    arms: dict[tuple[str, str], dict[str, None]] = {}
    for e in analysis.estimates:
        if is_lacking(e) and e.missing != NO_CONTROL and e.cell in moving:
            named = arms.setdefault((e.cell or "", e.missing or ""), {})
            named[get_words(e.name)] = None
    told: dict[tuple[str, str], list[str]] = {}
    for (cell, missing), names in arms.items():
        told.setdefault((join_names(list(names)), missing), []).append(analysis.labels.arm(cell))
    return [
        f"In {join_names(sorted(cells))}, {names} would need {missing}."
        for (names, missing), cells in told.items()
    ]


def build_grids(made: Table, width: int) -> Iterator[Grid]:
    """A table for a terminal of this width: as many columns side by side as fit, then the rest.

    Names are told beside each part, only the first of them where they are long.
    """
    widths = [_measure_width(made, position) for position in range(len(made.columns))]
    named = made.num_names if 2 * sum(widths[: made.num_names]) <= width else 1
    part = list(range(named))
    for position in range(named, len(widths)):
        if len(part) > named and sum(widths[k] for k in (*part, position)) >= width:
            yield build_grid(made, part, width)
            part = list(range(named))
        part.append(position)
    yield build_grid(made, part, width)


def build_grid(made: Table, columns: Sequence[int], width: int) -> Grid:
    """Some columns of a table: numbers to the right, intervals below them, sections by condition.

    Headings are broken only where whole ones do not fit the terminal's `width`.
    """
    is_roomy = sum(_measure_whole_width(made, position) for position in columns) <= width
    lines = Grid(title=made.title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for position in columns:
        is_name = position < made.num_names
        justify: Justify = "left" if is_name else "right"
        needed = _measure_width(made, position) - PADDING
        # Without a largest width the grid library takes it from columns that have none to spare.
        lines.add_column(
            made.columns[position],
            justify=justify,
            overflow="fold",
            min_width=needed,
            max_width=None if is_name or is_roomy else needed,
        )
    previous = None
    for row in made.rows:
        if previous not in (None, row[0]):
            lines.add_section()
        lines.add_row(*(_render_entry(row[position]) for position in columns))
        previous = row[0]
    return lines


def _measure_width(made: Table, position: int) -> int:
    """The width at which no word of a column is cut; names may be broken at any place."""
    header = max(map(len, made.columns[position].split()), default=0)
    fields = (text for row in made.rows for text in row[position][:2])
    widest = max(map(len, fields), default=0)
    return PADDING + max(header, min(widest, WIDEST_NAME if position < made.num_names else widest))


def _measure_whole_width(made: Table, position: int) -> int:
    """The width at which a column's heading stands on one line."""
    return max(_measure_width(made, position), PADDING + len(made.columns[position]))


def _render_entry(entry: Entry) -> Text:
    whole = f"{entry.text}\n{entry.under}" if entry.under else entry.text
    return Text(clean(whole, keep="\n"))
