"""What there is to analyse: a run directory, or a table of transcripts from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from debate.analysis.ledger import ledger
from debate.analysis.runs import analyze_run
from debate.analysis.summary import Analysis, analyze
from debate.errors import InputError, suggestion
from debate.log import Run, read_table


@dataclass(frozen=True, kw_only=True)
class Source:
    """What was read: trajectories; of a run, also the ledger of all its turns."""

    trajectories: pl.DataFrame
    spent: pl.DataFrame | None = None
    run: Run | None = None

    def analyze(self, **options: Any) -> Analysis:
        """The analysis of these trajectories, arms in the order of the configuration.

        options: those of `debate.analysis.analyze`.
        """
        if self.run is None:
            return analyze(self.trajectories, **options)
        found = analyze_run(self.run, self.trajectories, spent=self.spent, **options)
        written = list(self.run.manifest.spec.get("cells") or ())
        ordered = sorted(
            found.cells, key=lambda c: written.index(c) if c in written else len(written)
        )
        return replace(found, cells=tuple(ordered))


def read_source(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    cells: Sequence[str] = (),
) -> Source:
    """Read a run directory or a table.

    columns: what a table calls our columns, theirs to ours. kind: of a table's answers, number,
    choice or text; by default as its targets tell. cells: the arms to keep, all if none is named.
    Raises InputError where there is nothing of the kind or no agent stated an answer.
    """
    if not path.exists():
        raise InputError(f"{path} is neither a run directory nor a table: there is no such file")
    if path.is_dir() and columns:
        raise InputError(f"{path} is a run directory; only the columns of a table can be mapped")
    if path.is_dir() and kind is not None:
        raise InputError(f"{path} is a run directory, which says what kind its answers are of")
    if path.is_dir():
        found = _of_run(Run(path))
    else:
        found = Source(trajectories=read_table(path, columns=columns, kind=kind))
    if found.trajectories.is_empty():
        raise InputError(
            f"{path}: no agent has stated an answer, so there is nothing to analyse; "
            "at least one opening is needed"
        )
    return _of_cells(found, cells, path) if cells else found


def _of_run(run: Run) -> Source:
    turns = run.narrow_turns()
    return Source(trajectories=run.trajectories(turns), spent=ledger(turns), run=run)


def _of_cells(found: Source, cells: Sequence[str], path: Path) -> Source:
    known = found.trajectories["cell"].unique().to_list()
    for cell in cells:
        if cell not in known:
            raise InputError(f'{path}: arm "{cell}" is unknown; {suggestion(cell, known)}')
    inside = pl.col("cell").is_in(list(cells))
    spent = None if found.spent is None else found.spent.filter(inside)
    return replace(found, trajectories=found.trajectories.filter(inside), spent=spent)
