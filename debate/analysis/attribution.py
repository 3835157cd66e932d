"""Each flip and the heard turns that it goes back to; how dangerous each kind of edge is."""

from __future__ import annotations

import polars as pl

from debate.analysis.states import transitions
from debate.analysis.sums import grouped_rates

FLIP = (
    pl.when((pl.col("previous_outcome") == "correct") & (pl.col("outcome") == "wrong"))
    .then(pl.lit("right_to_wrong"))
    .when((pl.col("previous_outcome") == "wrong") & (pl.col("outcome") == "correct"))
    .then(pl.lit("wrong_to_right"))
)
AT_RISK = (
    pl.when(pl.col("previous_outcome") == "correct")
    .then(pl.lit("right_to_wrong"))
    .when(pl.col("previous_outcome") == "wrong")
    .then(pl.lit("wrong_to_right"))
)
SOURCE = [
    "critic",
    "ref",
    "kind",
    "relation",
    "critic_answer",
    "critic_outcome",
    "critic_confidence",
]
TURN = ["cell", "question", "seed", "agent", "round"]


def flip_sources(states: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """One row for each flip and source: the heard turns that held the new answer, in equal shares.

    A flip to an answer that nobody heard held has one row without a critic: the agent's own doing.
    So the shares of a flip add up to 1.
    """
    flips = transitions(states).with_columns(flip=FLIP).filter(pl.col("flip").is_not_null())
    held = heard.filter(
        (pl.col("critic_answer") == pl.col("answer")) & (pl.col("critic") != pl.col("agent"))
    )
    held = held.select("trajectory", "round", *SOURCE)
    flips = flips.select(
        *TURN, "trajectory", "flip", before="previous_answer", after="answer",
        confidence_before="previous_confidence", confidence_after="confidence",
    )  # fmt: skip
    joined = flips.join(held, on=["trajectory", "round"], how="left")
    shared = joined.with_columns(share=1.0 / pl.len().over("trajectory", "round"))
    return shared.drop("trajectory").sort(*TURN, "ref", nulls_last=True)


def credit(sources: pl.DataFrame) -> pl.DataFrame:
    """Flips by cell and by who they go back to: number, and share of the flips of that kind."""
    by = ["cell", "flip", "relation", "critic_outcome"]
    grouped = sources.group_by(by).agg(flips=pl.col("share").sum())
    whole = pl.col("flips").sum().over("cell", "flip")
    relation = pl.col("relation").fill_null("nobody_heard")
    credited = grouped.with_columns(share=pl.col("flips") / whole, relation=relation)
    return credited.sort(by, nulls_last=True)


def hazards(states: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """P(flip) for each kind of edge that a turn at risk heard over, with clustered intervals.

    Kinds of edge: relation (self, same_model, other_model; nothing_heard for turns that heard
    nobody), protocol kind, whether the critic was right, whether it was surer than the author.
    A turn that heard several critics counts once for each.
    """
    exposed = heard.with_columns(surer=pl.col("critic_confidence") > pl.col("previous_confidence"))
    silent = transitions(states).filter(pl.col("heard").list.len().fill_null(0) == 0)
    silent = silent.with_columns(
        relation=pl.lit("nothing_heard"),
        kind=pl.lit(None, pl.String),
        critic_outcome=pl.lit(None, pl.String),
        surer=pl.lit(None, pl.Boolean),
    )
    by = ["cell", "transition", "relation", "kind", "critic_outcome", "surer"]
    columns = ["cell", "question_code", *by[2:], "previous_outcome", "outcome"]
    both = pl.concat([exposed.select(columns), silent.select(columns)])
    return grouped_rates(_at_risk(both), by, "flipped")


def edges(heard: pl.DataFrame) -> pl.DataFrame:
    """For each edge critic -> author: P(flip) either way, and P(adopt | the two disagree)."""
    by = ["cell", "transition", "critic", "author"]
    flips = _at_risk(heard).with_columns(author="agent")
    other = heard.filter(
        (pl.col("critic") != pl.col("agent"))
        & (pl.col("critic_answer") != pl.col("previous_answer"))
    )
    adopted = other.with_columns(
        author="agent",
        transition=pl.lit("adoption"),
        adopted=(pl.col("answer") == pl.col("critic_answer")).fill_null(False),
    )
    return pl.concat([grouped_rates(flips, by, "flipped"), grouped_rates(adopted, by, "adopted")])


def _at_risk(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.with_columns(transition=AT_RISK).filter(pl.col("transition").is_not_null())
    return rows.with_columns(flipped=FLIP.eq(pl.col("transition")).fill_null(False))
