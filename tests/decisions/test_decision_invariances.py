"""What no decision may depend on, and what all of them promise."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from debate.config.protocol import DecisionName, DecisionSpec, get_requirements
from debate.orchestrator.decisions import RULES, TIES, decide, get_outcome
from debate.types import Turn
from tests.decisions.ballots import ballot

VALUES = st.sampled_from(["1", "2", "3", None])
SURE = st.none() | st.floats(0, 1)
BELIEF = st.none() | st.fixed_dictionaries({name: st.floats(-20, 0) for name in ("1", "2", "3")})
ORDER_FREE = sorted(set(RULES) - {"last_speaker"})


@st.composite
def panels(draw: st.DrawFn) -> list[Turn]:
    seats = draw(st.integers(0, 6))
    return [
        ballot(
            f"a{seat}",
            draw(VALUES),
            sure=draw(SURE),
            log_p=draw(BELIEF),
            failed=draw(st.booleans()),
        )
        for seat in range(seats)
    ]


def judged(ballots: list[Turn]) -> list[Turn]:
    """The same turns as judgments, half of them about a seat."""
    return [
        replace(
            ballot,
            kind="judgment",
            agent=f"j{place}",
            about=f"a{place}" if place % 2 else None,
            accepts=None if place % 2 == 0 else ballot.value == "1",
        )
        for place, ballot in enumerate(ballots)
    ]


@given(panels(), st.sampled_from(ORDER_FREE), st.randoms(use_true_random=False))
@pytest.mark.parametrize("ties", sorted(set(TIES) - {"first"}))
def test_the_order_of_seats_decides_nothing(
    ties: str, ballots: list[Turn], rule: str, rng: random.Random
) -> None:
    spec = DecisionSpec.model_validate({"name": rule, "ties": ties})
    judgments = judged(ballots)
    one = decide(spec, ballots=ballots, judgments=judgments, rng_key="k")
    rng.shuffle(ballots)
    rng.shuffle(judgments)
    assert decide(spec, ballots=ballots, judgments=judgments, rng_key="k") == one


@given(panels(), st.sampled_from(sorted(RULES)), st.sampled_from(sorted(TIES)))
def test_a_decision_is_always_one_of_what_was_said_with_a_proper_confidence(
    ballots: list[Turn], rule: str, ties: str
) -> None:
    spec = DecisionSpec.model_validate({"name": rule, "ties": ties})
    decided = decide(spec, ballots=ballots, judgments=judged(ballots), rng_key="k")
    if decided.value is None:
        assert decided.confidence is None
    else:
        assert decided.value in decided.tally
        assert decided.tally[decided.value] == pytest.approx(max(decided.tally.values()))
        assert rule == "last_speaker" or 0 < (decided.confidence or 0) <= 1 + 1e-12
    assert decided.num_asked == len(ballots)
    assert decided.num_failed == sum(ballot.failure is not None for ballot in ballots)
    if decided.failed:
        assert (decided.value, dict(decided.tally)) == (None, {})


@given(panels(), st.sampled_from(sorted(RULES)))
def test_failures_change_no_answer(ballots: list[Turn], rule: str) -> None:
    spec = DecisionSpec.model_validate({"name": rule})
    failure = ballot("a9", failed=True)
    without = decide(spec, ballots=ballots, judgments=judged(ballots), rng_key="k")
    with_it = decide(
        spec,
        ballots=[*ballots, failure],
        judgments=[*judged(ballots), replace(failure, kind="judgment")],
        rng_key="k",
    )
    assert (with_it.value, with_it.tally, with_it.confidence) == (
        without.value,
        without.tally,
        without.confidence,
    )
    assert with_it.num_failed == without.num_failed + 1


@given(panels())
def test_unanimity_implies_super_majority_implies_majority(ballots: list[Turn]) -> None:
    majority, super_majority, unanimity = (
        decide(DecisionSpec.model_validate(name), ballots=ballots).value
        for name in ("majority", "super_majority", "unanimity")
    )
    assert unanimity in (None, super_majority)
    assert super_majority in (None, majority)


def test_the_four_outcomes_are_kept_apart() -> None:
    assert get_outcome("1", failed=False, correct=True) == "correct"
    assert get_outcome("1", failed=False, correct=False) == "wrong"
    assert get_outcome(None, failed=False, correct=False) == "abstained"
    assert get_outcome(None, failed=True, correct=False) == "failed"
    assert get_outcome(None, failed=False, correct=None) == "abstained"
    assert get_outcome("1", failed=False, correct=None) is None


def test_every_named_decision_has_a_rule() -> None:
    assert set(RULES) == set(get_args(DecisionName))


@pytest.mark.parametrize(
    ("spec", "needed"),
    [
        ("majority", set()),
        ("last_speaker", set()),
        ("confidence_weighted", {"confidence"}),
        ("log_opinion_pool", {"belief"}),
        ("ranked", {"belief"}),
        ("judge_majority", {"judges"}),
        ({"name": "judge_scores", "score": "confidence"}, {"judges", "confidence"}),
        ({"name": "majority", "ties": "confidence"}, {"confidence"}),
    ],
)
def test_a_decision_says_what_it_needs(spec: object, needed: set[str]) -> None:
    assert get_requirements(DecisionSpec.model_validate(spec)) == needed


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("majorty", "super_majority"),
        ({"name": "majority", "threshold": 0.7}, "belongs to super_majority and approval"),
        ({"name": "majority", "weights": {"a": 1}}, "belongs to log_opinion_pool and linear_pool"),
        ({"name": "super_majority", "threshold": 0.5}, "`majority` takes the most frequent"),
        ({"name": "super_majority", "threshold": 1.5}, "threshold"),
        ({"name": "linear_pool", "weights": {"a": 0}}, "greater than 0"),
        ({"name": "linear_pool", "weights": {"a": float("inf")}}, "finite"),
        ({"ties": "coin"}, "random"),
        ({"tie": "random"}, "tie"),
    ],
)
def test_a_decision_that_cannot_be_is_refused(spec: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DecisionSpec.model_validate(spec)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_decision_survives_being_written_and_read(rule: str) -> None:
    spec = DecisionSpec.model_validate(rule)
    assert DecisionSpec.model_validate(spec.model_dump(mode="json")) == spec
