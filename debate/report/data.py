"""Read and analyse what a report is made from: a run directory, or a table of transcripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import polars as pl

from debate.analysis import Analysis
from debate.analysis.design import read_design
from debate.analysis.source import read_source
from debate.analysis.states import (
    DEFAULT,
    build_states,
    find_confidence_column,
    select_authors,
    select_members,
)
from debate.errors import InputError
from debate.log import Run
from debate.log.frames import describe_verdict
from debate.log.manifest import Manifest
from debate.text import clean
from debate.types import Answer, Confidence, DebateKey, Message, Question, Turn

MAX_ARMS = 48
"""Pictures show at most this many arms."""

STATE_COLUMNS = (
    "cell",
    "question",
    "seed",
    "agent",
    "model",
    "kind",
    "round",
    "answer",
    "outcome",
    "belief_own",
    "target",
)


@dataclass(frozen=True, kw_only=True)
class PromptExample:
    """A prompt as one turn of the run had it: its kind of turn, where, and its messages.

    cells: those in which it stands alike.
    """

    kind: str
    cells: tuple[str, ...]
    agent: str
    round: int
    messages: tuple[Message, ...]


def _know_no_verdict(_: DebateKey) -> Mapping[int, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything that the tables, pictures and transcripts of one report are made from."""

    name: str
    source: Path
    analysis: Analysis
    states: pl.DataFrame
    """The members' states, with the columns that pictures need."""
    cells: tuple[str, ...]
    authors: Mapping[str, str]
    """The author of each cell that is an arm with one."""
    manifest: Manifest | None
    """None for a table."""
    read_turns: Callable[[DebateKey], tuple[Turn, ...]]
    find_question: Callable[[str], Question | None]
    read_verdicts: Callable[[DebateKey], Mapping[int, str]] = _know_no_verdict
    """The team's verdicts of a debate in words, by round; none where a table tells none."""
    prompts: tuple[PromptExample, ...] = ()
    """Prompts that turns of the run had, one of each kind."""

    @property
    def drawn_cells(self) -> tuple[str, ...]:
        """The cells that pictures show: the first `MAX_ARMS`."""
        return self.cells[:MAX_ARMS]

    @property
    def drawn_note(self) -> str:
        """A sentence that says how many arms are drawn; empty where all are."""
        if len(self.cells) <= MAX_ARMS:
            return ""
        return f"The first {MAX_ARMS} of {len(self.cells)} arms are drawn."

    @property
    def estimated_states(self) -> pl.DataFrame:
        """The states that estimates are about: in an arm with an author, the author's alone."""
        return select_authors(self.states, self.authors)

    @property
    def rounds(self) -> tuple[int, ...]:
        """All rounds that occur, in order."""
        return tuple(sorted(self.states["round"].unique()))

    def label_arm(self, cell: str) -> str:
        """The name under which a cell is shown, marked where its agents are simulated."""
        return self.analysis.labels.arm(cell)

    def label_agent(self, cell: str, agent: str | None) -> str:
        """The name under which an agent is shown, marked where it is simulated."""
        return self.analysis.labels.agent(cell, agent)


def read_report_data(
    source: Path,
    *,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    cells: Sequence[str] = (),
    prompts: tuple[PromptExample, ...] = (),
    **options: Any,
) -> ReportData:
    """Read and analyse a run directory or a table.

    columns: what a table calls our columns. kind: of a table's answers. cells: the arms to report,
    by default all. prompts: to be shown, such as `debate.runner` makes again. options: those of
    `debate.analysis.analyze`. Raises InputError where the source is neither, or no question in it
    has a target.
    """
    read = read_source(source, columns=columns, kind=kind, cells=cells)
    confidence = options.get("confidence", DEFAULT)
    read = read.with_confidence(confidence)
    analysis, run, rows = read.analyze(**options), read.run, read.trajectories
    if analysis.is_reference_free:
        raise InputError(
            f"{source}: no question has a target, so a page would have nothing to show; "
            f"`debate analyze {source}` prints what confidence alone tells"
        )
    name = (run.manifest.spec.get("name") or source.resolve().name) if run else source.stem
    return ReportData(
        name=clean(str(name)),
        source=source,
        analysis=analysis,
        states=_collect_states(rows, confidence),
        cells=analysis.cells,
        authors=read_design(run.manifest.spec, analysis.cells).authors if run else {},
        manifest=run.manifest if run else None,
        read_turns=partial(_read_run_turns, run) if run else _TableTurns(rows),
        read_verdicts=_RunVerdicts(run) if run else _know_no_verdict,
        find_question=run.questions_by_id.get if run else _find_no_question,
        prompts=prompts,
    )


def _collect_states(trajectories: pl.DataFrame, confidence: str) -> pl.DataFrame:
    column = find_confidence_column(trajectories, confidence)
    known = [name for name in STATE_COLUMNS if name in trajectories.columns]
    chosen = trajectories.select(*known, pl.col(column).alias("confidence"))
    return select_members(build_states(chosen))


def _read_run_turns(run: Run, key: DebateKey) -> tuple[Turn, ...]:
    return run.debate(key).turns


def _find_no_question(_: str) -> Question | None:
    return None


class _RunVerdicts:
    """Tells the verdicts of one debate of a run, all of which are read at the first call."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @cached_property
    def _by_debate(self) -> dict[DebateKey, dict[int, str]]:
        found: dict[DebateKey, dict[int, str]] = {}
        for row in self._run.verdicts().sort("round").iter_rows(named=True):
            key = DebateKey(cell=row["cell"], question=row["question"], seed=row["seed"])
            found.setdefault(key, {})[row["round"]] = describe_verdict(row)
        return found

    def __call__(self, key: DebateKey) -> Mapping[int, str]:
        """The verdicts in words by round, in order; empty where there are none."""
        return self._by_debate.get(key, {})


class _TableTurns:
    """Reads the turns of one debate of a table, which is split by debate at the first call."""

    def __init__(self, table: pl.DataFrame) -> None:
        self._table = table

    @cached_property
    def _by_debate(self) -> dict[tuple[Any, ...], pl.DataFrame]:
        return self._table.sort("round", "agent").partition_by(
            "cell", "question", "seed", as_dict=True
        )

    def __call__(self, key: DebateKey) -> tuple[Turn, ...]:
        """The turns, by round and agent; empty where the table has none."""
        rows = self._by_debate.get((key.cell, key.question, key.seed), pl.DataFrame())
        return tuple(_make_turn(row) for row in rows.iter_rows(named=True))


def _make_turn(row: Mapping[str, Any]) -> Turn:
    return Turn(
        cell=row["cell"],
        question=row["question"],
        seed=row["seed"],
        round=row["round"],
        kind=row["kind"],
        agent=row["agent"],
        model=row["model"],
        heard=tuple(row["heard"] or ()),
        text=row["text"] or "",
        answer=Answer(value=row["answer"]),
        correct=row["correct"],
        confidences=_make_confidences(row["confidence"]),
    )


def _make_confidences(value: float | None) -> tuple[Confidence, ...]:
    return () if value is None else (Confidence(source="table", value=value),)
