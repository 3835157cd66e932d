"""Tests for paired comparisons against statsmodels."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import norm, permutation_test
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from debate.analysis import paired
from debate.analysis.intervals import compute_clustered_mean, compute_ratio
from debate.analysis.paired import (
    adjust_holm,
    compute_detectable_effect,
    compute_mcnemar_p,
    compute_paired_difference,
    compute_paired_p,
    compute_sign_flip_p,
    compute_tango_interval,
    compute_zero_p,
)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (3, 9), (12, 12), (0, 7), (40, 21)])
def test_mcnemar_is_the_exact_test(gained: int, lost: int) -> None:
    reference = mcnemar([[50, gained], [lost, 30]], exact=True)
    assert compute_mcnemar_p(gained, lost) == pytest.approx(reference.pvalue)


def test_holm_adjusts_as_statsmodels_does() -> None:
    p_values = np.random.default_rng(0).random(25) ** 3
    assert adjust_holm(list(p_values)) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_the_p_value_against_zero_is_the_paired_t_test() -> None:
    from scipy.stats import ttest_1samp

    change = np.random.default_rng(2).normal(0.02, 0.1, 60)
    interval = compute_clustered_mean(change, np.arange(60))
    assert compute_zero_p(interval) == pytest.approx(ttest_1samp(change, 0).pvalue)


@pytest.mark.parametrize(("gained", "lost"), [(3, 0), (8, 2), (12, 12), (0, 7), (40, 21)])
def test_sign_flips_of_single_pairs_are_mcnemars_test(gained: int, lost: int) -> None:
    differences = np.array([1.0] * gained + [-1.0] * lost + [0.0] * 30)
    reference = mcnemar([[50, gained], [lost, 30]], exact=True)
    assert compute_sign_flip_p(differences) == pytest.approx(reference.pvalue)


@pytest.mark.parametrize(("gained", "lost", "p"), [(3, 0, 0.25), (8, 2, 0.109375), (0, 0, 1.0)])
def test_sign_flips_computed_by_hand(gained: int, lost: int, p: float) -> None:
    assert compute_sign_flip_p(np.array([1.0] * gained + [-1.0] * lost)) == pytest.approx(p)


def _permuted(differences: np.ndarray) -> float:
    """The oracle: scipy's permutation test over all sign-flips."""
    found = permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    return float(found.pvalue)


@given(st.lists(st.integers(-6, 6), min_size=2, max_size=9))
def test_up_to_sixteen_clusters_all_flips_are_counted(differences: list[int]) -> None:
    values = np.array(differences, dtype=float)
    assert compute_sign_flip_p(values / 3) == pytest.approx(_permuted(values))


@given(st.lists(st.integers(-30, 30).map(lambda k: k / 10), min_size=2, max_size=12))
def test_sums_that_differ_by_rounding_are_ties(differences: list[float]) -> None:
    tenths = np.round(np.array(differences) * 10)
    assert compute_sign_flip_p(np.array(differences)) == pytest.approx(compute_sign_flip_p(tenths))


def test_drawn_flips_come_near_to_all_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    for values in (rng.normal(0.3, 1, 16), rng.integers(-4, 6, 16).astype(float)):
        exact = compute_sign_flip_p(values)
        monkeypatch.setattr(paired, "MOST_ENUMERATED", 0)
        assert compute_sign_flip_p(values) == pytest.approx(exact, abs=0.015)
        monkeypatch.setattr(paired, "MOST_SIZES", 0)
        assert compute_sign_flip_p(values) == pytest.approx(exact, abs=0.015)
        monkeypatch.undo()


def test_drawn_flips_are_the_same_for_the_same_seed() -> None:
    values = np.random.default_rng(4).normal(0.1, 1, 100)
    assert compute_sign_flip_p(values, seed=1) == compute_sign_flip_p(values, seed=1)
    assert compute_sign_flip_p(values, seed=1) > 1 / 20_001


def test_many_clusters_agree_with_the_normal_approximation() -> None:
    values = np.random.default_rng(5).normal(0.01, 1, 20_000)
    z = abs(values.sum()) / np.sqrt((values**2).sum())
    assert compute_sign_flip_p(values) == pytest.approx(2 * norm.sf(z), abs=0.03)


def _profile_statistic(gained: int, lost: int, n: int, difference: float) -> float:
    """Score statistic at `difference`, the chance of a loss fitted by numerical likelihood."""

    def surprise(loss: float) -> float:
        gain, same = loss + difference, 1 - 2 * loss - difference
        return -float(xlogy(gained, gain) + xlogy(lost, loss) + xlogy(n - gained - lost, same))

    least, most = max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    loss = minimize_scalar(surprise, bounds=(least, most), options={"xatol": 1e-13}).x
    variance = n * (2 * loss + difference - difference**2)
    return float((gained - lost - n * difference) / np.sqrt(variance))


@pytest.mark.parametrize(
    ("gained", "lost", "n"), [(8, 2, 50), (1, 0, 10), (5, 5, 10), (3, 9, 12), (40, 21, 300)]
)
def test_the_ends_of_tango_have_the_score_statistic_of_z(gained: int, lost: int, n: int) -> None:
    low, high = compute_tango_interval(gained, lost, n)
    assert _profile_statistic(gained, lost, n, low) == pytest.approx(1.959964, abs=2e-3)
    assert _profile_statistic(gained, lost, n, high) == pytest.approx(-1.959964, abs=2e-3)


@pytest.mark.parametrize("n", [1, 5, 73, 10_000])
@pytest.mark.parametrize("level", [0.95, 1 - 0.05 / 6])
def test_tango_without_a_change_is_z2_over_n_plus_z2(n: int, level: float) -> None:
    z2 = norm.ppf(0.5 + level / 2) ** 2
    assert compute_tango_interval(0, 0, n, level=level) == pytest.approx(
        (-z2 / (n + z2), z2 / (n + z2))
    )


def test_tango_refuses_a_table_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="7 gained and 5 lost of 10 pairs"):
        compute_tango_interval(7, 5, 10)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(*[st.integers(0, n)] * 2, st.just(n))))
def test_tango_holds_the_difference_and_mirrors(table: tuple[int, int, int]) -> None:
    gained, lost, n = table[0], min(table[1], table[2] - table[0]), table[2]
    low, high = compute_tango_interval(gained, lost, n)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert low < high
    assert compute_tango_interval(lost, gained, n) == pytest.approx((-high, -low))


clusters_of_pairs = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.0, 0.5, 1.0])),
    min_size=2,
    max_size=25,
)


@given(clusters_of_pairs)
def test_a_paired_difference_always_has_a_width(clusters: list[tuple[int, float]]) -> None:
    counts = np.array([float(n) for n, _ in clusters])
    interval = compute_paired_difference(np.array([d for _, d in clusters]) * counts, counts)
    assert interval.low is not None
    assert interval.high is not None
    assert -1 <= interval.low < interval.high <= 1
    assert interval.low <= interval.value <= interval.high


@given(clusters_of_pairs, st.sampled_from([0.95, 1 - 0.05 / 6]))
def test_zero_is_excluded_only_where_the_exact_test_rejects_it(
    clusters: list[tuple[int, float]], level: float
) -> None:
    counts = np.array([float(n) for n, _ in clusters])
    differences = np.array([d for _, d in clusters]) * counts
    low, high = compute_paired_difference(differences, counts, level=level)[1:3]
    assert low is not None
    assert high is not None
    assert compute_sign_flip_p(differences) <= 1 - level or low <= 0 <= high


def test_one_pair_a_cluster_is_tango() -> None:
    differences = np.array([1.0] * 20 + [-1.0] * 4 + [0.0] * 76)
    found = compute_paired_difference(differences, np.ones(100))
    assert found[1:3] == pytest.approx(compute_tango_interval(20, 4, 100))
    assert found.method == "Tango"


def test_five_of_five_gained_are_no_evidence_at_five_per_cent() -> None:
    found = compute_paired_difference(np.ones(5), np.ones(5))
    assert compute_paired_p(np.ones(5), np.ones(5)) == 0.0625
    assert found.low == 0.0


def test_many_varying_clusters_have_the_clustered_t_interval() -> None:
    rng = np.random.default_rng(6)
    counts = rng.integers(1, 5, 400).astype(float)
    differences = rng.normal(0.1, 0.3, 400) * counts
    found, plain = (
        compute_paired_difference(differences, counts),
        compute_ratio(differences, counts),
    )
    assert found[:4] == pytest.approx(plain[:4], rel=0.06)
    assert found.se >= plain.se


def test_clusters_that_all_keep_are_not_taken_for_certain() -> None:
    found = compute_paired_difference(np.zeros(10), np.full(10, 15.0))
    assert found.high == pytest.approx(2.262 / 11, abs=1e-3)
    assert compute_paired_p(np.zeros(10), np.full(10, 15.0)) == 1.0


def test_one_cluster_or_none_has_no_interval() -> None:
    assert compute_paired_difference(np.ones(1), np.ones(1)).reason == "fewer than two questions"
    assert compute_paired_difference(np.zeros(0), np.zeros(0)).value is None


Draw = Callable[[np.random.Generator, float], tuple[np.ndarray, np.ndarray]]
"""One study with a true difference: each cluster's summed difference, and its pairs."""


def draw_pairs(num: int, changing: float) -> Draw:
    """Single pairs of which a share changes, or as many as the difference needs."""

    def draw(rng: np.random.Generator, true: float) -> tuple[np.ndarray, np.ndarray]:
        gains = max((changing + true) / 2, true)
        chances = [gains, gains - true, 1 - 2 * gains + true]
        return rng.choice([1.0, -1.0, 0.0], num, p=chances), np.ones(num)

    return draw


def draw_means(num: int) -> Draw:
    """Clusters of three pairs whose differences are of all sizes."""
    return lambda rng, true: (3 * rng.normal(true, 0.1, num), np.full(num, 3.0))


STUDIES = [
    pytest.param(draw_pairs(60, 0.0), 0.95, id="pairs-of-which-none-changes"),
    pytest.param(draw_pairs(100, 0.2), 0.95, id="pairs"),
    pytest.param(draw_pairs(100, 0.5), 1 - 0.05 / 6, id="pairs-among-six-claims"),
    pytest.param(draw_means(10), 0.95, id="ten-clusters"),
]


@pytest.mark.parametrize(("draw", "level"), STUDIES)
def test_four_of_five_studies_show_the_detectable_difference(draw: Draw, level: float) -> None:
    rng = np.random.default_rng(5)
    pilots = [compute_paired_difference(*draw(rng, 0.0), level=level) for _ in range(40)]
    least = [compute_detectable_effect(pilot, level=level) or math.nan for pilot in pilots]
    halves = [max(p.value - p.low, p.high - p.value) for p in pilots]
    assert all(one > half for one, half in zip(least, halves, strict=True))
    true = float(np.sqrt(np.mean(np.square(least))))
    studies = [compute_paired_difference(*draw(rng, true), level=level) for _ in range(200)]
    assert 0.7 < sum(study.low > 0 for study in studies) / len(studies) < 0.92


def test_where_no_sign_flip_can_reject_no_difference_is_detectable() -> None:
    level = 1 - 0.05 / 6
    for num, is_possible in ((7, False), (8, True)):
        found = compute_paired_difference(np.linspace(-0.5, 0.7, num), np.ones(num), level=level)
        assert (compute_detectable_effect(found, level=level) is not None) == is_possible
