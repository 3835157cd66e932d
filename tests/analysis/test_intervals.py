"""Intervals clustered by question."""

import numpy as np
import pytest
import statsmodels.api as sm

from debate.analysis.intervals import (
    clustered_mean,
    delta,
    quantile_t,
    rate,
    ratio,
    ratio_difference,
)


def test_the_clustered_mean_has_the_standard_error_of_a_clustered_regression() -> None:
    rng = np.random.default_rng(1)
    clusters = rng.integers(0, 40, size=300)
    values = rng.normal(size=300) + rng.normal(size=40)[clusters]
    fit = sm.OLS(values, np.ones(300)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    ours = clustered_mean(values, clusters)
    assert ours.value == pytest.approx(fit.params[0])
    assert ours.se == pytest.approx(fit.bse[0])


def test_agents_that_only_repeat_each_other_add_no_precision() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=50)
    once = clustered_mean(values, np.arange(50))
    thrice = clustered_mean(np.repeat(values, 3), np.repeat(np.arange(50), 3))
    assert thrice.se == pytest.approx(once.se)


def test_one_question_gives_a_value_without_an_interval() -> None:
    found = clustered_mean(np.array([0.0, 1.0]), np.array([7, 7]))
    assert (found.value, found.low, found.high, found.num_questions) == (0.5, None, None, 1)


def test_no_rows_give_no_value() -> None:
    assert clustered_mean(np.zeros(0), np.zeros(0, dtype=np.int64)).value is None


def test_the_ratio_of_sums_is_the_mean_of_rows() -> None:
    rng = np.random.default_rng(3)
    clusters = np.sort(rng.integers(0, 30, size=200))
    values = rng.random(200)
    sums, counts = np.bincount(clusters, values, 30), np.bincount(clusters, minlength=30)
    assert ratio(sums.astype(float), counts.astype(float)) == pytest.approx(
        clustered_mean(values, clusters)
    )


def test_the_delta_method_gives_the_interval_of_a_ratio() -> None:
    rng = np.random.default_rng(4)
    sums = np.stack([rng.random(60) * 3, rng.integers(1, 5, 60)], axis=1).astype(float)
    by_delta = delta(sums, lambda t: t[..., 0] / t[..., 1])
    assert by_delta[:4] == pytest.approx(ratio(sums[:, 0], sums[:, 1])[:4], rel=1e-6)


def test_a_difference_pairs_questions_so_that_shared_difficulty_cancels() -> None:
    rng = np.random.default_rng(5)
    difficulty = rng.normal(size=100) * 5
    ones = np.ones(100)
    found = ratio_difference(difficulty + 1, ones, difficulty, ones)
    assert found.value == pytest.approx(1.0)
    assert found.se == pytest.approx(0.0, abs=1e-9)


def test_a_difference_against_an_empty_arm_is_unknown() -> None:
    assert ratio_difference(np.ones(3), np.ones(3), np.zeros(3), np.zeros(3)).value is None


def test_a_rate_of_zero_still_has_an_upper_bound() -> None:
    found = rate(np.zeros(20), np.full(20, 3.0))
    assert found.value == 0.0
    assert found.low == 0.0
    assert found.high is not None
    assert 0.05 < found.high < 0.3


def test_a_rate_of_independent_rows_has_wilsons_interval() -> None:
    from statsmodels.stats.proportion import proportion_confint

    outcomes = np.array([1.0] * 130 + [0.0] * 270)
    found = rate(outcomes, np.ones(400))
    low, high = proportion_confint(130, 400, method="wilson")
    assert found.low == pytest.approx(low, abs=0.002)
    assert found.high == pytest.approx(high, abs=0.002)


def test_few_questions_widen_the_interval() -> None:
    assert quantile_t(0.95, 4) == pytest.approx(2.776, abs=1e-3)
    assert quantile_t(0.95, 10_000) == pytest.approx(1.960, abs=1e-3)
