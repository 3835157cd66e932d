"""Martingale drift: does debate move belief towards the truth, or only move it?

Mean of p_t(truth) - p_{t-1}(truth) (Debate or Vote, 2508.17536). Zero means that opinion moves
without improving: then a vote over the openings would have done as well.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.paired import zero_p_value
from debate.analysis.states import num_questions, transitions
from debate.analysis.sums import Sums, grouped_sums

METHOD = "mean change of belief in the target per round, clustered by question"


def drift(states: pl.DataFrame) -> list[Estimate]:
    """`drift` by cell and round, and over all rounds (`round` None) with the martingale test.

    `method` says whether one model fills all seats of the cell (homogeneous) or not (mixed).
    """
    num, teams = num_questions(states), team_kinds(states)
    step = pl.col("belief_target") - pl.col("previous_belief_target")
    rows = transitions(states).select("cell", "round", "question_code", step=step)
    by_round = {
        k: sums["step"] for k, sums in grouped_sums(rows, ["cell", "round"], ["step"], num).items()
    }
    pooled = {k: sums["step"] for k, sums in grouped_sums(rows, ["cell"], ["step"], num).items()}
    nothing = Sums(np.zeros(num), np.zeros(num))
    estimates: list[Estimate] = []
    for cell, team in teams.items():
        estimates.append(_estimate(pooled.get((cell,), nothing), cell, None, team))
        later = [(r, sums) for (c, r), sums in by_round.items() if c == cell and sums.n]
        estimates += [_estimate(sums, cell, r, team) for r, sums in later]
    return estimates


def _estimate(sums: Sums, cell: str, round_: int | None, team: str) -> Estimate:
    interval = sums.mean()
    return from_interval(
        "drift", interval, n=sums.n, cell=cell, round=round_, unit="probability",
        method=f"{METHOD}; {team} team", p_value=zero_p_value(interval),
        missing=None if sums.n else "belief in the target over at least two rounds",
    )  # fmt: skip


def team_kinds(states: pl.DataFrame) -> dict[str, str]:
    """For each cell, whether one model fills all its seats."""
    models = states.group_by("cell").agg(pl.col("model").n_unique()).sort("cell")
    return {c: "homogeneous" if count == 1 else "mixed" for c, count in models.iter_rows()}
