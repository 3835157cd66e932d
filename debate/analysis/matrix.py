"""The cross-critique matrix: how each critic judges each author's answers, itself included.

Rows are critics, columns authors; the diagonal is oneself. An abstention accepts nothing and
rejects nothing: it lowers both accept rates and the balanced accuracy. Failed calls are left out
and counted. Intervals are clustered by question.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import (
    ABSENT,
    Codes,
    Interval,
    Linear,
    clustered,
    inside_unit,
    rate,
    summed,
)
from debate.analysis.ranking import auroc
from debate.analysis.scores import brier
from debate.analysis.sums import groups

OF_P_TRUE = ("judging_auroc", "judging_brier", "p_true_wrong")
METHOD = "judgements, clustered by question"
MEASURES = (
    "accept_right", "accept_wrong", "judging_balanced_accuracy", "judging_auroc", "judging_brier",
    "judging_abstention", "judging_failure", "p_true_wrong",
)  # fmt: skip
"""Accept rates on right and wrong answers; balanced accuracy of the verdict; AUROC and Brier score
of P(true); how often no verdict could be read, and how often the call failed; mean P(true) on
wrong answers."""
LACKS_SCALE = "log-probabilities of the verdict"
LACKS_CLASS = "right and wrong answers to judge"


def matrix(judged: pl.DataFrame) -> list[Estimate]:
    """Every measure of each critic on each author, on all others, and over all critics.

    `subject` is "critic -> author", "critic -> others", "own" or "others", or None for everything.
    """
    return [
        _estimate(name, rows, cell=cell, subject=subject)
        for cell, subject, rows in _subjects(judged)
        for name in MEASURES
    ]


def _subjects(judged: pl.DataFrame) -> Iterator[tuple[str, str | None, pl.DataFrame]]:
    for (cell,), rows in groups(judged, "cell"):
        yield str(cell), None, rows
        for own, part in groups(rows, "own"):
            yield str(cell), "own" if own[0] else "others", part
        for (critic, author), part in groups(rows, "critic", "author"):
            yield str(cell), edge_name(critic, author), part
        for (critic,), part in groups(rows.filter(~pl.col("own")), "critic"):
            yield str(cell), edge_name(critic, "others"), part


def edge_name(critic: str, author: str) -> str:
    """How a pair of critic and author is called.

    >>> edge_name("adder", "modder")
    'adder -> modder'
    """
    return f"{critic} -> {author}"


def _estimate(name: str, rows: pl.DataFrame, *, cell: str, subject: str | None) -> Estimate:
    interval, n = measured(name, rows)
    missing = None
    if interval.value is None:
        has_scale = rows["p_true"].null_count() < rows.height
        missing = LACKS_CLASS if has_scale or name not in OF_P_TRUE else LACKS_SCALE
    return from_interval(
        name, interval, n=n, cell=cell, subject=subject, unit="probability", method=METHOD,
        missing=missing,
    )  # fmt: skip


def measured(name: str, rows: pl.DataFrame) -> tuple[Interval, int]:
    """One measure of these judgements, and how many of them it rests on."""
    if name == "judging_failure":
        return _share(rows, "failed")
    rows = rows.filter(~pl.col("failed"))
    if name == "judging_abstention":
        return _share(rows.with_columns(silent=pl.col("accepts").is_null()), "silent")
    if name in ("accept_right", "accept_wrong"):
        of = pl.col("right") if name == "accept_right" else ~pl.col("right")
        return _share(rows.filter(of), "accepted")
    if name == "p_true_wrong":
        rows = rows.filter(~pl.col("right"))
    linear, codes = linearised(name, rows)
    if linear is None:
        return ABSENT, 0
    plain = clustered(linear, codes)
    return (inside_unit(plain) if name == "judging_auroc" else plain), len(codes)


def linearised(name: str, rows: pl.DataFrame) -> tuple[Linear | None, Codes]:
    """A smooth measure of completed judgements with each one's influence, and their questions."""
    if name == "judging_balanced_accuracy":
        return balanced_accuracy(rows), _codes(rows)
    rows = rows.filter(pl.col("p_true").is_not_null())
    p = rows["p_true"].to_numpy().astype(np.float64)
    right = rows["right"].to_numpy().astype(np.float64)
    if not len(p):
        return None, _codes(rows)
    if name == "judging_auroc":
        return auroc(p, right), _codes(rows)
    if name == "judging_brier":
        return brier(p, right), _codes(rows)
    return Linear(float(p.mean()), (p - p.mean()) / len(p)), _codes(rows)


def balanced_accuracy(rows: pl.DataFrame) -> Linear | None:
    """Mean of the share of right answers accepted and of wrong ones rejected; None for one class.

    rows: completed judgements with `right`, `accepted` and `rejected`.
    """
    right = rows["right"].to_numpy().astype(bool)
    num_right, num_wrong = int(right.sum()), int((~right).sum())
    if not num_right or not num_wrong:
        return None
    hit = np.where(right, rows["accepted"].to_numpy(), rows["rejected"].to_numpy())
    means = float(hit[right].mean()), float(hit[~right].mean())
    influence = np.where(right, (hit - means[0]) / num_right, (hit - means[1]) / num_wrong) / 2
    return Linear((means[0] + means[1]) / 2, influence)


def _share(rows: pl.DataFrame, column: str) -> tuple[Interval, int]:
    """The share of a column of 0 and 1 by question."""
    if rows.is_empty():
        return ABSENT, 0
    codes = _codes(rows)
    hits = summed(codes, rows[column].cast(pl.Float64).to_numpy())
    return rate(hits, np.bincount(codes).astype(np.float64)), rows.height


def _codes(rows: pl.DataFrame) -> Codes:
    return rows["question_code"].to_numpy().astype(np.int64)


def matrix_table(estimates: list[Estimate]) -> pl.DataFrame:
    """A row for each cell, critic and author; each measure with its interval.

    Columns: own, the measures, <measure>_low, <measure>_high, n (judgements that completed).
    """
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for estimate in estimates:
        critic, arrow, author = (estimate.subject or "").partition(" -> ")
        if not arrow or estimate.name not in MEASURES or author == "others":
            continue
        row = rows.setdefault(
            (estimate.cell or "", estimate.subject or ""),
            {"cell": estimate.cell, "critic": critic, "author": author, "own": critic == author},
        )
        row |= {estimate.name: estimate.value, f"{estimate.name}_low": estimate.low,
                f"{estimate.name}_high": estimate.high}  # fmt: skip
        if estimate.name == "judging_abstention":
            row["n"] = estimate.n
    return pl.DataFrame(list(rows.values()), schema=TABLE)


TABLE = {
    "cell": pl.String, "critic": pl.String, "author": pl.String, "own": pl.Boolean, "n": pl.Int64,
    **{f"{name}{end}": pl.Float64 for name in MEASURES for end in ("", "_low", "_high")},
}  # fmt: skip
