"""Measures of one arm after one round: means over its agents' turns, and changes since round 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import polars as pl

from debate.analysis.amplification import with_mass_change
from debate.analysis.entrenchment import kept_answers
from debate.analysis.measure import Lack, Measure, mean_measure
from debate.analysis.states import transitions
from debate.analysis.sums import Sums, question_sums

_COMPLETED = pl.col("outcome") != "failed"
_CONFIDENCE = pl.when(_COMPLETED).then("confidence")
_RIGHT = pl.col("correct").cast(pl.Float64)
_STEP = pl.col("belief_target") - pl.col("previous_belief_target")

MEANS: Mapping[str, pl.Expr] = MappingProxyType(
    {
        "accuracy_completed": pl.when(_COMPLETED).then(_RIGHT),
        "abstention_rate": pl.when(_COMPLETED).then(pl.col("outcome") == "abstained"),
        "failure_rate": ~_COMPLETED,
        "confidence": _CONFIDENCE,
        "over_confidence": _CONFIDENCE - _RIGHT,
        "brier": (_CONFIDENCE - _RIGHT) ** 2,
        "confidence_when_wrong": pl.when(pl.col("outcome") == "wrong").then("confidence"),
        "generated_tokens": pl.col("generated_tokens"),
    }
)
"""What is averaged over turns; null where a turn takes no part."""

SHARES = ("accuracy", "accuracy_completed", "abstention_rate", "failure_rate")


def accuracy(states: pl.DataFrame, num_questions: int) -> Measure | Lack:
    """Right over all turns that were due: every agent of these states in every debate."""
    per_debate = states.group_by("question_code", "debate").agg(right=_RIGHT.sum())
    agents = states["agent"].n_unique()
    summed = question_sums(per_debate, "right", num_questions)
    due = Sums(summed.totals, summed.counts * agents)
    return mean_measure(due, share=True)


def mean_over_turns(states: pl.DataFrame, name: str, num_questions: int) -> Measure | Lack:
    """A mean of `MEANS` over the turns of one arm after one round."""
    rows = states.select("question_code", value=MEANS[name].cast(pl.Float64))
    return mean_measure(question_sums(rows, "value", num_questions), share=name in SHARES)


def _kept(outcome: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda states: kept_answers(states, outcome)


def _accuracy_change(states: pl.DataFrame) -> pl.DataFrame:
    began_right = (pl.col("opening_outcome") == "correct").cast(pl.Float64)
    later = states.filter((pl.col("round") > 0) & pl.col("opening_outcome").is_not_null())
    return later.with_columns(change=_RIGHT - began_right)


def _belief_steps(states: pl.DataFrame) -> pl.DataFrame:
    return transitions(states).with_columns(change=_STEP)


CHANGES: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = MappingProxyType(
    {
        "entrenchment_alone": _kept("wrong"),
        "change_when_right": _kept("correct"),
        "eai": with_mass_change,
        "accuracy_change": _accuracy_change,
        "drift": _belief_steps,
    }
)
"""Rows with a column `change`, from an arm's states: since round 0, or (drift) by step."""


def change(states: pl.DataFrame, name: str, num_questions: int) -> Measure | Lack:
    """The mean change among the states that the caller chose (one round, or all of them)."""
    rows = CHANGES[name](states)
    return mean_measure(question_sums(rows, "change", num_questions))


def tokens_per_debate(states: pl.DataFrame, num_questions: int) -> Measure | Lack:
    """Generated tokens of all rounds, over debates."""
    spoken = states.filter(~pl.col("carried"))
    if spoken["generated_tokens"].null_count():
        return Lack("generated tokens on every turn")
    each = spoken.group_by("question_code", "debate").agg(pl.col("generated_tokens").sum())
    return mean_measure(question_sums(each, "generated_tokens", num_questions))
