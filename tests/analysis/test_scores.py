"""Scores of confidence against libraries and against their definitions written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.optimize import brentq
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from debate.analysis.calibration import CALIBRATION, ScoredAnswers, measure_calibration
from debate.analysis.intervals import Codes, Interval, LinearStatistic
from debate.analysis.quantity import Quantity, Unavailable
from debate.analysis.scores import (
    bin_equal_mass,
    bin_equal_width,
    compute_ace,
    compute_aurc,
    compute_auroc,
    compute_calibrated_ece,
    compute_debiased_square,
    compute_ece,
    compute_ks,
    compute_reliability,
    compute_resolution,
    compute_smooth_ece,
    compute_uncertainty,
)

from .small import debates, measures_of, quantity

Floats = NDArray[np.float64]


def answers(seed: int, n: int = 400, digits: int | None = None) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    confidence = rng.beta(5, 2, n).clip(0.001, 0.999)
    confidence = confidence if digits is None else confidence.round(digits)
    return confidence, (rng.random(n) < confidence**1.5).astype(float)


def mean_score(name: str, confidence: Floats, correct: Floats) -> float:
    """A score of one agent's openings, one question for each answer."""
    rows = [
        (f"q{k}", "a", 0, "4" if right else "5", float(sure))
        for k, (sure, right) in enumerate(zip(confidence, correct, strict=True))
    ]
    return quantity(measures_of(debates(*rows)).find(name, cell="ring", round=0)).value


@pytest.mark.parametrize("seed", range(5))
def test_brier_nll_and_auroc_are_scikit_learns(seed: int) -> None:
    confidence, correct = answers(seed, digits=2)
    confidence = confidence.clip(0.01, 0.99)
    assert mean_score("brier", confidence, correct) == pytest.approx(
        brier_score_loss(correct, confidence), abs=1e-9
    )
    likelihood = mean_score("nll", confidence, correct)
    assert likelihood == pytest.approx(log_loss(correct, confidence))
    found = compute_auroc(confidence, correct)
    assert found is not None
    assert found.value == pytest.approx(roc_auc_score(correct, confidence))


def test_auroc_needs_both_right_and_wrong_answers() -> None:
    assert compute_auroc(np.array([0.2, 0.9]), np.array([1.0, 1.0])) is None


def test_brier_is_the_sum_of_murphys_parts_when_bins_hold_one_confidence() -> None:
    rng = np.random.default_rng(3)
    confidence = (rng.integers(0, 15, 600) + 0.5) / 15
    correct = (rng.random(600) < confidence).astype(float)
    parts = (
        compute_reliability(confidence, correct).value
        - compute_resolution(confidence, correct).value
    )
    whole = parts + compute_uncertainty(confidence, correct).value
    assert whole == pytest.approx(mean_score("brier", confidence, correct))


@pytest.mark.parametrize("seed", range(3))
def test_ece_is_the_weighted_gap_over_fifteen_bins(seed: int) -> None:
    confidence, correct = answers(seed)
    total = 0.0
    for k in range(15):
        inside = (confidence >= k / 15) & (confidence < (k + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    assert compute_ece(confidence, correct).value == pytest.approx(total)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_ece_is_torchmetrics(seed: int) -> None:
    functional = pytest.importorskip("torchmetrics.functional.classification")
    import torch

    confidence, correct = answers(seed)
    reference = functional.binary_calibration_error(
        torch.tensor(confidence), torch.tensor(correct, dtype=torch.int64), n_bins=15
    )
    assert compute_ece(confidence, correct).value == pytest.approx(float(reference), abs=1e-6)


def test_equal_mass_bins_hold_equal_numbers_and_keep_ties_together() -> None:
    confidence, _ = answers(4, n=1500)
    assert set(np.bincount(bin_equal_mass(confidence))) == {100}
    tied = np.repeat([0.8, 0.9, 1.0], 50)
    assert len(set(bin_equal_mass(tied)[:50])) == 1


def test_ace_is_the_mean_gap_over_bins_of_equal_mass() -> None:
    confidence, correct = answers(5, n=1500)
    order = np.argsort(confidence)
    gaps = (confidence - correct)[order].reshape(15, 100).mean(axis=1)
    assert compute_ace(confidence, correct).value == pytest.approx(np.abs(gaps).mean())


def test_the_debiased_square_takes_off_each_bins_binomial_variance() -> None:
    rng = np.random.default_rng(6)
    confidence = (rng.integers(5, 15, 500) + 0.5) / 15
    correct = (rng.random(500) < confidence - 0.1).astype(float)
    expected = 0.0
    for value in np.unique(confidence):
        right = correct[confidence == value]
        gap, noise = value - right.mean(), right.mean() * (1 - right.mean()) / (len(right) - 1)
        expected += len(right) / 500 * (gap**2 - noise)
    found = compute_debiased_square(confidence, correct, np.arange(500))
    assert found is not None
    assert found.value == pytest.approx(expected)


def test_debiasing_removes_what_small_samples_add_to_ece() -> None:
    plain, debiased = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        confidence = rng.uniform(0.2, 0.95, 150)
        correct = (rng.random(150) < confidence).astype(float)
        plain.append(compute_ece(confidence, correct).value)
        found = compute_debiased_square(confidence, correct, np.arange(150))
        assert found is not None
        debiased.append(found.value)
    assert np.mean(plain) > 0.06
    assert abs(np.mean(debiased)) < 0.003


def debiased_interval(confidence: Floats, correct: Floats, clusters: Codes) -> Interval:
    data = ScoredAnswers(confidence, correct, clusters)
    return quantity(measure_calibration("debiased_ece", data, int(clusters.max()) + 1)).interval()


def test_a_calibrated_agent_has_zero_within_its_debiased_interval() -> None:
    outside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        confidence = rng.uniform(0.2, 0.95, 300)
        correct = (rng.random(300) < confidence).astype(float)
        found = debiased_interval(confidence, correct, np.arange(300) // 3)
        outside += found.low is not None and found.low > 0
    assert outside <= 5


def test_bins_fed_by_one_question_have_no_debiased_error() -> None:
    alone = ScoredAnswers(np.array([0.1, 0.5]), np.array([0.0, 1.0]), np.array([0, 1]))
    found = measure_calibration("debiased_ece", alone, 2)
    assert found == Unavailable("bins that answers to two questions fall into")


def test_the_largest_running_gap_is_the_kolmogorov_distance() -> None:
    confidence, correct = answers(7, digits=1)
    sums = [(confidence - correct)[confidence <= t].sum() for t in np.unique(confidence)]
    expected = max(abs(s) for s in sums) / len(correct)
    assert compute_ks(confidence, correct).value == pytest.approx(expected)


@pytest.mark.parametrize("digits", [None, 1])
def test_aurc_is_the_mean_error_among_answers_at_least_as_sure(digits: int | None) -> None:
    confidence, correct = answers(8, digits=digits)
    risks = [1 - correct[confidence >= t].mean() for t in confidence]
    assert compute_aurc(confidence, correct).value == pytest.approx(np.mean(risks))


def reflected_error(confidence: Floats, correct: Floats, sigma: float) -> float:
    grid = np.linspace(0, 1, 1001)
    density = np.zeros_like(grid)
    for shift in range(-6, 7, 2):
        for images in (confidence, -confidence):
            distance = grid[:, None] - (images + shift)[None, :]
            density += np.exp(-(distance**2) / (2 * sigma**2)) @ (confidence - correct)
    density /= sigma * math.sqrt(2 * math.pi) * len(correct)
    return float(trapezoid(np.abs(density), grid))


@pytest.mark.parametrize("seed", range(2))
def test_smooth_ece_is_the_fixed_point_of_the_reflected_kernel(seed: int) -> None:
    confidence, correct = answers(seed, n=60)
    sigma = brentq(lambda s: reflected_error(confidence, correct, s) - s, 0.01, 1.0, xtol=1e-4)
    assert compute_smooth_ece(confidence, correct).value == pytest.approx(sigma, abs=1e-3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_smooth_ece_is_relplots(seed: int) -> None:
    relplot = pytest.importorskip("relplot")
    confidence, correct = answers(seed, n=2000)
    relplot.config.use_logit_scaling = False
    assert compute_smooth_ece(confidence, correct).value == pytest.approx(
        relplot.smECE(confidence, correct), abs=3e-3
    )


NO_DERIVATIVE = {"ace", "debiased_ece", "ece_if_calibrated"}
"""ACE: its bins move with the data, the influence holds them still. Debiased: its influence is that
of the biased square. ECE if calibrated: it is an expectation, given the confidences."""


def linear_score(name: str, confidence: Floats, correct: Floats) -> LinearStatistic:
    """A score with the influence of each row, every row a question of its own."""
    data = ScoredAnswers(confidence, correct, np.arange(len(correct)))
    found = measure_calibration(name, data, len(correct))
    assert isinstance(found, Quantity)
    return LinearStatistic(found.value, found.sums[:, 0])


@pytest.mark.parametrize("name", sorted(CALIBRATION.keys() - NO_DERIVATIVE))
def test_influence_is_the_derivative_by_a_rows_weight(name: str) -> None:
    confidence, correct = answers(9, n=300, digits=2)
    linear = linear_score(name, confidence, correct)
    assert linear.influence.sum() == pytest.approx(0.0, abs=1e-9)
    copies = 40
    many = np.repeat(confidence, copies), np.repeat(correct, copies)
    for row in (0, 57, 111, 299):
        nudged = linear_score(
            name, np.append(many[0], confidence[row]), np.append(many[1], correct[row])
        )
        before = linear_score(name, *many)
        slope = (nudged.value - before.value) * copies
        assert slope == pytest.approx(linear.influence[row], rel=0.05, abs=2e-5)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 5)), min_size=1, max_size=40)
)
@settings(max_examples=60, deadline=None)
def test_no_answers_make_a_score_that_is_no_number(
    rows: list[tuple[float, bool, int]],
) -> None:
    confidence, correct, clusters = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    data = ScoredAnswers(confidence, correct, clusters.astype(np.int64))
    for name in CALIBRATION:
        found = measure_calibration(name, data, 6)
        if isinstance(found, Quantity):
            assert all(x is None or math.isfinite(x) for x in found.interval()[:5]), name


def test_over_confidence_is_confidence_beyond_accuracy() -> None:
    assert mean_score(
        "over_confidence", np.array([0.9, 0.7]), np.array([1.0, 0.0])
    ) == pytest.approx(0.3)


@pytest.mark.parametrize("num", [20, 150, 4000])
def test_the_ece_of_a_calibrated_model_is_what_simulation_gives(num: int) -> None:
    rng = np.random.default_rng(8)
    confidence = rng.beta(5, 2, num)
    index = bin_equal_width(confidence)
    drawn = rng.random((2000, num)) < confidence
    gaps = (confidence - drawn) @ np.eye(15)[index]
    simulated = np.abs(gaps).sum(axis=1) / num
    error = simulated.std() / np.sqrt(2000)
    assert compute_calibrated_ece(confidence, index) == pytest.approx(
        simulated.mean(), abs=4 * error
    )


def test_the_ece_of_one_calibrated_answer_computed_by_hand() -> None:
    """Right with .8: the gap is .2 in .8 of the draws and .8 in .2 of them."""
    assert compute_calibrated_ece(np.array([0.8]), np.array([12])) == pytest.approx(0.32)


def test_rows_that_share_a_question_raise_the_ece_of_a_calibrated_model() -> None:
    confidence = np.full(900, 0.7)
    once = compute_calibrated_ece(confidence, np.zeros(900, int))
    shared = compute_calibrated_ece(confidence, np.zeros(900, int), design_effect=4.0)
    assert shared == pytest.approx(2 * once)
