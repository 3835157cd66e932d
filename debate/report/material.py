"""What a report is made from: a run directory or a foreign table, read and analysed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from debate.analysis import Analysis
from debate.analysis.design import design_of
from debate.analysis.source import read_source
from debate.analysis.states import DEFAULT, confidence_column, members, of_authors, states_frame
from debate.analysis.text import clean
from debate.errors import InputError
from debate.log import Run
from debate.log.manifest import Manifest
from debate.types import Answer, Confidence, DebateKey, Question, Turn

MOST_ARMS = 8
NARROW = (
    "cell", "question", "seed", "agent", "model", "kind", "round", "answer", "outcome",
    "confidence", "belief_own",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything that tables, pictures and transcripts are made from.

    states: the members' states, narrow. manifest: None for a table.
    """

    name: str
    source: Path
    analysis: Analysis
    states: pl.DataFrame
    cells: tuple[str, ...]
    authors: Mapping[str, str]
    manifest: Manifest | None
    turns: Callable[[DebateKey], tuple[Turn, ...]]
    question: Callable[[str], Question | None]

    @property
    def drawn_cells(self) -> tuple[str, ...]:
        """The cells that pictures show: the first ones, where there are very many."""
        return self.cells[:MOST_ARMS]

    @property
    def told_states(self) -> pl.DataFrame:
        """The states that estimates are about: in an arm, its author's alone."""
        return of_authors(self.states, self.authors)

    @property
    def rounds(self) -> tuple[int, ...]:
        """All rounds that occur, in order."""
        return tuple(sorted(self.states["round"].unique()))

    def arm(self, cell: str) -> str:
        """A cell's name as it is shown; simulated agents are told of."""
        return self.analysis.labels.arm(cell)

    def agent(self, cell: str, agent: str | None) -> str:
        """An agent's name as it is shown; None is nobody."""
        return self.analysis.labels.agent(cell, agent)

    def left_out(self) -> str:
        """A sentence where pictures do not show all cells."""
        if len(self.cells) <= MOST_ARMS:
            return ""
        return f"The first {MOST_ARMS} of {len(self.cells)} arms are drawn."


def read_material(
    source: Path,
    *,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    cells: Sequence[str] = (),
    **options: Any,
) -> Material:
    """The material of a run directory or of a table. Raises InputError where there is none.

    columns: what a table calls our columns. kind: of a table's answers. cells: the arms to report,
    by default all. options: those of `debate.analysis.analyze`.
    """
    read = read_source(source, columns=columns, kind=kind, cells=cells)
    read = read.with_confidence(options.get("confidence", DEFAULT))
    analysis, run, rows = read.analyze(**options), read.run, read.trajectories
    if analysis.is_reference_free:
        raise InputError(
            f"{source}: no question has a target, so a page would have nothing to show; "
            f"`debate analyze {source}` prints what confidence alone tells"
        )
    name = (run.manifest.spec.get("name") or source.resolve().name) if run else source.stem
    return Material(
        name=clean(str(name)),
        source=source,
        analysis=analysis,
        states=_narrow(rows, options.get("confidence", DEFAULT)),
        cells=analysis.cells,
        authors=design_of(run.manifest.spec, analysis.cells).authors if run else {},
        manifest=run.manifest if run else None,
        turns=partial(_recorded, run) if run else partial(_told, rows),
        question=run.questions_by_id.get if run else _no_question,
    )


def _recorded(run: Run, key: DebateKey) -> tuple[Turn, ...]:
    return run.debate(key).turns


def _no_question(_: str) -> Question | None:
    return None


def _narrow(trajectories: pl.DataFrame, confidence: str) -> pl.DataFrame:
    column = confidence_column(trajectories, confidence)
    known = [n for n in (*NARROW, "target") if n in trajectories.columns and n != "confidence"]
    chosen = trajectories.select(*known, pl.col(column).alias("confidence"))
    return members(states_frame(chosen))


def _told(table: pl.DataFrame, key: DebateKey) -> tuple[Turn, ...]:
    """The turns of one debate of a table, in order."""
    inside = (
        (pl.col("cell") == key.cell)
        & (pl.col("question") == key.question)
        & (pl.col("seed") == key.seed)
    )
    rows = table.filter(inside).sort("round", "agent")
    return tuple(
        Turn(
            cell=key.cell,
            question=key.question,
            seed=key.seed,
            round=row["round"],
            kind=row["kind"],
            agent=row["agent"],
            model=row["model"],
            heard=tuple(row["heard"] or ()),
            text=row["text"] or "",
            answer=Answer(value=row["answer"]),
            correct=row["correct"],
            confidences=_confidences(row["confidence"]),
        )
        for row in rows.iter_rows(named=True)
    )


def _confidences(value: float | None) -> tuple[Confidence, ...]:
    return () if value is None else (Confidence(source="table", value=value),)
