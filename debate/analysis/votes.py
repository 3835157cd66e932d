"""The team's own answer by round: from the verdicts, or the majority of the agents' answers."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from debate.analysis.calibration import calibration_by_round
from debate.analysis.estimate import Estimate
from debate.analysis.rounds import rounds
from debate.analysis.schema import verdicts_frame
from debate.analysis.states import states_frame
from debate.analysis.sums import groups

VOTE = {
    "accuracy": "vote_accuracy",
    "accuracy_completed": "vote_accuracy_completed",
    "abstention_rate": "vote_abstention_rate",
    "confidence": "vote_confidence",
    "over_confidence": "vote_over_confidence",
}
SCORED = ("brier", "nll", "ece", "debiased_ece", "smooth_ece", "auroc", "aurc")


def vote_states(states: pl.DataFrame, verdicts: pl.DataFrame | None = None) -> pl.DataFrame:
    """States in which the deciding method takes the agent's place, so all estimators apply.

    Without verdicts: the plurality of the agents' answers (`majority`; a tie is an abstention),
    with the share of the agents' votes as confidence. A verdict stays when its debate stops.
    """
    given = None if verdicts is None or verdicts.is_empty() else verdicts_frame(verdicts)
    if given is not None:
        given = given.filter(pl.col("cell").is_in(states["cell"].unique().to_list()))
    frame = majority(states) if given is None or given.is_empty() else _spoken(given, states)
    seated = frame.select(
        "cell", "question", "seed", "round", "outcome", "confidence", agent="method",
        model="method", answer="value",
    )  # fmt: skip
    return states_frame(seated)


def _spoken(verdicts: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """The verdicts without those on rounds after the last in which anybody of the cell answered.

    Where critics judge in private, or nobody hears anybody, such rounds repeat the verdict before:
    comparing the two is no finding, and must not weigh on those that are.
    """
    last = states.filter(~pl.col("carried")).group_by("cell").agg(last_spoken=pl.col("round").max())
    joined = verdicts.join(last, on="cell", how="left", maintain_order="left")
    return joined.filter((pl.col("round") <= pl.col("last_spoken")).fill_null(True)).drop(
        "last_spoken"
    )


def majority(states: pl.DataFrame) -> pl.DataFrame:
    """Plurality verdicts after each round; no answers at all is an abstention or, where every
    turn failed, a failure.
    """
    key = ["cell", "question", "seed", "round"]
    spoken = states.filter(pl.col("answer").is_not_null() & (pl.col("outcome") != "failed"))
    tally = spoken.group_by(*key, "answer").agg(votes=pl.len(), outcome=pl.col("outcome").first())
    top = pl.col("votes") == pl.col("votes").max().over(key)
    winners = tally.filter(top).group_by(key).agg(
        pl.col("answer").first(), pl.col("outcome").first(), pl.col("votes").first(), tied=pl.len()
    )  # fmt: skip
    debates = states.group_by(key).agg(
        voters=pl.len(), all_failed=(pl.col("outcome") == "failed").all()
    )
    joined = debates.join(winners, on=key, how="left")
    decided = pl.col("tied") == 1
    undecided = pl.when("all_failed").then(pl.lit("failed")).otherwise(pl.lit("abstained"))
    return joined.select(
        *key,
        method=pl.lit("majority"),
        value=pl.when(decided).then("answer"),
        outcome=pl.when(decided).then("outcome").otherwise(undecided),
        confidence=pl.when(decided).then(pl.col("votes") / pl.col("voters")),
    )


def votes(seated: pl.DataFrame) -> list[Estimate]:
    """Accuracy and confidence of the team by cell, round and method, scored like a member's."""
    estimates: list[Estimate] = []
    for (method,), part in groups(seated, "agent"):
        found = [e for e in rounds(part) if e.name in VOTE]
        found += [e for e in calibration_by_round(part) if e.name in SCORED]
        estimates += [replace(e, name=_vote_name(e.name), subject=str(method)) for e in found]
    return estimates


def _vote_name(name: str) -> str:
    return VOTE.get(name, f"vote_{name}")
