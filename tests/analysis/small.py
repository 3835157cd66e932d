"""Small tables of turns, and what is measured on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from debate.analysis.measures import Measures
from debate.analysis.quantity import Quantity, Unavailable
from debate.analysis.schema import Estimate
from debate.analysis.states import build_states
from debate.analysis.votes import build_vote_states

COLUMNS = ("question", "agent", "round", "answer", "confidence", "heard")


def turns(*rows: tuple[object, ...], cell: str = "ring", columns: str = "") -> pl.DataFrame:
    """Turns under COLUMNS, or as many of them as a row has, then `columns`; the target is 4."""
    width = len(rows[0]) - len(columns.split())
    names = [*COLUMNS[:width], *columns.split()]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return frame.with_columns(cell=pl.lit(cell), target=pl.lit("4"))


def debates(*rows: tuple[object, ...], cell: str = "ring", columns: str = "") -> pl.DataFrame:
    """The states of these turns."""
    return build_states(turns(*rows, cell=cell, columns=columns))


def measures_of(states: pl.DataFrame, verdicts: pl.DataFrame | None = None) -> Measures:
    """The measures of states, votes included."""
    return Measures(states, build_vote_states(states, verdicts))


def quantity(found: Quantity | Unavailable) -> Quantity:
    """The number that must be there."""
    assert isinstance(found, Quantity), found
    return found


def named(estimates: Iterable[Estimate], name: str, **place: Any) -> Estimate:
    """The only estimate of that name at that place."""
    found = [
        e
        for e in estimates
        if e.name == name and all(getattr(e, key) == value for key, value in place.items())
    ]
    assert len(found) == 1, found
    return found[0]
