"""Familiarity or ownership: is it that the answer is the critic's own, or that it finds it likely?

Judges prefer text that they find likely, whoever wrote it (Wataoka et al. 2410.21819), and one's
own answer is likely to oneself. So, over wrong answers only:

    logit P(True) = item + b·own + c·(mean log p_critic(answer)) + error

with a fixed effect for each critic and question, taken out by subtracting its mean; another
author's answer that equals the critic's own is left out, being both. Standard errors are
cluster-robust by question (Liang & Zeger 1986), as all intervals here are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import Array, Codes, Interval, Linear, clustered
from debate.analysis.overtrust import logit
from debate.analysis.sums import groups

ITEM = ("question", "seed", "critic")
TERMS = ("own_effect", "own_effect_given_likelihood", "likelihood_effect")
METHOD = "least squares within critic and question, wrong answers, clustered by question"
NO_VARIATION = "questions on which a critic judges its own wrong answer and another's"
NO_LIKELIHOOD = "the probe belief, which tells how likely a critic finds an answer"


class Fit(NamedTuple):
    """Coefficients in order, each with its interval, and the rows that they rest on."""

    intervals: tuple[Interval, ...]
    n: int


def familiarity(judged: pl.DataFrame) -> list[Estimate]:
    """`own_effect` (own alone), `own_effect_given_likelihood`, `likelihood_effect` of each cell.

    The first two in logits, the last in logits per nat and character.
    """
    estimates: list[Estimate] = []
    for (cell,), rows in groups(judged, "cell"):
        rows = _wrong(rows)
        alone = fit(rows, ["own"])
        both = fit(rows.filter(pl.col("log_likelihood").is_not_null()), ["own", "log_likelihood"])
        known = rows["log_likelihood"].is_not_null().any()
        estimates += [
            _estimate(TERMS[0], alone, 0, str(cell), NO_VARIATION),
            _estimate(TERMS[1], both, 0, str(cell), NO_VARIATION if known else NO_LIKELIHOOD),
            _estimate(TERMS[2], both, 1, str(cell), NO_VARIATION if known else NO_LIKELIHOOD),
        ]
    return estimates


def _wrong(rows: pl.DataFrame) -> pl.DataFrame:
    """Completed judgements of wrong answers with their logit; no other's that equals the own."""
    same = ~pl.col("own") & (pl.col("claim") == pl.col("own_answer")).fill_null(False)
    wrong = ~pl.col("right") & ~pl.col("failed") & pl.col("p_true").is_not_null()
    return rows.filter(wrong & ~same).with_columns(
        logit=logit(pl.col("p_true")), own=pl.col("own").cast(pl.Float64)
    )


def fit(rows: pl.DataFrame, terms: list[str]) -> Fit | None:
    """The regression of `logit` on the terms within items; None where they do not vary in them.

    Rows that stand alone in their item tell nothing and are left out.
    """
    rows = rows.filter(pl.len().over(ITEM) > 1)
    within = rows.select(
        "question_code", *(pl.col(c) - pl.col(c).mean().over(ITEM) for c in ("logit", *terms))
    )
    x = within.select(terms).to_numpy().astype(np.float64)
    y = within["logit"].to_numpy().astype(np.float64)
    if np.linalg.matrix_rank(x) < len(terms):
        return None
    intervals = least_squares(x, y, within["question_code"].to_numpy().astype(np.int64))
    return Fit(intervals, len(y))


def least_squares(x: Array, y: Array, clusters: Codes) -> tuple[Interval, ...]:
    """Each coefficient of y on x (n, k), with its cluster-robust interval."""
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    influence = (x * (y - x @ beta)[:, None]) @ bread
    return tuple(
        clustered(Linear(float(b), np.asarray(influence[:, j])), clusters)
        for j, b in enumerate(beta)
    )


def _estimate(name: str, found: Fit | None, term: int, cell: str, lacking: str) -> Estimate:
    unit = "logit per nat" if name == "likelihood_effect" else "logit"
    if found is None:
        return Estimate(name=name, cell=cell, unit=unit, missing=lacking)
    return from_interval(
        name, found.intervals[term], n=found.n, cell=cell, unit=unit, method=METHOD
    )
