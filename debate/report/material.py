"""What a report is made from: a run directory or a foreign table, read and analysed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from debate.analysis import Analysis, analyze
from debate.analysis.states import members, states_frame
from debate.errors import InputError
from debate.log import Run, read_table
from debate.log.manifest import Manifest
from debate.report.text import clean, short
from debate.types import Answer, Confidence, DebateKey, Question, Turn

MOST_ARMS = 8
NARROW = (
    "cell", "question", "seed", "agent", "model", "kind", "round", "answer", "outcome",
    "confidence", "belief_own",
)  # fmt: skip
Simulated = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything that tables, pictures and transcripts are made from.

    states: the members' states, narrow. simulated: what is said of a cell, and of (cell, agent)
    joined by a blank line, where simulated agents took part. manifest: None for a table.
    """

    name: str
    source: Path
    analysis: Analysis
    states: pl.DataFrame
    cells: tuple[str, ...]
    simulated: Simulated
    manifest: Manifest | None
    turns: Callable[[DebateKey], tuple[Turn, ...]]
    question: Callable[[str], Question | None]

    @property
    def drawn_cells(self) -> tuple[str, ...]:
        """The cells that pictures show: the first ones, where there are very many."""
        return self.cells[:MOST_ARMS]

    @property
    def rounds(self) -> tuple[int, ...]:
        """All rounds that occur, in order."""
        return tuple(sorted(self.states["round"].unique()))

    def arm(self, cell: str) -> str:
        """A cell's name as it is shown; simulated agents are told of."""
        return short(cell, 40) + self.simulated.get(cell, "")

    def agent(self, cell: str, agent: str | None) -> str:
        """An agent's name as it is shown; None is nobody."""
        if agent is None:
            return "nobody"
        return short(agent, 40) + self.simulated.get(f"{cell}\n{agent}", "")

    def left_out(self) -> str:
        """A sentence where pictures do not show all cells."""
        if len(self.cells) <= MOST_ARMS:
            return ""
        return f"The first {MOST_ARMS} of {len(self.cells)} arms are drawn."


def read_material(source: Path) -> Material:
    """The material of a run directory or of a table. Raises InputError where there is none."""
    if not source.exists():
        raise InputError(f"{source} is neither a run directory nor a table: there is no such file")
    return _of_run(source) if source.is_dir() else _of_table(source)


def _of_run(directory: Path) -> Material:
    run = Run(directory)
    trajectories = run.trajectories()
    _require_turns(trajectories, directory)
    manifest = run.manifest
    verdicts = run.verdicts()
    analysis = analyze(trajectories, None if verdicts.is_empty() else verdicts)
    written = [c for c in manifest.spec.get("cells") or {} if c in analysis.cells]
    return Material(
        name=clean(str(manifest.spec.get("name") or directory.resolve().name)),
        source=directory,
        analysis=analysis,
        states=_narrow(trajectories),
        cells=tuple(written) or analysis.cells,
        simulated=_simulated(trajectories),
        manifest=manifest,
        turns=lambda key: run.debate(key).turns,
        question=run.questions_by_id.get,
    )


def _of_table(path: Path) -> Material:
    table = read_table(path)
    _require_turns(table, path)
    analysis = analyze(table)
    return Material(
        name=clean(path.stem),
        source=path,
        analysis=analysis,
        states=_narrow(table),
        cells=analysis.cells,
        simulated=_simulated(table),
        manifest=None,
        turns=partial(_told, table),
        question=lambda _: None,
    )


def _require_turns(trajectories: pl.DataFrame, source: Path) -> None:
    if trajectories.is_empty():
        raise InputError(
            f"{source}: no agent has stated an answer, so there is nothing to report; "
            "a report needs at least one opening"
        )


def _narrow(trajectories: pl.DataFrame) -> pl.DataFrame:
    known = [name for name in (*NARROW, "target") if name in trajectories.columns]
    return members(states_frame(trajectories.select(known)))


def _simulated(trajectories: pl.DataFrame) -> Simulated:
    """What is said of the cells and agents in which simulated agents took part."""
    if "simulated" not in trajectories.columns or not trajectories["simulated"].any():
        return {}
    by_agent = trajectories.group_by("cell", "agent").agg(pl.col("simulated").any())
    by_cell = by_agent.group_by("cell").agg(
        some=pl.col("simulated").any(), all=pl.col("simulated").all()
    )
    cells = {
        cell: " (simulated)" if all_ else " (partly simulated)"
        for cell, some, all_ in by_cell.select("cell", "some", "all").iter_rows()
        if some
    }
    agents = by_agent.filter("simulated").select("cell", "agent").iter_rows()
    return cells | {f"{cell}\n{agent}": " (simulated)" for cell, agent in agents}


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
