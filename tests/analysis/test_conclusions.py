"""Conclusions: the regions of an interval partition the plane, and more questions only sharpen."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import t

from debate.analysis.intervals import Interval
from debate.analysis.paired import (
    compute_paired_difference,
    compute_sign_flip_p,
    compute_tango_interval,
)
from debate.analysis.power import (
    compute_level,
    conclude,
    count_least_questions,
    count_questions_to_decide,
)

ABOVE = [
    (0.05, 0.2, "supported"),
    (0.06, 0.2, "supported"),
    (0.01, 0.2, "supported in sign"),
    (0.01, 0.05, "there, smaller than what matters"),
    (0.0, 0.05, "equivalent to nothing"),
    (-0.05, 0.05, "equivalent to nothing"),
    (-0.05, -0.01, "in the other direction, smaller than what matters"),
    (-0.06, -0.01, "contradicted"),
    (-0.3, -0.1, "contradicted"),
    (0.0, 0.2, "undecided"),
    (-0.06, 0.0, "undecided"),
    (-0.2, 0.2, "undecided"),
]
EQUAL = [
    (-0.05, 0.05, "supported"),
    (0.01, 0.05, "supported"),
    (0.06, 0.2, "contradicted"),
    (-0.2, -0.06, "contradicted"),
    (0.01, 0.06, "differs in sign"),
    (-0.06, -0.01, "differs in sign"),
    (0.0, 0.06, "undecided"),
    (-0.2, 0.2, "undecided"),
]
SHARPER = {
    "supported in sign": {"supported", "there, smaller than what matters"},
    "equivalent to nothing": {
        "there, smaller than what matters",
        "in the other direction, smaller than what matters",
    },
    "contradicted": {"in the other direction, smaller than what matters"},
    "differs in sign": {"supported", "contradicted"},
}
"""What a decided conclusion may become with more questions; undecided may become anything."""


@pytest.mark.parametrize(("low", "high", "words"), ABOVE)
def test_a_claim_above_is_read_from_the_two_ends(low: float, high: float, words: str) -> None:
    assert conclude(low, high, direction="above", smallest=0.05) == words


@pytest.mark.parametrize(("low", "high", "words"), ABOVE)
def test_a_claim_below_is_the_mirror_of_one_above(low: float, high: float, words: str) -> None:
    assert conclude(-high, -low, direction="below", smallest=0.05) == words


@pytest.mark.parametrize(("low", "high", "words"), EQUAL)
def test_a_claim_of_no_difference_is_supported_inside(low: float, high: float, words: str) -> None:
    assert conclude(low, high, direction="equal", smallest=0.05) == words


def test_the_reference_is_taken_off_both_ends() -> None:
    assert conclude(0.6, 0.7, direction="above", smallest=0.05, reference=0.5) == "supported"
    assert conclude(0.3, 0.4, direction="above", smallest=0.05, reference=0.5) == "contradicted"


def test_touching_zero_supports_nothing_even_where_any_effect_matters() -> None:
    assert conclude(0.0, 0.4, direction="above", smallest=0.0) == "undecided"


@pytest.mark.parametrize(("low", "high", "smallest"), [(0.2, 0.1, 0.05), (0.1, 0.2, -0.05)])
def test_ends_in_the_wrong_order_and_negative_sizes_are_refused(
    low: float, high: float, smallest: float
) -> None:
    with pytest.raises(ValueError, match=r"interval|smallest"):
        conclude(low, high, direction="above", smallest=smallest)


grid = st.integers(-20, 20).map(lambda k: k / 100)


@given(grid, grid, grid, grid, st.sampled_from(["above", "below", "equal"]))
def test_an_interval_inside_another_sharpens_the_conclusion_and_never_turns_it(
    a: float, b: float, c: float, d: float, direction: str
) -> None:
    low, inner_low, inner_high, high = sorted([a, b, c, d])
    wide = conclude(low, high, direction=direction, smallest=0.05)
    narrow = conclude(inner_low, inner_high, direction=direction, smallest=0.05)
    assert wide in ("undecided", narrow) or narrow in SHARPER.get(wide, set())


def _path(direction: str, intervals: list[tuple[float, float]]) -> list[str]:
    return [conclude(*i, direction=direction, smallest=0.05) for i in intervals]


def _assert_never_turns(path: list[str]) -> None:
    for before, after in pairwise(path):
        assert before in ("undecided", after) or after in SHARPER.get(before, set()), path


@given(
    st.integers(3, 60).flatmap(
        lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))
    ),
    st.sampled_from(["above", "below", "equal"]),
    st.sampled_from([1, 6]),
)
def test_more_questions_at_the_same_table_never_turn_a_conclusion(
    table: tuple[int, int, int], direction: str, hypotheses: int
) -> None:
    gained, lost, n = table
    assume(gained + lost <= n)
    level, intervals = compute_level(hypotheses), []
    for k in (1, 2, 4, 8, 16, 32, 64):
        low, high = compute_tango_interval(gained * k, lost * k, n * k, level=level)
        differences = np.repeat([1.0, -1.0], [gained * k, lost * k])
        if compute_sign_flip_p(differences) > 1 - level:
            low, high = min(low, 0.0), max(high, 0.0)
        intervals.append((low, high))
    _assert_never_turns(_path(direction, intervals))


@given(
    st.integers(-30, 30).map(lambda k: k / 200),
    st.floats(0.05, 1.0),
    st.integers(3, 40),
    st.sampled_from(["above", "below", "equal"]),
)
def test_more_questions_at_the_same_mean_never_turn_a_conclusion(
    effect: float, sd: float, n: int, direction: str
) -> None:
    halves = [
        (n * k, float(t.ppf(0.975, n * k - 1)) * sd / math.sqrt(n * k)) for k in 2 ** np.arange(12)
    ]
    _assert_never_turns(_path(direction, [(effect - h, effect + h) for _, h in halves]))


def test_the_level_is_shared_among_the_hypotheses_of_a_file() -> None:
    assert (compute_level(1), compute_level(5)) == (0.95, 0.99)
    with pytest.raises(ValueError, match="at least one"):
        compute_level(0)


@pytest.mark.parametrize(("hypotheses", "n"), [(1, 73), (6, 133)])
def test_the_least_questions_for_equality_within_five_points(hypotheses: int, n: int) -> None:
    assert count_least_questions(0.05, direction="equal", num_hypotheses=hypotheses) == n
    level = compute_level(hypotheses)
    for num, words in ((n, "supported"), (n - 1, "undecided")):
        assert (
            conclude(
                *compute_tango_interval(0, 0, num, level=level), direction="equal", smallest=0.05
            )
            == words
        )


@pytest.mark.parametrize("direction", ["above", "below"])
@pytest.mark.parametrize(("smallest", "hypotheses"), [(0.05, 1), (0.3, 1), (0.6, 6), (0.95, 1)])
def test_the_least_questions_for_a_claim_are_those_that_all_support(
    direction: str, smallest: float, hypotheses: int
) -> None:
    n = count_least_questions(smallest, direction=direction, num_hypotheses=hypotheses)
    level, sign = compute_level(hypotheses), 1.0 if direction == "above" else -1.0
    for num, is_supported in ((n, True), (n - 1, False)):
        low, high = compute_paired_difference(np.full(num, sign), np.ones(num), level=level)[1:3]
        assert low is not None
        assert high is not None
        found = conclude(low, high, direction=direction, smallest=smallest)
        assert (found == "supported") == is_supported


def test_six_questions_are_the_least_for_any_claim_at_five_per_cent() -> None:
    assert count_least_questions(0.05, direction="above") == 6


@pytest.mark.parametrize("smallest", [0.0, 1.0, -0.1])
def test_no_number_supports_an_impossible_size(smallest: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        count_least_questions(smallest, direction="above")


def _interval(value: float, half: float, n: int) -> Interval:
    return Interval(value, value - half, value + half, half / 1.96, n)


def test_the_questions_that_decide_shrink_the_interval_by_their_root() -> None:
    """Half-width .1 at 100 questions and a value of .03: off zero at (.1/.03)^2 times as many."""
    n = count_questions_to_decide(_interval(0.03, 0.1, 100), direction="above", smallest=0.05)
    assert n == math.ceil(100 * (0.1 / 0.03) ** 2)


def test_without_one_change_the_questions_that_decide_are_the_least_questions() -> None:
    interval = compute_paired_difference(np.zeros(5), np.ones(5))
    n = count_questions_to_decide(interval, direction="equal", smallest=0.05, nothing_differs=True)
    assert n == 73


def test_what_is_decided_needs_no_more_questions() -> None:
    assert (
        count_questions_to_decide(_interval(0.2, 0.1, 40), direction="above", smallest=0.05) == 40
    )


def test_no_number_of_questions_decides_a_value_at_an_edge() -> None:
    assert (
        count_questions_to_decide(_interval(0.0, 0.1, 50), direction="above", smallest=0.0) is None
    )


def test_what_has_no_interval_has_no_number_of_questions() -> None:
    absent = Interval(0.5, None, None, None, 4, reason="no variation")
    assert count_questions_to_decide(absent, direction="above", smallest=0.05) is None
