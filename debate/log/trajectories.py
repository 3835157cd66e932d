"""Frames and counts by agent, made from frames of turns: trajectories, beliefs, cut replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import polars as pl
from pydantic import ValidationError

from debate.config.registry import RECORDED
from debate.config.run import RunSpec, expand_agents
from debate.log.frames import CONFIDENCE_SOURCE, QUESTION_COLUMNS, is_estimator, make_turn_schema
from debate.types import BELIEF_AFTER, NO_FINAL_LINE, Usage

_AGENT_KEY = ("cell", "question", "seed", "agent")
_ROUND_KEY = (*_AGENT_KEY, "round")
SPEAKING = ("opening", "revision", "judgment")
_ANSWER = ("kind", "answer", "abstained", "cut", "failed", "outcome", "correct", "finish_reason")
_LEADING = (*_AGENT_KEY, "model", "round", *_ANSWER, "confidence", CONFIDENCE_SOURCE)
_CANDIDATE_COLUMNS = {"own": "first_answer", "target": "target", "answer": "answer"}
"""The candidates whose log-probability has a column, and the column that holds each of them."""
_TOKENS = [each.name for each in fields(Usage) if each.name.endswith("_tokens")]
_TRAILING = ("heard", *_TOKENS, "simulated", *QUESTION_COLUMNS)
CUT_SHARE_SHOWN = 0.01
"""The share of an agent's turns above which its cut replies are reported."""


def make_trajectory_schema() -> dict[str, pl.DataType]:
    """Return the column types of a frame of trajectories without columns of estimators."""
    return dict(build_trajectory_frame(pl.LazyFrame(schema=make_turn_schema(()))).collect_schema())


def build_trajectory_frame(turns: pl.LazyFrame) -> pl.LazyFrame:
    """Build one row per agent and round in which it stated its own answer, in order of rounds.

    `turns` has the columns of a frame of turns. The results of private probes about an answer are
    in its row: confidences that the answer itself does not carry, and its belief, of which several
    probes may have scored parts:

    - `log_p_own`, `log_p_target`, `log_p_answer`: the log-probability (nats) of the agent's first
      answer in the debate, of the target, and of the present answer, as they were scored;
    - `belief_own`, `belief_target`, `belief_answer`: exp of these, not normalised over candidates
      or replies;
    - `belief_mass`: the summed probability of all candidates that were scored. It may exceed 1
      where one candidate is the beginning of another.

    They are null where there is no belief or no such candidate. `confidence` is the first that the
    turn has, and `confidence_source` the estimator that it comes from; `confidence_belief`, and the
    first confidence where it comes from there, is `belief_answer`.
    """
    names = turns.collect_schema().names()
    confidences = [name for name in names if is_estimator(name)]
    answers = turns.filter(pl.col("kind").is_in(SPEAKING))
    found = [*confidences, "confidence", CONFIDENCE_SOURCE]
    spoken = _add_first_answer(_fill_from_probes(answers, turns, found))
    joined = spoken.join(_compute_beliefs(spoken), on="row", how="left", maintain_order="left")
    rows = joined.with_columns(_make_belief(name) for name in _CANDIDATE_COLUMNS)
    beliefs = [f"{kind}_{name}" for kind in ("log_p", "belief") for name in _CANDIDATE_COLUMNS]
    ordered = rows.select(*_LEADING, *confidences, *beliefs, "belief_mass", *_TRAILING)
    return ordered.with_columns(_make_levels(confidences))


def build_belief_frame(turns: pl.LazyFrame) -> pl.LazyFrame:
    """Build one row per answer and candidate scored there: its key, `candidate`, `log_p`.

    `log_p` is in nats, as it was scored; `turns` are those of `build_trajectory_frame`.
    """
    answers = turns.filter(pl.col("kind").is_in(SPEAKING))
    rows = _fill_from_probes(answers, turns, ()).with_row_index("row")
    return _explode_beliefs(rows.select("row", *_ROUND_KEY, "belief")).drop("row")


def _fill_from_probes(
    answers: pl.LazyFrame, turns: pl.LazyFrame, found: Sequence[str]
) -> pl.LazyFrame:
    """Fill nulls of the columns `found` and of `belief` from the successful probes of the round."""
    probes = turns.filter((pl.col("kind") == "probe") & ~pl.col("failed"))
    # Scores after the working are of another context: the two are never mixed in one column.
    is_after = (pl.col("about") == BELIEF_AFTER).fill_null(False)
    probes = probes.with_columns(belief=pl.when(~is_after).then("belief"))
    known = {name: pl.col(name).drop_nulls() for name in (*found, "belief")}
    parts = {name: values.first() for name, values in known.items()}
    parts["belief"] = known["belief"].explode()  # several probes may each have scored a part
    probed = probes.group_by(_ROUND_KEY).agg(
        part.alias(f"probed_{name}") for name, part in parts.items()
    )
    joined = answers.join(probed, on=_ROUND_KEY, how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(name, f"probed_{name}") for name in parts)


def _add_first_answer(turns: pl.LazyFrame) -> pl.LazyFrame:
    ordered = turns.sort(*_ROUND_KEY, maintain_order=True).with_row_index("row")
    return ordered.with_columns(pl.col("answer").first().over(_AGENT_KEY).alias("first_answer"))


def _compute_beliefs(spoken: pl.LazyFrame) -> pl.LazyFrame:
    """Return the log-probability of each candidate, and the mass, for each row with a belief."""
    log_p = {
        f"log_p_{name}": pl.when(pl.col("candidate") == pl.col(of)).then("log_p").fill_nan(None)
        for name, of in _CANDIDATE_COLUMNS.items()
    }
    mass = pl.col("log_p").exp().alias("belief_mass")
    scored = _explode_beliefs(spoken.select("row", *_CANDIDATE_COLUMNS.values(), "belief"))
    return (
        scored.select("row", mass, **log_p)
        .group_by("row")
        .agg(pl.col("belief_mass").sum().fill_nan(None), *(pl.col(name).max() for name in log_p))
    )


def _explode_beliefs(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return a row per candidate of each belief: `candidate` and `log_p` (nats) replace `belief`.

    `rows` has the columns `row` and `belief`. A candidate that several probes of one answer have
    scored has one row.
    """
    exploded = rows.filter(pl.col("belief").list.len() > 0).explode("belief").unnest("belief")
    return exploded.unique(["row", "candidate"], keep="first")


def _make_belief(name: str) -> pl.Expr:
    """Return the probability, at most 1: rounding may bring a sum of log-probabilities above 0."""
    return pl.col(f"log_p_{name}").exp().clip(upper_bound=1.0).alias(f"belief_{name}")


def _make_levels(confidences: Sequence[str]) -> list[pl.Expr]:
    """Replace confidences by belief, normalised within one debate, by the level of the answer."""
    by_belief = {"confidence": pl.col(CONFIDENCE_SOURCE) == "belief"}
    by_belief |= {name: pl.lit(True) for name in confidences if name == "confidence_belief"}
    return [
        pl.when(is_belief & pl.col("belief_answer").is_not_null())
        .then("belief_answer")
        .otherwise(name)
        .alias(name)
        for name, is_belief in by_belief.items()
    ]


class ModelNote(NamedTuple):
    """A note on turns of a model: what its engine did otherwise than asked, and how often."""

    model: str
    note: str
    num_turns: int


def find_notes(turns: pl.DataFrame | pl.LazyFrame) -> list[ModelNote]:
    """Return the notes of a frame of turns by model, the most frequent first.

    What a note on a final line quotes is left out, so that such notes are counted together.
    """
    rows, names = turns.lazy(), turns.lazy().collect_schema().names()
    if "notes" not in names:
        return []
    noted = rows.select("model", "notes").explode("notes").filter(pl.col("notes").is_not_null())
    note = pl.col("notes")
    unquoted = note.str.replace(r"""(?s)['"].*['"]""", "“…”")
    told = pl.when(note.str.starts_with(NO_FINAL_LINE)).then(unquoted).otherwise(note)
    noted = noted.with_columns(notes=told)
    counted = noted.group_by("model", "notes").agg(num=pl.len()).collect()
    ordered = counted.sort("model", "num", "notes", descending=[False, True, False])
    return [ModelNote(*row) for row in ordered.iter_rows()]


class ServedModel(NamedTuple):
    """What an endpoint said it was to some calls of a model, how often, and when first."""

    model: str
    served_by: str
    num_turns: int
    first_at: float


def find_served(turns: pl.DataFrame | pl.LazyFrame) -> list[ServedModel]:
    """Return what endpoints said they were, by model, in the order in which it was first seen."""
    rows, names = turns.lazy(), turns.lazy().collect_schema().names()
    if "served_by" not in names:
        return []
    known = rows.filter(pl.col("served_by").is_not_null() & pl.col("shared_with").is_null())
    found = known.group_by("model", "served_by").agg(
        num=pl.len(), first_at=pl.col("finished_at").min()
    )
    ordered = found.sort("model", "first_at", "served_by").collect()
    return [ServedModel(*row) for row in ordered.iter_rows()]


class CutReplies(NamedTuple):
    """An agent with many cut replies; `max_tokens` is None where it is not known."""

    agent: str
    num_cut: int
    num_turns: int
    max_tokens: int | None


def find_cut_replies(
    turns: pl.DataFrame | pl.LazyFrame, spec: Mapping[str, Any]
) -> list[CutReplies]:
    """Return the agents of whose turns a share above `CUT_SHARE_SHOWN` was cut, largest first.

    A turn was cut if its token limit came before its answer, or a critique's judgement, was closed.

    turns: a frame of turns or of trajectories; probes and calls that another turn shares are not
    counted. spec: the run's configuration as its manifest holds it; empty for a foreign table.
    """
    rows, names = turns.lazy(), turns.lazy().collect_schema().names()
    if "cut" not in names:
        return []
    if "kind" in names:
        rows = rows.filter(pl.col("kind") != "probe")
    if "shared_with" in names:
        rows = rows.filter(pl.col("shared_with").is_null())
    counted = rows.group_by("agent").agg(num_cut=pl.col("cut").sum(), num_turns=pl.len()).collect()
    many = counted.filter(pl.col("num_cut") > CUT_SHARE_SHOWN * pl.col("num_turns"))
    share = pl.col("num_cut") / pl.col("num_turns")
    ordered = many.sort(share, "agent", descending=[True, False])
    limits = read_token_limits(spec)
    return [
        CutReplies(agent, num_cut, num_turns, limits.get(agent))
        for agent, num_cut, num_turns in ordered.select("agent", "num_cut", "num_turns").iter_rows()
    ]


def read_token_limits(spec: Mapping[str, Any]) -> dict[str, int | None]:
    """Read each agent's token limit in a run's configuration; empty where that is invalid."""
    try:
        run = RunSpec.model_validate(dict(spec), context=RECORDED)
    except ValidationError:
        return {}
    return {seat.id: seat.sampling.max_tokens for seat in expand_agents(run)}


def format_cut_replies(cut: list[CutReplies]) -> str | None:
    """Return a sentence about the replies that were cut; None where there are none to report.

    >>> print(format_cut_replies([CutReplies("adder", 30, 60, 2)]))
    Replies were cut off at their token limit before their answer was closed, and are no answers: \
adder 30 of 60 (50.0 %; raise its sampling.max_tokens, now 2).
    """
    if not cut:
        return None
    agents = ", ".join(map(_format_agent, cut))
    return (
        "Replies were cut off at their token limit before their answer was closed, and are no "
        f"answers: {agents}."
    )


def _format_agent(cut: CutReplies) -> str:
    share = 100 * cut.num_cut / cut.num_turns
    now = "" if cut.max_tokens is None else f", now {cut.max_tokens}"
    return (
        f"{cut.agent} {cut.num_cut:,} of {cut.num_turns:,} "
        f"({share:.1f} %; raise its sampling.max_tokens{now})"
    )
