"""Conditions against their controls, after the same round: amplification and entrenchment.

Error amplification is held against mere resampling (`repeat`). Entrenchment is not: the prompt of
`repeat` is the opening's, so a probed belief is unchanged there and subtracts exactly 0. What
ownership adds is the difference from `restate` (the same answer, no speaker named), what the own
text adds that from `noise` (as much text) and from `sibling` (somebody else's).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import polars as pl

from debate.analysis.design import IS_CONTROL, NO_CONTROL, Controls
from debate.analysis.estimate import Estimate, estimate
from debate.analysis.measure import Measure
from debate.analysis.measures import Measures
from debate.analysis.members import LOGIT_FLOOR, logit
from debate.analysis.quantity import Missing, Quantity
from debate.analysis.sums import question_sums

OTHER_FLOORS = (1e-2, 1e-4)
_KEY = ["question", "seed", "agent"]
_ALL = (
    Measure(
        name="eai_over_control", words="error amplification over control", kind="contrast",
        is_signed=True, of_confidence=True,
        formula="error amplification − that of the resampling arm, paired by question",
    ),
    Measure(
        name="entrenchment_over_control", words="entrenchment over control (log-odds)", unit="nat",
        kind="contrast", is_signed=True,
        formula="entrenchment − that of the control named, over all who were wrong at round 0",
        lacking="the probe `belief` in both arms",
    ),
    Measure(
        name="kept_in_both", words="errors kept in both arms (logit confidence)", unit="logit",
        kind="mean", is_signed=True, of_confidence=True,
        formula="over errors that are still given in both arms: mean difference of the change of "
        "logit c since round 0, c clipped to [.001, .999]",
        lacking="errors kept in both arms, with a confidence",
    ),
)  # fmt: skip
CONTRASTS: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _ALL})
"""Measures that hold a condition against its control."""


def contrast_conditions(measures: Measures, controls: Controls) -> Iterator[Estimate]:
    """Each condition after each round against its controls; `subject` is "over <control>" where
    there may be several.
    """
    points = measures.states.select("cell", "round").unique().filter(pl.col("round") > 0)
    for cell, round_ in points.sort("cell", "round").iter_rows():
        yield _amplify(measures, controls, cell, round_)
        for control in controls.ownership.get(cell, ()):
            subject = f"over {control}"
            place = {"cell": cell, "round": round_, "subject": subject}
            found = _minus(measures, "entrenchment", cell, control, round_)
            yield estimate(CONTRASTS["entrenchment_over_control"], found, **place)
            if round_ == measures.last_round(cell):
                yield _keep_in_both(measures, cell, control, round_)


def _amplify(measures: Measures, controls: Controls, cell: str, round_: int) -> Estimate:
    control, measure = controls.resampling.get(cell), CONTRASTS["eai_over_control"]
    if control is not None:
        found = _minus(measures, "eai", cell, control, round_)
        return estimate(measure, found, cell=cell, round=round_)
    if cell in controls.resampling.values():
        return estimate(measure, Missing(IS_CONTROL), cell=cell, round=round_)
    made = estimate(measure, measures.find("eai", cell=cell, round=round_), cell=cell, round=round_)
    return made if made.missing else replace(made, missing=NO_CONTROL)


def _minus(
    measures: Measures, name: str, cell: str, control: str, round_: int
) -> Quantity | Missing:
    """The measure of the condition minus that of its control, after the control's same round."""
    own = measures.find(name, cell=cell, round=round_)
    other = measures.find(name, cell=control, round=_match(measures, control, round_))
    if isinstance(own, Missing):
        return own
    return other if isinstance(other, Missing) else own.minus(other)


def _match(measures: Measures, control: str, round_: int) -> int:
    """The control's same round, or its last one before that."""
    return min(round_, measures.last_round(control))


def _keep_in_both(measures: Measures, cell: str, control: str, round_: int) -> Estimate:
    """What the change of logit confidence differs by, over errors that both arms still give.

    The method tells what other floors of the logit would make of it.
    """
    own = _kept(measures, cell, round_)
    other = _kept(measures, control, _match(measures, control, round_))
    both = own.join(other, on=[*_KEY, "opening_answer"], suffix="_control")
    place = {"cell": cell, "round": round_, "subject": f"over {control}"}
    measure = CONTRASTS["kept_in_both"]
    if both.is_empty():
        return estimate(measure, Missing(measure.lacking), **place)
    found = {
        floor: question_sums(
            both.with_columns(gap=pl.col(f"{floor}") - pl.col(f"{floor}_control")),
            "gap",
            measures.num_questions,
        ).quantity("mean")
        for floor in (LOGIT_FLOOR, *OTHER_FLOORS)
    }
    made = estimate(measure, found[LOGIT_FLOOR], **place)
    told = "; ".join(f"with {floor:g}: {found[floor].value:+.3f}" for floor in OTHER_FLOORS)
    return replace(made, method=f"{made.method}; logit floor {LOGIT_FLOOR:g} ({told})")


def _kept(measures: Measures, cell: str, round_: int) -> pl.DataFrame:
    """The errors of round 0 that are still given after a round, with the change by floor."""
    rows = measures.select(cell, round_).filter(
        (pl.col("opening_outcome") == "wrong") & (pl.col("answer") == pl.col("opening_answer"))
    )
    changes = {
        f"{floor}": logit(pl.col("confidence"), floor=floor)
        - logit(pl.col("opening_confidence"), floor=floor)
        for floor in (LOGIT_FLOOR, *OTHER_FLOORS)
    }
    changed = rows.select(*_KEY, "opening_answer", "question_code", **changes)
    return changed.drop_nulls(f"{LOGIT_FLOOR}")
