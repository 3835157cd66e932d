"""The paired bootstrap by question: 10,000 resamples of per-question sums at once.

ECE, AURC and Brier are functions of sums over answers: sizes and gaps of bins, a histogram of
confidence, squares. So a resample is a row of question counts times a matrix of such sums, and the
same rows serve every arm and round, which pairs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.calibration import COLUMNS, Scored, select_scored
from debate.analysis.design import Controls
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import LEVEL, Array, Codes, Interval, summed
from debate.analysis.measure import Measure
from debate.analysis.scores import NUM_BINS, equal_width
from debate.analysis.states import num_questions
from debate.analysis.sums import groups

RESAMPLES = 10_000
CHUNK = 500
LEVELS = 75
MOST_BLOCKS = 1_000
"""Above this many questions they are resampled in random blocks: as valid, and cheaper."""


RESAMPLED: Mapping[str, Measure] = MappingProxyType(
    {
        f"{metric}_change": Measure(
            name=f"{metric}_change", words=f"change of {words}", is_signed=True,
            of_confidence=True,
            formula=f"{words} after the last round − that of the openings, or of the control's "
            "last round; paired bootstrap by question, percentiles",
        )
        for metric, words in (("ece", "ECE"), ("brier", "Brier"), ("aurc", "AURC"))
    }
)  # fmt: skip
"""Measures whose interval is made by resampling questions."""


class Blocks(NamedTuple):
    """The sums of one arm and round: gaps and counts by bin (15 + 15), squares, counts by level
    of confidence and wrong answers by level (75 + 75); shape (blocks, columns).
    """

    sums: Array

    @staticmethod
    def of(data: Scored, block_of: Codes) -> Blocks:
        """The sums of these answers; `block_of` maps question codes to blocks."""
        block, size = block_of[data.clusters], int(block_of.max()) + 1
        gaps = data.confidence - data.correct
        level = equal_width(data.confidence, LEVELS)
        bins = equal_width(data.confidence)
        parts = [
            _table(block, bins, gaps, size, NUM_BINS),
            _table(block, bins, np.ones_like(gaps), size, NUM_BINS),
            summed(block, gaps**2, size)[:, None],
            _table(block, level, np.ones_like(gaps), size, LEVELS),
            _table(block, level, 1 - data.correct, size, LEVELS),
        ]
        return Blocks(np.concatenate(parts, axis=1))


def _table(block: Codes, column: Codes, values: Array, size: int, width: int) -> Array:
    return summed(block * width + column, values, size * width).reshape(size, width)


def blocks_of(num_questions: int, rng: np.random.Generator) -> Codes:
    """The block of each question: itself, or one of MOST_BLOCKS at random."""
    if num_questions <= MOST_BLOCKS:
        return np.arange(num_questions, dtype=np.int64)
    return (rng.permutation(num_questions) % MOST_BLOCKS).astype(np.int64)


def metrics(totals: Array) -> dict[str, Array]:
    """ECE, Brier and AURC (on 75 levels of confidence) of (..., columns) totals."""
    gaps, counts = totals[..., :NUM_BINS], totals[..., NUM_BINS : 2 * NUM_BINS]
    squares = totals[..., 2 * NUM_BINS]
    by_level = totals[..., 2 * NUM_BINS + 1 :]
    held, wrong = by_level[..., :LEVELS][..., ::-1], by_level[..., LEVELS:][..., ::-1]
    n = np.maximum(counts.sum(axis=-1), 1.0)
    covered = np.maximum(np.cumsum(held, axis=-1), 1.0)
    risk = np.cumsum(wrong, axis=-1) / covered
    return {
        "ece": np.abs(gaps).sum(axis=-1) / n,
        "brier": squares / n,
        "aurc": (held * risk).sum(axis=-1) / n,
    }


def resampled(
    arms: Sequence[Blocks], rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> Iterator[list[dict[str, Array]]]:
    """Metrics of all arms on the same resamples, chunk by chunk: memory stays at one chunk."""
    num = len(arms[0].sums)
    sums = [arm.sums.astype(np.float32) for arm in arms]
    for start in range(0, resamples, CHUNK):
        rows = min(CHUNK, resamples - start)
        draws = rng.integers(0, num, size=(rows, num)) + num * np.arange(rows)[:, None]
        weights = np.bincount(draws.ravel(), minlength=rows * num).astype(np.float32)
        weights = weights.reshape(rows, num)
        yield [metrics((weights @ arm).astype(np.float64)) for arm in sums]


def paired_changes(
    arms: Mapping[str, Blocks],
    pairs: Iterable[tuple[str, str]],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[tuple[str, str, str], Interval]:
    """metric(first) - metric(second) for each pair of arms, with its percentile interval.

    Keys of the result: metric, first, second.
    """
    pairs, names = list(pairs), list(arms)
    blocks = [arms[name] for name in names]
    observed = dict(zip(names, (metrics(b.sums.sum(axis=0)) for b in blocks), strict=True))
    drawn: dict[tuple[str, str, str], list[Array]] = {}
    for chunk in resampled(blocks, rng, resamples=resamples):
        by_name = dict(zip(names, chunk, strict=True))
        for first, second in pairs:
            for metric, values in by_name[first].items():
                change = values - by_name[second][metric]
                drawn.setdefault((metric, first, second), []).append(change)
    return {
        key: _percentiles(
            float(observed[key[1]][key[0]] - observed[key[2]][key[0]]),
            np.concatenate(draws),
            num_questions=len(blocks[0].sums),
            level=level,
        )
        for key, draws in drawn.items()
    }


def _percentiles(value: float, draws: Array, *, num_questions: int, level: float) -> Interval:
    if num_questions < 2:
        return Interval(value, None, None, None, num_questions)
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high), float(draws.std(ddof=1)), num_questions)


def calibration_changes(
    states: pl.DataFrame, controls: Controls, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Estimate]:
    """`ece_change`, `brier_change`, `aurc_change` of each cell: last round minus round 0, and,
    with `subject` "over <control>", last round minus the control's last round.
    """
    rng = np.random.default_rng(seed)
    block_of = blocks_of(num_questions(states), rng)
    data = _ends(states)
    arms = {name: Blocks.of(part, block_of) for name, part in data.items()}
    pairs: dict[tuple[str, str], tuple[str, str | None]]
    pairs = {(f"{c}/T", f"{c}/0"): (c, None) for c in sorted(states["cell"].unique())}
    pairs |= {(f"{c}/T", f"{k}/T"): (c, f"over {k}") for c, k in controls.resampling.items()}
    known = [pair for pair in pairs if pair[0] in arms and pair[1] in arms]
    if not known:
        return []
    found = paired_changes(arms, known, rng, resamples=resamples)
    return [
        from_interval(
            f"{metric}_change", interval, n=len(data[first].correct), cell=pairs[first, second][0],
            subject=pairs[first, second][1], unit="probability",
            method=f"paired bootstrap by question, {resamples} resamples, percentiles",
        )
        for (metric, first, second), interval in found.items()
    ]  # fmt: skip


def _ends(states: pl.DataFrame) -> dict[str, Scored]:
    """The scored answers of each cell's openings and of its last round, if that is another."""
    states = states.select(*COLUMNS)
    last = pl.col("round").max().over("cell")
    later = states.filter((pl.col("round") == last) & (last > 0))
    ends = {"0": states.filter(pl.col("round") == 0), "T": later}
    found: dict[str, Scored] = {}
    for end, rows in ends.items():
        for (cell,), part in groups(rows, "cell"):
            data = select_scored(part)
            if len(data.correct):
                found[f"{cell}/{end}"] = data
    return found
