"""Everything that needs what was heard, one cell at a time: memory is that of the largest cell."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from debate.analysis.attribution import credit, edges, flip_sources, hazards
from debate.analysis.conformity import disagreements, first_seen
from debate.analysis.heard import hearings
from debate.analysis.where import where


def heard_tables(
    states: pl.DataFrame, everyone: pl.DataFrame, *, limit: int
) -> dict[str, pl.DataFrame]:
    """The tables of attribution and of where, and `events` and `seen` for conformity.

    `everyone` holds the states of those who may be heard; `limit` bounds hot spots by cell.
    """
    parts = list(_cells(states, everyone, limit=limit))
    return {name: pl.concat([part[name] for part in parts]) for name in parts[0]}


def _cells(
    states: pl.DataFrame, everyone: pl.DataFrame, *, limit: int
) -> Iterator[dict[str, pl.DataFrame]]:
    cells = sorted(states["cell"].unique())
    if len(cells) == everyone["cell"].n_unique() == 1:
        # Its rows may be most of what is in memory: they are not copied.
        yield _tables(states, everyone, limit=limit)
        return
    for cell in cells:
        inside = pl.col("cell") == cell
        yield _tables(states.filter(inside), everyone.filter(inside), limit=limit)


def _tables(states: pl.DataFrame, everyone: pl.DataFrame, *, limit: int) -> dict[str, pl.DataFrame]:
    heard = hearings(states, everyone)
    sources = flip_sources(states, heard)
    ranked = where(states, heard, limit=limit)
    return {
        "events": disagreements(heard),
        "seen": first_seen(heard),
        "hazards": hazards(states, heard),
        "edges": edges(heard),
        "flip_sources": sources,
        "credit": credit(sources),
        "where_questions": ranked.questions,
        "where_categories": ranked.categories,
        "where_agents": ranked.agents,
        "where_edges": ranked.edges,
        "where_rounds": ranked.rounds,
        "hotspots": ranked.hotspots,
        "links": ranked.links,
    }
