"""Intervals clustered by question."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS

from debate.analysis.intervals import (
    Interval,
    apply_delta_method,
    compute_clustered_mean,
    compute_design_effect,
    compute_rate,
    compute_ratio,
    compute_ratio_difference,
    get_t_quantile,
    join_bounds,
    map_inside_unit,
    pool_design_effects,
)


def test_the_clustered_mean_has_the_standard_error_of_a_clustered_regression() -> None:
    rng = np.random.default_rng(1)
    clusters = rng.integers(0, 40, size=300)
    values = rng.normal(size=300) + rng.normal(size=40)[clusters]
    fit = OLS(values, np.ones(300)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    ours = compute_clustered_mean(values, clusters)
    assert ours.value == pytest.approx(fit.params[0])
    assert ours.se == pytest.approx(fit.bse[0])


def test_agents_that_only_repeat_each_other_add_no_precision() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=50)
    once = compute_clustered_mean(values, np.arange(50))
    thrice = compute_clustered_mean(np.repeat(values, 3), np.repeat(np.arange(50), 3))
    assert thrice.se == pytest.approx(once.se)


def test_one_question_gives_a_value_without_an_interval() -> None:
    found = compute_clustered_mean(np.array([0.0, 1.0]), np.array([7, 7]))
    assert (found.value, found.low, found.high, found.num_questions) == (0.5, None, None, 1)


def test_no_rows_give_no_value() -> None:
    assert compute_clustered_mean(np.zeros(0), np.zeros(0, dtype=np.int64)).value is None


def test_the_ratio_of_sums_is_the_mean_of_rows() -> None:
    rng = np.random.default_rng(3)
    clusters = np.sort(rng.integers(0, 30, size=200))
    values = rng.random(200)
    sums, counts = np.bincount(clusters, values, 30), np.bincount(clusters, minlength=30)
    assert compute_ratio(sums.astype(float), counts.astype(float)) == pytest.approx(
        compute_clustered_mean(values, clusters)
    )


def test_the_delta_method_gives_the_interval_of_a_ratio() -> None:
    rng = np.random.default_rng(4)
    sums = np.stack([rng.random(60) * 3, rng.integers(1, 5, 60)], axis=1).astype(float)
    by_delta = apply_delta_method(sums, lambda t: t[..., 0] / t[..., 1])
    assert by_delta[:4] == pytest.approx(compute_ratio(sums[:, 0], sums[:, 1])[:4], rel=1e-6)


def test_a_difference_pairs_questions_so_that_shared_difficulty_cancels() -> None:
    rng = np.random.default_rng(5)
    difficulty, noise = rng.normal(size=100) * 5, rng.normal(size=100)
    ones = np.ones(100)
    found = compute_ratio_difference(difficulty + noise, ones, difficulty, ones)
    assert found.se == pytest.approx(noise.std(ddof=1) / 10)


@pytest.mark.parametrize("constant", [0.9, 0.1 + 0.2, 0.0, 1.0])
def test_a_mean_of_equal_values_has_no_interval_and_says_why(constant: float) -> None:
    found = compute_clustered_mean(np.full(30, constant), np.arange(30))
    assert found.value == pytest.approx(constant)
    assert (found.low, found.high, found.se) == (None, None, None)
    assert found.reason == "no variation"


def test_a_difference_against_an_empty_arm_is_unknown() -> None:
    assert compute_ratio_difference(np.ones(3), np.ones(3), np.zeros(3), np.zeros(3)).value is None


def test_a_rate_of_one_takes_each_cluster_for_one_observation() -> None:
    found = compute_rate(np.full(10, 15.0), np.full(10, 15.0))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)


def test_one_row_a_cluster_is_wilsons_interval() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for successes, n in ((0, 15), (15, 15), (12, 30), (60, 100), (130, 400)):
        outcomes = np.array([1.0] * successes + [0.0] * (n - successes))
        low, high = proportion_confint(successes, n, method="wilson")
        found = compute_rate(outcomes, np.ones(n))
        assert (found.low, found.high) == pytest.approx((low, high))


def test_next_to_one_the_upper_end_is_the_exact_bound_not_wilsons() -> None:
    """29 of 30 right: a true .995 gives this or better in 99 %, and Wilson's .9941 excludes it."""
    found = compute_rate(np.array([1.0] * 29 + [0.0]), np.ones(30))
    assert found.high == pytest.approx((1 - 0.075) ** (1 / 30))


@pytest.mark.parametrize("together", [True, False])
def test_the_interval_of_a_rate_is_continuous_up_to_one(together: bool) -> None:
    """From 135 to 150 of 150 in ten clusters: no step of an end is a jump."""
    ends = []
    for wrong in range(16):
        successes = np.full(10, 15.0)
        if together:
            successes[0] -= wrong
        else:
            successes -= np.bincount(np.arange(wrong) % 10, minlength=10)
        found = compute_rate(successes, np.full(10, 15.0))
        ends.append((found.low, found.high))
    assert np.abs(np.diff(np.array(ends, dtype=float), axis=0)).max() < 0.085


def test_the_design_effect_is_the_clustered_variance_over_the_binomial_one() -> None:
    rng = np.random.default_rng(7)
    counts = rng.integers(1, 9, size=80).astype(float)
    successes = rng.binomial(counts.astype(int), rng.beta(2, 2, size=80)).astype(float)
    rows = np.concatenate([np.arange(n) < k for k, n in zip(successes, counts, strict=True)])
    clusters = np.repeat(np.arange(80), counts.astype(int))
    fit = OLS(rows.astype(float), np.ones(len(rows))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}
    )
    p = rows.mean()
    expected = fit.bse[0] ** 2 * len(rows) / (p * (1 - p))
    assert compute_design_effect(successes, counts) == pytest.approx(expected)


def test_the_design_effect_is_absent_where_nothing_varies() -> None:
    assert compute_design_effect(np.full(5, 3.0), np.full(5, 3.0)) is None
    assert pool_design_effects([(np.full(5, 3.0), np.full(5, 3.0))]) is None


def test_a_pooled_design_effect_narrows_a_rate_of_one() -> None:
    all_right = (np.full(20, 5.0), np.full(20, 5.0))
    scattered = (np.where(np.arange(20) % 2, 4.0, 5.0), np.full(20, 5.0))
    pooled = pool_design_effects([all_right, scattered, scattered])
    assert pooled is not None
    assert 0 < pooled < 1
    alone, helped = compute_rate(*all_right), compute_rate(*all_right, pooled_design_effect=pooled)
    assert alone.low is not None
    assert helped.low is not None
    assert alone.low < helped.low < 1


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.floats(0, 1, allow_subnormal=False)),
        min_size=2,
        max_size=40,
    )
)
def test_a_rate_holds_its_value_inside_the_unit_interval_with_a_width(
    clusters: list[tuple[int, float]],
) -> None:
    counts = np.array([n for n, _ in clusters], dtype=float)
    found = compute_rate(np.array([share for _, share in clusters]) * counts, counts)
    assert None not in (found.value, found.low, found.high)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_an_interval_around_bounds_holds_both() -> None:
    lower = compute_clustered_mean(np.array([0.0, 0.1, 0.2]), np.arange(3))
    upper = compute_clustered_mean(np.array([0.3, 0.4, 0.5]), np.arange(3))
    found = join_bounds(lower, upper)
    assert (found.value, found.low, found.high) == (None, lower.low, upper.high)
    assert join_bounds(lower, lower).value == lower.value


def test_bounds_of_which_one_has_no_interval_have_none() -> None:
    constant = compute_clustered_mean(np.zeros(9), np.arange(9))
    found = join_bounds(constant, compute_clustered_mean(np.arange(9.0), np.arange(9)))
    assert (found.low, found.reason) == (None, "no variation")


def test_a_value_in_the_unit_interval_keeps_its_interval_inside() -> None:
    found = map_inside_unit(Interval(0.98, 0.90, 1.06, 0.03, 9))
    assert found.high is not None
    assert 0.98 < found.high < 1
    assert map_inside_unit(Interval(1.0, 1.0, 1.0, 0.0, 9)).reason == "no variation"


def test_few_questions_widen_the_interval() -> None:
    assert get_t_quantile(0.95, 4) == pytest.approx(2.776, abs=1e-3)
    assert get_t_quantile(0.95, 10_000) == pytest.approx(1.960, abs=1e-3)
