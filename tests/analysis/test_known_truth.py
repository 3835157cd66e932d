"""Estimators on populations whose truth is set."""

import numpy as np
import pytest

from debate.analysis.contrasts import contrast_conditions
from debate.analysis.design import choose_controls
from debate.analysis.states import build_states

from . import simulate
from .coverage import Case, cases, coverage
from .small import measures_of
from .small_samples import populations

SMALL = {name: Case(name=name, truths=truths, run=run) for name, truths, run in populations()}
CASES = {case.name: case for case in cases() if case.name not in SMALL}
SKEW = ("15 questions of 3, 0% flip", "both bounds")
"""At 15 questions the t-interval of a mean of mostly zeros falls short of 95 %."""


def test_survivors_look_amplified_to_the_naive_mean_and_to_nothing_else() -> None:
    states = build_states(simulate.survivors(np.random.default_rng(1), questions=500))
    measures = measures_of(states)
    found = list(measures.make_estimates())
    naive = [e for e in found if (e.cell, e.name) == ("self", "confidence_when_wrong")]
    assert naive[0].high is not None
    assert naive[-1].low is not None
    assert naive[-1].low > naive[0].high
    found += contrast_conditions(measures, choose_controls(["self", "repeat"]))
    last = {e.name: e for e in found if e.cell == "self" and e.round == 4 and e.subject is None}
    assert not last["survivor_change"].excludes(0.0)
    assert last["entrenchment_stated"].bound_low is not None
    assert last["entrenchment_stated"].bound_low < 0.0
    assert not last["eai_over_control"].excludes(0.0)
    assert last["eai"].high is not None
    assert last["eai"].high < 0


def test_set_amplification_is_found_with_its_size() -> None:
    states = build_states(simulate.amplified(np.random.default_rng(1), questions=400, share=0.3))
    estimates = measures_of(states).make_estimates()
    found = {e.name: e for e in estimates if e.round == 2 and e.subject is None}
    size = simulate.amplification_size(share=0.3)
    assert found["eai"].excludes(0.0)
    assert not found["eai"].excludes(size)
    assert found["eai_kept"].value == pytest.approx(found["eai"].value)
    assert found["accuracy_change"].value == 0.0


def test_calibration_of_an_over_confident_agent_is_found_by_every_estimator() -> None:
    table = simulate.miscalibrated(np.random.default_rng(2), questions=2000, excess=0.15)
    states = build_states(table)
    found = {e.name: e.value for e in measures_of(states).make_estimates() if e.subject is None}
    for name in ("ece", "ace", "debiased_ece", "ks", "over_confidence"):
        assert found[name] == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize(
    ("repeats", "least"), [(10, 0.7), pytest.param(40, 0.85, marks=pytest.mark.system)]
)
@pytest.mark.parametrize("name", sorted(CASES))
def test_intervals_cover_what_was_set(name: str, repeats: int, least: float) -> None:
    """Of 40 repeats, below 85 % would come by chance once in about 200 for a true 95 %; of 10,
    below 70 % once in about 1,000.
    """
    for row in coverage(CASES[name], repeats=repeats, seed=11):
        assert row.covered >= least, row


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_intervals_cover_what_was_set_in_ninety_five_percent(name: str) -> None:
    for row in coverage(CASES[name], repeats=1000, seed=0):
        assert 0.925 <= row.covered <= 0.975, row


@pytest.mark.parametrize("name", sorted(n for n in SMALL if not n.startswith(("100 ", "300 "))))
def test_intervals_of_small_samples_cover_what_was_set(name: str) -> None:
    """Forty repeats: below 80 % would come by chance about once in 1,000 for a true 93 %."""
    for row in coverage(SMALL[name], repeats=40, seed=11):
        assert row.covered >= 0.8, row


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_intervals_of_small_samples_cover_in_about_ninety_five_percent(name: str) -> None:
    for row in coverage(SMALL[name], repeats=1000, seed=0):
        assert row.covered + 2.5 * row.error >= 0.92 or (row.case, row.quantity) == SKEW, row


@pytest.mark.slow
def test_the_martingale_test_rejects_a_true_null_in_five_percent() -> None:
    case: Case = CASES["opinion, no drift"]
    (row,) = coverage(case, repeats=1000, seed=3)
    assert 0.03 <= row.excluded_zero <= 0.07
