"""A section of the page, and what is left out of it because nothing is known there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from debate.analysis.tables import Entry, Place, Table
from debate.report.figure import Figure

TEMPLATE = "section.html"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page, between two headings."""

    name: str
    """The anchor of the heading."""
    title: str
    """The heading."""
    nav: str = ""
    """The text of the link to the section; by default the title."""
    note: str = ""
    """A sentence below the heading."""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    """Tables, in this order below the figures; those without rows are left out."""
    open: int = 1
    """The number of tables that stand open; the others unfold."""
    template: str = TEMPLATE
    """The layout; a section of another shape than figures above tables has its own."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """The values for a layout of its own."""
    anchors: Mapping[Place, str] = field(default_factory=dict)
    """The identifiers of the turns in this section, to which links in tables lead."""
    data: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Further frames that are written beside the page as Parquet, by name."""


def prune_tables(section: Section) -> Section:
    """Return the section without what is not known; lines name the columns and tables left out."""
    pruned = [prune_table(table) for table in section.tables]
    empty = [table.title for table in pruned if not table.rows]
    kept = tuple(table for table in pruned if table.rows)
    lacking = f"Tables without any value, left out: {'; '.join(empty)}." if empty else ""
    note = " ".join(filter(None, (section.note, lacking)))
    num_open = sum(1 for table in pruned[: section.open] if table.rows)
    return replace(section, tables=kept, note=note, open=max(num_open, section.open and 1))


def prune_table(table: Table) -> Table:
    """Return the table without rows and columns of dashes alone; the note names the columns."""
    names = table.num_names
    rows = [row for row in table.rows if any(not is_dash(entry) for entry in row[names:])]
    if not rows:
        return replace(table, rows=())
    known = [
        k for k, _ in enumerate(table.columns) if k < names or any(not is_dash(r[k]) for r in rows)
    ]
    left_out = [column for k, column in enumerate(table.columns) if k not in known]
    told = f"Columns without any value, left out: {'; '.join(left_out)}." if left_out else ""
    return replace(
        table,
        columns=tuple(table.columns[k] for k in known),
        rows=tuple(tuple(row[k] for k in known) for row in rows),
        note=" ".join(filter(None, (table.note, told))),
    )


def is_dash(entry: Entry) -> bool:
    """Whether a field of a table says nothing."""
    return entry.text in ("–", "") and not entry.under
