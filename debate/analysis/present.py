"""An analysis as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from debate.analysis.design import NO_CONTROL
from debate.analysis.registry import words
from debate.analysis.summary import Analysis
from debate.analysis.tables import TABLES, Entry, Table
from debate.analysis.tables.headline import confidence_alone
from debate.analysis.tables.table import lacks
from debate.analysis.text import clean, listed

Justify = Literal["left", "right"]
PADDING, WIDEST_NAME = 3, 24


def present(analysis: Analysis, console: Console) -> None:
    """Print which confidence is analysed, every table that has rows, then the caveats."""
    if analysis.confidence is not None:
        console.print(Text(f"Confidence: {clean(analysis.confidence)}\n"))
    for make in (confidence_alone,) if analysis.is_reference_free else TABLES:
        made = make(analysis)
        if made.rows:
            for lines in grids(made, console.width):
                console.print(lines)
            if made.note:
                console.print(Text(clean(made.note), style="dim"))
            console.print()
    for sentence in (*analysis.caveats, *lacking(analysis)):
        console.print(Text(f"• {clean(sentence)}"))


def lacking(analysis: Analysis) -> list[str]:
    """What numbers of arms with more than one round would still need, one sentence each.

    The control arm is not among it: its lack is a caveat.
    """
    moving = {e.cell for e in analysis.select("accuracy", "confidence") if e.round}
    arms: dict[tuple[str, str], dict[str, None]] = {}
    for e in analysis.estimates:
        if lacks(e) and e.missing != NO_CONTROL and e.cell in moving:
            named = arms.setdefault((e.cell or "", e.missing or ""), {})
            named[words(e.name)] = None
    told: dict[tuple[str, str], list[str]] = {}
    for (cell, missing), names in arms.items():
        told.setdefault((listed(list(names)), missing), []).append(analysis.labels.arm(cell))
    return [
        f"In {listed(sorted(cells))}, {names} would need {missing}."
        for (names, missing), cells in told.items()
    ]


def grids(made: Table, width: int) -> Iterator[Grid]:
    """A table for a terminal of this width: as many columns side by side as fit, then the rest.

    Names are told beside each part, only the first of them where they are long.
    """
    widths = [_width(made, position) for position in range(len(made.columns))]
    named = made.num_names if 2 * sum(widths[: made.num_names]) <= width else 1
    part = list(range(named))
    for position in range(named, len(widths)):
        if len(part) > named and sum(widths[k] for k in (*part, position)) >= width:
            yield grid(made, part, width)
            part = list(range(named))
        part.append(position)
    yield grid(made, part, width)


def grid(made: Table, columns: Sequence[int], width: int) -> Grid:
    """Some columns of a table: numbers to the right, intervals below them, sections by arm.

    Headings are broken only where whole ones do not fit the terminal's `width`.
    """
    is_roomy = sum(_whole_width(made, position) for position in columns) <= width
    lines = Grid(title=made.title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for position in columns:
        is_name = position < made.num_names
        justify: Justify = "left" if is_name else "right"
        needed = _width(made, position) - PADDING
        # Without a largest width the grid library takes it from columns that have none to spare.
        lines.add_column(
            made.columns[position], justify=justify, overflow="fold", min_width=needed,
            max_width=None if is_name or is_roomy else needed,
        )  # fmt: skip
    previous = None
    for row in made.rows:
        if previous not in (None, row[0]):
            lines.add_section()
        lines.add_row(*(_shown(row[position]) for position in columns))
        previous = row[0]
    return lines


def _width(made: Table, position: int) -> int:
    """What a column needs so that no word is cut; names may be broken at any place."""
    header = max(map(len, made.columns[position].split()), default=0)
    fields = (text for row in made.rows for text in row[position][:2])
    widest = max(map(len, fields), default=0)
    return PADDING + max(header, min(widest, WIDEST_NAME if position < made.num_names else widest))


def _whole_width(made: Table, position: int) -> int:
    """What a column needs so that its heading stands on one line."""
    return max(_width(made, position), PADDING + len(made.columns[position]))


def _shown(entry: Entry) -> Text:
    whole = f"{entry.text}\n{entry.under}" if entry.under else entry.text
    return Text(clean(whole, keep="\n"))
