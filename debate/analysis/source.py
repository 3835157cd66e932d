"""Sources of an analysis: a run directory, finished or in progress, or a table from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.caveats import warn_people
from debate.analysis.claims import read_claims, temper_findings
from debate.analysis.copying import add_copied
from debate.analysis.design import (
    find_past_versions,
    find_people,
    find_scripted_seats,
    find_silent_seats,
    read_design,
    read_seats,
)
from debate.analysis.judgements import list_protocols, read_judgements
from debate.analysis.judging import analyze_judging
from debate.analysis.replies import ReplyCounts, count_replies, warn_replies
from debate.analysis.summary import Analysis, analyze
from debate.analysis.tokens import TURN_COLUMNS, add_dollars, fill_script_tokens
from debate.analysis.verification import tabulate_reflection
from debate.analysis.whole_questions import ITEM, find_whole_items, keep_whole, warn_of_parts
from debate.errors import InputError, suggest
from debate.log import Run, read_table
from debate.log.trajectories import find_cut_replies, format_cut_replies
from debate.tasks import list_candidates
from debate.types import AgentId, Question

NORMALISED = "belief_normalised"
"""The estimator whose candidates are those of the whole run."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """The data read: trajectories; of a run, also the tokens of all its turns and the beliefs of
    agents in each candidate.
    """

    trajectories: pl.DataFrame
    spent: pl.DataFrame | None = None
    opinions: pl.DataFrame | None = None
    run: Run | None = None
    replies: tuple[ReplyCounts, ...] | None = None

    def analyze(self, **options: Any) -> Analysis:
        """The analysis of these trajectories, conditions in the order of the configuration.

        options: those of `debate.analysis.analyze`.
        """
        if self.run is None:
            return analyze(self.trajectories, **options)
        found = analyze_run(
            self.run,
            self.trajectories,
            replies=self.replies,
            spent=self.spent,
            opinions=self.opinions,
            **options,
        )
        written = list(self.run.manifest.spec.get("cells") or ())
        ordered = sorted(
            found.cells, key=lambda c: written.index(c) if c in written else len(written)
        )
        return replace(found, cells=tuple(ordered))

    def with_confidence(self, confidence: str) -> Source:
        """The source with what an estimator needs that is made from the whole run.

        Raises InputError where it cannot be had (see `add_normalised_beliefs`).
        """
        if self.run is None or confidence != NORMALISED:
            return self
        return replace(self, trajectories=add_normalised_beliefs(self.run, self.trajectories))


def read_source(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    cells: Sequence[str] = (),
) -> Source:
    """Read a run directory or a table.

    columns: what a table calls our columns, theirs to ours. kind: of a table's answers, number,
    choice or text; by default as its targets tell. cells: the conditions to keep, all if none is
    named.
    Raises InputError where there is nothing of the kind or no agent stated an answer.
    """
    if not path.exists():
        raise InputError(f"{path} is neither a run directory nor a table: there is no such file")
    if path.is_dir() and columns:
        raise InputError(f"{path} is a run directory; only the columns of a table can be mapped")
    if path.is_dir() and kind is not None:
        raise InputError(f"{path} is a run directory, which says what kind its answers are of")
    if path.is_dir():
        found = _read_run(Run(path))
    else:
        found = Source(trajectories=read_table(path, columns=columns, kind=kind))
    if found.trajectories.is_empty():
        raise InputError(
            f"{path}: no agent has stated an answer, so there is nothing to analyse; "
            "at least one opening is needed"
        )
    return _select_cells(found, cells, path) if cells else found


def _read_run(run: Run) -> Source:
    turns = keep_whole(run, run.narrow_turns())
    return Source(
        trajectories=run.trajectories(turns),
        spent=turns.select(TURN_COLUMNS),
        opinions=run.beliefs(turns),
        run=run,
        replies=count_replies(run, turns),
    )


def _select_cells(found: Source, cells: Sequence[str], path: Path) -> Source:
    known = found.trajectories["cell"].unique().to_list()
    for cell in cells:
        if cell not in known:
            raise InputError(f'{path}: arm "{cell}" is unknown; {suggest(cell, known)}')
    inside = pl.col("cell").is_in(list(cells))
    spent = None if found.spent is None else found.spent.filter(inside)
    return replace(found, trajectories=found.trajectories.filter(inside), spent=spent)


def analyze_run(
    run: Run,
    trajectories: pl.DataFrame | None = None,
    *,
    spent: pl.DataFrame | None = None,
    replies: tuple[ReplyCounts, ...] | None = None,
    **options: Any,
) -> Analysis:
    """The analysis of a run, finished or in progress, with what became of its hypotheses.

    trajectories: the run's; spent: its turns (`TURN_COLUMNS`); replies: its counts
    (`count_replies`), where the caller has read them already. options: those of `analyze`.
    Raises InputError where there is nothing to analyse.
    """
    rows, verdicts, turns, caveat = select_finished(run, trajectories, spent)
    design = read_design(run.manifest.spec, rows["cell"].unique().to_list())
    options |= design.options(options)
    options.setdefault("silent", find_silent_seats(run))
    options.setdefault("past", find_past_versions(run))
    claims = read_claims(run.manifest, place=str(run.directory))
    told = {name: claim.hypothesis for name, claim in claims.items()}
    cells = rows["cell"].unique()
    judged = analyze_judging(read_judgements(run, cells=cells), options["past"])
    further = [*options.pop("further", ()), *judged.estimates]
    if "opinions" not in options:
        options["opinions"] = run.beliefs()
    scripted = find_scripted_seats(run)
    found = analyze(
        add_copied(run, _add_prompt_sets(fill_script_tokens(rows, scripted), run.manifest.spec)),
        verdicts,
        hypotheses=told,
        further=further,
        spent=fill_script_tokens(turns, scripted),
        stopping_is_known=True,
        **options,
    )
    cut = format_cut_replies(find_cut_replies(rows, run.manifest.spec))
    counts = count_replies(run) if replies is None else replies
    people = find_people(run)
    warned = (caveat, *warn_replies(counts), cut, design.caveat, warn_people(people))
    caveats = (*filter(None, warned), *found.caveats)
    protocols = list_protocols(run.manifest.spec, cells)
    reflection = tabulate_reflection(found.estimates, protocols)
    ledger = found.tables.get("ledger")
    priced = {}
    if ledger is not None:
        priced["ledger"] = add_dollars(fill_script_tokens(ledger, scripted), _get_models(run))
    return replace(
        found,
        tables={**found.tables, **judged.tables, "reflection": reflection, **priced},
        caveats=caveats,
        findings=temper_findings(found.findings, claims),
        replies=counts,
        labels=replace(found.labels, people=people),
    )


def _get_models(run: Run) -> Mapping[str, Any]:
    return dict(run.manifest.spec.get("models") or {})


def _add_prompt_sets(rows: pl.DataFrame, spec: Mapping[str, Any]) -> pl.DataFrame:
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


class FinishedDebates(NamedTuple):
    """Rows and verdicts of the debates that are over, and what to say where some are not.

    turns: all of these debates, maybe of others (`TURN_COLUMNS`).
    """

    trajectories: pl.DataFrame
    verdicts: pl.DataFrame
    turns: pl.DataFrame
    caveat: str | None = None


def select_finished(
    run: Run, trajectories: pl.DataFrame | None = None, spent: pl.DataFrame | None = None
) -> FinishedDebates:
    """Select the debates of a run that are over; all of a run that is complete.

    A debate under way has no answers yet in its later rounds; counted, they would be wrong ones.
    Of `trajectories`, read earlier, the cells are kept; `spent` are the turns read with them
    (`TURN_COLUMNS`). Verdicts are read first, so that all turns
    of every debate that is over are there when its turns are read.
    """
    status = run.manifest.status
    is_complete = status == "complete"
    verdicts = run.verdicts().rename({"answer": "value"})
    if status == "budget":
        return _select_whole(run, verdicts, trajectories)
    ended = verdicts.filter(pl.col("final")).select(_DEBATE).unique()
    if is_complete or ended.is_empty():
        turns = run.narrow_turns().select(TURN_COLUMNS) if spent is None else spent
        rows = run.trajectories() if trajectories is None else trajectories
        verdicts = verdicts.join(rows.select("cell").unique(), on="cell", how="semi")
        return FinishedDebates(rows, verdicts, turns)
    rows, turns = _read_rows(run)
    if trajectories is not None:
        rows = rows.filter(pl.col("cell").is_in(trajectories["cell"].unique().to_list()))
    begun = rows.select(_DEBATE).unique()
    ended = ended.join(begun, on=_DEBATE, how="semi")
    return FinishedDebates(
        rows.join(ended, on=_DEBATE, how="semi", maintain_order="left"),
        verdicts.join(ended, on=_DEBATE, how="semi", maintain_order="left"),
        turns,
        _warn_incomplete(begun.height, ended.height),
    )


def _read_rows(run: Run) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The trajectories of a run, and the columns of all its turns that tokens are counted by."""
    turns = run.narrow_turns()
    return run.trajectories(turns), turns.select(TURN_COLUMNS)


def _select_whole(
    run: Run, verdicts: pl.DataFrame, trajectories: pl.DataFrame | None
) -> FinishedDebates:
    """Select the questions and seeds that every arm has debated to the end.

    Raises InputError where there are none.
    """
    (rows, turns), whole = _read_rows(run), find_whole_items(run, verdicts)
    if trajectories is not None:
        rows = rows.filter(pl.col("cell").is_in(trajectories["cell"].unique().to_list()))
    num_begun = rows.select(ITEM).n_unique()
    rows, verdicts = keep_whole(run, rows), keep_whole(run, verdicts)
    return FinishedDebates(
        rows,
        verdicts.join(rows.select("cell").unique(), on="cell", how="semi"),
        turns,
        warn_of_parts(num_begun, whole.height) if num_begun > whole.height else None,
    )


def _warn_incomplete(num_begun: int, num_ended: int) -> str:
    return (
        f"The run is not complete: of {num_begun:,} debates begun, the {num_ended:,} that are over "
        "are counted."
    )


NORMALISED_COLUMN = "confidence_belief_normalised"
BELIEF_ITEM = ["question", "seed"]
BELIEF_PLACE = ["cell", *BELIEF_ITEM, "agent", "round"]


def add_normalised_beliefs(
    run: Run, trajectories: pl.DataFrame, turns: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The trajectories with `confidence_belief_normalised`, the belief in the present answer.

    trajectories: the run's, or some of their rows. turns: those of `run.narrow_turns()`, where they
    have been read already. The column is null for abstentions, failed turns and confederates, and 1
    where nobody ever stated anything else. Raises InputError where an answer lacks a score: how
    many do, of which kind, and the command that scores them.
    """
    turns = run.narrow_turns() if turns is None else turns
    beliefs = run.beliefs(turns)
    wanted = _expand_candidates(run.trajectories(turns), run.questions_by_id)
    asked = trajectories.filter(
        pl.col("answer").is_not_null(),
        ~pl.col("failed"),
        ~pl.col("agent").is_in(list(_find_confederates(run))),
    )
    held = asked.select(*BELIEF_PLACE, "answer").join(wanted, on=BELIEF_ITEM)
    scored = held.join(beliefs, on=[*BELIEF_PLACE, "candidate"], how="left")
    _require_scores(run, scored.with_columns(pl.col("log_p").fill_nan(None)))
    weight = (pl.col("log_p") - pl.col("log_p").max()).exp()
    share = weight.filter(pl.col("candidate") == pl.col("answer")).sum() / weight.sum()
    normalised = scored.group_by(BELIEF_PLACE).agg(share.fill_nan(None).alias(NORMALISED_COLUMN))
    return trajectories.join(normalised, on=BELIEF_PLACE, how="left", maintain_order="left")


def _expand_candidates(whole: pl.DataFrame, questions: Mapping[str, Question]) -> pl.DataFrame:
    """The candidates of each question and seed."""
    closed = pl.DataFrame(
        {
            "question": list(questions),
            "options": [list(list_candidates(question)) for question in questions.values()],
        },
        schema={"question": pl.String, "options": pl.List(pl.String)},
    ).filter(pl.col("options").list.len() > 0)
    items = whole.select(BELIEF_ITEM).unique().join(closed, on="question")
    of_closed = items.explode("options").rename({"options": "candidate"})
    stated = whole.filter(pl.col("answer").is_not_null() & ~pl.col("failed"))
    of_open = stated.select(*BELIEF_ITEM, candidate="answer").unique()
    return pl.concat([of_closed, of_open.join(closed, on="question", how="anti")])


def _require_scores(run: Run, scored: pl.DataFrame) -> None:
    """Raise InputError unless each answer has a score of each candidate."""
    lacking = scored.group_by(BELIEF_PLACE).agg(
        missing=pl.col("log_p").null_count(), candidates=pl.len()
    )
    without = lacking.filter(pl.col("missing") == pl.col("candidates")).height
    partly = lacking.filter(pl.col("missing") > 0).height - without
    if not without + partly:
        return
    kinds = {
        f"{without:,} have no belief": without,
        f"{partly:,} lack candidates that others stated": partly,
    }
    told = " and ".join(kind for kind, num in kinds.items() if num)
    raise InputError(
        f"{run.directory}: beliefs cannot be normalised over one set: of {lacking.height:,} "
        f"answers {told} ({lacking['missing'].sum():,} scores are missing); "
        f"`debate probe {run.directory}` fills them in"
    )


def _find_confederates(run: Run) -> set[AgentId]:
    """Seats that say what they were told to, and have no belief."""
    return {seat.id for seat in read_seats(run) if seat.confederate}
