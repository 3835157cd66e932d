"""Every agent's state after every round: what all estimators read.

A debate that stopped early keeps its last state in the later rounds of its cell (`carried`), and
so does an agent that does not speak in some round. Otherwise the later rounds would hold only the
questions that went on, which are the hard ones, and every by-round number would drift by
selection alone. Quantities about a change from round to round (drift, flips, conformity) use the
turns that were really taken: nothing changed where nobody spoke.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from debate.analysis.schema import trajectories_frame
from debate.errors import InputError, suggest
from debate.log.frames import is_estimator

DEBATE = ("cell", "question", "seed")
TRAJECTORY = (*DEBATE, "agent")
SOURCE = "confidence_"
DEFAULT = "confidence"
BELIEFS = {"belief": "belief_answer"}
PREVIOUS = ("answer", "outcome", "confidence", "belief_target")
OPENING = ("answer", "outcome", "score", "confidence", "log_odds", "log_p_own")
LEVELS = ("belief_own", "belief_target", "belief_answer", "confidence_belief")
LEAST_MASS = 0.5
"""Levels of belief are given only where the candidates hold at least this share of the model's
probability on average: below it, "anything else" is the likeliest answer."""
LEAST_BELIEF = 1e-9
"""A belief told as a probability of 0 is taken for this before its logarithm."""


def build_states(
    frame: pl.DataFrame, *, confidence: str = DEFAULT, is_checked: bool = False
) -> pl.DataFrame:
    """The checked trajectories, carried forward, sorted, with what analysis adds:

    trajectory, debate: integers; question_code: the integer that intervals cluster by, from 0 (the
    question, or its `cluster` where the data name one); carried: bool; score: 1 where right, for a
    tie the share of the tied answers that are right; log_odds: log p(opening answer) − log
    p(target); previous_*: the state one round before; opening_*: the state in round 0 (null for an
    agent without an opening). `confidence` names what is analysed, as `find_confidence_column`
    reads it. is_checked: the frame is one of ours, whose keys and numbers need no check.
    """
    checked = trajectories_frame(frame, is_checked=is_checked)
    # Levels that are not shown are recorded all the same, so the choice comes first.
    chosen = pl.col(find_confidence_column(checked, confidence))
    frame = _add_log_odds(checked)
    frame = _number_rows(frame.with_columns(confidence=chosen).sort(*TRAJECTORY, "round"))
    frame = carry_forward(frame)
    return _add_neighbouring_states(frame)


def _add_log_odds(frame: pl.DataFrame) -> pl.DataFrame:
    """With log-odds and `log_p_own`, and without levels where the candidates hold little mass."""
    log_p = {
        name: pl.col(f"log_p_{name}").fill_null(
            pl.col(f"belief_{name}").clip(lower_bound=LEAST_BELIEF).log()
        )
        for name in ("own", "target")
    }
    frame = frame.with_columns(log_odds=log_p["own"] - log_p["target"], log_p_own=log_p["own"])
    bare = find_cells_without_levels(frame)
    if not bare:
        return frame
    levels = [c for c in LEVELS if c in frame.columns]
    shown = ~pl.col("cell").is_in(list(bare))
    return frame.with_columns(pl.when(shown).then(pl.col(c)).alias(c) for c in levels)


def find_cells_without_levels(frame: pl.DataFrame) -> dict[str, float]:
    """The mean mass of the candidates in each condition where it is below LEAST_MASS."""
    if "belief_mass" not in frame.columns:
        return {}
    means = frame.group_by("cell").agg(pl.col("belief_mass").mean()).sort("cell")
    return dict(means.filter(pl.col("belief_mass") < LEAST_MASS).iter_rows())


def find_confidence_column(frame: pl.DataFrame, confidence: str) -> str:
    """The column of a confidence named by column or by estimator: `verbal`, `p_true`, `belief`.

    `belief` is the belief in the present answer. Without a name it is the column `confidence` where
    that is an estimator of its own, else the one that the turns carry; raises InputError, with the
    choice, where they carry different ones, and where nothing of the name is recorded.
    """
    if (
        confidence == DEFAULT
        and list_confidence_sources(frame)
        and not _has_unnamed_confidence(frame)
    ):
        return f"{SOURCE}{choose_default_source(frame)}"
    for column in (f"{SOURCE}{confidence}", BELIEFS.get(confidence, confidence)):
        if _has_any(frame, column) or (column == DEFAULT and column in frame.columns):
            return column
    named = list_confidence_sources(frame)
    named += [n for n, column in BELIEFS.items() if n not in named and _has_any(frame, column)]
    raise InputError(
        f'confidence "{confidence}" is not recorded; {suggest(confidence, named)}'
        if named
        else f'confidence "{confidence}" is not recorded, nor is any other by name'
    )


def list_confidence_sources(frame: pl.DataFrame) -> list[str]:
    """The estimators that the frame has columns of, with something in them."""
    named = [c for c in frame.columns if is_estimator(c)]
    return [c.removeprefix(SOURCE) for c in named if _has_any(frame, c)]


def _has_any(frame: pl.DataFrame, column: str) -> bool:
    return column in frame.columns and frame[column].null_count() < frame.height


def _has_unnamed_confidence(frame: pl.DataFrame) -> bool:
    """Whether `confidence` holds something that no named estimator says of the same turn."""
    named = [pl.col(f"{SOURCE}{name}") for name in list_confidence_sources(frame)]
    is_named = pl.any_horizontal((c == pl.col(DEFAULT)).fill_null(False) for c in named)
    return bool(frame.select((pl.col(DEFAULT).is_not_null() & ~is_named).any()).item())


def choose_default_source(frame: pl.DataFrame) -> str:
    """The estimator that every turn with a confidence carries; the first, if several are.

    Raises InputError where some turns carry one and some another: a column would mix two scales.
    """
    sources = list_confidence_sources(frame)
    known = {name: int(frame[f"{SOURCE}{name}"].is_not_null().sum()) for name in sources}
    some = pl.any_horizontal(pl.col(f"{SOURCE}{name}").is_not_null() for name in sources)
    whole = int(frame.select(some).to_series().sum())
    complete = [name for name in sources if known[name] == whole]
    if not complete:
        told = ", ".join(f"{name} ({known[name]:,} of {whole:,})" for name in sources)
        raise InputError(
            f"turns carry confidences of different estimators: {told}; choose one with --confidence"
        )
    first = frame["confidence"].drop_nulls().head(1)
    return complete[0] if first.is_empty() else _choose_first_recorded(frame, complete)


def _choose_first_recorded(frame: pl.DataFrame, complete: list[str]) -> str:
    """Of complete estimators, the one that the turns record first."""
    same = {name: int((frame[f"{SOURCE}{name}"] == frame["confidence"]).sum()) for name in complete}
    return max(complete, key=lambda name: same[name])


def name_confidence(frame: pl.DataFrame, confidence: str = DEFAULT) -> str | None:
    """Name the analysed confidence as it is shown; None where there is none."""
    column = find_confidence_column(frame, confidence)
    if frame[column].null_count() == frame.height:
        return None
    if column == DEFAULT:
        return "estimator not named"
    return {"belief_answer": "belief"}.get(column, column.removeprefix(SOURCE))


def _number_rows(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        trajectory=_mark_starts(TRAJECTORY).cum_sum().cast(pl.Int64),
        debate=_mark_starts(DEBATE).cum_sum().cast(pl.Int64),
        question_code=pl.coalesce("cluster", "question").rank("dense").cast(pl.Int64) - 1,
        carried=pl.lit(False),
        spoken_in=pl.col("round"),
    )


def _mark_starts(columns: tuple[str, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.col(c).ne(pl.col(c).shift(1)).fill_null(True) for c in columns)


def carry_forward(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with each trajectory's gaps and its end filled by its last state before them.

    Carried rows heard nothing and cost nothing; `spoken_in` is the round they come from.
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


def _add_neighbouring_states(frame: pl.DataFrame) -> pl.DataFrame:
    same = pl.col("trajectory") == pl.col("trajectory").shift(1)
    frame = frame.with_columns(
        pl.when(same).then(pl.col(c).shift(1)).alias(f"previous_{c}") for c in PREVIOUS
    )
    opening = frame.filter(pl.col("round") == 0).select(
        "trajectory", *(pl.col(c).alias(f"opening_{c}") for c in OPENING)
    )
    return frame.join(opening, on="trajectory", how="left", maintain_order="left")


def select_members(states: pl.DataFrame) -> pl.DataFrame:
    """The states of those who debate: without judges, whose answers are the verdicts' business."""
    if "kind" not in states.columns:
        return states
    judges = states.filter(pl.col("kind") == "judgment").select("trajectory").unique()
    if judges.is_empty():
        return states
    debaters = states.join(judges, on="trajectory", how="anti", maintain_order="left")
    return states if debaters.is_empty() else debaters


def select_voters(members: pl.DataFrame, silent: Collection[str]) -> pl.DataFrame:
    """The states of the team: of the members but those whose answers are no ballots.

    Of all, if nobody's would be.
    """
    voters = members.filter(~pl.col("agent").is_in(list(silent))) if silent else members
    return members if voters.is_empty() else voters


def select_authors(states: pl.DataFrame, authors: Mapping[str, str]) -> pl.DataFrame:
    """Of each cell that `authors` names, the states of its author alone; the rest as it is."""
    if not authors:
        return states
    about = pl.col("cell").replace_strict(authors, default=None, return_dtype=pl.String)
    return states.filter((about == pl.col("agent")).fill_null(True))


def select_transitions(states: pl.DataFrame) -> pl.DataFrame:
    """The rows where an agent spoke after an earlier state of its own, neither of them failed."""
    return states.filter(
        ~pl.col("carried")
        & pl.col("previous_outcome").is_not_null()
        & (pl.col("outcome") != "failed")
        & (pl.col("previous_outcome") != "failed")
    )


def count_questions(states: pl.DataFrame) -> int:
    """Count the question codes (they run from 0 to this, exclusive)."""
    top = states["question_code"].max()
    return int(top) + 1 if isinstance(top, int) else 0


def classify_teams(states: pl.DataFrame) -> dict[str, str]:
    """For each condition, whether one model fills all seats of its team, whose states are given."""
    models = states.group_by("cell").agg(pl.col("model").n_unique()).sort("cell")
    return {c: "homogeneous" if count == 1 else "mixed" for c, count in models.iter_rows()}
