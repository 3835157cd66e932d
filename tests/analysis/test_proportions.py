"""Over-confidence, and how the errors of two agents go together."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import Table2x2

from debate.analysis.intervals import compute_clustered_mean, compute_rate, compute_ratio
from debate.analysis.paired import (
    compute_log_odds_ratio,
    compute_over_confidence,
    compute_phi_interval,
    compute_yules_q,
)


def _one_row_a_cluster(both: int, first: int, second: int, neither: int) -> np.ndarray:
    return np.repeat(np.eye(4), [both, first, second, neither], axis=0)


def test_a_constant_confidence_leaves_the_interval_of_accuracy() -> None:
    correct, ones = np.array([1.0] * 97 + [0.0] * 3), np.ones(100)
    found, accuracy = (
        compute_over_confidence(0.9 * ones, correct, ones),
        compute_rate(correct, ones),
    )
    assert found.value == pytest.approx(0.9 - 0.97)
    assert found.low == pytest.approx(0.9 - accuracy.high)
    assert found.high == pytest.approx(0.9 - accuracy.low)


def test_over_confidence_of_all_right_answers_has_a_width() -> None:
    ones = np.ones(30)
    found = compute_over_confidence(0.9 * ones, ones, ones)
    assert found.low == pytest.approx(-0.1)
    assert found.high is not None
    assert found.high > 0


def test_over_confidence_in_many_questions_is_near_the_clustered_t() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 6, 2000).astype(float)
    chance = rng.beta(4, 3, 2000)
    correct = rng.binomial(counts.astype(int), chance).astype(float)
    confidence = counts * np.clip(chance + rng.normal(0, 0.1, 2000), 0, 1)
    found, plain = (
        compute_over_confidence(confidence, correct, counts),
        compute_ratio(confidence - correct, counts),
    )
    assert found.value == pytest.approx(plain.value)
    assert found.low == pytest.approx(plain.low, abs=5e-4)
    assert found.high == pytest.approx(plain.high, abs=5e-4)


def test_over_confidence_of_nothing_is_absent() -> None:
    assert compute_over_confidence(np.zeros(3), np.zeros(3), np.zeros(3)).value is None


def test_confidence_that_follows_the_outcome_narrows_over_confidence() -> None:
    correct, ones = np.array([1.0, 0.0] * 100), np.ones(200)
    followed = compute_over_confidence(0.3 + 0.4 * correct, correct, ones)
    opposed = compute_over_confidence(0.7 - 0.4 * correct, correct, ones)
    widths = [i.high - i.low for i in (followed, opposed) if i.low is not None]
    assert widths[0] < widths[1] / 2


@pytest.mark.parametrize("table", [(40, 10, 12, 30), (20, 20, 20, 20), (90, 3, 4, 6)])
def test_the_log_odds_ratio_is_that_of_the_table_with_halves(table: tuple[int, ...]) -> None:
    added = np.array(table, dtype=float) + 0.5
    reference = Table2x2(added.reshape(2, 2))
    found = compute_log_odds_ratio(_one_row_a_cluster(*table))
    assert found.value == pytest.approx(reference.log_oddsratio)
    assert found.se == pytest.approx(reference.log_oddsratio_se, rel=0.01)


def test_agents_that_only_repeat_themselves_add_no_precision() -> None:
    once = _one_row_a_cluster(40, 10, 12, 30)
    assert compute_log_odds_ratio(5 * once).se == pytest.approx(
        compute_log_odds_ratio(once).se, rel=0.05
    )


def test_q_and_phi_computed_by_hand() -> None:
    cells = _one_row_a_cluster(40, 10, 12, 30)
    assert compute_yules_q(cells).value == pytest.approx((1200 - 120) / (1200 + 120))
    assert compute_phi_interval(cells).value == pytest.approx(
        (1200 - 120) / math.sqrt(50 * 42 * 52 * 40)
    )


def test_phi_is_the_correlation_of_correctness() -> None:
    cells = _one_row_a_cluster(31, 9, 14, 22)
    first, second = cells[:, 0] + cells[:, 1], cells[:, 0] + cells[:, 2]
    assert compute_phi_interval(cells).value == pytest.approx(np.corrcoef(first, second)[0, 1])


@pytest.mark.parametrize("table", [(21, 0, 0, 4), (90, 4, 30, 0), (60, 40, 3, 1)])
def test_fewer_than_five_errors_of_either_are_refused(table: tuple[int, ...]) -> None:
    for statistic in (compute_log_odds_ratio, compute_yules_q, compute_phi_interval):
        found = statistic(_one_row_a_cluster(*table))
        assert (found.value, found.low) == (None, None)
        assert found.reason == "fewer than 5 errors of one of the two"


def test_an_agent_that_is_never_right_has_no_phi() -> None:
    assert (
        compute_phi_interval(_one_row_a_cluster(0, 10, 0, 10)).reason
        == "one of the two is never right"
    )


@given(
    st.lists(
        st.tuples(*[st.integers(0, 3)] * 4).filter(lambda row: sum(row) > 0),
        min_size=8,
        max_size=60,
    )
)
def test_q_and_phi_stay_inside_minus_one_and_one(rows: list[tuple[int, ...]]) -> None:
    cells = np.array(rows, dtype=float)
    for found in (compute_yules_q(cells), compute_phi_interval(cells)):
        if found.value is None or found.low is None or found.high is None:
            assert found.reason
            continue
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert found.low < found.high


def test_over_confidence_of_one_question_is_a_value_alone() -> None:
    found = compute_over_confidence(np.array([1.8]), np.array([1.0]), np.array([2.0]))
    assert found.value == pytest.approx(
        compute_clustered_mean(np.array([0.4]), np.zeros(1, int)).value
    )
    assert found.low is None
