"""The headline: accuracy, confidence and over-confidence by cell and round."""

from __future__ import annotations

from collections import Counter

import polars as pl

from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import Array, Interval
from debate.analysis.states import num_questions
from debate.analysis.sums import Sums, grouped_sums

SHARES = (
    "accuracy", "accuracy_completed", "abstention_rate", "failure_rate", "carried_rate",
)  # fmt: skip
COLUMNS = (*SHARES, "confidence", "over_confidence")
SHARE_METHOD = "Wilson at the clustered effective size"
MEAN_METHOD = "mean, clustered by question"
MISSING = {True: "turns that completed", False: "confidence on at least one answer"}


def rounds(states: pl.DataFrame) -> list[Estimate]:
    """By cell and round, over all agents (`subject` None) and for each agent:

    accuracy: right over all turns that were due, so that abstained, failed and missing count as
    wrong; accuracy_completed: right over turns that did not fail; confidence and over_confidence
    over the turns that carry a confidence; abstention_rate over completed turns; failure_rate and
    carried_rate (states kept from an earlier round) over all turns.
    """
    num, rows = num_questions(states), _observed(states)
    debates, estimates = _debates_due(states, num), list[Estimate]()
    whole = grouped_sums(rows, ["cell", "round"], COLUMNS, num)
    by_agent = grouped_sums(rows, ["cell", "round", "agent"], COLUMNS, num)
    agents = Counter((cell, round_) for cell, round_, _ in by_agent)
    for (cell, round_), sums in whole.items():
        due = debates[cell] * agents[cell, round_]
        estimates += _row(sums, due, cell=cell, round_=round_, subject=None)
    for (cell, round_, agent), sums in by_agent.items():
        if agents[cell, round_] > 1:
            estimates += _row(sums, debates[cell], cell=cell, round_=round_, subject=agent)
    return estimates


def _observed(states: pl.DataFrame) -> pl.DataFrame:
    """What is averaged, null where a turn does not take part in the average."""
    completed = pl.col("outcome") != "failed"
    scored = pl.when(completed).then("confidence")
    return states.select(
        "cell",
        "round",
        "agent",
        "question_code",
        accuracy="correct",
        accuracy_completed=pl.when(completed).then("correct"),
        abstention_rate=pl.when(completed).then(pl.col("outcome") == "abstained"),
        failure_rate=~completed,
        carried_rate="carried",
        confidence=scored,
        over_confidence=scored - pl.col("correct").cast(pl.Float64),
    )


def _debates_due(states: pl.DataFrame, num: int) -> dict[str, Array]:
    """For each cell how many debates each question has in it; (questions,)."""
    debates = states.select("cell", "debate", "question_code").unique().with_columns(one=pl.lit(1))
    return {
        c: sums["one"].totals
        for (c,), sums in grouped_sums(debates, ["cell"], ["one"], num).items()
    }


def _row(
    sums: dict[str, Sums], due: Array, *, cell: str, round_: int, subject: str | None
) -> list[Estimate]:
    sums = {**sums, "accuracy": Sums(sums["accuracy"].totals, due)}
    return [
        from_interval(
            name, _interval(name, sums[name]), n=sums[name].n,
            cell=cell, round=round_, subject=subject, unit="probability",
            method=SHARE_METHOD if name in SHARES else MEAN_METHOD,
            missing=None if sums[name].n else MISSING[name in SHARES],
        )
        for name in COLUMNS
    ]  # fmt: skip


def _interval(name: str, sums: Sums) -> Interval:
    if name in SHARES:
        return sums.share()
    return sums.mean().within(0.0 if name == "confidence" else -1.0, 1.0)


def beliefs(states: pl.DataFrame) -> pl.DataFrame:
    """Mean belief in the own wrong opening answer and in the truth, by cell and round.

    The cohort is fixed: agents wrong at their opening. Null where there is no belief.
    """
    cohort = states.filter(pl.col("opening_outcome") == "wrong")
    names = ["belief_own", "belief_target"]
    found = grouped_sums(cohort, ["cell", "round"], names, num_questions(states))
    rows = [
        (cell, round_, name, *sums[name].mean()[:3], sums[name].n)
        for (cell, round_), sums in found.items()
        for name in names
    ]
    schema = {"cell": pl.String, "round": pl.Int64, "belief": pl.String, "value": pl.Float64,
              "low": pl.Float64, "high": pl.Float64, "n": pl.Int64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")
