"""Whether debates were stopped by somebody who knew the truth.

Asking only wrong answers again makes later rounds better by selection alone (Huang et al.
2310.01798). A rule that reads the agents' own answers and confidences goes with being right as
well, since agreement and confidence do. So what those explain is taken off first: debates are
compared only within strata of condition, round, agreement and change; a stratum in which a
threshold of confidence tells who stops is explained; elsewhere only debates of like confidence are
compared. What remains is a stratified permutation test (Mantel 1963) of "those who stop are right
as often as those who go on".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr

from debate.analysis.intervals import Array, Codes, sum_by_code
from debate.text import format_count, join_names, shorten

LEVEL = 0.001
"""Of the test in each condition, shared among the conditions."""
DRAWS = 20_000
SCREEN = 2.5
"""Standard deviations from which on the permutations are drawn at all."""
MISFIT = 0.02
"""Share of a stratum, and five times it of the smaller group, that a threshold may tell wrongly."""
BIN = 10
"""Debates of like confidence that are compared at least."""
LARGE_VARIANCE = 25.0
"""Of the sum of scores, from which on it is as good as normal."""
Flags = NDArray[np.bool_]
KEYS = ("cell", "round", "seat", "num", "silent", "distinct", "largest", "support", "changed")
CONFIDENCES = ("mean_confidence", "least_confidence", "most_confidence")


def describe_oracle_stopping(states: pl.DataFrame) -> str | None:
    """A sentence where stopping goes with being right beyond what the agents' own turns explain.

    states: debate, cell, round, agent, answer, correct, confidence (null where unknown), carried;
    one row for each agent and round that was spoken, and carried rows for the states in between.
    Looked for in debates that end early, and in agents who fall silent while others go on.
    """
    ahead = _select_turns_ahead(states)
    if ahead.is_empty() or not ahead["stops"].any():
        return None
    told = _add_agreement(ahead)
    found = sorted(_find_suspects(_list_debates(told)) | _find_suspects(_list_seats(told)))
    if not found:
        return None
    rates = _describe_rates(ahead.filter(pl.col("cell").is_in(found)))
    return (
        f"In {join_names([shorten(cell, 40) for cell in found])} the next round was left out after "
        f"{rates} answers, beyond what the agents' own answers and confidences explain: whoever "
        "stopped seems to have known the target, or turns are missing where answers were right. "
        "Later rounds then look better by selection alone."
    )


def _select_turns_ahead(states: pl.DataFrame) -> pl.DataFrame:
    """Each agent's state after each round that is not its condition's last, while it takes part.

    Adds stops: whether the agent never speaks again; ends: whether nobody of the debate does;
    changed: whether its answer differs from the round before; sure: confidence, 0 where unknown.
    """
    spoken = pl.col("round").filter(~pl.col("carried")).max()
    same = pl.col("answer").eq_missing(pl.col("answer").shift(1).over("debate", "agent"))
    chosen = states.select(
        "debate", "cell", "round", "agent", "answer", "correct", "confidence", "carried"
    )
    marked = chosen.sort("debate", "agent", "round").with_columns(
        own_last=spoken.over("debate", "agent"),
        last=spoken.over("debate"),
        final=spoken.over("cell"),
        changed=~same & (pl.col("round") > 0),
        sure=pl.col("confidence").cast(pl.Float64).fill_null(0.0),
        right=pl.col("correct").cast(pl.Float64).fill_null(0.0),
    )
    ahead = marked.filter((pl.col("round") <= pl.col("last")) & (pl.col("round") < pl.col("final")))
    return ahead.with_columns(
        stops=pl.col("own_last") <= pl.col("round"), ends=pl.col("last") == pl.col("round")
    )


def _add_agreement(ahead: pl.DataFrame) -> pl.DataFrame:
    """Add the support of each answer, and of the debate: answers, the largest group, silence."""
    at = ("debate", "round")
    groups = ahead.filter(pl.col("answer").is_not_null()).group_by(*at, "answer").len("support")
    sizes = groups.group_by(*at).agg(distinct=pl.len(), largest=pl.col("support").max())
    teams = ahead.group_by(*at).agg(
        num=pl.len(),
        silent=pl.col("answer").null_count(),
        team_changed=pl.col("changed").any(),
        mean_confidence=pl.col("sure").mean(),
        least_confidence=pl.col("sure").min(),
        most_confidence=pl.col("sure").max(),
    )
    told = ahead.join(groups, on=[*at, "answer"], how="left").join(sizes, on=at, how="left")
    return told.join(teams, on=at).with_columns(
        pl.col("support", "distinct", "largest").fill_null(0)
    )


def _list_debates(told: pl.DataFrame) -> pl.DataFrame:
    """One row for each debate and round: whether it ends there, and the share of right answers."""
    debates = told.group_by("cell", "debate", "round").agg(
        pl.col("num", "silent", "distinct", "largest", *CONFIDENCES).first(),
        changed=pl.col("team_changed").first(),
        stops=pl.col("ends").first(),
        right=pl.col("right").mean(),
    )
    return debates.with_columns(seat=pl.lit(""), support=0)


def _list_seats(told: pl.DataFrame) -> pl.DataFrame:
    """One row for each agent and round of debates that go on: whether the agent falls silent.

    An agent that is done already is no row; its own confidence comes first.
    """
    going = told.filter(~pl.col("ends") & (pl.col("num") > 1))
    if not going["stops"].any():
        return going.head(0)
    return going.filter(pl.col("own_last") >= pl.col("round")).with_columns(
        seat=pl.col("agent"),
        least_confidence=pl.col("mean_confidence"),
        most_confidence=pl.col("sure"),
        mean_confidence=pl.col("sure"),
    )


def _find_suspects(rows: pl.DataFrame) -> set[str]:
    """The conditions in which those who stop are right too often."""
    by_cell = rows.partition_by("cell", as_dict=True)
    level = LEVEL / max(len(by_cell), 1)
    return {str(cell) for (cell,), part in by_cell.items() if _compute_p_value(part) < level}


def _compute_p_value(rows: pl.DataFrame) -> float:
    """One-sided p-value of the stratified test in one condition.

    Drawn by permutation, or from the normal distribution where the variance is large.
    """
    strata = list(_split_strata(rows))
    sums = [_compute_moments(*stratum) for stratum in strata]
    excess, variance = sum(m.excess for m in sums), sum(m.variance for m in sums)
    if variance <= 0 or excess < SCREEN * variance**0.5:
        return 1.0
    if variance > LARGE_VARIANCE:
        return float(ndtr(-excess / variance**0.5))
    rng = np.random.default_rng(0)
    permuted = sum((_permute(*stratum, rng) for stratum in strata), np.zeros(DRAWS))
    return float(((permuted >= excess - 1e-9).sum() + 1) / (DRAWS + 1))


class _Stratum(NamedTuple):
    """Flags of those who stop, scores, groups of like confidence; arrays of one length."""

    stops: Flags
    right: Array
    like: Codes


def _split_strata(rows: pl.DataFrame) -> Iterator[_Stratum]:
    """The strata that confidence does not explain and in which some stop and some go on."""
    for stratum in rows.partition_by(*KEYS):
        stops = stratum["stops"].to_numpy().astype(bool)
        if stops.all() or not stops.any():
            continue
        confidence = stratum.select(CONFIDENCES).to_numpy().astype(np.float64)
        if not is_explained(confidence, stops):
            right = stratum["right"].to_numpy().astype(np.float64)
            yield _Stratum(stops, right, _group_like(confidence[:, 0]))


def is_explained(features: Array, stops: Flags) -> bool:
    """Whether thresholds of these features (rows, features) tell who stops.

    One feature above or below a limit, up to MISFIT; or several limits joined by "and" or "or".
    """
    return any(
        _is_joined(side, stops) or any(_is_split(column, stops) for column in side.T)
        for side in (features, -features)
    )


def _is_joined(features: Array, stops: Flags) -> bool:
    """All who stop pass some limit that none of the others does, or no other passes them all."""
    stopped, others = features[stops], features[~stops]
    either = np.any(stopped > others.max(axis=0), axis=1).all()
    both = np.any(others < stopped.min(axis=0), axis=1).all()
    return bool(either or both)


def _is_split(feature: Array, stops: Flags) -> bool:
    """Whether those who stop lie above some limit and the others below, up to MISFIT."""
    order = np.argsort(feature, kind="stable")
    ordered, flags = feature[order], stops[order].astype(np.int64)
    ends = np.append(np.flatnonzero(np.diff(ordered) > 1e-12), len(ordered) - 1)
    below = np.cumsum(flags)[ends]
    wrong = below + (len(flags) - ends - 1) - (flags.sum() - below)
    smaller = min(int(flags.sum()), int((1 - flags).sum()))
    return bool(wrong.min() <= min(MISFIT * len(flags), 5 * MISFIT * smaller))


def _group_like(confidence: Array) -> Codes:
    """Groups of like confidence: each value where values repeat, else runs of BIN and more."""
    values, which = np.unique(np.round(confidence, 9), return_inverse=True)
    if 4 * len(values) <= len(confidence):
        return which.astype(np.int64)
    edges = np.quantile(confidence, np.linspace(0, 1, max(1, len(confidence) // BIN) + 1)[1:-1])
    return np.searchsorted(edges, confidence, side="right").astype(np.int64)


class _Moments(NamedTuple):
    """The excess of the stopped ones' sum of scores over its mean under permutation within groups
    of like confidence, and that sum's variance.
    """

    excess: float
    variance: float


def _compute_moments(stops: Flags, right: Array, like: Codes) -> _Moments:
    size = np.bincount(like).astype(np.float64)
    mean = np.divide(sum_by_code(like, right), size, out=np.zeros_like(size), where=size > 0)
    away = right - mean[like]
    num, spread = sum_by_code(like, stops.astype(np.float64)), sum_by_code(like, away**2)
    pairs = size * (size - 1)
    share = np.divide(num * (size - num), pairs, out=np.zeros_like(size), where=pairs > 0)
    return _Moments(float(away[stops].sum()), float(share @ spread))


def _permute(stops: Flags, right: Array, like: Codes, rng: np.random.Generator) -> Array:
    """The same excess for DRAWS random choices of as many who stop in each group."""
    excess = np.zeros(DRAWS)
    for group in np.unique(like):
        scores, num = right[like == group], int(stops[like == group].sum())
        values, counts = np.unique(np.round(scores, 9), return_counts=True)
        if len(values) > 1 and 0 < num < len(scores):
            drawn = rng.multivariate_hypergeometric(counts, num, size=DRAWS, method="marginals")
            excess += drawn @ (values - scores.mean())
    return excess


def _describe_rates(ahead: pl.DataFrame) -> str:
    """Say how many right and how many wrong answers had no further round."""
    asked = ahead.filter(pl.col("own_last") >= pl.col("round"))
    parts = [
        asked.filter(chosen)["stops"] for chosen in (pl.col("right") > 0, pl.col("right") == 0)
    ]
    right, wrong = (
        f"{format_count(int(part.sum()))} of {format_count(len(part))}" for part in parts
    )
    return f"{right} right and {wrong} wrong"
