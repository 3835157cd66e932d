"""Every agent's state after every round: what all estimators read.

A debate that stopped early keeps its last state in the later rounds of its cell (`carried`), and
so does an agent that does not speak in some round. Otherwise the later rounds would hold only the
questions that went on, which are the hard ones, and every by-round number would drift by
selection alone. Quantities about a change from round to round (drift, flips, conformity) use the
turns that were really taken: nothing changed where nobody spoke.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from debate.analysis.schema import trajectories_frame
from debate.errors import InputError, suggestion
from debate.log.turn_frame import is_estimator

DEBATE = ("cell", "question", "seed")
TRAJECTORY = (*DEBATE, "agent")
SOURCE = "confidence_"
BELIEFS = {"belief": "belief_answer"}
PREVIOUS = ("answer", "outcome", "confidence", "belief_own", "belief_target")


def states_frame(frame: pl.DataFrame, *, confidence: str = "confidence") -> pl.DataFrame:
    """The checked trajectories, carried forward, sorted, with what analysis adds:

    trajectory, debate, question_code: integers; carried: bool; previous_*: the state one round
    before; opening_*: the state in round 0 (null for an agent without an opening).
    `confidence` names what is analysed, as `confidence_column` reads it.
    """
    frame = trajectories_frame(frame)
    chosen = pl.col(confidence_column(frame, confidence))
    frame = frame.with_columns(confidence=chosen).sort(*TRAJECTORY, "round")
    frame = _numbered(frame)
    frame = carried_forward(frame)
    return _with_neighbouring_states(frame)


def confidence_column(frame: pl.DataFrame, confidence: str) -> str:
    """The column of a confidence named by column or by estimator: `verbal`, `p_true`, `belief`.

    `belief` is the belief in the present answer. Raises InputError, with the estimators that
    there are, where nothing of the name is recorded.
    """
    for column in (f"{SOURCE}{confidence}", BELIEFS.get(confidence, confidence)):
        if column in frame.columns:
            return column
    named = [c.removeprefix(SOURCE) for c in frame.columns if is_estimator(c)]
    named += [name for name, column in BELIEFS.items() if column in frame.columns]
    raise InputError(
        f'confidence "{confidence}" is not recorded; {suggestion(confidence, named)}'
        if named
        else f'confidence "{confidence}" is not recorded, nor is any other by name'
    )


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        trajectory=_starts(TRAJECTORY).cum_sum().cast(pl.Int64),
        debate=_starts(DEBATE).cum_sum().cast(pl.Int64),
        question_code=pl.col("question").rank("dense").cast(pl.Int64) - 1,
        carried=pl.lit(False),
    )


def _starts(columns: tuple[str, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.col(c).ne(pl.col(c).shift(1)).fill_null(True) for c in columns)


def carried_forward(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with each trajectory's gaps and its end filled by its last state before them.

    Carried rows heard nothing and cost nothing.
    """
    next_round = pl.col("round").shift(-1).over("trajectory")
    last = pl.col("round").max().over("cell") + 1
    frame = frame.with_columns(until=next_round.fill_null(last))
    gaps = frame.filter(pl.col("until") > pl.col("round") + 1)
    frame = frame.drop("until")
    if gaps.is_empty():
        return frame
    filled = gaps.with_columns(
        round=pl.int_ranges(pl.col("round") + 1, pl.col("until")),
        carried=pl.lit(True),
        heard=pl.lit(None, pl.List(pl.String)),
        prompt_tokens=pl.lit(0, pl.Int64),
        cached_tokens=pl.lit(0, pl.Int64),
        generated_tokens=pl.lit(0, pl.Int64),
    ).explode("round")
    return pl.concat([frame, filled.select(frame.columns)]).sort("trajectory", "round")


def _with_neighbouring_states(frame: pl.DataFrame) -> pl.DataFrame:
    same = pl.col("trajectory") == pl.col("trajectory").shift(1)
    frame = frame.with_columns(
        pl.when(same).then(pl.col(c).shift(1)).alias(f"previous_{c}") for c in PREVIOUS
    )
    opening = frame.filter(pl.col("round") == 0).select(
        "trajectory", *(pl.col(c).alias(f"opening_{c}") for c in PREVIOUS)
    )
    return frame.join(opening, on="trajectory", how="left", maintain_order="left")


def members(states: pl.DataFrame) -> pl.DataFrame:
    """The states of those who debate: without judges, whose answers are the verdicts' business."""
    if "kind" not in states.columns:
        return states
    judges = states.filter(pl.col("kind") == "judgment").select("trajectory").unique()
    if judges.is_empty():
        return states
    debaters = states.join(judges, on="trajectory", how="anti", maintain_order="left")
    return states if debaters.is_empty() else debaters


def of_authors(states: pl.DataFrame, authors: Mapping[str, str]) -> pl.DataFrame:
    """Of each cell that `authors` names, the states of its author alone; the rest as it is."""
    if not authors:
        return states
    about = pl.col("cell").replace_strict(authors, default=None, return_dtype=pl.String)
    return states.filter((about == pl.col("agent")).fill_null(True))


def transitions(states: pl.DataFrame) -> pl.DataFrame:
    """The rows where an agent spoke after an earlier state of its own, neither of them failed."""
    return states.filter(
        ~pl.col("carried")
        & pl.col("previous_outcome").is_not_null()
        & (pl.col("outcome") != "failed")
        & (pl.col("previous_outcome") != "failed")
    )


def num_questions(states: pl.DataFrame) -> int:
    """How many question codes there are (codes run from 0 to this, exclusive)."""
    top = states["question_code"].max()
    return int(top) + 1 if isinstance(top, int) else 0
