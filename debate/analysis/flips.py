"""Flips between right and not right, and whether another round would help.

"i" is a wrong answer, an abstention or a reply that was cut, "c" a correct one; failed turns take
no part. Error correction ECR = P(c | i), error introduction EIR = P(i | c). Iterating helps only
while ECR/EIR > Acc/(1 - Acc); accuracy tends to ECR/(ECR + EIR) (2604.22273).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import Array, Interval, delta, rate
from debate.analysis.measure import Measure
from debate.analysis.states import transitions
from debate.analysis.sums import grouped_matrix

COUNTS = ["cc", "ci", "ic", "ii"]
COLUMNS = [*COUNTS, "right_now", "now"]
_READ = (
    "cell", "round", "question_code", "carried", "outcome", "correct", "previous_outcome",
    "opening_outcome",
)  # fmt: skip
METHOD = "turns of consecutive rounds, clustered by question"
WHOLE_METHOD = "opening against last state, clustered by question"


_SOURCE = "arXiv 2604.22273"
_UNIT = (0.0, 1.0)
_ALL = (
    Measure(
        name="error_correction_rate", words="errors corrected (ECR)", kind="proportion",
        limits=_UNIT, formula="P(right now | not right before), over consecutive turns",
    ),
    Measure(
        name="error_introduction_rate", words="errors introduced (EIR)", kind="proportion",
        limits=_UNIT, formula="P(not right now | right before), over consecutive turns",
    ),
    Measure(
        name="wrong_to_right", words="wrong → right", kind="proportion", limits=_UNIT,
        formula="share of consecutive turns from not right to right",
    ),
    Measure(
        name="right_to_wrong", words="right → wrong", kind="proportion", limits=_UNIT,
        formula="share of consecutive turns from right to not right",
    ),
    Measure(
        name="whole_wrong_to_right", words="wrong → right", kind="proportion", limits=_UNIT,
        formula="share of openings that were not right and ended right",
    ),
    Measure(
        name="whole_right_to_wrong", words="right → wrong", kind="proportion", limits=_UNIT,
        formula="share of openings that were right and ended not right",
    ),
    Measure(
        name="fixed_point", words="accuracy it leads to", limits=_UNIT, source=_SOURCE,
        formula="ECR / (ECR + EIR): where further rounds at these rates lead",
    ),
    Measure(
        name="next_round_gain", words="gain of another round", is_signed=True,
        limits=(-1.0, 1.0), source=_SOURCE,
        formula="ECR·(1 − accuracy) − EIR·accuracy: iterate while it is above 0",
    ),
)  # fmt: skip
FLIPS: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _ALL})
"""Measures of flips by name."""


def _share(part: Array, whole: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(part / whole, dtype=np.float64)


def _rates(totals: Array) -> tuple[Array, Array]:
    cc, ci, ic, ii = np.moveaxis(totals[..., :4], -1, 0)
    return _share(ic, ic + ii), _share(ci, cc + ci)


def fixed_point(totals: Array) -> Array:
    """The accuracy to which further rounds at these rates lead."""
    correction, introduction = _rates(totals)
    return _share(correction, correction + introduction)


def next_gain(totals: Array) -> Array:
    """Expected change of accuracy by one more round at these rates; positive: iterate."""
    correction, introduction = _rates(totals)
    accuracy = _share(totals[..., 4], totals[..., 5])
    return correction * (1 - accuracy) - introduction * accuracy


STATISTICS: Mapping[str, Callable[[Array], Array]] = {
    "fixed_point": fixed_point,
    "next_round_gain": next_gain,
}
LEAST = {"fixed_point": 0.0, "next_round_gain": -1.0}
RATES: Mapping[str, tuple[list[int], list[int]]] = {
    "error_correction_rate": ([2], [2, 3]),
    "error_introduction_rate": ([1], [0, 1]),
}
JOINT: Mapping[str, tuple[list[int], list[int]]] = {
    "wrong_to_right": ([2], [0, 1, 2, 3]),
    "right_to_wrong": ([1], [0, 1, 2, 3]),
}
"""Each proportion as the positions, in COUNTS, of its numerator and of its denominator."""


def flips(states: pl.DataFrame) -> list[Estimate]:
    """Rates, joint fractions, fixed point and gain by cell: for each step, pooled (`round` None).

    `whole_wrong_to_right` and `whole_right_to_wrong` take opening to last state in one step.
    The gain is taken at the accuracy after the step, or after the last one.
    """
    states = states.select(*_READ)
    steps = _counted(transitions(states), "previous_outcome")
    by_step = steps.with_columns(right_now=pl.col("correct"), now=pl.lit(True))
    ends = _counted(_last_states(states), "opening_outcome")
    whole = ends.filter(pl.col("opening_outcome") != "failed")
    pooled = pl.concat([_pooled(steps), _at_end(ends)])
    found: list[Estimate] = []
    for (cell, round_), sums in grouped_matrix(by_step, ["cell", "round"], COLUMNS).items():
        found += _estimates(sums, cell=cell, round_=round_)
    for (cell,), sums in grouped_matrix(pooled, ["cell"], COLUMNS).items():
        found += _estimates(sums, cell=cell, round_=None)
    for (cell,), sums in grouped_matrix(whole, ["cell"], COUNTS).items():
        found += _whole(sums, cell=cell)
    return found


def _counted(rows: pl.DataFrame, before: str) -> pl.DataFrame:
    was, now = pl.col(before) == "correct", pl.col("correct")
    counts = {"cc": was & now, "ci": was & ~now, "ic": ~was & now, "ii": ~was & ~now}
    return rows.select("cell", "round", "question_code", "correct", before, **counts)


def _last_states(states: pl.DataFrame) -> pl.DataFrame:
    last = pl.col("round") == pl.col("round").max().over("cell")
    return states.filter(last & (pl.col("round") > 0) & (pl.col("outcome") != "failed"))


def _pooled(steps: pl.DataFrame) -> pl.DataFrame:
    no = pl.lit(False)
    return steps.select("cell", "question_code", *COUNTS, right_now=no, now=no)


def _at_end(ends: pl.DataFrame) -> pl.DataFrame:
    nothing = {name: pl.lit(False) for name in COUNTS}
    return ends.select(
        "cell", "question_code", **nothing, right_now=pl.col("correct"), now=pl.lit(True)
    )


def _proportions(
    sums: Array, named: Mapping[str, tuple[list[int], list[int]]]
) -> dict[str, tuple[Interval, int]]:
    return {
        name: (
            rate(sums[:, part].sum(axis=1), sums[:, whole].sum(axis=1)),
            int(sums[:, whole].sum()),
        )
        for name, (part, whole) in named.items()
    }


def _estimates(sums: Array, *, cell: str, round_: int | None) -> list[Estimate]:
    found = _proportions(sums, {**RATES, **JOINT})
    n = int(sums[:, :4].sum())
    found |= {
        name: (delta(sums, statistic).within(LEAST[name], 1.0), n)
        for name, statistic in STATISTICS.items()
    }
    return [
        from_interval(
            name, interval, n=size, cell=cell, round=round_, unit="probability", method=METHOD,
            missing=None if interval.value is not None else "right and wrong states to leave",
        )
        for name, (interval, size) in found.items()
    ]  # fmt: skip


def _whole(sums: Array, *, cell: str) -> list[Estimate]:
    found = _proportions(sums, JOINT)
    return [
        from_interval(
            f"whole_{name}", interval, n=size, cell=cell, unit="probability", method=WHOLE_METHOD,
            missing=None if size else "openings and last states that completed",
        )
        for name, (interval, size) in found.items()
    ]  # fmt: skip


def advice(low: float | None, high: float | None) -> str:
    """What the interval of `next_round_gain` says of one more round: iterate, stop, or undecided.

    >>> advice(-0.2, -0.05)
    'stop'
    """
    if low is not None and low > 0:
        return "iterate"
    if high is not None and high < 0:
        return "stop"
    return "undecided"


def flow(states: pl.DataFrame) -> pl.DataFrame:
    """How many agents went from which outcome to which in every round, carried states included."""
    told = ("cell", "round", "previous_outcome", "outcome", "answer", "previous_answer")
    known = states.select(*told).filter(pl.col("previous_outcome").is_not_null())
    same = (pl.col("answer") == pl.col("previous_answer")).fill_null(True)
    grouped = known.group_by(
        "cell", "round", source="previous_outcome", destination="outcome", same_answer=same
    )
    return grouped.agg(count=pl.len()).sort("cell", "round", "source", "destination", "same_answer")
