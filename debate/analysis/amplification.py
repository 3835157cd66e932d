"""The error-amplification index: change of confident-error mass since the openings.

EAI_t = (1/n) sum_i [c_it 1(wrong_it) - c_i0 1(wrong_i0)]. Mass is 0 on right answers and
where there is no answer, confidence on wrong ones, unknown (left out) where the turn failed or a
wrong answer has no confidence. Positive with flat accuracy is the claim that errors are amplified.
"""

from __future__ import annotations

import polars as pl

from debate.analysis.controls import IS_CONTROL, NO_CONTROL, Controls
from debate.analysis.entrenchment import Point, control_point
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.states import num_questions
from debate.analysis.sums import Sums, grouped_sums

METHOD = "change of confident-error mass since round 0, clustered by question"
COLUMNS = (
    "cell", "round", "question_code", "outcome", "confidence", "answer", "correct",
    "opening_outcome", "opening_confidence", "opening_answer",
)  # fmt: skip
PARTS = ("kept", "moved", "introduced", "removed")


def error_mass(prefix: str = "") -> pl.Expr:
    """Confident-error mass of the state whose columns start with `prefix`."""
    outcome, confidence = pl.col(f"{prefix}outcome"), pl.col(f"{prefix}confidence")
    return (
        pl.when(outcome == "wrong")
        .then(confidence)
        .when(outcome.is_in(["correct", "abstained", "tied", "cut"]))
        .then(pl.lit(0.0))
    )


def with_mass_change(states: pl.DataFrame) -> pl.DataFrame:
    """The rows after round 0 whose mass is known then and at the opening, with `change`, `part`.

    part: how the change came about. kept: the same error; moved: another error; introduced: right
    or abstaining before; removed: not wrong any more (none: never wrong, no change).
    """
    was, now = pl.col("opening_outcome") == "wrong", pl.col("outcome") == "wrong"
    same = pl.col("answer") == pl.col("opening_answer")
    part = (
        pl.when(was & now & same).then(pl.lit("kept"))
        .when(was & now).then(pl.lit("moved"))
        .when(now).then(pl.lit("introduced"))
        .when(was).then(pl.lit("removed"))
        .otherwise(pl.lit("none"))
    )  # fmt: skip
    later = states.lazy().filter(pl.col("round") > 0).select(*COLUMNS)
    changed = later.with_columns(change=error_mass() - error_mass("opening_"), part=part)
    return changed.filter(pl.col("change").is_not_null()).collect()


def amplification(states: pl.DataFrame, controls: Controls) -> list[Estimate]:
    """`eai`, its four parts (which add up to it), `eai_over_control` and `accuracy_change`."""
    num = num_questions(states)
    rows = with_mass_change(states)
    right = pl.col("correct").cast(pl.Float64) - (pl.col("opening_outcome") == "correct")
    parts = [pl.when(pl.col("part") == p).then("change").otherwise(0.0).alias(p) for p in PARTS]
    rows = rows.with_columns(*parts, accuracy_change=right)
    columns = {
        "change": "eai",
        **{p: f"eai_{p}" for p in PARTS},
        "accuracy_change": "accuracy_change",
    }
    found = grouped_sums(rows, ["cell", "round"], list(columns), num)
    estimates = [
        _estimate(name, Point(*point), sums[column])
        for column, name in columns.items()
        for point, sums in found.items()
    ]
    whole = {Point(*point): sums["change"] for point, sums in found.items()}
    return estimates + [_over_control(point, whole, controls) for point in whole]


def _estimate(name: str, point: Point, sums: Sums, missing: str | None = None) -> Estimate:
    return from_interval(
        name, sums.mean(), n=sums.n, cell=point.cell, round=point.round, unit="probability",
        method=METHOD, missing=missing,
    )  # fmt: skip


def _over_control(point: Point, whole: dict[Point, Sums], controls: Controls) -> Estimate:
    control = controls.resampling.get(point.cell)
    match = control_point(point, control, whole) if control else None
    if match is None:
        is_control = point.cell in controls.resampling.values()
        lacking = IS_CONTROL if is_control else NO_CONTROL
        return _estimate("eai_over_control", point, whole[point], missing=lacking)
    caveats = () if match.round == point.round else (f"control taken at its round {match.round}",)
    return from_interval(
        "eai_over_control", whole[point].minus(whole[match]), n=whole[point].n, cell=point.cell,
        round=point.round, unit="probability", method=METHOD, caveats=caveats,
    )  # fmt: skip
