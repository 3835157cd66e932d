"""Trajectories: what each agent answered and believed, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import polars as pl

from debate.log.turn_frame import CONFIDENCE, turn_schema
from debate.types import Usage

_AGENT = ("cell", "question", "seed", "agent")
_SPEAKING = ("opening", "revision", "judgment")
_LEADING = (
    "cell", "question", "seed", "agent", "model", "round", "kind",
    "answer", "abstained", "cut", "failed", "outcome", "correct", "finish_reason", "confidence",
)  # fmt: skip
_CANDIDATE = {
    "belief_own": "first_answer",
    "belief_target": "target",
    "belief_answer": "answer",
}
_TRAILING = (
    "heard", *(each.name for each in fields(Usage) if each.name.endswith("_tokens")), "simulated",
    "target", "category",
)  # fmt: skip


def trajectory_schema() -> dict[str, pl.DataType]:
    """Column types of a frame of trajectories that has no confidence but the first."""
    return dict(trajectory_frame(pl.LazyFrame(schema=turn_schema(()))).collect_schema())


def trajectory_frame(turns: pl.LazyFrame) -> pl.LazyFrame:
    """One row per agent and round in which it stated its own answer, in order of rounds.

    `turns` has the columns of a frame of turns. What private probes found of an answer stands in
    its row: the belief, and confidences that the answer itself does not carry. Beliefs are
    normalised over their candidates: `belief_own` is that of the agent's first answer in the
    debate, `belief_target` that of the target, `belief_answer` that of the present answer; null
    where there is no belief or no such candidate.
    """
    names = turns.collect_schema().names()
    confidences = [name for name in names if name.startswith(CONFIDENCE)]
    answers = turns.filter(pl.col("kind").is_in(_SPEAKING))
    spoken = _with_first_answer(_with_probes(answers, turns, [*confidences, "belief"]))
    joined = spoken.join(_beliefs(spoken), on="row", how="left", maintain_order="left")
    return joined.select(*_LEADING, *confidences, *_CANDIDATE, *_TRAILING)


def _with_probes(answers: pl.LazyFrame, turns: pl.LazyFrame, found: Sequence[str]) -> pl.LazyFrame:
    """The answers, with what they lack of `found` taken from the probes of the same round."""
    place = [*_AGENT, "round"]
    probes = turns.filter((pl.col("kind") == "probe") & ~pl.col("failed"))
    probed = probes.group_by(place).agg(
        pl.col(name).drop_nulls().first().alias(f"probed_{name}") for name in found
    )
    joined = answers.join(probed, on=place, how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(name, f"probed_{name}") for name in found)


def _with_first_answer(turns: pl.LazyFrame) -> pl.LazyFrame:
    ordered = turns.sort(*_AGENT, "round", maintain_order=True).with_row_index("row")
    return ordered.with_columns(pl.col("answer").first().over(_AGENT).alias("first_answer"))


def _beliefs(spoken: pl.LazyFrame) -> pl.LazyFrame:
    """The probabilities of three candidates for each row that has a belief."""
    log_p = pl.col("belief").list.eval(pl.element().struct.field("log_p"))
    weights = (log_p - log_p.list.max()).list.eval(pl.element().exp())
    probability = (pl.col("log_p") - pl.col("top")).exp() / pl.col("total")
    candidates = {
        name: pl.when(pl.col("candidate") == pl.col(of)).then(probability).fill_nan(None)
        for name, of in _CANDIDATE.items()
    }
    return (
        spoken.filter(pl.col("belief").list.len() > 0)
        .select(
            "row", *_CANDIDATE.values(), "belief", top=log_p.list.max(), total=weights.list.sum()
        )
        .explode("belief")
        .unnest("belief")
        .select("row", **candidates)
        .group_by("row")
        .agg(pl.col(name).max() for name in _CANDIDATE)
    )
