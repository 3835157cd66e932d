"""Calibration by round, and its change: how well confidence tells right from wrong.

The change of a score is tested by a paired bootstrap by question, 10,000 resamples of per-question
sums at once. ECE, AURC and Brier are functions of sums over answers: sizes and gaps of bins, a
histogram of confidence, squares. So a resample is a row of question counts times a matrix of such
sums, and the same rows serve every condition and round, which pairs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis import scores
from debate.analysis.design import Controls
from debate.analysis.intervals import (
    LEVEL,
    Array,
    Codes,
    Interval,
    LinearStatistic,
    compute_rate,
    sum_by_code,
)
from debate.analysis.quantity import UNIT, Measure, Quantity, Unavailable, take_linear
from debate.analysis.schema import Estimate, from_interval
from debate.analysis.scores import NUM_BINS, bin_equal_width, compute_smooth_ece
from debate.analysis.states import count_questions
from debate.analysis.sums import split_groups

Score = Callable[[Array, Array], LinearStatistic | None]
SCORE_COLUMNS = ("cell", "round", "question_code", "outcome", "score", "confidence")
BIASED = "plug-in: biased upwards in small samples"
SMOOTHED = "biased upwards: above 0 for a calibrated model, too"
_NO_ANSWER, _ONE_CLASS = "an answer with a confidence", "both right and wrong answers"


_define_score = partial(Measure, kind="linear", limits=UNIT, of_confidence=True, lacking=_NO_ANSWER)
_CALIBRATION = (
    _define_score(
        "reliability",
        "reliability",
        "mean squared gap of c and accuracy over 15 equal bins",
        source="Murphy 1973",
    ),
    _define_score(
        "resolution",
        "resolution",
        "variance of accuracy between 15 equal bins",
        source="Murphy 1973",
    ),
    _define_score("uncertainty", "uncertainty", "accuracy · (1 − accuracy)", source="Murphy 1973"),
    _define_score(
        "debiased_ece",
        "debiased ECE",
        "root of the mean squared gap over 15 equal bins, less each bin's sampling variance",
        source="Kumar et al., arXiv 1909.10155",
        kind="root",
        method="linear in the square, clustered",
    ),
    _define_score(
        "ece",
        "ECE",
        "bin-weighted mean |c − accuracy| over 15 equal-width bins",
        source="Guo et al., arXiv 1706.04599",
        caveats=(BIASED,),
    ),
    _define_score(
        "ece_if_calibrated",
        "ECE if calibrated",
        "the plug-in ECE expected of a calibrated model with the same confidences",
    ),
    _define_score(
        "ace",
        "ACE",
        "the same over 15 bins of equal mass",
        source="Nixon et al., arXiv 1904.01685",
        caveats=(BIASED,),
    ),
    _define_score(
        "smooth_ece",
        "smECE",
        "calibration error with a kernel at its own bandwidth",
        source="Błasiok & Nakkiran, arXiv 2309.12236",
        caveats=(SMOOTHED,),
    ),
    _define_score(
        "ks",
        "KS",
        "max over t of |Σ (c − y) where c ≤ t| / n",
        source="Gupta et al., arXiv 2006.12800",
        caveats=(BIASED,),
    ),
    _define_score(
        "auroc",
        "AUROC",
        "P(a right answer has more confidence than a wrong one), ties as half",
        source="DeLong 1988; clustered: Obuchowski 1997",
        kind="inside_unit",
        lacking=_ONE_CLASS,
    ),
    _define_score(
        "aurc",
        "AURC",
        "mean error rate among all answers with at least that confidence",
        source="Geifman & El-Yaniv, arXiv 1805.08206",
    ),
)
CALIBRATION: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _CALIBRATION})
"""Measures of calibration by name."""
_SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "reliability": scores.compute_reliability,
        "resolution": scores.compute_resolution,
        "uncertainty": scores.compute_uncertainty,
        "ece": scores.compute_ece,
        "ace": scores.compute_ace,
        "smooth_ece": compute_smooth_ece,
        "ks": scores.compute_ks,
        "auroc": scores.compute_auroc,
        "aurc": scores.compute_aurc,
    }
)


class ScoredAnswers(NamedTuple):
    """Answers that carry a confidence; three arrays of one length."""

    confidence: Array
    correct: Array
    clusters: Codes


def select_scored(states: pl.DataFrame) -> ScoredAnswers:
    """The rows that can be scored: neither failed nor cut, with a confidence.

    An abstention with a confidence counts as wrong.
    """
    rows = states.filter(
        ~pl.col("outcome").is_in(["failed", "cut"]) & pl.col("confidence").is_not_null()
    )
    return ScoredAnswers(
        rows["confidence"].to_numpy().astype(np.float64),
        rows["score"].to_numpy().astype(np.float64),
        rows["question_code"].to_numpy().astype(np.int64),
    )


def measure_calibration(
    name: str, data: ScoredAnswers, num_questions: int
) -> Quantity | Unavailable:
    """One score of these answers."""
    if not len(data.correct):
        return Unavailable(_NO_ANSWER)
    if name == "ece_if_calibrated":
        expected = scores.compute_calibrated_ece(data.confidence, bin_equal_width(data.confidence))
        return _make_score_quantity(
            name, LinearStatistic(expected, np.zeros(len(data.correct))), data, num_questions
        )
    found = (
        scores.compute_debiased_square(*data)
        if name == "debiased_ece"
        else _SCORES[name](data.confidence, data.correct)
    )
    if found is None:
        lacking = "bins that answers to two questions fall into"
        return Unavailable(lacking if name == "debiased_ece" else CALIBRATION[name].lacking)
    return _make_score_quantity(name, found, data, num_questions)


def _make_score_quantity(
    name: str, found: LinearStatistic, data: ScoredAnswers, num_questions: int
) -> Quantity:
    influence = sum_by_code(data.clusters, found.influence, num_questions)
    counts = sum_by_code(data.clusters, np.ones(len(data.clusters)), num_questions)
    measure = CALIBRATION[name]
    return Quantity(
        sums=np.stack([influence, counts], axis=1),
        of=take_linear(found.value),
        n=len(data.correct),
        kind=measure.kind,
        limits=measure.limits,
        at=found.value,
    )


def split_rounds(states: pl.DataFrame) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """The states of each condition after each round, in order."""
    for (cell, round_), rows in split_groups(states.select(*SCORE_COLUMNS), "cell", "round"):
        yield str(cell), int(round_), rows


def tabulate_reliability(states: pl.DataFrame) -> pl.DataFrame:
    """The reliability diagram by condition and round: a row for each bin that holds answers."""
    rows = [
        {"cell": cell, "round": round_, **bin_}
        for cell, round_, part in split_rounds(states)
        for bin_ in _tabulate_bins(select_scored(part))
    ]
    numbers = ("lower", "upper", "confidence", "accuracy", "low", "high")
    schema = {"cell": pl.String, "round": pl.Int64, "bin": pl.Int64, "n": pl.Int64}
    whole = pl.DataFrame(rows, schema=schema | dict.fromkeys(numbers, pl.Float64), orient="row")
    order = ("cell", "round", "bin", "lower", "upper", "n", "confidence", "accuracy", "low", "high")
    return whole.select(order)


def _tabulate_bins(data: ScoredAnswers) -> Iterator[dict[str, object]]:
    index = bin_equal_width(data.confidence)
    for bin_ in np.unique(index):
        inside = index == bin_
        _, codes = np.unique(data.clusters[inside], return_inverse=True)
        rights = sum_by_code(codes.astype(np.int64), data.correct[inside])
        accuracy = compute_rate(rights, np.bincount(codes).astype(np.float64))
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


RESAMPLES = 10_000
CHUNK = 500
NUM_LEVELS = 75
MOST_BLOCKS = 1_000
"""Above this many questions they are resampled in random blocks: as valid, and cheaper."""
RESAMPLED: Mapping[str, Measure] = MappingProxyType(
    {
        f"{metric}_change": Measure(
            f"{metric}_change",
            f"change of {words}",
            f"{words} after the last round − that of the openings, or of the control's "
            "last round; paired bootstrap by question, percentiles",
            is_signed=True,
            of_confidence=True,
        )
        for metric, words in (("ece", "ECE"), ("brier", "Brier"), ("aurc", "AURC"))
    }
)
"""Measures whose interval is made by resampling questions."""


class BlockSums(NamedTuple):
    """The sums of one condition and round: gaps and counts by bin (15 + 15), squares, counts by
    level of confidence and wrong answers by level (75 + 75); shape (blocks, columns).
    """

    sums: Array

    @staticmethod
    def from_answers(data: ScoredAnswers, block_of: Codes) -> BlockSums:
        """The sums of these answers; `block_of` maps question codes to blocks."""
        block, size = block_of[data.clusters], int(block_of.max()) + 1
        gaps = data.confidence - data.correct
        level = bin_equal_width(data.confidence, NUM_LEVELS)
        bins = bin_equal_width(data.confidence)
        parts = [
            _sum_table(block, bins, gaps, size, NUM_BINS),
            _sum_table(block, bins, np.ones_like(gaps), size, NUM_BINS),
            sum_by_code(block, gaps**2, size)[:, None],
            _sum_table(block, level, np.ones_like(gaps), size, NUM_LEVELS),
            _sum_table(block, level, 1 - data.correct, size, NUM_LEVELS),
        ]
        return BlockSums(np.concatenate(parts, axis=1))


def _sum_table(block: Codes, column: Codes, values: Array, size: int, width: int) -> Array:
    return sum_by_code(block * width + column, values, size * width).reshape(size, width)


def draw_blocks(num_questions: int, rng: np.random.Generator) -> Codes:
    """The block of each question: itself, or one of MOST_BLOCKS at random."""
    if num_questions <= MOST_BLOCKS:
        return np.arange(num_questions, dtype=np.int64)
    return (rng.permutation(num_questions) % MOST_BLOCKS).astype(np.int64)


def compute_metrics(totals: Array) -> dict[str, Array]:
    """ECE, Brier and AURC (on 75 levels of confidence) of (..., columns) totals."""
    gaps, counts = totals[..., :NUM_BINS], totals[..., NUM_BINS : 2 * NUM_BINS]
    squares = totals[..., 2 * NUM_BINS]
    by_level = totals[..., 2 * NUM_BINS + 1 :]
    held, wrong = by_level[..., :NUM_LEVELS][..., ::-1], by_level[..., NUM_LEVELS:][..., ::-1]
    n = np.maximum(counts.sum(axis=-1), 1.0)
    covered = np.maximum(np.cumsum(held, axis=-1), 1.0)
    risk = np.cumsum(wrong, axis=-1) / covered
    return {
        "ece": np.abs(gaps).sum(axis=-1) / n,
        "brier": squares / n,
        "aurc": (held * risk).sum(axis=-1) / n,
    }


def resample_metrics(
    conditions: Sequence[BlockSums], rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> Iterator[list[dict[str, Array]]]:
    """Metrics of all conditions on the same resamples, one chunk of them in memory at a time."""
    num = len(conditions[0].sums)
    sums = [condition.sums.astype(np.float32) for condition in conditions]
    for start in range(0, resamples, CHUNK):
        rows = min(CHUNK, resamples - start)
        draws = rng.integers(0, num, size=(rows, num)) + num * np.arange(rows)[:, None]
        weights = np.bincount(draws.ravel(), minlength=rows * num).astype(np.float32)
        weights = weights.reshape(rows, num)
        yield [compute_metrics((weights @ condition).astype(np.float64)) for condition in sums]


def bootstrap_changes(
    conditions: Mapping[str, BlockSums],
    pairs: Iterable[tuple[str, str]],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[tuple[str, str, str], Interval]:
    """metric(first) - metric(second) for each pair of conditions, with its percentile interval.

    Keys of the result: metric, first, second.
    """
    pairs, names = list(pairs), list(conditions)
    blocks = [conditions[name] for name in names]
    observed = dict(zip(names, (compute_metrics(b.sums.sum(axis=0)) for b in blocks), strict=True))
    drawn: dict[tuple[str, str, str], list[Array]] = {}
    for chunk in resample_metrics(blocks, rng, resamples=resamples):
        by_name = dict(zip(names, chunk, strict=True))
        for first, second in pairs:
            for metric, values in by_name[first].items():
                change = values - by_name[second][metric]
                drawn.setdefault((metric, first, second), []).append(change)
    return {
        key: _take_percentiles(
            float(observed[key[1]][key[0]] - observed[key[2]][key[0]]),
            np.concatenate(draws),
            num_questions=len(blocks[0].sums),
            level=level,
        )
        for key, draws in drawn.items()
    }


def _take_percentiles(value: float, draws: Array, *, num_questions: int, level: float) -> Interval:
    if num_questions < 2:
        return Interval(value, None, None, None, num_questions)
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high), float(draws.std(ddof=1)), num_questions)


def estimate_calibration_changes(
    states: pl.DataFrame, controls: Controls, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Estimate]:
    """`ece_change`, `brier_change`, `aurc_change` of each cell: last round minus round 0, and,
    with `subject` "over <control>", last round minus the control's last round.
    """
    rng = np.random.default_rng(seed)
    block_of = draw_blocks(count_questions(states), rng)
    data = _split_ends(states)
    conditions = {name: BlockSums.from_answers(part, block_of) for name, part in data.items()}
    pairs: dict[tuple[str, str], tuple[str, str | None]]
    pairs = {(f"{c}/T", f"{c}/0"): (c, None) for c in sorted(states["cell"].unique())}
    pairs |= {(f"{c}/T", f"{k}/T"): (c, f"over {k}") for c, k in controls.resampling.items()}
    known = [pair for pair in pairs if pair[0] in conditions and pair[1] in conditions]
    if not known:
        return []
    found = bootstrap_changes(conditions, known, rng, resamples=resamples)
    return [
        from_interval(
            f"{metric}_change",
            interval,
            n=len(data[first].correct),
            cell=pairs[first, second][0],
            subject=pairs[first, second][1],
            unit="probability",
            method=f"paired bootstrap by question, {resamples} resamples, percentiles",
        )
        for (metric, first, second), interval in found.items()
    ]


def _split_ends(states: pl.DataFrame) -> dict[str, ScoredAnswers]:
    """The scored answers of each cell's openings and of its last round, if that is another."""
    states = states.select(*SCORE_COLUMNS)
    last = pl.col("round").max().over("cell")
    later = states.filter((pl.col("round") == last) & (last > 0))
    ends = {"0": states.filter(pl.col("round") == 0), "T": later}
    found: dict[str, ScoredAnswers] = {}
    for end, rows in ends.items():
        for (cell,), part in split_groups(rows, "cell"):
            data = select_scored(part)
            if len(data.correct):
                found[f"{cell}/{end}"] = data
    return found
