"""Pools and ranked votes against formulas and textbook elections."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from debate.config.protocol import DecisionSpec
from debate.orchestrator.belief_rules import borda, copeland, instant_runoff
from debate.orchestrator.decisions import TeamAnswer, decide
from tests.decisions.ballots import ballot

NAMES = ("1", "2", "3")
LOG_P = st.lists(st.lists(st.floats(-30, 0), min_size=3, max_size=3), min_size=1, max_size=5)


def pool(name: str, rows: list[list[float]], **more: object) -> TeamAnswer:
    turns = [
        ballot(f"a{seat}", log_p=dict(zip(NAMES, row, strict=True)))
        for seat, row in enumerate(rows)
    ]
    return decide(DecisionSpec.model_validate({"name": name, **more}), ballots=turns)


def table(decided: TeamAnswer) -> np.ndarray:
    return np.array([decided.tally[name] for name in NAMES])


@given(LOG_P, st.lists(st.floats(0.1, 10), min_size=5, max_size=5))
def test_the_log_pool_is_the_weighted_product(rows: list[list[float]], raw: list[float]) -> None:
    weights = {f"a{seat}": raw[seat] for seat in range(len(rows))}
    w = np.array(raw[: len(rows)]) / sum(raw[: len(rows)])
    log_p = np.array(rows) - logsumexp(rows, axis=1, keepdims=True)
    pooled = w @ log_p
    expected = np.exp(pooled - logsumexp(pooled))
    np.testing.assert_allclose(
        table(pool("log_opinion_pool", rows, weights=weights)), expected, atol=1e-12
    )


@pytest.mark.parametrize(
    "log_p", [{"4": math.nan, "4.0": -math.inf}, {"4": -math.inf, "4.0": math.nan}]
)
def test_a_belief_with_an_undefined_part_is_none(log_p: dict[str, float]) -> None:
    ballots = [ballot("a", log_p={**log_p, "5": -1.0}), ballot("b", log_p={"4": -1.0, "5": -2.0})]
    spec = DecisionSpec(name="linear_pool")
    decided = decide(spec, ballots=ballots, normalise=lambda text: text.removesuffix(".0"))
    assert (decided.num_uncounted, decided.value) == (1, "4")


def test_candidates_are_tallied_in_order_whatever_order_they_were_scored_in() -> None:
    names = ("7", "3", "8", "1", "6", "2", "5", "4")
    spec = DecisionSpec(name="linear_pool")
    decided = decide(spec, ballots=[ballot("a", log_p=dict.fromkeys(names, -1.0))])
    assert list(decided.tally) == sorted(names)


@given(LOG_P)
def test_the_linear_pool_is_the_mean_of_normalised_beliefs(rows: list[list[float]]) -> None:
    expected = np.exp(np.array(rows) - logsumexp(rows, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(table(pool("linear_pool", rows)), expected, atol=1e-12)


@given(LOG_P)
def test_a_pool_s_confidence_is_the_winner_s_probability(rows: list[list[float]]) -> None:
    for rule in ("log_opinion_pool", "linear_pool"):
        decided = pool(rule, rows)
        if decided.value is not None:
            assert decided.confidence == pytest.approx(max(decided.tally.values()))


def test_one_member_s_certainty_is_a_veto_in_the_log_pool_alone() -> None:
    rows = [[math.log(0.9), math.log(0.1), -1e9], [-1e9, math.log(0.2), math.log(0.8)]]
    assert pool("log_opinion_pool", rows).value == "2"
    assert pool("linear_pool", rows).value == "1"


def test_huge_log_probabilities_neither_overflow_nor_vanish() -> None:
    assert pool("log_opinion_pool", [[-9000.0, -9001.0, -9010.0]]).value == "1"
    assert pool("linear_pool", [[-9000.0, -9001.0, -9010.0]]).value == "1"


@pytest.mark.parametrize("rule", ["log_opinion_pool", "linear_pool", "ranked", "approval"])
@pytest.mark.parametrize(
    "log_p",
    [
        None,
        {},
        {"1": math.nan, "2": -1.0, "3": -1.0},
        {"1": math.inf, "2": -1.0, "3": -1.0},
        {"1": -math.inf, "2": -math.inf},
    ],
)
def test_a_belief_that_cannot_be_used_does_not_count(
    rule: str, log_p: dict[str, float] | None
) -> None:
    good = ballot("a1", log_p={"1": -3.0, "2": -0.1, "3": -3.0})
    decided = decide(
        DecisionSpec.model_validate({"name": rule}), ballots=[ballot("a0", log_p=log_p), good]
    )
    assert (decided.value, decided.num_uncounted) == ("2", 1)


@pytest.mark.parametrize("rule", ["log_opinion_pool", "linear_pool", "ranked", "approval"])
def test_beliefs_are_compared_on_the_candidates_that_all_have(rule: str) -> None:
    ballots = [
        ballot("a0", log_p={"1": -4.0, "2": -1.0, "9": -0.1}),
        ballot("a1", log_p={"1": -4.0, "2": -1.0, "8": -0.1}),
    ]
    decided = decide(DecisionSpec.model_validate({"name": rule}), ballots=ballots)
    assert decided.value == "2"
    assert set(decided.tally) == {"1", "2"}


def test_beliefs_without_a_common_candidate_decide_nothing() -> None:
    ballots = [ballot("a0", log_p={"1": -0.1}), ballot("a1", log_p={"2": -0.1})]
    for rule in ("log_opinion_pool", "linear_pool", "ranked", "approval"):
        spec = DecisionSpec.model_validate({"name": rule})
        assert decide(spec, ballots=ballots).value is None


def test_spellings_of_one_candidate_are_added_up() -> None:
    belief = {"Paris": math.log(0.3), "paris": math.log(0.3), "Rome": math.log(0.4)}
    decided = decide(
        DecisionSpec(name="linear_pool"),
        ballots=[ballot("a0", "Rome", log_p=belief)],
        normalise=str.casefold,
    )
    assert dict(decided.tally) == pytest.approx({"Paris": 0.6, "Rome": 0.4})


def test_approval_counts_beliefs_from_the_threshold_on() -> None:
    rows = [[math.log(p) for p in ps] for ps in ((0.5, 0.3, 0.2), (0.2, 0.3, 0.5))]
    assert dict(pool("approval", rows, threshold=0.3).tally) == {"1": 1, "2": 2, "3": 1}
    assert pool("approval", rows, threshold=0.3).value == "2"


def order(*names: str) -> dict[str, float]:
    """An opinion with the candidates in this order, best first."""
    return {name: -float(place) for place, name in enumerate(names)}


TENNESSEE = (
    [order("M", "N", "C", "K")] * 42
    + [order("N", "C", "K", "M")] * 26
    + [order("C", "K", "N", "M")] * 15
    + [order("K", "C", "N", "M")] * 17
)


def test_the_textbook_election_is_counted_as_in_the_textbook() -> None:
    assert borda(TENNESSEE, "MNCK") == {"M": 126, "N": 194, "C": 173, "K": 107}
    assert copeland(TENNESSEE, "MNCK") == {"M": 0, "N": 3, "C": 2, "K": 1}
    assert instant_runoff(TENNESSEE, "MNCK") == {"M": 42, "K": 58}


def test_a_condorcet_cycle_is_a_tie() -> None:
    cycle = [order("1", "2", "3"), order("2", "3", "1"), order("3", "1", "2")]
    rows = [[opinion[name] for name in NAMES] for opinion in cycle]
    for rule in ("borda", "copeland", "instant_runoff"):
        assert pool("ranked", rows, rule=rule).value is None
        assert pool("ranked", rows, rule=rule, ties="random").value in NAMES


def test_borda_may_pass_over_the_condorcet_winner_and_copeland_does_not() -> None:
    opinions = [order("1", "2", "3")] * 3 + [order("2", "3", "1")] * 2
    rows = [[opinion[name] for name in NAMES] for opinion in opinions]
    assert pool("ranked", rows, rule="borda").value == "2"
    assert pool("ranked", rows, rule="copeland").value == "1"
    assert pool("ranked", rows, rule="instant_runoff").value == "1"


@given(st.lists(st.permutations(NAMES), min_size=1, max_size=9))
def test_who_beats_every_other_wins_by_copeland(ballots: list[tuple[str, ...]]) -> None:
    rows = [[order(*ranking)[name] for name in NAMES] for ranking in ballots]

    def beats(one: str, other: str) -> bool:
        return sum(r.index(one) < r.index(other) for r in ballots) > len(ballots) / 2

    winners = [n for n in NAMES if all(beats(n, other) for other in NAMES if other != n)]
    if winners:
        assert pool("ranked", rows, rule="copeland").value == winners[0]


@given(st.lists(st.permutations(NAMES), min_size=1, max_size=9))
def test_most_first_places_beyond_half_win_the_runoff(ballots: list[tuple[str, ...]]) -> None:
    rows = [[order(*ranking)[name] for name in NAMES] for ranking in ballots]
    firsts = [ranking[0] for ranking in ballots]
    for name in NAMES:
        if firsts.count(name) > len(ballots) / 2:
            assert pool("ranked", rows, rule="instant_runoff").value == name
