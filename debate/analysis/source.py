"""What there is to analyse: a run directory, finished or in progress, or a table from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.beliefs import with_normalised_beliefs
from debate.analysis.design import design_of, find_silent_seats
from debate.analysis.hypotheses import claims_of, temper
from debate.analysis.judgements import read_judgements
from debate.analysis.judging import judging
from debate.analysis.ledger import ledger
from debate.analysis.summary import Analysis, analyze
from debate.errors import InputError, suggest
from debate.log import Run, read_table
from debate.log.trajectories import find_cut_replies, format_cut_replies

NORMALISED = "belief_normalised"
"""The estimator whose candidates are those of the whole run."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What was read: trajectories; of a run, also the ledger of all its turns and what agents
    believed of each candidate.
    """

    trajectories: pl.DataFrame
    spent: pl.DataFrame | None = None
    opinions: pl.DataFrame | None = None
    run: Run | None = None

    def analyze(self, **options: Any) -> Analysis:
        """The analysis of these trajectories, arms in the order of the configuration.

        options: those of `debate.analysis.analyze`.
        """
        if self.run is None:
            return analyze(self.trajectories, **options)
        found = analyze_run(
            self.run, self.trajectories, spent=self.spent, opinions=self.opinions, **options
        )
        written = list(self.run.manifest.spec.get("cells") or ())
        ordered = sorted(
            found.cells, key=lambda c: written.index(c) if c in written else len(written)
        )
        return replace(found, cells=tuple(ordered))

    def with_confidence(self, confidence: str) -> Source:
        """The source with what an estimator needs that is made from the whole run.

        Raises InputError where it cannot be had (see `with_normalised_beliefs`).
        """
        if self.run is None or confidence != NORMALISED:
            return self
        return replace(self, trajectories=with_normalised_beliefs(self.run, self.trajectories))


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
    return Source(
        trajectories=run.trajectories(turns),
        spent=ledger(turns),
        opinions=run.beliefs(turns),
        run=run,
    )


def _of_cells(found: Source, cells: Sequence[str], path: Path) -> Source:
    known = found.trajectories["cell"].unique().to_list()
    for cell in cells:
        if cell not in known:
            raise InputError(f'{path}: arm "{cell}" is unknown; {suggest(cell, known)}')
    inside = pl.col("cell").is_in(list(cells))
    spent = None if found.spent is None else found.spent.filter(inside)
    return replace(found, trajectories=found.trajectories.filter(inside), spent=spent)


def analyze_run(run: Run, trajectories: pl.DataFrame | None = None, **options: Any) -> Analysis:
    """The analysis of a run, finished or in progress, with what became of its hypotheses.

    trajectories: the run's, where the caller has read them already. options: those of `analyze`.
    Raises InputError where there is nothing to analyse.
    """
    rows, verdicts, caveat = through(run, trajectories)
    design = design_of(run.manifest.spec, rows["cell"].unique().to_list())
    options |= design.options(options)
    options.setdefault("silent", find_silent_seats(run))
    claims = claims_of(run.manifest, place=str(run.directory))
    told = {name: claim.hypothesis for name, claim in claims.items()}
    judged = judging(read_judgements(run, cells=rows["cell"].unique()))
    further = [*options.pop("further", ()), *judged.estimates]
    if "opinions" not in options:
        options["opinions"] = run.beliefs()
    found = analyze(
        _with_prompts(rows, run.manifest.spec),
        verdicts,
        hypotheses=told,
        further=further,
        stopping_is_known=True,
        **options,
    )
    cut = format_cut_replies(find_cut_replies(rows, run.manifest.spec))
    said = (*filter(None, (caveat, cut, design.caveat)), *found.caveats)
    return replace(
        found,
        tables={**found.tables, **judged.tables},
        caveats=said,
        findings=temper(found.findings, claims),
    )


def _with_prompts(rows: pl.DataFrame, spec: Mapping[str, Any]) -> pl.DataFrame:
    """The rows with the prompt set of each agent, where the agents have different ones.

    Seats that were written with `count` are called by their stem and a number.
    """
    sets = {str(agent["id"]): agent.get("prompts") for agent in spec.get("agents") or ()}
    if len(set(sets.values())) < 2:
        return rows
    named = {a: sets.get(a, sets.get(a.rpartition("-")[0])) for a in rows["agent"].unique()}
    prompt = pl.col("agent").replace_strict(named, default=None, return_dtype=pl.String)
    return rows.with_columns(prompt_set=prompt)


_DEBATE = ["cell", "question", "seed"]


class Through(NamedTuple):
    """Rows and verdicts of the debates that are over, and what to say where some are not."""

    trajectories: pl.DataFrame
    verdicts: pl.DataFrame
    caveat: str | None = None


def through(run: Run, trajectories: pl.DataFrame | None = None) -> Through:
    """What is over of a run that is not complete; all of one that is.

    A debate under way has no answers yet in its later rounds; counted, they would be wrong ones.
    Of `trajectories`, read earlier, the cells are kept. Verdicts are read first, so that all turns
    of every debate that is over are there when its turns are read.
    """
    is_complete = run.manifest.status == "complete"
    verdicts = run.verdicts().rename({"answer": "value"})
    ended = verdicts.filter(pl.col("final")).select(_DEBATE).unique()
    if is_complete or ended.is_empty():
        rows = run.trajectories() if trajectories is None else trajectories
        return Through(rows, verdicts.join(rows.select("cell").unique(), on="cell", how="semi"))
    rows = run.trajectories()
    if trajectories is not None:
        rows = rows.filter(pl.col("cell").is_in(trajectories["cell"].unique().to_list()))
    begun = rows.select(_DEBATE).unique()
    ended = ended.join(begun, on=_DEBATE, how="semi")
    return Through(
        rows.join(ended, on=_DEBATE, how="semi", maintain_order="left"),
        verdicts.join(ended, on=_DEBATE, how="semi", maintain_order="left"),
        _caveat(begun.height, ended.height),
    )


def _caveat(num_begun: int, num_ended: int) -> str:
    return (
        f"The run is not complete: of {num_begun:,} debates begun, the {num_ended:,} that are over "
        "are counted."
    )
