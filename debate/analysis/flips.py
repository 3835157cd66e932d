"""Changes of answers: flips, whether another round would help, conformity and revisions.

"i" is a wrong answer, an abstention or a reply that was cut, "c" a correct one; failed turns take
no part. Error correction ECR = P(c | i), error introduction EIR = P(i | c). Iterating helps only
while ECR/EIR > Acc/(1 - Acc); accuracy tends to ECR/(ECR + EIR) (2604.22273).

A disagreement event is a turn of an agent with an answer of its own that heard at least one peer
with another answer (2510.07517). C is the share that adopts a peer's answer, O the share that
keeps its own. Identity bias is (C - O) with speaker names minus (C - O) without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from debate.analysis.design import Controls
from debate.analysis.intervals import Array, Interval, apply_delta_method, compute_rate, divide
from debate.analysis.quantity import SIGNED_UNIT, UNIT, Measure, Unavailable, define_share
from debate.analysis.schema import Estimate, from_interval, make_estimate
from debate.analysis.states import count_questions, select_transitions
from debate.analysis.sums import ClusterSums, build_group_matrices, sum_by_group
from debate.text import split_names

COUNTS = ["cc", "ci", "ic", "ii"]
COUNT_COLUMNS = [*COUNTS, "right_now", "now"]
_FLIP_COLUMNS = split_names(
    "cell round question_code carried outcome correct previous_outcome opening_outcome"
)
STEP_METHOD = "turns of consecutive rounds, clustered by question"
WHOLE_METHOD = "opening against last state, clustered by question"
_FLIP_SOURCE = "arXiv 2604.22273"
_FLIPS = (
    define_share(
        "error_correction_rate",
        "errors corrected (ECR)",
        "P(right now | not right before), over consecutive turns",
    ),
    define_share(
        "error_introduction_rate",
        "errors introduced (EIR)",
        "P(not right now | right before), over consecutive turns",
    ),
    define_share(
        "wrong_to_right", "wrong → right", "share of consecutive turns from not right to right"
    ),
    define_share(
        "right_to_wrong", "right → wrong", "share of consecutive turns from right to not right"
    ),
    define_share(
        "whole_wrong_to_right",
        "wrong → right",
        "share of openings that were not right and ended right",
    ),
    define_share(
        "whole_right_to_wrong",
        "right → wrong",
        "share of openings that were right and ended not right",
    ),
    Measure(
        "fixed_point",
        "accuracy it leads to",
        "ECR / (ECR + EIR): where further rounds at these rates lead",
        limits=UNIT,
        source=_FLIP_SOURCE,
    ),
    Measure(
        "next_round_gain",
        "gain of another round",
        "ECR·(1 − accuracy) − EIR·accuracy: iterate while it is above 0",
        is_signed=True,
        limits=SIGNED_UNIT,
        source=_FLIP_SOURCE,
    ),
)
FLIPS: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _FLIPS})
"""Measures of flips by name."""


def _compute_rates(totals: Array) -> tuple[Array, Array]:
    cc, ci, ic, ii = np.moveaxis(totals[..., :4], -1, 0)
    return divide(ic, ic + ii), divide(ci, cc + ci)


def compute_fixed_point(totals: Array) -> Array:
    """The accuracy to which further rounds at these rates lead."""
    correction, introduction = _compute_rates(totals)
    return divide(correction, correction + introduction)


def compute_next_gain(totals: Array) -> Array:
    """Expected change of accuracy by one more round at these rates; positive: iterate."""
    correction, introduction = _compute_rates(totals)
    accuracy = divide(totals[..., 4], totals[..., 5])
    return correction * (1 - accuracy) - introduction * accuracy


STATISTICS: Mapping[str, Callable[[Array], Array]] = {
    "fixed_point": compute_fixed_point,
    "next_round_gain": compute_next_gain,
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


def estimate_flips(states: pl.DataFrame) -> list[Estimate]:
    """Rates, joint fractions, fixed point and gain by cell: for each step, pooled (`round` None).

    `whole_wrong_to_right` and `whole_right_to_wrong` take opening to last state in one step.
    The gain is taken at the accuracy after the step, or after the last one.
    """
    states = states.select(*_FLIP_COLUMNS)
    steps = _count_flips(select_transitions(states), "previous_outcome")
    by_step = steps.with_columns(right_now=pl.col("correct"), now=pl.lit(True))
    ends = _count_flips(_select_last_states(states), "opening_outcome")
    whole = ends.filter(pl.col("opening_outcome") != "failed")
    pooled = pl.concat([_pool_steps(steps), _count_at_end(ends)])
    found: list[Estimate] = []
    for (cell, round_), sums in build_group_matrices(
        by_step, ["cell", "round"], COUNT_COLUMNS
    ).items():
        found += _estimate_steps(sums, cell=cell, round_=round_)
    for (cell,), sums in build_group_matrices(pooled, ["cell"], COUNT_COLUMNS).items():
        found += _estimate_steps(sums, cell=cell, round_=None)
    for (cell,), sums in build_group_matrices(whole, ["cell"], COUNTS).items():
        found += _estimate_whole(sums, cell=cell)
    return found


def _count_flips(rows: pl.DataFrame, before: str) -> pl.DataFrame:
    was, now = pl.col(before) == "correct", pl.col("correct")
    counts = {"cc": was & now, "ci": was & ~now, "ic": ~was & now, "ii": ~was & ~now}
    return rows.select("cell", "round", "question_code", "correct", before, **counts)


def _select_last_states(states: pl.DataFrame) -> pl.DataFrame:
    last = pl.col("round") == pl.col("round").max().over("cell")
    return states.filter(last & (pl.col("round") > 0) & (pl.col("outcome") != "failed"))


def _pool_steps(steps: pl.DataFrame) -> pl.DataFrame:
    no = pl.lit(False)
    return steps.select("cell", "question_code", *COUNTS, right_now=no, now=no)


def _count_at_end(ends: pl.DataFrame) -> pl.DataFrame:
    nothing = {name: pl.lit(False) for name in COUNTS}
    return ends.select(
        "cell", "question_code", **nothing, right_now=pl.col("correct"), now=pl.lit(True)
    )


def _compute_proportions(
    sums: Array, named: Mapping[str, tuple[list[int], list[int]]]
) -> dict[str, tuple[Interval, int]]:
    return {
        name: (
            compute_rate(sums[:, part].sum(axis=1), sums[:, whole].sum(axis=1)),
            int(sums[:, whole].sum()),
        )
        for name, (part, whole) in named.items()
    }


def _estimate_steps(sums: Array, *, cell: str, round_: int | None) -> list[Estimate]:
    found = _compute_proportions(sums, {**RATES, **JOINT})
    n = int(sums[:, :4].sum())
    found |= {
        name: (apply_delta_method(sums, statistic).within(LEAST[name], 1.0), n)
        for name, statistic in STATISTICS.items()
    }
    return [
        from_interval(
            name,
            interval,
            n=size,
            cell=cell,
            round=round_,
            unit="probability",
            method=STEP_METHOD,
            missing=None if interval.value is not None else "right and wrong states to leave",
        )
        for name, (interval, size) in found.items()
    ]


def _estimate_whole(sums: Array, *, cell: str) -> list[Estimate]:
    found = _compute_proportions(sums, JOINT)
    return [
        from_interval(
            f"whole_{name}",
            interval,
            n=size,
            cell=cell,
            unit="probability",
            method=WHOLE_METHOD,
            missing=None if size else "openings and last states that completed",
        )
        for name, (interval, size) in found.items()
    ]


def advise(low: float | None, high: float | None) -> str:
    """Read the interval of `next_round_gain` as advice: iterate, stop, or undecided.

    >>> advise(-0.2, -0.05)
    'stop'
    """
    if low is not None and low > 0:
        return "iterate"
    if high is not None and high < 0:
        return "stop"
    return "undecided"


def tabulate_flow(states: pl.DataFrame) -> pl.DataFrame:
    """Count agents by outcome before and after in every round, carried states included."""
    told = ("cell", "round", "previous_outcome", "outcome", "answer", "previous_answer")
    known = states.select(*told).filter(pl.col("previous_outcome").is_not_null())
    same = (pl.col("answer") == pl.col("previous_answer")).fill_null(True)
    grouped = known.group_by(
        "cell", "round", source="previous_outcome", destination="outcome", same_answer=same
    )
    return grouped.agg(count=pl.len()).sort("cell", "round", "source", "destination", "same_answer")


_CONFORMITY_SOURCE = "arXiv 2510.07517"
NO_EVENTS = "disagreement between an agent and what it heard (column heard)"
_HEARING = (
    define_share(
        "conformity",
        "conformity (adopts)",
        "share of disagreement events in which a peer's answer is adopted",
        source=_CONFORMITY_SOURCE,
        lacking=NO_EVENTS,
    ),
    define_share(
        "obstinacy",
        "obstinacy (keeps)",
        "share of disagreement events in which the own answer is kept",
        source=_CONFORMITY_SOURCE,
        lacking=NO_EVENTS,
    ),
    Measure(
        "identity_bias",
        "identity bias",
        "(conformity − obstinacy) with speakers named − the same with anonymous speakers",
        kind="contrast",
        is_signed=True,
        source=_CONFORMITY_SOURCE,
        lacking=NO_EVENTS,
    ),
    define_share(
        "harmful_revision",
        "harmful revision",
        "P(wrong at t | right at 0, has heard a wrong peer)",
        source=_CONFORMITY_SOURCE,
        lacking=NO_EVENTS,
    ),
    define_share(
        "beneficial_revision",
        "beneficial revision",
        "P(right at t | wrong at 0, has heard a right peer)",
        source=_CONFORMITY_SOURCE,
        lacking=NO_EVENTS,
    ),
)
HEARING: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _HEARING})
"""Measures of what is done with what was heard."""


def estimate_conformity(
    states: pl.DataFrame, events: pl.DataFrame, controls: Controls
) -> list[Estimate]:
    """`conformity`, `obstinacy` and `identity_bias` of each cell over its `find_disagreements`."""
    num = count_questions(states)
    summed = sum_by_group(events, ["cell"], ["adopted", "kept", "lean"], num)
    by_cell = {cell: sums for (cell,), sums in summed.items()}
    leans = {cell: sums["lean"] for cell, sums in by_cell.items()}
    estimates: list[Estimate] = []
    for cell in sorted(states["cell"].unique()):
        for name, column in (("conformity", "adopted"), ("obstinacy", "kept")):
            sums = by_cell[cell][column] if cell in by_cell else None
            estimates.append(_estimate_share(name, cell, sums))
        estimates.append(_estimate_identity_bias(cell, leans, controls))
    return estimates


def _estimate_share(name: str, cell: str, sums: ClusterSums | None) -> Estimate:
    found = Unavailable(NO_EVENTS) if sums is None else sums.quantity("proportion", limits=UNIT)
    return make_estimate(HEARING[name], found, cell=cell)


def _estimate_identity_bias(
    cell: str, leans: Mapping[str, ClusterSums], controls: Controls
) -> Estimate:
    twin, measure = controls.anonymous.get(cell), HEARING["identity_bias"]
    if twin is None:
        return make_estimate(
            measure, Unavailable("the same arm with anonymous speakers"), cell=cell
        )
    if cell not in leans or twin not in leans:
        return make_estimate(measure, Unavailable(NO_EVENTS), cell=cell)
    gap = leans[cell].quantity(limits=SIGNED_UNIT).minus(leans[twin].quantity(limits=SIGNED_UNIT))
    return make_estimate(measure, gap, cell=cell)


def estimate_revisions(states: pl.DataFrame, seen: pl.DataFrame) -> list[Estimate]:
    """`harmful_revision` P(wrong_t | correct_0, saw wrong) and `beneficial_revision`, by round.

    `seen` is what `find_first_seen` gives.
    """
    harmful = _mark_revised(states, seen, before="correct", saw="wrong", after="wrong")
    beneficial = _mark_revised(states, seen, before="wrong", saw="correct", after="correct")
    return [
        *_estimate_by_round("harmful_revision", harmful, states),
        *_estimate_by_round("beneficial_revision", beneficial, states),
    ]


def _mark_revised(
    states: pl.DataFrame, seen: pl.DataFrame, *, before: str, saw: str, after: str
) -> pl.DataFrame:
    since = seen.filter(pl.col("saw") == saw)
    told = ("cell", "round", "question_code", "trajectory", "outcome", "opening_outcome")
    exposed = states.select(*told).filter(
        (pl.col("opening_outcome") == before) & (pl.col("outcome") != "failed")
    )
    at_risk = exposed.join(since, on="trajectory").filter(pl.col("round") >= pl.col("seen_in"))
    return at_risk.with_columns(revised=pl.col("outcome") == after)


def _estimate_by_round(name: str, rows: pl.DataFrame, states: pl.DataFrame) -> list[Estimate]:
    summed = sum_by_group(rows, ["cell", "round"], ["revised"], count_questions(states))
    found = [
        make_estimate(
            HEARING[name],
            sums["revised"].quantity("proportion", limits=UNIT),
            cell=cell,
            round=round_,
        )
        for (cell, round_), sums in summed.items()
    ]
    known = {cell for cell, _ in summed}
    lacking = sorted(set(states["cell"].unique()) - known)
    return found + [
        make_estimate(HEARING[name], Unavailable(NO_EVENTS), cell=cell) for cell in lacking
    ]
