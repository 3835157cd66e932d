"""Beliefs normalised over one set of candidates per question, where a run allows it.

A probability among candidates depends on the candidates. So it is told only where all answers to a
question with a seed, in every cell and round, are held against the same ones: the options of a
closed question, or whatever anybody stated of an open one. A target that nobody stated is not among
them: it would be there because it is the truth.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from debate.analysis.design import read_seats
from debate.errors import InputError
from debate.log import Run
from debate.tasks import list_candidates
from debate.types import AgentId, Question

COLUMN = "confidence_belief_normalised"
ITEM = ["question", "seed"]
PLACE = ["cell", *ITEM, "agent", "round"]


def with_normalised_beliefs(
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
    wanted = _wanted(run.trajectories(turns), run.questions_by_id)
    asked = trajectories.filter(
        pl.col("answer").is_not_null(),
        ~pl.col("failed"),
        ~pl.col("agent").is_in(list(_confederates(run))),
    )
    held = asked.select(*PLACE, "answer").join(wanted, on=ITEM)
    scored = held.join(beliefs, on=[*PLACE, "candidate"], how="left")
    _require_scores(run, scored.with_columns(pl.col("log_p").fill_nan(None)))
    weight = (pl.col("log_p") - pl.col("log_p").max()).exp()
    share = weight.filter(pl.col("candidate") == pl.col("answer")).sum() / weight.sum()
    normalised = scored.group_by(PLACE).agg(share.fill_nan(None).alias(COLUMN))
    return trajectories.join(normalised, on=PLACE, how="left", maintain_order="left")


def _wanted(whole: pl.DataFrame, questions: Mapping[str, Question]) -> pl.DataFrame:
    """The candidates of each question and seed."""
    closed = pl.DataFrame(
        {
            "question": list(questions),
            "options": [list(list_candidates(question)) for question in questions.values()],
        },
        schema={"question": pl.String, "options": pl.List(pl.String)},
    ).filter(pl.col("options").list.len() > 0)
    items = whole.select(ITEM).unique().join(closed, on="question")
    of_closed = items.explode("options").rename({"options": "candidate"})
    stated = whole.filter(pl.col("answer").is_not_null() & ~pl.col("failed"))
    of_open = stated.select(*ITEM, candidate="answer").unique()
    return pl.concat([of_closed, of_open.join(closed, on="question", how="anti")])


def _require_scores(run: Run, scored: pl.DataFrame) -> None:
    """Raise InputError unless each answer has a score of each candidate."""
    lacking = scored.group_by(PLACE).agg(missing=pl.col("log_p").null_count(), candidates=pl.len())
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


def _confederates(run: Run) -> set[AgentId]:
    """Seats that say what they were told to, and have no belief."""
    return {seat.id for seat in read_seats(run) if seat.confederate}
