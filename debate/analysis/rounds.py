"""The headline: accuracy, confidence and over-confidence by cell and round."""

from __future__ import annotations

import numpy as np
import polars as pl

from debate.analysis.calibration import by_cell_and_round, scored
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import Array, clustered_mean
from debate.analysis.states import num_questions
from debate.analysis.sums import Sums, question_sums

SHARES = ("abstained", "failed", "carried")


def rounds(states: pl.DataFrame) -> list[Estimate]:
    """By cell and round, over all agents (`subject` None) and for each agent:

    accuracy: right over all turns that were due, so that abstained, failed and missing count as
    wrong; accuracy_completed: right over turns that did not fail; confidence and over_confidence
    over the turns that carry a confidence; abstention_rate over completed turns; failure_rate and
    carried_rate (states kept from an earlier round) over all turns.
    """
    num = num_questions(states)
    estimates: list[Estimate] = []
    for cell, round_, rows in by_cell_and_round(states):
        debates = _debates_due(states, cell, num)
        agents = sorted(rows["agent"].unique())
        estimates += _row(rows, debates * len(agents), cell=cell, round_=round_, subject=None)
        if len(agents) > 1:
            parts = rows.partition_by("agent", as_dict=True)
            for agent in agents:
                part = parts[(agent,)]
                estimates += _row(part, debates, cell=cell, round_=round_, subject=agent)
    return estimates


def _debates_due(states: pl.DataFrame, cell: str, num: int) -> Array:
    """How many debates each question has in this cell; (questions,)."""
    debates = states.filter(pl.col("cell") == cell).select("debate", "question_code").unique()
    return np.bincount(debates["question_code"].to_numpy(), minlength=num).astype(np.float64)


def _row(
    rows: pl.DataFrame, due: Array, *, cell: str, round_: int, subject: str | None
) -> list[Estimate]:
    num = len(due)
    rows = rows.with_columns(
        completed=pl.when(pl.col("outcome") != "failed").then(pl.col("correct")),
        abstained=pl.when(pl.col("outcome") != "failed").then(pl.col("outcome") == "abstained"),
        failed=pl.col("outcome") == "failed",
    )
    counted = {"accuracy": Sums(question_sums(rows, "correct", num).totals, due)}
    counted["accuracy_completed"] = question_sums(rows, "completed", num)
    counted["abstention_rate"] = question_sums(rows, "abstained", num)
    counted["failure_rate"] = question_sums(rows, "failed", num)
    counted["carried_rate"] = question_sums(rows, "carried", num)
    shares = [
        from_interval(
            name, sums.share(), n=sums.n, cell=cell, round=round_, subject=subject,
            unit="probability", method="Wilson at the clustered effective size",
            missing=None if sums.n else "turns that completed",
        )
        for name, sums in counted.items()
    ]  # fmt: skip
    return shares + _confidence(rows, cell=cell, round_=round_, subject=subject)


def _confidence(
    rows: pl.DataFrame, *, cell: str, round_: int, subject: str | None
) -> list[Estimate]:
    data = scored(rows)
    columns = {"confidence": data.confidence, "over_confidence": data.confidence - data.correct}
    return [
        from_interval(
            name, clustered_mean(values, data.clusters), n=len(values), cell=cell, round=round_,
            subject=subject, unit="probability", method="mean, clustered by question",
            missing=None if len(values) else "no answer carries a confidence",
        )
        for name, values in columns.items()
    ]  # fmt: skip


def beliefs(states: pl.DataFrame) -> pl.DataFrame:
    """Mean belief in the own wrong opening answer and in the truth, by cell and round.

    The cohort is fixed: agents wrong at their opening. Null where there is no belief.
    """
    cohort = states.filter(pl.col("opening_outcome") == "wrong")
    rows = []
    for cell, round_, part in by_cell_and_round(cohort):
        for name in ("belief_own", "belief_target"):
            known = part.filter(pl.col(name).is_not_null())
            interval = clustered_mean(
                known[name].to_numpy().astype(np.float64),
                known["question_code"].to_numpy().astype(np.int64),
            )
            rows.append((cell, round_, name, *interval[:3], known.height))
    names = {"cell": pl.String, "round": pl.Int64, "belief": pl.String, "value": pl.Float64,
             "low": pl.Float64, "high": pl.Float64, "n": pl.Int64}  # fmt: skip
    return pl.DataFrame(rows, schema=names, orient="row")
