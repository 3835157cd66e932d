"""Diversity of errors: association of two agents' errors, and effective votes of a team.

A condition's answers after one round are a table, debates down and agents across; every statistic
is a function of the table's per-question sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from debate.analysis.intervals import Array, Codes, divide, sum_by_code
from debate.analysis.members import MEMBERS
from debate.analysis.quantity import (
    SIGNED_UNIT,
    UNIT,
    Measure,
    Quantity,
    Statistic,
    Unavailable,
    define_share,
    take_quotient,
)
from debate.analysis.sums import split_groups, sum_by_question
from debate.text import split_names

MOST_AGENTS = 16
"""Pairs are listed one by one for teams up to this size; above it only the team is described."""
FEWEST_ERRORS = 5
"""Association of errors is given where each of the two has made at least this many."""
BOTH, ONLY_A, ONLY_B, NEITHER, SAME, SAME_WRONG, BOTH_WRONG, SPREAD = range(8)
OPTIONS_CAVEAT = "number of options taken from the answers seen"
ANSWER_COLUMNS = split_names("cell round debate question_code agent answer target outcome correct")
ABSTAINED = -1
ABSENT = -2


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerMatrix:
    """answers: (debates, agents) codes, ABSTAINED or ABSENT (failed or never there); correct: the
    same shape of 0 and 1; clusters and spread (1 / (options - 1)): (debates,).
    """

    agents: tuple[str, ...]
    answers: Codes
    correct: Array
    clusters: Codes
    spread: Array

    @property
    def complete(self) -> NDArray[np.bool_]:
        """The debates in which every agent completed its turn."""
        return np.asarray((self.answers != ABSENT).all(axis=1))


def build_answer_matrix(rows: pl.DataFrame) -> AnswerMatrix:
    """The table of one cell after one round; `rows` carry `num_options`."""
    agents = sorted(rows["agent"].unique())
    column = pl.DataFrame({"agent": agents, "column": range(len(agents))})
    rows = rows.with_columns(row=pl.col("debate").rank("dense").cast(pl.Int64) - 1)
    rows = rows.join(column, on="agent")
    codes = pl.col("answer").rank("dense").cast(pl.Int64).fill_null(ABSTAINED)
    codes = pl.when(pl.col("outcome") == "failed").then(pl.lit(ABSENT)).otherwise(codes)
    rows = rows.with_columns(code=codes)
    top = rows["row"].max()
    shape = (int(top) + 1 if isinstance(top, int) else 0, len(agents))
    where = rows["row"].to_numpy(), rows["column"].to_numpy()
    answers, correct = np.full(shape, ABSENT, dtype=np.int64), np.zeros(shape)
    answers[where], correct[where] = rows["code"].to_numpy(), rows["correct"].to_numpy()
    clusters, spread = np.zeros(shape[0], dtype=np.int64), np.zeros(shape[0])
    clusters[where[0]] = rows["question_code"].to_numpy()
    spread[where[0]] = 1.0 / (rows["num_options"].to_numpy() - 1)
    return AnswerMatrix(
        agents=tuple(agents), answers=answers, correct=correct, clusters=clusters, spread=spread
    )


def add_num_options(states: pl.DataFrame) -> pl.DataFrame:
    """`num_options` where it is absent: the distinct answers that the question ever had, and 2 or
    more; the target counts as one.
    """
    if "num_options" in states.columns:
        return states
    both = pl.concat(
        [
            states.select("question_code", option="answer"),
            states.select("question_code", option="target"),
        ]
    ).drop_nulls()
    counted = both.group_by("question_code").agg(num_options=pl.col("option").n_unique())
    joined = states.join(counted, on="question_code", how="left", maintain_order="left")
    return joined.with_columns(pl.col("num_options").fill_null(2).clip(lower_bound=2))


def _count_debates(t: Array) -> Array:
    return np.asarray(t[..., BOTH] + t[..., ONLY_A] + t[..., ONLY_B] + t[..., NEITHER])


def compute_disagreement(t: Array) -> Array:
    """Share of debates in which exactly one of the two is right."""
    return divide(t[..., ONLY_A] + t[..., ONLY_B], _count_debates(t))


def compute_double_fault(t: Array) -> Array:
    """Share of debates in which neither is right."""
    return divide(t[..., NEITHER], _count_debates(t))


def compute_q_statistic(t: Array) -> Array:
    """Yule's Q: 1 where they are right together, 0 independent, negative where they complement."""
    with_each, against = t[..., BOTH] * t[..., NEITHER], t[..., ONLY_A] * t[..., ONLY_B]
    return divide(with_each - against, with_each + against)


def compute_phi(t: Array) -> Array:
    """Correlation of the two agents' correctness."""
    top = t[..., BOTH] * t[..., NEITHER] - t[..., ONLY_A] * t[..., ONLY_B]
    first, second = t[..., BOTH] + t[..., ONLY_A], t[..., BOTH] + t[..., ONLY_B]
    n = _count_debates(t)
    return divide(top, np.sqrt(first * (n - first) * second * (n - second)))


def compute_same_wrong(t: Array) -> Array:
    """P(the same answer | both gave a wrong answer)."""
    return divide(t[..., SAME_WRONG], t[..., BOTH_WRONG])


def compute_kappa(t: Array) -> Array:
    """CAPA on hard answers: (observed - expected agreement) / (1 - expected)."""
    n = _count_debates(t)
    first, second = (
        divide(t[..., BOTH] + t[..., ONLY_A], n),
        divide(t[..., BOTH] + t[..., ONLY_B], n),
    )
    expected = first * second + (1 - first) * (1 - second) * divide(t[..., SPREAD], n)
    return divide(divide(t[..., SAME], n) - expected, 1 - expected)


def sum_pair(table: AnswerMatrix, a: int, b: int, num_questions: int) -> Array:
    """The pair's counts in each question, in the order of BOTH … SPREAD; (questions, 8)."""
    there = (table.answers[:, a] != ABSENT) & (table.answers[:, b] != ABSENT)
    x, y = table.answers[there, a], table.answers[there, b]
    right, also = table.correct[there, a] > 0, table.correct[there, b] > 0
    same = (x == y) & (x >= 0)
    both_wrong = ~right & ~also & (x >= 0) & (y >= 0)
    columns = [
        right & also,
        right & ~also,
        ~right & also,
        ~right & ~also,
        same,
        same & both_wrong,
        both_wrong,
        table.spread[there],
    ]
    codes = table.clusters[there]
    return np.stack([sum_by_code(codes, c.astype(float), num_questions) for c in columns], axis=1)


def sum_team(table: AnswerMatrix, num_questions: int) -> Array:
    """Per question over its complete debates: count, sum of (rights)^2, each agent's rights."""
    right, codes = table.correct[table.complete], table.clusters[table.complete]
    columns = [np.ones(len(right)), right.sum(axis=1) ** 2, *right.T]
    return np.stack([sum_by_code(codes, c, num_questions) for c in columns], axis=1)


def compute_error_correlation(t: Array) -> Array:
    """Mean correlation of correctness over all pairs, each pair weighted by its deviations."""
    n = t[..., :1]
    means = divide(t[..., 2:], n)
    deviations = np.sqrt(np.maximum(means * (1 - means), 0.0))
    second_moment = divide(t[..., 1], t[..., 0]) - (means.sum(axis=-1)) ** 2
    covariances = second_moment - (deviations**2).sum(axis=-1)
    products = deviations.sum(axis=-1) ** 2 - (deviations**2).sum(axis=-1)
    return divide(covariances, products)


def compute_effective_votes(t: Array) -> Array:
    """n / (1 + (n - 1) rho): the independent voters that a team of n amounts to."""
    members = t.shape[-1] - 2
    return divide(np.asarray(float(members)), 1 + (members - 1) * compute_error_correlation(t))


_KUNCHEVA = "Kuncheva & Whitaker 2003"
_PAIRS = (
    define_share(
        "disagreement",
        "disagreement",
        "share of debates in which exactly one of the two is right",
        unit="",
        source=_KUNCHEVA,
    ),
    define_share(
        "double_fault",
        "double fault",
        "share of debates in which neither is right",
        unit="",
        source=_KUNCHEVA,
    ),
    Measure(
        "q_statistic",
        "Q",
        "(N11·N00 − N10·N01) / (N11·N00 + N10·N01); interval by the log odds ratio",
        kind="yule_q",
        unit="",
        limits=SIGNED_UNIT,
        source=_KUNCHEVA,
        lacking=f"{FEWEST_ERRORS} errors and as many right answers of each of the two",
    ),
    Measure(
        "phi",
        "φ",
        "correlation of the two agents' correctness; interval by the log odds ratio, margins held",
        kind="phi",
        unit="",
        limits=SIGNED_UNIT,
        source=_KUNCHEVA,
        lacking=f"{FEWEST_ERRORS} errors and as many right answers of each of the two",
    ),
    define_share(
        "same_wrong",
        "same wrong answer",
        "P(the same answer | both gave a wrong answer)",
        unit="",
        source="arXiv 2506.07962",
        lacking="a debate in which both gave a wrong answer",
    ),
    Measure(
        "kappa_p",
        "κp",
        "(c_obs − c_exp) / (1 − c_exp) on the answers given",
        kind="smooth",
        unit="",
        limits=SIGNED_UNIT,
        source="CAPA, Goel et al. 2025",
        lacking="variation to measure it by",
    ),
)
PAIRS: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _PAIRS})
"""Measures of two members' errors by name; over a team, their mean over all pairs."""
PAIR_STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "disagreement": compute_disagreement,
        "double_fault": compute_double_fault,
        "q_statistic": compute_q_statistic,
        "phi": compute_phi,
        "same_wrong": compute_same_wrong,
        "kappa_p": compute_kappa,
    }
)
_COUNTED: Mapping[str, Callable[[Array], tuple[Array, Array]]] = MappingProxyType(
    {
        "disagreement": lambda t: (t[..., ONLY_A] + t[..., ONLY_B], _count_debates(t)),
        "double_fault": lambda t: (t[..., NEITHER], _count_debates(t)),
        "same_wrong": lambda t: (t[..., SAME_WRONG], t[..., BOTH_WRONG]),
    }
)
"""The shares: what is counted, of what."""
_ENOUGH = f"{FEWEST_ERRORS} errors and as many right answers of each member"
_TEAM = (
    Measure(
        "error_correlation",
        "error correlation",
        "mean correlation of correctness over all pairs, each weighted by its deviations",
        unit="",
        lacking="right and wrong answers of each agent",
    ),
    Measure(
        "effective_votes",
        "effective votes",
        "n / (1 + (n − 1)·error correlation): the independent voters a team amounts to",
        unit="votes",
        lacking="right and wrong answers of each agent",
    ),
    define_share("oracle", "any member right", "share of debates in which some member is right"),
    replace(
        MEMBERS["accuracy"],
        name="mean_member",
        words="mean member",
        formula="accuracy over all members at the openings",
    ),
)
TEAM: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _TEAM})
"""Measures of how a team errs together, by name."""
TEAM_STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {"error_correlation": compute_error_correlation, "effective_votes": compute_effective_votes}
)


def measure_pair(name: str, sums: Array) -> Quantity | Unavailable:
    """A statistic of the errors of two members. sums: their `sum_pair`."""
    measure, n = PAIRS[name], int(_count_debates(sums).sum())
    if not n:
        return Unavailable("debates that both completed")
    if not sums[:, [BOTH, ONLY_A, ONLY_B, BOTH_WRONG]].any():
        return Unavailable("a debate in which one was right, or both stated an answer")
    if name in _COUNTED:
        part, whole = _COUNTED[name](sums)
        if not whole.sum():
            return Unavailable(measure.lacking)
        counted = np.stack([part, whole], axis=1)
        return Quantity(
            sums=counted, of=take_quotient, n=n, kind="proportion", limits=measure.limits
        )
    if measure.kind in ("yule_q", "phi") and not _has_enough_errors(sums):
        return Unavailable(measure.lacking)
    return Quantity(
        sums=sums[:, :4] if measure.kind in ("yule_q", "phi") else sums,
        of=PAIR_STATISTICS[name],
        n=n,
        kind=measure.kind,
        limits=measure.limits,
    )


def _has_enough_errors(sums: Array) -> bool:
    """Whether each of the two has erred and been right often enough for an association."""
    both, only_a, only_b, neither = sums[:, :4].sum(axis=0)
    margins = (both + only_a, both + only_b, only_b + neither, only_a + neither)
    return bool(min(margins) >= FEWEST_ERRORS)


def measure_pairs(name: str, table: AnswerMatrix, num_questions: int) -> Quantity | Unavailable:
    """The mean of a pair's statistic over all pairs of the team."""
    pairs = list(combinations(range(len(table.agents)), 2))
    if not pairs or len(table.agents) > MOST_AGENTS:
        return Unavailable(f"a team of 2 to {MOST_AGENTS} agents")
    found = [measure_pair(name, sum_pair(table, a, b, num_questions)) for a, b in pairs]
    parts = [each for each in found if isinstance(each, Quantity)]
    if len(parts) < len(found):
        return next(each for each in found if isinstance(each, Unavailable))
    if len(parts) == 1:
        return parts[0]
    width = parts[0].sums.shape[1]

    def mean(totals: Array) -> Array:
        sides = [totals[..., p * width : (p + 1) * width] for p in range(len(parts))]
        values = [part.of(side) for part, side in zip(parts, sides, strict=True)]
        return np.asarray(np.mean(values, axis=0))

    return Quantity(
        sums=np.concatenate([part.sums for part in parts], axis=1),
        of=mean,
        n=int(table.complete.sum()),
        kind="smooth",
        limits=PAIRS[name].limits,
    )


def measure_team(name: str, table: AnswerMatrix, num_questions: int) -> Quantity | Unavailable:
    """The team's error correlation or its effective votes, over its complete debates."""
    if len(table.agents) < 2 or not table.complete.any():
        return Unavailable("complete debates of a team of two or more")
    sums = sum_team(table, num_questions)
    return Quantity(sums=sums, of=TEAM_STATISTICS[name], n=int(table.complete.sum()), kind="smooth")


def measure_oracle(states: pl.DataFrame, num_questions: int) -> Quantity:
    """Share of debates in which some member is right."""
    any_right = states.group_by("question_code", "debate").agg(right=pl.col("correct").any())
    sums = sum_by_question(any_right, "right", num_questions)
    return sums.quantity("proportion", limits=UNIT)


def select_ends(states: pl.DataFrame) -> pl.DataFrame:
    """The states after round 0 and after each cell's last round, without needless columns."""
    last = pl.col("round").max().over("cell")
    told = states.select(c for c in (*ANSWER_COLUMNS, "num_options") if c in states.columns)
    return told.filter((pl.col("round") == 0) | (pl.col("round") == last))


class TeamAnswers(NamedTuple):
    """A condition's answers after one round."""

    cell: str
    round: int
    table: AnswerMatrix


def build_end_matrices(states: pl.DataFrame) -> Iterator[TeamAnswers]:
    """The answers of each condition at its openings and after its last round."""
    for (cell, round_), rows in split_groups(add_num_options(select_ends(states)), "cell", "round"):
        yield TeamAnswers(str(cell), int(round_), build_answer_matrix(rows))
