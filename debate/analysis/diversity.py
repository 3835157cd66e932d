"""How differently two agents err, and how many independent voters a team amounts to.

Kuncheva & Whitaker 2003 for disagreement, double fault, Q and phi; same_wrong after 2506.07962;
kappa_p (CAPA) after Goel et al. 2025, here on the answers given (one-hot probabilities).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import numpy as np
import polars as pl

from debate.analysis.calibration import by_cell_and_round
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import Array, delta, summed
from debate.analysis.seats import ABSENT, SEAT_COLUMNS, Seats, seats, with_num_options

MOST_AGENTS = 16
"""Pairs are listed one by one for teams up to this size; above it only the team is described."""
BOTH, ONLY_A, ONLY_B, NEITHER, SAME, SAME_WRONG, BOTH_WRONG, SPREAD = range(8)
OPTIONS_CAVEAT = "number of options taken from the answers seen"


def _over(part: Array, whole: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part / whole, dtype=np.float64)


def _counts(t: Array) -> Array:
    return np.asarray(t[..., BOTH] + t[..., ONLY_A] + t[..., ONLY_B] + t[..., NEITHER])


def disagreement(t: Array) -> Array:
    """Share of debates in which exactly one of the two is right."""
    return _over(t[..., ONLY_A] + t[..., ONLY_B], _counts(t))


def double_fault(t: Array) -> Array:
    """Share of debates in which neither is right."""
    return _over(t[..., NEITHER], _counts(t))


def q_statistic(t: Array) -> Array:
    """Yule's Q: 1 where they are right together, 0 independent, negative where they complement."""
    with_each, against = t[..., BOTH] * t[..., NEITHER], t[..., ONLY_A] * t[..., ONLY_B]
    return _over(with_each - against, with_each + against)


def phi(t: Array) -> Array:
    """Correlation of the two agents' correctness."""
    top = t[..., BOTH] * t[..., NEITHER] - t[..., ONLY_A] * t[..., ONLY_B]
    first, second = t[..., BOTH] + t[..., ONLY_A], t[..., BOTH] + t[..., ONLY_B]
    n = _counts(t)
    return _over(top, np.sqrt(first * (n - first) * second * (n - second)))


def same_wrong(t: Array) -> Array:
    """P(the same answer | both gave a wrong answer)."""
    return _over(t[..., SAME_WRONG], t[..., BOTH_WRONG])


def kappa(t: Array) -> Array:
    """CAPA on hard answers: (observed - expected agreement) / (1 - expected)."""
    n = _counts(t)
    first, second = _over(t[..., BOTH] + t[..., ONLY_A], n), _over(t[..., BOTH] + t[..., ONLY_B], n)
    expected = first * second + (1 - first) * (1 - second) * _over(t[..., SPREAD], n)
    return _over(_over(t[..., SAME], n) - expected, 1 - expected)


PAIR_STATISTICS: Mapping[str, Callable[[Array], Array]] = {
    "disagreement": disagreement,
    "double_fault": double_fault,
    "q_statistic": q_statistic,
    "phi": phi,
    "same_wrong": same_wrong,
    "kappa_p": kappa,
}


def pair_sums(table: Seats, a: int, b: int) -> Array:
    """The pair's counts in each question, in the order of BOTH … SPREAD; (questions, 8)."""
    there = (table.answers[:, a] != ABSENT) & (table.answers[:, b] != ABSENT)
    x, y = table.answers[there, a], table.answers[there, b]
    right, also = table.correct[there, a] > 0, table.correct[there, b] > 0
    same = (x == y) & (x >= 0)
    both_wrong = ~right & ~also & (x >= 0) & (y >= 0)
    columns = [right & also, right & ~also, ~right & also, ~right & ~also, same,
               same & both_wrong, both_wrong, table.spread[there]]  # fmt: skip
    _, codes = np.unique(table.clusters[there], return_inverse=True)
    return np.stack([summed(codes, c.astype(float)) for c in columns], axis=1)


def team_sums(table: Seats) -> Array:
    """Per question over its complete debates: count, sum of (rights)^2, each agent's rights."""
    right = table.correct[table.complete]
    _, codes = np.unique(table.clusters[table.complete], return_inverse=True)
    columns = [np.ones(len(right)), right.sum(axis=1) ** 2, *right.T]
    return np.stack([summed(codes, c) for c in columns], axis=1)


def error_correlation(t: Array) -> Array:
    """Mean correlation of correctness over all pairs, each pair weighted by its deviations."""
    n = t[..., :1]
    means = _over(t[..., 2:], n)
    deviations = np.sqrt(np.maximum(means * (1 - means), 0.0))
    second_moment = _over(t[..., 1], t[..., 0]) - (means.sum(axis=-1)) ** 2
    covariances = second_moment - (deviations**2).sum(axis=-1)
    products = deviations.sum(axis=-1) ** 2 - (deviations**2).sum(axis=-1)
    return _over(covariances, products)


def effective_votes(t: Array) -> Array:
    """n / (1 + (n - 1) rho): the independent voters that a team of n amounts to."""
    members = t.shape[-1] - 2
    return _over(np.asarray(float(members)), 1 + (members - 1) * error_correlation(t))


def diversity(states: pl.DataFrame) -> list[Estimate]:
    """Every pair's statistics and the team's, by cell, after round 0 and after the last round."""
    told = "num_options" in states.columns
    estimates: list[Estimate] = []
    for cell, round_, rows in by_cell_and_round(with_num_options(ends(states))):
        table = seats(rows)
        if len(table.agents) <= MOST_AGENTS:
            estimates += _pairs(table, cell=cell, round_=round_, told=told)
        estimates += _team(table, cell=cell, round_=round_)
    return estimates


def ends(states: pl.DataFrame) -> pl.DataFrame:
    """The states after round 0 and after each cell's last round, without needless columns."""
    last = pl.col("round").max().over("cell")
    chosen = states.filter((pl.col("round") == 0) | (pl.col("round") == last))
    return chosen.select(c for c in (*SEAT_COLUMNS, "num_options") if c in chosen.columns)


def _pairs(table: Seats, *, cell: str, round_: int, told: bool) -> Iterator[Estimate]:
    for a, b in combinations(range(len(table.agents)), 2):
        sums = pair_sums(table, a, b)
        for name, statistic in PAIR_STATISTICS.items():
            interval = delta(sums, statistic)
            caveats = () if told or name != "kappa_p" else (OPTIONS_CAVEAT,)
            yield from_interval(
                name, interval, n=int(_counts(sums).sum()), cell=cell, round=round_,
                subject=f"{table.agents[a]} & {table.agents[b]}", unit="", caveats=caveats,
                method="delta method, clustered by question",
                missing=None if interval.value is not None else "variation to measure it by",
            )  # fmt: skip


def _team(table: Seats, *, cell: str, round_: int) -> Iterator[Estimate]:
    if len(table.agents) < 2:
        return
    sums = team_sums(table)
    for name, statistic in (
        ("error_correlation", error_correlation),
        ("effective_votes", effective_votes),
    ):
        interval = delta(sums, statistic)
        yield from_interval(
            name, interval, n=int(sums[:, 0].sum()), cell=cell, round=round_,
            unit="votes" if name == "effective_votes" else "",
            method="complete debates, delta method, clustered by question",
            missing=None if interval.value is not None else "right and wrong answers of each agent",
        )  # fmt: skip
