"""Tests for paired comparisons against statsmodels."""

import math

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from debate.analysis.intervals import clustered_mean
from debate.analysis.paired import detectable_effect, holm, mcnemar_exact, tost, zero_p_value


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (3, 9), (12, 12), (0, 7), (40, 21)])
def test_mcnemar_is_the_exact_test(gained: int, lost: int) -> None:
    reference = mcnemar([[50, gained], [lost, 30]], exact=True)
    assert mcnemar_exact(gained, lost) == pytest.approx(reference.pvalue)


def test_holm_adjusts_as_statsmodels_does() -> None:
    p_values = np.random.default_rng(0).random(25) ** 3
    assert holm(list(p_values)) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_equivalence_is_two_one_sided_t_tests() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.01, 0.1, 80), rng.normal(0.0, 0.1, 80)
    interval = clustered_mean(first - second, np.arange(80))
    assert tost(interval, margin=0.04) == pytest.approx(ttost_paired(first, second, -0.04, 0.04)[0])


def test_the_p_value_against_zero_is_the_paired_t_test() -> None:
    from scipy.stats import ttest_1samp

    change = np.random.default_rng(2).normal(0.02, 0.1, 60)
    interval = clustered_mean(change, np.arange(60))
    assert zero_p_value(interval) == pytest.approx(ttest_1samp(change, 0).pvalue)


def test_identical_arms_are_equivalent_and_not_different() -> None:
    interval = clustered_mean(np.zeros(30), np.arange(30))
    assert tost(interval, margin=0.02) == 0.0
    assert zero_p_value(interval) == 1.0


@pytest.mark.parametrize(("pairs", "points"), [(500, 0.056), (2000, 0.028)])
def test_the_detectable_effect_at_discordance_a_fifth(pairs: int, points: float) -> None:
    assert detectable_effect(math.sqrt(0.2 / pairs)) == pytest.approx(points, abs=5e-4)
