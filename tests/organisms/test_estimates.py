"""Ratios clustered by question, and calibration, against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from debate.organisms.estimates import (
    Term,
    balanced,
    expected_calibration_error,
    ratio,
    wilson,
)


def test_one_observation_for_each_question_gives_the_usual_standard_error() -> None:
    found = ratio([Term(str(i), float(i < 30)) for i in range(100)])
    assert found is not None
    assert found.value == pytest.approx(0.3)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * (0.3 * 0.7 / 99) ** 0.5, rel=1e-3)


def test_repeating_every_observation_in_its_question_changes_nothing() -> None:
    once = [Term(str(i), float(i % 3 == 0)) for i in range(60)]
    first, second = ratio(once), ratio(once * 4)
    assert first is not None
    assert second == pytest.approx(first)


def test_nothing_observed_is_no_estimate() -> None:
    assert ratio([]) is None
    assert ratio([Term("a", 0.0, 0.0)]) is None
    assert balanced([Term("a", 1.0)], []) is None


def test_balanced_accuracy_weighs_both_kinds_of_claim_alike() -> None:
    rights = [Term(f"r{i}", 1.0) for i in range(90)]
    wrongs = [Term(f"w{i}", float(i < 5)) for i in range(10)]
    found = balanced(rights, wrongs)
    assert found is not None
    assert found.value == pytest.approx(0.75)
    assert found.low < 0.75 < found.high


def test_intervals_cover_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        ease = rng.beta(2, 2, size=80)
        terms = [
            Term(str(q), float(rng.random() < p)) for q, p in enumerate(ease) for _ in range(5)
        ]
        found = ratio(terms)
        assert found is not None
        covered += found.low <= 0.5 <= found.high
    assert 0.90 <= covered / 300 <= 0.98


def test_wilson_never_leaves_the_unit_interval() -> None:
    assert wilson(0, 20).low == 0.0
    assert wilson(20, 20).high == 1.0
    assert wilson(10, 20).low == pytest.approx(0.2993, abs=1e-4)


def test_calibration_error_is_zero_for_honest_confidence_and_the_gap_otherwise() -> None:
    assert expected_calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert expected_calibration_error([0.9, 0.9, 0.1], [False, False, False]) == pytest.approx(
        1.9 / 3
    )
