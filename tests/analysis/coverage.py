"""The coverage table: how often each 95 % interval holds the value that was set.

`python -m tests.analysis.coverage [REPEATS [WORDS]]` prints it, of the cases whose names hold
WORDS. `error` is one standard error of `covered` from the number of repeats; `printed` the share
of repeats in which there is an interval, over which the rest is counted.

Where an interval cannot cover in 95 %: at an accuracy of exactly 1 every interval holds it; an
accuracy of .99 at 15 questions is held in .86 or in .99 of repeats, by whether 14 right hold it; a
test of few pairs rejects more rarely than it may, and so does its interval.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from debate.analysis.attribution import find_disagreements, join_hearings
from debate.analysis.design import choose_controls
from debate.analysis.flips import estimate_conformity
from debate.analysis.intervals import ROUNDING, Interval
from debate.analysis.measures import Measures
from debate.analysis.quantity import Unavailable
from debate.analysis.schema import Estimate
from debate.analysis.states import build_states

from . import simulate
from .small import measures_of, quantity
from .small_samples import populations

Rng = np.random.Generator
Bounds = dict[str, tuple[float | None, float | None, float | None]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A population, the quantities estimated on it, and their set values."""

    name: str
    truths: dict[str, float]
    run: Callable[[Rng], Bounds]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    case: str
    quantity: str
    truth: float
    mean: float
    covered: float
    error: float
    excluded_zero: float
    printed: float
    repeats: int


def cases() -> tuple[Case, ...]:
    """Every population of the table: 200 to 400 questions each, then small samples."""
    return (
        Case(name="opinion, no drift", truths={"drift": 0.0}, run=_drift(0.0)),
        Case(
            name="opinion, drift set",
            truths={"drift": simulate.mean_drift(pull=0.06)},
            run=_drift(0.06),
        ),
        Case(
            name="entrenchment, none beyond the control",
            truths={"entrenchment": 0.6, "over control": 0.0},
            run=_entrenchment(rise=0.2, control=0.2),
        ),
        Case(
            name="entrenchment, .15 nat a round beyond the control",
            truths={"entrenchment": 0.6, "over control": 0.45},
            run=_entrenchment(rise=0.2, control=0.05),
        ),
        Case(
            name="survivors of correction, no change",
            truths={"survivor_change": 0.0, "over control": 0.0},
            run=_survivors,
        ),
        Case(
            name="conformity, strong",
            truths={"conformity": 0.6, "obstinacy": 0.3},
            run=_conformity(0.6, 0.3),
        ),
        Case(
            name="conformity, rare",
            truths={"conformity": 0.05, "obstinacy": 0.9},
            run=_conformity(0.05, 0.9),
        ),
        Case(
            name="correlated errors",
            truths={"error_correlation": 0.4, "effective_votes": 5 / 2.6, "phi": 0.4},
            run=_correlated(0.4),
        ),
        Case(
            name="nearly independent errors",
            truths={"error_correlation": 0.05, "effective_votes": 5 / 1.2, "phi": 0.05},
            run=_correlated(0.05),
        ),
        Case(name="over-confident by .10", truths=_calibration_truths(0.1), run=_calibration(0.1)),
        Case(name="over-confident by .20", truths=_calibration_truths(0.2), run=_calibration(0.2)),
        Case(
            name="amplified errors",
            truths={"eai": simulate.amplification_size(share=0.2)},
            run=_amplification(0.2),
        ),
        *(Case(name=name, truths=truths, run=run) for name, truths, run in populations()),
    )


def _calibration_truths(excess: float) -> dict[str, float]:
    return {"debiased_ece": excess, "over_confidence": excess}


def _drift(pull: float) -> Callable[[Rng], Bounds]:
    def run(rng: Rng) -> Bounds:
        states = build_states(simulate.opinions(rng, questions=200, pull=pull))
        return _of(measures_of(states), ["drift"], cell="debate")

    return run


def _entrenchment(*, rise: float, control: float) -> Callable[[Rng], Bounds]:
    def run(rng: Rng) -> Bounds:
        table = simulate.believers(rng, questions=200, rise=rise, control=control)
        return _over_control(build_states(table), "entrenchment")

    return run


def _survivors(rng: Rng) -> Bounds:
    table = simulate.survivors(rng, questions=200, rounds=3)
    return _over_control(build_states(table), "survivor_change")


def _over_control(states: pl.DataFrame, name: str) -> Bounds:
    """A measure of `self` at the end, and the same with that of `repeat` taken off."""
    measures = measures_of(states)
    own, other = (quantity(measures.find(name, cell=cell)) for cell in ("self", "repeat"))
    return {name: _ends(own.interval()), "over control": _ends(own.minus(other).interval())}


def _conformity(adopt: float, keep: float) -> Callable[[Rng], Bounds]:
    def run(rng: Rng) -> Bounds:
        table = simulate.conformists(rng, questions=200, adopt=adopt, keep=keep)
        states = build_states(table)
        return _bounds(
            estimate_conformity(
                states, find_disagreements(join_hearings(states)), choose_controls(["debate"])
            )
        )

    return run


def _correlated(correlation: float) -> Callable[[Rng], Bounds]:
    def run(rng: Rng) -> Bounds:
        table = simulate.correlated(rng, questions=400, correlation=correlation)
        pair = build_states(table.filter(pl.col("agent").is_in(["a", "b"])))
        return {
            **_of(measures_of(build_states(table)), TEAM, cell="debate"),
            **_of(measures_of(pair), ["phi"], cell="debate"),
        }

    return run


TEAM = ("error_correlation", "effective_votes")
CALIBRATION = ("debiased_ece", "over_confidence")


def _calibration(excess: float) -> Callable[[Rng], Bounds]:
    def run(rng: Rng) -> Bounds:
        table = simulate.miscalibrated(rng, questions=400, excess=excess)
        return _of(measures_of(build_states(table)), CALIBRATION, cell="debate")

    return run


def _amplification(share: float) -> Callable[[Rng], Bounds]:
    def run(rng: Rng) -> Bounds:
        table = simulate.amplified(rng, questions=200, share=share)
        return _of(measures_of(build_states(table)), ["eai"], cell="self")

    return run


def _of(measures: Measures, names: Iterable[str], *, cell: str) -> Bounds:
    """Measures of a condition after its last round; an absent one where one is missing."""
    found = {name: measures.find(name, cell=cell) for name in names}
    return {
        name: (None, None, None) if isinstance(each, Unavailable) else _ends(each.interval())
        for name, each in found.items()
    }


def _bounds(estimates: Iterable[Estimate]) -> Bounds:
    return {e.name: (e.value, e.low, e.high) for e in estimates}


def _ends(interval: Interval) -> tuple[float | None, float | None, float | None]:
    return interval.value, interval.low, interval.high


def coverage(case: Case, *, repeats: int, seed: int = 0) -> list[Row]:
    """Run a case `repeats` times and count for each quantity how often the interval holds it."""
    drawn = [case.run(np.random.default_rng([seed, k])) for k in range(repeats)]
    return [_row(case, name, [d[name] for d in drawn]) for name in case.truths]


def _row(
    case: Case, name: str, drawn: list[tuple[float | None, float | None, float | None]]
) -> Row:
    printed = [d for d in drawn if d[1] is not None]
    num = max(len(printed), 1)
    covered = sum(_holds(d, case.truths[name]) for d in printed) / num
    return Row(
        case=case.name,
        quantity=name,
        truth=case.truths[name],
        mean=float(np.mean([d[0] for d in printed if d[0] is not None] or [np.nan])),
        covered=covered,
        error=float(np.sqrt(covered * (1 - covered) / num)),
        excluded_zero=sum(not _holds(d, 0.0) for d in printed) / num,
        printed=len(printed) / len(drawn),
        repeats=len(drawn),
    )


def _holds(bounds: tuple[float | None, float | None, float | None], truth: float) -> bool:
    _, low, high = bounds
    return low is not None and high is not None and low - ROUNDING <= truth <= high + ROUNDING


def table(*, repeats: int, words: str = "") -> list[Row]:
    """The whole table, or the cases whose names hold `words`."""
    chosen = [case for case in cases() if words in case.name]
    return [row for case in chosen for row in coverage(case, repeats=repeats)]


def main() -> None:
    """Print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    rows = pl.DataFrame(table(repeats=repeats, words=" ".join(sys.argv[2:])))
    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=60, float_precision=4
    ):
        print(rows)


if __name__ == "__main__":
    main()
