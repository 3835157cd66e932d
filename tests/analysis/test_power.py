"""Power by simulation, against what theory gives, and what seeds would do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from debate.analysis.intervals import Array
from debate.analysis.paired import compute_paired_difference
from debate.analysis.power import (
    MOST_DRAWN,
    compute_level,
    conclude,
    count_least_questions,
    find_least,
    measure_seed_share,
    scale_by_seeds,
    simulate_power,
)
from debate.analysis.quantity import Quantity, take_linear, take_quotient
from debate.config.run import HypothesisSpec


def _claim(**fields: Any) -> HypothesisSpec:
    told = {"statement": "So.", "estimate": "eai", "direction": "above", "smallest": 0.1}
    return HypothesisSpec(**{**told, **fields})


def _mean(values: Array, **about: Any) -> Quantity:
    sums = np.stack([values, np.ones(len(values))], axis=1)
    about = {"kind": "mean", **about}
    return Quantity(sums=sums, of=take_quotient, n=len(values), **about)


def _standard(num: int, mean: float) -> Array:
    """Values whose mean and standard deviation are exactly these."""
    values = np.random.default_rng(0).normal(size=num)
    return np.asarray((values - values.mean()) / values.std(ddof=1) + mean)


@pytest.mark.parametrize("level", [0.95, compute_level(6)])
def test_the_number_needed_is_that_of_the_normal_formula(level: float) -> None:
    """n = ((z_level + z_.8) / (effect - smallest))² at a standard deviation of 1."""
    found = simulate_power(_mean(_standard(50, 0.5)), _claim(), level=level, draws=800)
    wanted = ((ndtri(0.5 + level / 2) + ndtri(0.8)) / 0.4) ** 2
    assert found.needed.supported == pytest.approx(wanted, rel=0.15)
    in_sign = ((ndtri(0.5 + level / 2) + ndtri(0.8)) / 0.5) ** 2
    assert found.needed.in_sign == pytest.approx(in_sign, rel=0.15)


def test_the_shares_come_with_their_error_and_the_range_with_the_pilots_interval() -> None:
    found = simulate_power(_mean(_standard(60, 0.5)), _claim(), level=0.95, draws=300, at=[77])
    at = next(point for point in found.points if point.num_questions == 77)
    assert at.error == pytest.approx((at.power * (1 - at.power) / 300) ** 0.5)
    assert at.in_sign >= at.power
    needed = found.needed
    assert needed.at_best is not None
    assert needed.supported is not None
    assert needed.at_worst is not None
    assert needed.at_best < needed.supported < needed.at_worst
    low = found.pilot.low
    assert low is not None
    worst = ((ndtri(0.975) + ndtri(0.8)) / (low - 0.1)) ** 2
    assert needed.at_worst == pytest.approx(worst, rel=0.2)


def test_thousands_of_questions_are_simulated_by_fewer_to_the_same_end() -> None:
    """At the number that the formula gives, the power is .8 whether so many are drawn or not."""
    effect = 0.04
    wanted = round(((ndtri(0.975) + ndtri(0.8)) / (effect - 0.005)) ** 2)
    assert wanted > MOST_DRAWN
    pilot, claim = _mean(_standard(400, effect)), _claim(smallest=0.005)
    found = simulate_power(pilot, claim, level=0.95, at=[wanted, MOST_DRAWN])
    power = {point.num_questions: point.power for point in found.points}
    assert power[wanted] == pytest.approx(0.8, abs=0.06)
    least = (effect - 0.005) * MOST_DRAWN**0.5 - ndtri(0.975)
    assert power[MOST_DRAWN] == pytest.approx(float(ndtr(least)), abs=0.075)


def test_below_mirrors_above() -> None:
    values = _standard(60, 0.5)
    above = simulate_power(_mean(values), _claim(), level=0.95, draws=200)
    below = simulate_power(_mean(-values), _claim(direction="below"), level=0.95, draws=200)
    assert above.needed == below.needed


def test_an_effect_that_is_not_there_is_never_supported() -> None:
    found = simulate_power(_mean(_standard(20, 0.0)), _claim(), level=0.95, draws=200)
    assert found.needed.supported is None
    assert found.needed.in_sign is None
    assert found.needed.at_worst is None
    assert found.needed.at_best is not None


def test_equality_without_one_change_takes_as_many_as_tangos_interval_says() -> None:
    unchanged = _mean(np.zeros(40), kind="difference", limits=(-1.0, 1.0))
    claim = _claim(direction="equal", smallest=0.05)
    found = simulate_power(unchanged, claim, level=0.95, draws=20, at=[72, 73])
    assert found.needed.supported == count_least_questions(0.05, direction="equal") == 73


def test_equality_is_easiest_where_the_truth_may_be_the_reference() -> None:
    claim = _claim(direction="equal", smallest=0.3)
    found = simulate_power(_mean(_standard(50, 0.2)), claim, level=0.95, draws=200)
    assert found.needed.at_best is not None
    assert found.needed.supported is not None
    assert found.needed.at_best < found.needed.supported
    assert found.needed.at_worst is None


def test_a_seed_gives_the_same_numbers_again() -> None:
    quantity = _mean(_standard(30, 0.4))
    first, again, other = (
        simulate_power(quantity, _claim(), level=0.95, draws=100, seed=s) for s in (1, 1, 2)
    )
    assert first == again
    assert first.points != other.points


def test_bounds_are_simulated_as_bounds() -> None:
    values = _standard(60, 0.5)
    wide = _mean(values, bounds=(_mean(values - 0.2), _mean(values + 0.2)))
    plain = simulate_power(_mean(values), _claim(), level=0.95, draws=200).needed.supported
    bounded = simulate_power(wide, _claim(), level=0.95, draws=200).needed.supported
    assert plain is not None
    assert bounded is not None
    assert bounded > 2 * plain


@pytest.mark.parametrize("kind", ["linear", "root"])
def test_values_known_by_their_influence_move_as_their_error_says(kind: Any) -> None:
    rng, num = np.random.default_rng(3), 200
    influence = rng.normal(size=num) * 0.3 / num
    sums = np.stack([influence - influence.mean(), np.ones(num)], axis=1)
    own = Quantity(sums=sums, of=take_linear(0.5), n=num, kind=kind, at=0.5)
    drawn = [own.resample(rng.integers(0, num, size=4 * num)) for _ in range(400)]
    spread = float(np.std([each.value for each in drawn]))
    wanted = float(np.sqrt((own.influence() ** 2).sum())) / 2
    assert spread == pytest.approx(wanted, rel=0.15)
    low, high = drawn[0].interval()[1:3]
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.96 * wanted, rel=0.15)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_the_share_between_seeds_is_found(share: float) -> None:
    rng = np.random.default_rng(5)
    questions = np.repeat(np.arange(2000), 3)
    values = rng.normal(size=2000)[questions] * (1 - share) ** 0.5
    values += rng.normal(size=6000) * share**0.5
    found = measure_seed_share(values - values.mean(), questions)
    assert found == pytest.approx(share, abs=0.03)


def test_one_seed_tells_no_share() -> None:
    assert measure_seed_share(np.array([1.0, -1.0, 0.0]), np.arange(3)) is None
    assert measure_seed_share(np.zeros(4), np.array([0, 0, 1, 1])) is None


def test_seeds_save_questions_only_as_far_as_variance_lies_between_them() -> None:
    assert set(scale_by_seeds(200, 0.0, num_seeds=1).values()) == {200}
    half = scale_by_seeds(200, 0.5, num_seeds=2)
    assert half[2] == 200
    assert half[1] == 267
    assert list(half.values()) == sorted(half.values(), reverse=True)
    debates = [seeds * questions for seeds, questions in half.items()]
    assert debates == sorted(debates)


def test_the_target_is_reached_at_the_first_number_or_never() -> None:
    assert find_least([10, 20], [0.9, 1.0], 0.8) == 10
    assert find_least([10, 20], [0.1, 0.2], 0.8) is None
    assert find_least([10, 20, 40], [None, None, None], 0.8) is None


@pytest.mark.parametrize("direction", ["equal", "above"])
@pytest.mark.parametrize("num_hypotheses", [1, 6])
def test_several_pairs_a_question_take_as_many_questions_as_their_own_interval_says(
    direction: Any, num_hypotheses: int
) -> None:
    about = {"direction": direction, "num_hypotheses": num_hypotheses}
    least = count_least_questions(0.05, several_pairs=True, **about)
    assert least <= count_least_questions(0.05, **about)
    moved = 0.0 if direction == "equal" else 3.0
    for num, wanted in ((least, True), (least - 1, False)):
        low, high = compute_paired_difference(
            np.full(num, moved), np.full(num, 3.0), level=compute_level(num_hypotheses)
        )[1:3]
        assert low is not None
        assert high is not None
        verdict = conclude(low, high, direction=direction, smallest=0.05)
        assert (verdict == "supported") == wanted
