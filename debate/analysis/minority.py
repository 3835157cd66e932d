"""Who was right against the majority: openings that were outvoted although right, and their fate.

The majority's answer at the openings is the one that more members gave than any other; where two
tie there is none. A member is right against it where it gave a right answer and the majority's is
wrong. Such a member has prevailed where the team's own rule decides for a right answer at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.quantity import UNIT, Measure, Quantity, Unavailable, define_share
from debate.analysis.schema import Estimate, make_estimate
from debate.analysis.states import DEBATE, count_questions
from debate.analysis.sums import split_groups, sum_by_question

FEWEST_VOTERS = 3
"""Two that disagree are a tie."""
MINORITIES: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            define_share(
                "minority_right",
                "right against the majority",
                "share of debates in which the answer that most members opened with is wrong, and "
                "another member opened with a right one",
                lacking=f"{FEWEST_VOTERS} or more members that vote",
            ),
            define_share(
                "minority_won",
                "right minority won",
                "of these debates, the share in which the team's own rule decides for a right "
                "answer at the end",
                lacking="a debate whose opening majority was wrong, and somebody right against it",
            ),
        )
    }
)
"""Measures of minorities by name."""
MINORITY_SCHEMA: dict[str, Any] = {
    "cell": pl.String,
    "agent": pl.String,
    "debates": pl.Int64,
    "won": pl.Int64,
    "example": pl.String,
}


class MinorityFindings(NamedTuple):
    """The estimates of every condition, and a row for each of its members that was right alone.

    table: cell, agent, debates (in which it was right against the majority), won (of them), and the
    first question of these as an example.
    """

    estimates: list[Estimate]
    table: pl.DataFrame


def find_minorities(voters: pl.DataFrame, vote_states: pl.DataFrame) -> MinorityFindings:
    """Count right minorities. voters: states of those who vote; vote_states: by rule and round."""
    openings = voters.filter(pl.col("round") == 0)
    outvoted = _mark_outvoted(openings).join(
        _find_last_verdicts(vote_states), on=DEBATE, how="left", maintain_order="left"
    )
    num_questions = count_questions(voters)
    estimates = [
        estimate
        for (cell,), debates in split_groups(outvoted, "cell")
        for estimate in _estimate_minorities(str(cell), debates, num_questions)
    ]
    return MinorityFindings(estimates, _tabulate_members(openings, outvoted))


def _mark_outvoted(openings: pl.DataFrame) -> pl.DataFrame:
    """A row for each debate: its voters, and whether its openings outvoted a right answer."""
    voters = openings.group_by(*DEBATE, "question_code", "debate").agg(
        voters=pl.col("agent").n_unique()
    )
    stated = openings.filter(pl.col("answer").is_not_null() & (pl.col("outcome") != "failed"))
    tally = stated.group_by("debate", "answer").agg(
        votes=pl.len().cast(pl.Int64), right=pl.col("correct").any()
    )
    leads = pl.col("votes") == pl.col("votes").max()
    is_single, is_wrong = leads.sum() == 1, ~pl.col("right").filter(leads).any()
    found = tally.group_by("debate").agg(outvoted=is_single & is_wrong & pl.col("right").any())
    return (
        voters.join(found, on="debate", how="left")
        .with_columns(pl.col("outvoted").fill_null(False))
        .sort(DEBATE)
    )


def _find_last_verdicts(vote_states: pl.DataFrame) -> pl.DataFrame:
    """Whether the team's own rule is right after the last round, where that is no opening."""
    own = vote_states.filter(pl.col("is_own"))
    last = pl.col("round") == pl.col("round").max().over("cell")
    ends = own.filter(last & (pl.col("round") > 0))
    return ends.select(*DEBATE, won=pl.col("outcome") == "correct")


def _estimate_minorities(
    cell: str, debates: pl.DataFrame, num_questions: int
) -> Iterator[Estimate]:
    share, won = MINORITIES["minority_right"], MINORITIES["minority_won"]
    found: Quantity | Unavailable = Unavailable(share.lacking)
    prevailed: Quantity | Unavailable = Unavailable(won.lacking)
    outvoted = debates.filter("outvoted")
    if debates["voters"].to_numpy().max() >= FEWEST_VOTERS:
        found = sum_by_question(debates, "outvoted", num_questions).quantity(
            "proportion", limits=UNIT
        )
    if outvoted["won"].is_not_null().any():
        prevailed = sum_by_question(outvoted, "won", num_questions).quantity(
            "proportion", limits=UNIT
        )
    elif outvoted.height:
        prevailed = Unavailable("votes after a round beyond the openings")
    yield make_estimate(share, found, cell=cell)
    yield make_estimate(won, prevailed, cell=cell)


def _tabulate_members(openings: pl.DataFrame, outvoted: pl.DataFrame) -> pl.DataFrame:
    right = openings.filter("correct").join(
        outvoted.filter("outvoted").select("debate", "won"), on="debate"
    )
    counted = (
        right.sort("cell", "agent", "question", "seed")
        .group_by("cell", "agent", maintain_order=True)
        .agg(debates=pl.len(), won=pl.col("won").sum(), example=pl.col("question").first())
    )
    ordered = counted.sort(["cell", "debates", "agent"], descending=[False, True, False])
    return ordered.select(pl.col(n).cast(t) for n, t in MINORITY_SCHEMA.items())
