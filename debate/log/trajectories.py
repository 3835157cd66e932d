"""Trajectories: what each agent answered and believed, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import polars as pl

from debate.log.turn_frame import CONFIDENCE_SOURCE, is_estimator, turn_schema
from debate.types import Usage

_AGENT = ("cell", "question", "seed", "agent")
_PLACE = (*_AGENT, "round")
SPEAKING = ("opening", "revision", "judgment")
_LEADING = (
    "cell", "question", "seed", "agent", "model", "round", "kind", "answer", "abstained", "cut",
    "failed", "outcome", "correct", "finish_reason", "confidence", CONFIDENCE_SOURCE,
)  # fmt: skip
_CANDIDATE = {"own": "first_answer", "target": "target", "answer": "answer"}
"""Whose log-probability is told, and the column that holds the candidate."""
_TRAILING = (
    "heard", *(each.name for each in fields(Usage) if each.name.endswith("_tokens")), "simulated",
    "target", "category", "cluster",
)  # fmt: skip


def trajectory_schema() -> dict[str, pl.DataType]:
    """Column types of a frame of trajectories that has no confidence but the first."""
    return dict(trajectory_frame(pl.LazyFrame(schema=turn_schema(()))).collect_schema())


def trajectory_frame(turns: pl.LazyFrame) -> pl.LazyFrame:
    """One row per agent and round in which it stated its own answer, in order of rounds.

    `turns` has the columns of a frame of turns. What private probes found of an answer stands in
    its row: confidences that the answer itself does not carry, and of the belief, whichever probes
    scored its parts:

    - `log_p_own`, `log_p_target`, `log_p_answer`: the log-probability (nats) of the agent's first
      answer in the debate, of the target, and of the present answer, as they were scored;
    - `belief_own`, `belief_target`, `belief_answer`: exp of these. What the other candidates get,
      and the share of any other reply, is left where it is: nothing is normalised;
    - `belief_mass`: the probability of all candidates that were scored, which says how much of the
      model's replies the candidates are. It may exceed 1 where one candidate begins another.

    They are null where there is no belief or no such candidate. `confidence` is the first that the
    turn has, and `confidence_source` the estimator that it comes from; `confidence_belief`, and the
    first confidence where it comes from there, is `belief_answer`.
    """
    names = turns.collect_schema().names()
    confidences = [name for name in names if is_estimator(name)]
    answers = turns.filter(pl.col("kind").is_in(SPEAKING))
    found = [*confidences, "confidence", CONFIDENCE_SOURCE]
    spoken = _with_first_answer(_with_probed(answers, turns, found))
    joined = spoken.join(_beliefs(spoken), on="row", how="left", maintain_order="left")
    told = joined.with_columns(_belief(name) for name in _CANDIDATE)
    beliefs = [f"{kind}_{name}" for kind in ("log_p", "belief") for name in _CANDIDATE]
    whole = told.select(*_LEADING, *confidences, *beliefs, "belief_mass", *_TRAILING)
    return whole.with_columns(_levels(confidences))


def belief_frame(turns: pl.LazyFrame) -> pl.LazyFrame:
    """One row per answer and candidate that was scored there: its place, `candidate`, `log_p`.

    `log_p` is in nats, as it was scored; `turns` are those of `trajectory_frame`.
    """
    answers = turns.filter(pl.col("kind").is_in(SPEAKING))
    told = _with_probed(answers, turns, ()).with_row_index("row")
    return scored_candidates(told.select("row", *_PLACE, "belief")).drop("row")


def _with_probed(answers: pl.LazyFrame, turns: pl.LazyFrame, found: Sequence[str]) -> pl.LazyFrame:
    """The answers, with what they lack of `found`, or of a belief, from the probes of the round."""
    probes = turns.filter((pl.col("kind") == "probe") & ~pl.col("failed"))
    known = {name: pl.col(name).drop_nulls() for name in (*found, "belief")}
    parts = {name: values.first() for name, values in known.items()}
    parts["belief"] = known["belief"].explode()  # several probes may each have scored a part
    probed = probes.group_by(_PLACE).agg(
        part.alias(f"probed_{name}") for name, part in parts.items()
    )
    joined = answers.join(probed, on=_PLACE, how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(name, f"probed_{name}") for name in parts)


def _with_first_answer(turns: pl.LazyFrame) -> pl.LazyFrame:
    ordered = turns.sort(*_PLACE, maintain_order=True).with_row_index("row")
    return ordered.with_columns(pl.col("answer").first().over(_AGENT).alias("first_answer"))


def _beliefs(spoken: pl.LazyFrame) -> pl.LazyFrame:
    """The log-probabilities of three candidates, and of all, for each row that has a belief."""
    log_p = {
        f"log_p_{name}": pl.when(pl.col("candidate") == pl.col(of)).then("log_p").fill_nan(None)
        for name, of in _CANDIDATE.items()
    }
    mass = pl.col("log_p").exp().alias("belief_mass")
    scored = scored_candidates(spoken.select("row", *_CANDIDATE.values(), "belief"))
    return (
        scored.select("row", mass, **log_p)
        .group_by("row")
        .agg(pl.col("belief_mass").sum().fill_nan(None), *(pl.col(name).max() for name in log_p))
    )


def scored_candidates(rows: pl.LazyFrame) -> pl.LazyFrame:
    """A row for each candidate of each belief: its columns, with `candidate` and `log_p` (nats).

    `rows` has a column `row` and a column `belief`, in whose place they stand. A candidate that
    several probes of one answer have scored is told once.
    """
    exploded = rows.filter(pl.col("belief").list.len() > 0).explode("belief").unnest("belief")
    return exploded.unique(["row", "candidate"], keep="first")


def _belief(name: str) -> pl.Expr:
    """The probability; log-probabilities are sums whose rounding may lead above 0."""
    return pl.col(f"log_p_{name}").exp().clip(upper_bound=1.0).alias(f"belief_{name}")


def _levels(confidences: Sequence[str]) -> list[pl.Expr]:
    """Confidences by belief as levels, not normalised over what came up in one debate."""
    by_belief = {"confidence": pl.col(CONFIDENCE_SOURCE) == "belief"}
    by_belief |= {name: pl.lit(True) for name in confidences if name == "confidence_belief"}
    return [
        pl.when(is_belief & pl.col("belief_answer").is_not_null())
        .then("belief_answer")
        .otherwise(name)
        .alias(name)
        for name, is_belief in by_belief.items()
    ]
