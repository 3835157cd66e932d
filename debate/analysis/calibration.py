"""Calibration by round: every score of confidence against correctness, with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.binned import (
    NUM_BINS,
    ace,
    debiased_ece,
    ece,
    equal_width,
    reliability,
    resolution,
)
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import (
    ABSENT,
    Array,
    Codes,
    Interval,
    Linear,
    clustered,
    rate,
    summed,
)
from debate.analysis.ranking import aurc, auroc, largest_running_gap
from debate.analysis.scores import brier, negative_log_likelihood, over_confidence, uncertainty
from debate.analysis.smooth import smooth_ece
from debate.analysis.sums import groups

Score = Callable[[Array, Array], Linear | None]
SCORES: Mapping[str, Score] = {
    "brier": brier,
    "reliability": reliability,
    "resolution": resolution,
    "uncertainty": uncertainty,
    "nll": negative_log_likelihood,
    "ece": ece,
    "ace": ace,
    "smooth_ece": smooth_ece,
    "ks": largest_running_gap,
    "auroc": auroc,
    "aurc": aurc,
    "over_confidence": over_confidence,
}
COLUMNS = ("cell", "round", "question_code", "outcome", "correct", "confidence")
METHOD = "linearised, clustered by question"
BIASED_UPWARDS = ("ece", "ace", "ks")
RANGES = {"nll": (0.0, math.inf), "over_confidence": (-1.0, 1.0)}
"""Where scores can lie; between 0 and 1 where nothing else is said."""
ELSEWHERE = ("over_confidence",)
"""Estimated by `debate.analysis.rounds`, for each agent too."""


class Scored(NamedTuple):
    """Answers that carry a confidence; three arrays of one length."""

    confidence: Array
    correct: Array
    clusters: Codes


def scored(states: pl.DataFrame) -> Scored:
    """The rows that can be scored: not failed, with a confidence. An abstention counts as wrong."""
    rows = states.filter((pl.col("outcome") != "failed") & pl.col("confidence").is_not_null())
    return Scored(
        rows["confidence"].to_numpy().astype(np.float64),
        rows["correct"].to_numpy().astype(np.float64),
        rows["question_code"].to_numpy().astype(np.int64),
    )


def calibration(data: Scored) -> dict[str, Interval]:
    """Every score of these answers under its name; ABSENT where there is nothing to score."""
    intervals = {name: _interval(score, data) for name, score in SCORES.items()}
    intervals |= {n: i.within(*RANGES.get(n, (0.0, 1.0))) for n, i in intervals.items()}
    intervals["debiased_ece"] = debiased_ece(*data) if len(data.correct) else ABSENT
    return intervals


def _interval(score: Score, data: Scored) -> Interval:
    if not len(data.correct):
        return ABSENT
    linear = score(data.confidence, data.correct)
    return clustered(linear, data.clusters) if linear else ABSENT


def by_cell_and_round(states: pl.DataFrame) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """The states of each cell after each round, in order."""
    for (cell, round_), rows in groups(states, "cell", "round"):
        yield str(cell), int(round_), rows


def calibration_by_round(states: pl.DataFrame) -> list[Estimate]:
    """Each score for each cell and round, over all agents."""
    estimates: list[Estimate] = []
    for cell, round_, rows in by_cell_and_round(states.select(*COLUMNS)):
        data = scored(rows)
        for name, interval in calibration(data).items():
            if name in ELSEWHERE:
                continue
            estimates.append(_estimate(name, interval, data, cell=cell, round_=round_))
    return estimates


def _estimate(name: str, interval: Interval, data: Scored, *, cell: str, round_: int) -> Estimate:
    caveats = ("plug-in: biased upwards in small samples",) if name in BIASED_UPWARDS else ()
    missing = None if len(data.correct) else "an answer with a confidence"
    if missing is None and interval.value is None:
        missing = "both right and wrong answers"
    n = len(data.correct)
    unit = "nat" if name == "nll" else "probability"
    return from_interval(
        name, interval, n=n, cell=cell, round=round_, unit=unit, method=METHOD,
        caveats=caveats, missing=missing,
    )  # fmt: skip


def reliability_bins(states: pl.DataFrame) -> pl.DataFrame:
    """The reliability diagram by cell and round: a row for each bin that holds answers."""
    rows = [
        {"cell": cell, "round": round_, **bin_}
        for cell, round_, part in by_cell_and_round(states.select(*COLUMNS))
        for bin_ in _diagram(scored(part))
    ]
    schema = {"cell": pl.String, "round": pl.Int64, "bin": pl.Int64, "lower": pl.Float64,
              "upper": pl.Float64, "n": pl.Int64, "confidence": pl.Float64,
              "accuracy": pl.Float64, "low": pl.Float64, "high": pl.Float64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _diagram(data: Scored) -> Iterator[dict[str, object]]:
    index = equal_width(data.confidence)
    for bin_ in np.unique(index):
        inside = index == bin_
        _, codes = np.unique(data.clusters[inside], return_inverse=True)
        rights = summed(codes.astype(np.int64), data.correct[inside])
        accuracy = rate(rights, np.bincount(codes).astype(np.float64))
        yield {
            "bin": int(bin_),
            "lower": bin_ / NUM_BINS,
            "upper": (bin_ + 1) / NUM_BINS,
            "n": int(inside.sum()),
            "confidence": float(data.confidence[inside].mean()),
            "accuracy": accuracy.value,
            "low": accuracy.low,
            "high": accuracy.high,
        }
