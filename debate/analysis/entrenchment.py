"""Entrenchment: does confidence in an error grow while the error stays the same?

Mean confidence of the currently wrong, round by round, is no evidence: unsure errors are revised
first, sure ones survive, and the mean rises although nothing changed in any item. So the cohort is
fixed (wrong in round 0 and the same answer in round t) and mere resampling is taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.controls import IS_CONTROL, NO_CONTROL, Controls
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import Interval
from debate.analysis.scores import logit
from debate.analysis.states import num_questions
from debate.analysis.sums import Sums, grouped_sums

LOGIT_FLOOR = 1e-3
"""Confidences nearer to 0 or 1 than this are moved to it: stated 0 % and 100 % have no logit."""
METHOD = "fixed cohort, mean change of logit, clustered by question"
NO_CONFIDENCE = "a confidence on both rounds of an error that was kept"


class Point(NamedTuple):
    """One cell after one round."""

    cell: str
    round: int


def kept_answers(states: pl.DataFrame, opening_outcome: str) -> pl.DataFrame:
    """The rows after round 0 whose answer is still the opening one, with `change` of logit."""
    rows = states.filter(
        (pl.col("round") > 0)
        & (pl.col("opening_outcome") == opening_outcome)
        & (pl.col("answer") == pl.col("opening_answer"))
        & pl.col("confidence").is_not_null()
        & pl.col("opening_confidence").is_not_null()
    )
    now, then = (rows[c].to_numpy() for c in ("confidence", "opening_confidence"))
    change = logit(now, floor=LOGIT_FLOOR) - logit(then, floor=LOGIT_FLOOR)
    return rows.with_columns(change=pl.Series(np.asarray(change)))


def sums_by_point(rows: pl.DataFrame, column: str, num: int) -> dict[Point, Sums]:
    """Per-question sums of `column` for every cell and round among the rows."""
    found = grouped_sums(rows, ["cell", "round"], [column], num)
    return {Point(*point): sums[column] for point, sums in found.items()}


def entrenchment(states: pl.DataFrame, controls: Controls) -> list[Estimate]:
    """Change of logit confidence on kept errors, minus the same in the control, by cell and round.

    `entrenchment_alone` is the first term. Without a control, `entrenchment` repeats it
    and says so. `change_when_right` is the same on kept right answers: a rise of both is general.
    """
    num = num_questions(states)
    wrong = sums_by_point(kept_answers(states, "wrong"), "change", num)
    right = sums_by_point(kept_answers(states, "correct"), "change", num)
    estimates: list[Estimate] = []
    for point in _points(states):
        alone = wrong.get(point)
        estimates.append(_estimate("entrenchment_alone", point, alone))
        estimates.append(_controlled(point, wrong, controls))
        estimates.append(_estimate("change_when_right", point, right.get(point)))
    return estimates


def _points(states: pl.DataFrame) -> list[Point]:
    later = (
        states.filter(pl.col("round") > 0).select("cell", "round").unique().sort("cell", "round")
    )
    return [Point(cell, round_) for cell, round_ in later.iter_rows()]


def _estimate(
    name: str, point: Point, sums: Sums | None, *, missing: str | None = None
) -> Estimate:
    interval = sums.mean() if sums else Interval(None, None, None, None, 0)
    lacking = missing or (None if sums else NO_CONFIDENCE)
    return _described(name, point, interval, n=sums.n if sums else 0, missing=lacking)


def _described(
    name: str, point: Point, interval: Interval, *, n: int, missing: str | None,
    caveats: tuple[str, ...] = (),
) -> Estimate:  # fmt: skip
    return from_interval(
        name, interval, n=n, cell=point.cell, round=point.round, unit="logit", method=METHOD,
        missing=missing, caveats=caveats,
    )  # fmt: skip


def _controlled(point: Point, wrong: Mapping[Point, Sums], controls: Controls) -> Estimate:
    alone, control = wrong.get(point), controls.resampling.get(point.cell)
    if point.cell in controls.resampling.values():
        return _estimate("entrenchment", point, alone, missing=IS_CONTROL)
    if control is None:
        return _estimate("entrenchment", point, alone, missing=NO_CONTROL)
    match = control_point(point, control, wrong)
    if alone is None or match is None:
        lacking = NO_CONFIDENCE if alone is None else f'kept errors in the control arm "{control}"'
        return _estimate("entrenchment", point, alone, missing=lacking)
    caveats = () if match.round == point.round else (f"control taken at its round {match.round}",)
    return _described(
        "entrenchment", point, alone.minus(wrong[match]), n=alone.n, missing=None, caveats=caveats
    )


def control_point(point: Point, control: str, among: Mapping[Point, Sums]) -> Point | None:
    """The control's state at the same round, or at its last one before that."""
    rounds = [p.round for p in among if p.cell == control and p.round <= point.round]
    return Point(control, max(rounds)) if rounds else None


def confidence_when_wrong(states: pl.DataFrame) -> list[Estimate]:
    """Mean confidence of the currently wrong by cell and round, with the caveat that it needs."""
    rows = states.filter((pl.col("outcome") == "wrong") & pl.col("confidence").is_not_null())
    caveat = "the cohort changes from round to round: a rise is no evidence of amplification"
    return [
        from_interval(
            "confidence_when_wrong", sums.mean().within(0.0, 1.0), n=sums.n, cell=point.cell,
            round=point.round, unit="probability", method="mean over the currently wrong",
            caveats=(caveat,),
        )
        for point, sums in sums_by_point(rows, "confidence", num_questions(states)).items()
    ]  # fmt: skip
