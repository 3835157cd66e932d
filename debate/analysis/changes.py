"""Did calibration change? Paired bootstrap of ECE, Brier and AURC, last round against openings."""

from __future__ import annotations

import numpy as np
import polars as pl

from debate.analysis.bootstrap import RESAMPLES, Blocks, blocks_of, paired_changes
from debate.analysis.calibration import COLUMNS, Scored, scored
from debate.analysis.controls import Controls
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.states import num_questions
from debate.analysis.sums import groups


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
            data = scored(part)
            if len(data.correct):
                found[f"{cell}/{end}"] = data
    return found
