"""Calibration by round: how well confidence tells right from wrong, beyond the mean scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis import scores
from debate.analysis.intervals import Array, Codes, Linear, rate, summed
from debate.analysis.measure import Measure
from debate.analysis.quantity import Missing, Quantity, take_linear
from debate.analysis.scores import NUM_BINS, equal_width
from debate.analysis.smooth import smooth_ece
from debate.analysis.sums import groups

Score = Callable[[Array, Array], Linear | None]
COLUMNS = ("cell", "round", "question_code", "outcome", "score", "confidence")
BIASED = "plug-in: biased upwards in small samples"
SMOOTHED = "biased upwards: above 0 for a calibrated model, too"
_NO_ANSWER, _ONE_CLASS = "an answer with a confidence", "both right and wrong answers"
_UNIT = (0.0, 1.0)


def _measure(name: str, words: str, formula: str, source: str = "", **about: object) -> Measure:
    settings = {"kind": "linear", "limits": _UNIT, "of_confidence": True, "lacking": _NO_ANSWER}
    return Measure(
        name=name, words=words, formula=formula, source=source, **(settings | about)  # type: ignore[arg-type]
    )  # fmt: skip


_ALL = (
    _measure(
        "reliability", "reliability", "mean squared gap of c and accuracy over 15 equal bins",
        "Murphy 1973",
    ),
    _measure(
        "resolution", "resolution", "variance of accuracy between 15 equal bins", "Murphy 1973"
    ),
    _measure("uncertainty", "uncertainty", "accuracy · (1 − accuracy)", "Murphy 1973"),
    _measure(
        "debiased_ece", "debiased ECE",
        "root of the mean squared gap over 15 equal bins, less each bin's sampling variance",
        "Kumar et al., arXiv 1909.10155", kind="root", method="linear in the square, clustered",
    ),
    _measure(
        "ece", "ECE", "bin-weighted mean |c − accuracy| over 15 equal-width bins",
        "Guo et al., arXiv 1706.04599", caveats=(BIASED,),
    ),
    _measure(
        "ece_if_calibrated", "ECE if calibrated",
        "the plug-in ECE expected of a calibrated model with the same confidences",
    ),
    _measure(
        "ace", "ACE", "the same over 15 bins of equal mass", "Nixon et al., arXiv 1904.01685",
        caveats=(BIASED,),
    ),
    _measure(
        "smooth_ece", "smECE", "calibration error with a kernel at its own bandwidth",
        "Błasiok & Nakkiran, arXiv 2309.12236", caveats=(SMOOTHED,),
    ),
    _measure(
        "ks", "KS", "max over t of |Σ (c − y) where c ≤ t| / n", "Gupta et al., arXiv 2006.12800",
        caveats=(BIASED,),
    ),
    _measure(
        "auroc", "AUROC", "P(a right answer has more confidence than a wrong one), ties as half",
        "DeLong 1988; clustered: Obuchowski 1997", kind="inside_unit", lacking=_ONE_CLASS,
    ),
    _measure(
        "aurc", "AURC", "mean error rate among all answers with at least that confidence",
        "Geifman & El-Yaniv, arXiv 1805.08206",
    ),
)  # fmt: skip
CALIBRATION: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _ALL})
"""Measures of calibration by name."""
_SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "reliability": scores.reliability,
        "resolution": scores.resolution,
        "uncertainty": scores.uncertainty,
        "ece": scores.ece,
        "ace": scores.ace,
        "smooth_ece": smooth_ece,
        "ks": scores.largest_running_gap,
        "auroc": scores.auroc,
        "aurc": scores.aurc,
    }
)


class Scored(NamedTuple):
    """Answers that carry a confidence; three arrays of one length."""

    confidence: Array
    correct: Array
    clusters: Codes


def select_scored(states: pl.DataFrame) -> Scored:
    """The rows that can be scored: neither failed nor cut, with a confidence.

    An abstention with a confidence counts as wrong.
    """
    rows = states.filter(
        ~pl.col("outcome").is_in(["failed", "cut"]) & pl.col("confidence").is_not_null()
    )
    return Scored(
        rows["confidence"].to_numpy().astype(np.float64),
        rows["score"].to_numpy().astype(np.float64),
        rows["question_code"].to_numpy().astype(np.int64),
    )


def measure_calibration(name: str, data: Scored, num_questions: int) -> Quantity | Missing:
    """One score of these answers."""
    if not len(data.correct):
        return Missing(_NO_ANSWER)
    if name == "ece_if_calibrated":
        expected = scores.calibrated_ece(data.confidence, equal_width(data.confidence))
        return _quantity(name, Linear(expected, np.zeros(len(data.correct))), data, num_questions)
    found = (
        scores.debiased_square(*data)
        if name == "debiased_ece"
        else _SCORES[name](data.confidence, data.correct)
    )
    if found is None:
        lacking = "bins that answers to two questions fall into"
        return Missing(lacking if name == "debiased_ece" else CALIBRATION[name].lacking)
    return _quantity(name, found, data, num_questions)


def _quantity(name: str, found: Linear, data: Scored, num_questions: int) -> Quantity:
    influence = summed(data.clusters, found.influence, num_questions)
    counts = summed(data.clusters, np.ones(len(data.clusters)), num_questions)
    measure = CALIBRATION[name]
    return Quantity(
        sums=np.stack([influence, counts], axis=1), of=take_linear(found.value),
        n=len(data.correct), kind=measure.kind, limits=measure.limits, at=found.value,
    )  # fmt: skip


def split_rounds(states: pl.DataFrame) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """The states of each condition after each round, in order."""
    for (cell, round_), rows in groups(states.select(*COLUMNS), "cell", "round"):
        yield str(cell), int(round_), rows


def tabulate_reliability(states: pl.DataFrame) -> pl.DataFrame:
    """The reliability diagram by condition and round: a row for each bin that holds answers."""
    rows = [
        {"cell": cell, "round": round_, **bin_}
        for cell, round_, part in split_rounds(states)
        for bin_ in _bins(select_scored(part))
    ]
    numbers = ("lower", "upper", "confidence", "accuracy", "low", "high")
    schema = {"cell": pl.String, "round": pl.Int64, "bin": pl.Int64, "n": pl.Int64}
    whole = pl.DataFrame(rows, schema=schema | dict.fromkeys(numbers, pl.Float64), orient="row")
    order = ("cell", "round", "bin", "lower", "upper", "n", "confidence", "accuracy", "low", "high")
    return whole.select(order)


def _bins(data: Scored) -> Iterator[dict[str, object]]:
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
