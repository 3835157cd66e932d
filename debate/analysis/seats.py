"""A cell's answers after one round as a table: debates down, agents across."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from debate.analysis.intervals import Array, Codes

SEAT_COLUMNS = (
    "cell", "round", "debate", "question_code", "agent", "answer", "target", "outcome", "correct",
)  # fmt: skip
ABSTAINED = -1
ABSENT = -2


@dataclass(frozen=True, kw_only=True, slots=True)
class Seats:
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


def seats(rows: pl.DataFrame) -> Seats:
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
    return Seats(
        agents=tuple(agents), answers=answers, correct=correct, clusters=clusters, spread=spread
    )


def with_num_options(states: pl.DataFrame) -> pl.DataFrame:
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
