"""One section of the page: a heading, a sentence, and pictures and tables below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from debate.analysis.tables import Place, Table
from debate.report.figure import Figure
from debate.report.material import Material

TEMPLATE = "section.html"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page, between two headings.

    name: its anchor. title: its heading. nav: its name in the row of links, by default the title.
    note: a sentence below the heading. figures, tables: shown in this order. tables without rows
    are left out. open: how many tables stand open; the others unfold. template, content: a layout
    of its own, and what it needs, where figures and tables do not do. anchors: the turns that
    links can lead to here, with their identifiers. data: further frames that
    are written beside the page as Parquet, by name.
    """

    name: str
    title: str
    nav: str = ""
    note: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    open: int = 1
    template: str = TEMPLATE
    content: Mapping[str, Any] = field(default_factory=dict)
    anchors: Mapping[Place, str] = field(default_factory=dict)
    data: Mapping[str, pl.DataFrame] = field(default_factory=dict)


Maker = Callable[[Material], Section | None]
"""Makes a section from the material; None where it would have nothing to do with this source."""
