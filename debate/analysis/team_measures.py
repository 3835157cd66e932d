"""Measures of a team after one round: how its members err together, and what it decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from types import MappingProxyType

import numpy as np
import polars as pl

from debate.analysis.diversity import (
    MOST_AGENTS,
    PAIR_STATISTICS,
    effective_votes,
    error_correlation,
    pair_sums,
    team_sums,
)
from debate.analysis.intervals import Array
from debate.analysis.measure import Lack, Measure, Statistic, mean_measure, scattered
from debate.analysis.seats import ABSENT, Seats, seats
from debate.analysis.sums import question_sums

TEAM_STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {"error_correlation": error_correlation, "effective_votes": effective_votes}
)
VOTES: Mapping[str, pl.Expr] = MappingProxyType(
    {
        "vote_accuracy": pl.col("correct"),
        "vote_confidence": pl.col("confidence"),
        "vote_over_confidence": pl.col("confidence") - pl.col("correct"),
        "vote_brier": (pl.col("confidence") - pl.col("correct")) ** 2,
    }
)
"""What is averaged over the team's own answers; null where one carries no confidence."""


def pair_mean(states: pl.DataFrame, name: str, num_questions: int) -> Measure | Lack:
    """A statistic of two members' errors, averaged over all pairs of the team."""
    table = seats(states)
    pairs = list(combinations(range(len(table.agents)), 2))
    if not pairs or len(table.agents) > MOST_AGENTS:
        return Lack(f"a team of 2 to {MOST_AGENTS} agents")
    parts = [_pair(table, a, b, num_questions) for a, b in pairs]
    return Measure(
        sums=np.concatenate(parts, axis=1),
        of=_mean_of(PAIR_STATISTICS[name], len(pairs), parts[0].shape[1]),
        n=int(table.complete.sum()),
    )


def _pair(table: Seats, a: int, b: int, num_questions: int) -> Array:
    there = (table.answers[:, a] != ABSENT) & (table.answers[:, b] != ABSENT)
    return scattered(pair_sums(table, a, b), table.clusters[there], num_questions)


def _mean_of(statistic: Callable[[Array], Array], num_pairs: int, width: int) -> Statistic:
    def mean(totals: Array) -> Array:
        parts = [totals[..., p * width : (p + 1) * width] for p in range(num_pairs)]
        return np.asarray(np.mean([statistic(part) for part in parts], axis=0))

    return mean


def team_statistic(states: pl.DataFrame, name: str, num_questions: int) -> Measure | Lack:
    """The team's error correlation or its effective votes, over its complete debates."""
    table = seats(states)
    if len(table.agents) < 2 or not table.complete.any():
        return Lack("complete debates of a team of two or more")
    sums = scattered(team_sums(table), table.clusters[table.complete], num_questions)
    return Measure(sums=sums, of=TEAM_STATISTICS[name], n=int(table.complete.sum()))


def oracle(states: pl.DataFrame, num_questions: int) -> Measure | Lack:
    """Share of debates in which some member is right."""
    any_right = states.group_by("question_code", "debate").agg(right=pl.col("correct").any())
    return mean_measure(question_sums(any_right, "right", num_questions), share=True)


def vote(seated: pl.DataFrame, name: str, num_questions: int) -> Measure | Lack:
    """A mean of `VOTES` over the team's own answers after one round."""
    rows = seated.filter(pl.col("outcome") != "failed") if "accuracy" not in name else seated
    rows = rows.select("question_code", value=VOTES[name].cast(pl.Float64))
    return mean_measure(
        question_sums(rows, "value", num_questions), share=name.endswith("accuracy")
    )


def vote_gain(seated: pl.DataFrame, num_questions: int) -> Measure | Lack:
    """vote_T minus vote_0 of the same debates: what communication did, free of sampling noise."""
    began_right = (pl.col("opening_outcome") == "correct").cast(pl.Float64)
    rows = seated.filter((pl.col("round") > 0) & pl.col("opening_outcome").is_not_null())
    rows = rows.with_columns(gain=pl.col("correct").cast(pl.Float64) - began_right)
    return mean_measure(question_sums(rows, "gain", num_questions))
