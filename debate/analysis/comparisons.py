"""Paired comparisons: vote_0 against vote_T in every cell, and every cell against the baseline.

Differences are paired and clustered by question. McNemar's exact test takes each debate as one
pair, so with several seeds its p-value ignores that they share a question: the clustered interval
leads. Holm's correction runs over each family of comparisons with one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from debate.analysis.controls import Controls
from debate.analysis.intervals import Interval, clustered_mean
from debate.analysis.paired import detectable_effect, holm, mcnemar_exact, tost, zero_p_value
from debate.analysis.sums import groups

MARGIN = 0.02
"""Differences of accuracy below this count as equivalent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One paired difference of accuracy (`first` minus `second`), with everything to judge it by.

    p_value: from the clustered t; p_holm: corrected within `family`; p_mcnemar: exact;
    p_equivalence: of TOST at `margin`; detectable: smallest true difference found in 80 % of
    studies of this size; gained and lost: debates that only first, only second has right.
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
    p_equivalence: float | None
    margin: float
    detectable: float | None
    missing: str | None = None


def compare(
    pairs: pl.DataFrame, *, family: str, cell: str, method: str, first: str, second: str,
    margin: float = MARGIN,
) -> Comparison:  # fmt: skip
    """Compare two columns of correctness, `after` and `before`, over debates.

    pairs: question_code, after, before (booleans); one row for each debate in both.
    """
    after, before = (pairs[c].to_numpy().astype(np.float64) for c in ("after", "before"))
    clusters = pairs["question_code"].to_numpy().astype(np.int64)
    interval: Interval = clustered_mean(after - before, clusters)
    gained, lost = int((after > before).sum()), int((after < before).sum())
    return Comparison(
        family=family, cell=cell, method=method, first=first, second=second, value=interval.value,
        low=interval.low, high=interval.high, n=len(after), num_questions=interval.num_questions,
        gained=gained, lost=lost, p_value=zero_p_value(interval), p_holm=None,
        p_mcnemar=mcnemar_exact(gained, lost), p_equivalence=tost(interval, margin=margin),
        margin=margin,
        detectable=None if interval.se is None else detectable_effect(interval.se),
        missing=None if len(after) else "debates that both have",
    )  # fmt: skip


def vote_against_openings(seated: pl.DataFrame, *, margin: float = MARGIN) -> list[Comparison]:
    """vote_T minus vote_0 of the same debates: what communication did, free of sampling noise."""
    found = []
    for (cell, method), part in _by_cell_and_method(seated):
        last = int(part["round"].to_numpy().max())
        pairs = part.filter((pl.col("round") == last) & pl.col("opening_outcome").is_not_null())
        pairs = pairs.select(
            "question_code", after="correct", before=pl.col("opening_outcome") == "correct"
        )
        if last:
            found.append(
                compare(
                    pairs, family="vote_T - vote_0", cell=str(cell), method=str(method),
                    first=f"vote_{last}", second="vote_0", margin=margin,
                )
            )  # fmt: skip
    return corrected(found)


def cells_against_baseline(
    seated: pl.DataFrame, controls: Controls, *, margin: float = MARGIN
) -> list[Comparison]:
    """Each cell's last vote minus the baseline's, question by question and seed by seed."""
    if not controls.baselines:
        return []
    last = pl.col("round") == pl.col("round").max().over("cell")
    ends = seated.filter(last).select(
        "cell", "agent", "question", "question_code", "seed", "correct"
    )
    base = ends.select("agent", "question", "seed", base="cell", before="correct")
    chosen = pl.col("cell").replace_strict(controls.baselines, default=None, return_dtype=pl.String)
    others = ends.with_columns(base=chosen).rename({"correct": "after"})
    pairs = others.join(base, on=["base", "agent", "question", "seed"])
    found = [
        compare(
            part, family=f"cell - {controls.baselines[str(cell)]}", cell=str(cell),
            method=str(method), first=str(cell), second=controls.baselines[str(cell)],
            margin=margin,
        )
        for (cell, method), part in _by_cell_and_method(pairs)
    ]  # fmt: skip
    return corrected(found)


def _by_cell_and_method(rows: pl.DataFrame) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    return groups(rows, "cell", "agent")


def corrected(family: Iterable[Comparison]) -> list[Comparison]:
    """The family with Holm's correction over those that have a p-value."""
    found = list(family)
    adjusted = corrected_p([c.p_value for c in found])
    return [replace(c, p_holm=p) for c, p in zip(found, adjusted, strict=True)]


def corrected_p(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's correction over the p-values that there are.

    >>> corrected_p([0.01, None, 0.04])
    (0.02, None, 0.04)
    """
    tested = [p for p in p_values if p is not None]
    adjusted = iter(holm(tested) if tested else ())
    return tuple(None if p is None else next(adjusted) for p in p_values)
