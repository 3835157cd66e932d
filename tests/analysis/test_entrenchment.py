"""Belief in the own error, over all who opened wrong: by hand, under a null, and when it rises."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from debate.analysis.contrasts import contrast_conditions
from debate.analysis.design import choose_controls
from debate.analysis.hypotheses import Finding, conclude_hypotheses
from debate.analysis.states import build_states
from tests.experiments.frames import claim

from . import simulate
from .small import debates, measures_of, named, quantity, turns

LOGS = "log_p_own log_p_target"
PROBED = [
    ("q1", "a", 0, "5", 0.5, "", -1.0, -2.0),
    ("q1", "a", 1, "5", 0.5, "", -0.5, -3.0),
    ("q2", "a", 0, "6", 0.5, "", -1.0, -1.0),
    ("q2", "a", 1, "4", 0.5, "", -3.0, -0.2),
    ("q3", "a", 0, "4", 0.5, "", -0.1, -0.1),
    ("q3", "a", 1, "5", 0.5, "", -9.0, -9.0),
    ("q4", "a", 0, "5", 0.5, "", -1.0, -1.0),
    ("q4", "a", 1, None, None, "", -1.0, -1.5),
]
"""Log-odds of the opening answer: 1 → 2.5, 0 → -2.8, (right at round 0), 0 → .5."""


def test_entrenchment_is_the_change_of_log_odds_over_all_who_were_wrong_at_round_0() -> None:
    found = named(
        measures_of(debates(*PROBED, columns=LOGS)).make_estimates(), "entrenchment", round=1
    )
    assert found.n == 3
    assert found.value == pytest.approx((1.5 - 2.8 + 0.5) / 3)
    assert found.unit == "nat"


def test_beliefs_told_as_probabilities_give_the_same() -> None:
    rows = [(*row[:6], math.exp(row[6]), math.exp(row[7])) for row in PROBED]  # type: ignore[arg-type]
    states = debates(*rows, columns="belief_own belief_target")
    found = quantity(measures_of(states).find("entrenchment", cell="ring"))
    assert found.value == pytest.approx((1.5 - 2.8 + 0.5) / 3)


def test_who_was_right_at_round_0_is_told_apart() -> None:
    found = quantity(
        measures_of(debates(*PROBED, columns=LOGS)).find("change_when_right", cell="ring")
    )
    assert (found.n, found.value) == (1, pytest.approx(-8.9))


STATED = [
    ("q1", "a", 0, "5", 0.5),
    ("q1", "a", 1, "5", 0.8),
    ("q2", "a", 0, "5", 0.6),
    ("q2", "a", 1, "6", 0.9),
    ("q3", "a", 0, "5", 0.4),
    ("q3", "a", 1, None, None),
    ("q4", "a", 0, "5", 0.7),
    ("q4", "a", 1, "5", None),
    ("q5", "a", 0, "4", 0.9),
    ("q5", "a", 1, "5", 0.9),
]
"""Belief in the opening answer afterwards: .8; in [0, .1]; in [0, 1]; in [0, 1]; (right)."""


def test_stated_confidences_bound_entrenchment_and_give_no_value() -> None:
    measures = measures_of(debates(*STATED))
    found = quantity(measures.find("entrenchment_stated", cell="ring"))
    assert found.bounds is not None
    lower, upper = found.bounds
    assert (lower.n, upper.n) == (4, 4)
    assert lower.value == pytest.approx((0.3 - 0.6 - 0.4 - 0.7) / 4)
    assert upper.value == pytest.approx((0.3 - 0.5 + 0.6 + 0.3) / 4)
    told = named(measures.make_estimates(), "entrenchment_stated", round=1)
    assert (told.value, told.low, told.missing) == (None, None, None)
    assert told.bound_low is not None
    assert told.bound_low < lower.value
    assert told.bound_high is not None
    assert told.bound_high > upper.value


KEPT = [
    ("self", "q1", 0, "5", 0.5),
    ("self", "q1", 1, "5", 0.8),
    ("restate", "q1", 0, "5", 0.5),
    ("restate", "q1", 1, "5", 0.5),
    ("self", "q2", 0, "5", 0.5),
    ("self", "q2", 1, "5", 0.99),
    ("restate", "q2", 0, "5", 0.5),
    ("restate", "q2", 1, "6", 0.9),
    ("self", "q3", 0, "5", 0.5),
    ("self", "q3", 1, "5", 0.5),
    ("restate", "q3", 0, "5", 0.5),
    ("restate", "q3", 1, "5", 0.9),
    ("self", "q4", 0, "4", 0.5),
    ("self", "q4", 1, "4", 0.9),
    ("restate", "q4", 0, "4", 0.5),
    ("restate", "q4", 1, "4", 0.5),
    ("self", "q5", 0, "6", 0.5),
    ("self", "q5", 1, "6", 0.9),
    ("restate", "q5", 0, "5", 0.5),
    ("restate", "q5", 1, "5", 0.9),
]
"""Both arms keep the same error in q1 and q3 alone."""


def test_errors_kept_in_both_arms_are_compared_one_by_one() -> None:
    parts = [
        turns(
            *((q, "a", t, said, sure) for arm, q, t, said, sure in KEPT if arm == cell), cell=cell
        )
        for cell in ("self", "restate")
    ]
    measures = measures_of(build_states(pl.concat(parts)))
    found = list(contrast_conditions(measures, choose_controls(["self", "restate"])))
    kept = named(found, "kept_in_both", cell="self", subject="over restate")
    assert (kept.n, kept.num_questions) == (2, 2)
    assert kept.value == pytest.approx((math.log(4) - math.log(9)) / 2)
    assert "logit floor 0.001" in kept.method
    assert "0.01" in kept.method


def test_entrenchment_over_a_control_is_paired_by_question() -> None:
    own = turns(*PROBED, cell="self", columns=LOGS)
    other = own.with_columns(
        cell=pl.lit("restate"), log_p_own=pl.col("log_p_own") - 0.25 * pl.col("round")
    )
    measures = measures_of(build_states(pl.concat([own, other])))
    found = contrast_conditions(measures, choose_controls(["self", "restate"]))
    over = named(found, "entrenchment_over_control", subject="over restate", cell="self")
    assert over.value == pytest.approx(0.25)


NAMES = ("entrenchment", "entrenchment_stated", "survivor_change")


def verdicts(rise: float, seed: int, questions: int = 120) -> dict[str, Finding]:
    """What becomes of three claims that `self` entrenches more than its control."""
    rng = np.random.default_rng(seed)
    table = simulate.believers(rng, questions=questions, rise=rise, rounds=1, noise=0.5, drop=0.9)
    told = {name: claim(name, cell="self", control="repeat", smallest=0.1) for name in NAMES}
    found = conclude_hypotheses(told, measures_of(build_states(table)), [])
    return {finding.name: finding for finding in found}


def test_where_belief_does_not_move_entrenchment_is_not_supported() -> None:
    """The arms keep survivors of their own, so what compares survivors finds something."""
    found = [verdicts(0.0, seed) for seed in range(60)]
    by_name = {name: [each[name] for each in found] for name in NAMES}
    off_zero = [f for f in by_name["entrenchment"] if f.low is not None and f.low > 0]
    assert all(f.verdict != "not computed" for f in by_name["entrenchment"])
    assert len(off_zero) <= 4
    assert not [f for f in by_name["entrenchment"] if f.verdict == "supported"]
    assert {f.verdict for f in by_name["entrenchment_stated"]} == {"undecided"}
    survivors = [f.value for f in by_name["survivor_change"] if f.value is not None]
    assert np.mean(survivors) > 5 * np.std(survivors) / np.sqrt(60)


def test_where_belief_rises_by_half_a_nat_it_is_found() -> None:
    found = [verdicts(0.5, seed)["entrenchment"] for seed in range(20)]
    assert sum(f.verdict in ("supported", "supported in sign") for f in found) >= 18
    assert np.mean([f.value for f in found if f.value is not None]) == pytest.approx(0.5, abs=0.05)
