"""Paired comparisons: vote_0 against vote_T in every cell, and every cell against the baseline.

Differences are of scores, a tie scoring the share of the tied answers that are right, paired and
clustered by question. McNemar's exact test takes each debate as one pair, so with several seeds its
p-value ignores that they share a question: the exact sign-flip test leads. Holm's correction runs
over each family of comparisons with one name, other rules than the run's own apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from debate.analysis.design import Controls
from debate.analysis.intervals import summed
from debate.analysis.paired import (
    detectable_effect,
    holm,
    mcnemar_exact,
    paired_difference,
    paired_p,
)
from debate.analysis.sums import groups


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One paired difference of accuracy (`first` minus `second`), with everything to judge it by.

    first_value, second_value: the two accuracies; first_tied, second_tied: the share of tied
    votes. p_value: exact, by sign-flips of each question's difference; p_holm: corrected within
    `family`; p_mcnemar: exact, debates as pairs; detectable: smallest true difference found in
    80 % of studies of this size; gained and lost: debates that score higher in first, in second.
    is_own: the rule is that of the run's file.
    """

    family: str
    cell: str
    method: str
    first: str
    second: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    num_questions: int
    gained: int
    lost: int
    p_value: float | None
    p_holm: float | None
    p_mcnemar: float
    detectable: float | None
    first_value: float | None = None
    second_value: float | None = None
    first_tied: float = 0.0
    second_tied: float = 0.0
    is_own: bool = True
    missing: str | None = None


def compare(
    pairs: pl.DataFrame, *, family: str, cell: str, method: str, first: str, second: str
) -> Comparison:
    """Compare two columns of scores, `after` and `before`, over debates.

    pairs: question_code, after, before (in [0, 1]), after_tied, before_tied, is_own (booleans); one
    row for each debate in both.
    """
    after, before = (pairs[c].to_numpy().astype(np.float64) for c in ("after", "before"))
    clusters = pairs["question_code"].to_numpy().astype(np.int64)
    counts = summed(clusters, np.ones(len(after)))
    differences = summed(clusters, after - before)
    interval = paired_difference(differences, counts)
    gained, lost = int((after > before).sum()), int((after < before).sum())
    known = len(after) > 0
    return Comparison(
        family=family, cell=cell, method=method, first=first, second=second, value=interval.value,
        low=interval.low, high=interval.high, n=len(after), num_questions=interval.num_questions,
        gained=gained, lost=lost, p_value=paired_p(differences, counts), p_holm=None,
        p_mcnemar=mcnemar_exact(gained, lost),
        detectable=None if interval.se is None else detectable_effect(interval.se),
        first_value=float(after.mean()) if known else None,
        second_value=float(before.mean()) if known else None,
        first_tied=float(pairs["after_tied"].to_numpy().mean()) if known else 0.0,
        second_tied=float(pairs["before_tied"].to_numpy().mean()) if known else 0.0,
        is_own=bool(pairs["is_own"].to_numpy().all()),
        missing=None if known else "debates that both have",
    )  # fmt: skip


def vote_against_openings(seated: pl.DataFrame) -> list[Comparison]:
    """vote_T minus vote_0 of the same debates, each rule against itself.

    It is what communication did, free of sampling noise.
    """
    found = []
    for (cell, method), part in _by_cell_and_method(seated):
        last = int(part["round"].to_numpy().max())
        pairs = part.filter((pl.col("round") == last) & pl.col("opening_outcome").is_not_null())
        pairs = pairs.select(
            "question_code", "is_own", after="score", before="opening_score",
            after_tied=pl.col("outcome") == "tied", before_tied=pl.col("opening_outcome") == "tied",
        )  # fmt: skip
        if last:
            found.append(
                compare(
                    pairs, family="vote_T - vote_0", cell=str(cell), method=str(method),
                    first=f"vote_{last}", second="vote_0",
                )
            )  # fmt: skip
    own = correct_family([c for c in found if c.is_own])
    return [*own, *correct_family([c for c in found if not c.is_own])]


def cells_against_baseline(seated: pl.DataFrame, controls: Controls) -> list[Comparison]:
    """Each cell's last vote minus the baseline's, question by question and seed by seed."""
    if not controls.baselines:
        return []
    last = pl.col("round") == pl.col("round").max().over("cell")
    ends = seated.filter(last & pl.col("is_own")).select(
        "cell", "agent", "question", "question_code", "seed", "score", "is_own",
        tied=pl.col("outcome") == "tied",
    )  # fmt: skip
    base = ends.select("agent", "question", "seed", base="cell", before="score", before_tied="tied")
    chosen = pl.col("cell").replace_strict(controls.baselines, default=None, return_dtype=pl.String)
    others = ends.with_columns(base=chosen).rename({"score": "after", "tied": "after_tied"})
    pairs = others.join(base, on=["base", "agent", "question", "seed"])
    found = [
        compare(
            part, family=f"cell - {controls.baselines[str(cell)]}", cell=str(cell),
            method=str(method), first=str(cell), second=controls.baselines[str(cell)],
        )
        for (cell, method), part in _by_cell_and_method(pairs)
    ]  # fmt: skip
    return correct_family(found)


def _by_cell_and_method(rows: pl.DataFrame) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    return groups(rows, "cell", "agent")


def correct_family(family: Iterable[Comparison]) -> list[Comparison]:
    """The family with Holm's correction over those that have a p-value."""
    found = list(family)
    adjusted = correct_p_values([c.p_value for c in found])
    return [replace(c, p_holm=p) for c, p in zip(found, adjusted, strict=True)]


def correct_p_values(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's correction over the p-values that there are.

    >>> correct_p_values([0.01, None, 0.04])
    (0.02, None, 0.04)
    """
    tested = [p for p in p_values if p is not None]
    adjusted = iter(holm(tested) if tested else ())
    return tuple(None if p is None else next(adjusted) for p in p_values)
