"""Estimates of discernment, self-trust and familiarity on critics for whom they are set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from debate.analysis.judgements import estimate_matrix
from debate.analysis.judging import analyze_judging
from debate.analysis.overtrust import estimate_familiarity, estimate_overtrust
from debate.analysis.schema import Estimate
from tests.critique.populations import NEARER, Critics

Key = tuple[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Critics, the estimates made of them, and what these must be."""

    critics: Critics
    estimate: Callable[[pl.DataFrame], list[Estimate]]
    truths: Mapping[Key, float]


PLAIN = Critics()
TRUSTING = Critics(self_trust=0.7, difficulty=0.8)
FAMILIAR = Critics(familiarity=0.9, difficulty=0.8)
BOTH = Critics(familiarity=0.5, self_trust=0.6, difficulty=0.8, noise=0.7)
CASES = {
    "discernment alone": Case(
        critics=PLAIN,
        estimate=estimate_matrix,
        truths={
            ("judging_auroc", None): PLAIN.auroc,
            ("judging_auroc", "a -> b"): PLAIN.auroc,
            ("accept_wrong", "b -> b"): PLAIN.accept(right=False, own=True),
            ("accept_right", "others"): PLAIN.accept(right=True, own=False),
            ("judging_balanced_accuracy", "c -> others"): (
                PLAIN.accept(right=True, own=False) + 1 - PLAIN.accept(right=False, own=False)
            )
            / 2,
        },
    ),
    "no self-trust": Case(
        critics=Critics(difficulty=0.8),
        estimate=estimate_overtrust,
        truths={
            ("over_trust_gap", None): 0.0,
            ("over_trust_logit", "a"): 0.0,
            ("over_acceptance_gap", None): 0.0,
            ("discernment_gap", None): 0.0,
        },
    ),
    "self-trust": Case(
        critics=TRUSTING,
        estimate=estimate_overtrust,
        truths={
            ("over_trust_gap", None): TRUSTING.gap,
            ("over_trust_logit", None): 0.7,
            ("over_trust_logit", "b"): 0.7,
            ("false_accept_gap", None): TRUSTING.accept(right=False, own=True)
            - TRUSTING.accept(right=False, own=False),
        },
    ),
    "familiarity taken for self-trust": Case(
        critics=FAMILIAR,
        estimate=estimate_familiarity,
        truths={
            ("own_effect", None): 0.9 * NEARER,
            ("own_effect_given_likelihood", None): 0.0,
            ("likelihood_effect", None): 0.9,
        },
    ),
    "familiarity and self-trust": Case(
        critics=BOTH,
        estimate=estimate_familiarity,
        truths={
            ("own_effect", None): 0.6 + 0.5 * NEARER,
            ("own_effect_given_likelihood", None): 0.6,
            ("likelihood_effect", None): 0.5,
        },
    ),
}


def coverage(case: Case, *, repeats: int, seed: int) -> dict[Key, float]:
    """How often each 95 % interval holds what was set."""
    held = dict.fromkeys(case.truths, 0)
    for number in range(repeats):
        judged = case.critics.judged(np.random.default_rng([seed, number]))
        found = {(e.name, e.subject): e for e in case.estimate(judged)}
        for key, truth in case.truths.items():
            low, high = found[key].low, found[key].high
            held[key] += low is not None and high is not None and low <= truth <= high
    return {key: count / repeats for key, count in held.items()}


@pytest.mark.parametrize("name", CASES)
def test_intervals_cover_what_was_set(name: str) -> None:
    """Forty repeats: below 85 % would come by chance once in about 200 for a true 95 %."""
    for key, covered in coverage(CASES[name], repeats=40, seed=5).items():
        assert covered >= 0.85, key


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_intervals_cover_what_was_set_in_ninety_five_percent(name: str) -> None:
    for key, covered in coverage(CASES[name], repeats=600, seed=1).items():
        assert 0.92 <= covered <= 0.98, key


def test_a_familiar_answer_is_not_said_to_be_trusted_for_being_own() -> None:
    judged = FAMILIAR.judged(np.random.default_rng(2), questions=2000)
    answer = analyze_judging(judged).tables["cross_critique_answers"]["answer"][0]
    assert answer.startswith("Critique works")
    assert "fails more on oneself" in answer
    assert "not shown to between answers that the critic finds equally likely" in answer


def test_self_trust_is_said_to_go_beyond_familiarity() -> None:
    judged = BOTH.judged(np.random.default_rng(2), questions=2000)
    answer = analyze_judging(judged).tables["cross_critique_answers"]["answer"][0]
    assert "also between answers that the critic finds equally likely" in answer


def test_equal_treatment_is_told_with_its_margin() -> None:
    judged = Critics(difficulty=0.8).judged(np.random.default_rng(2), questions=2000)
    answer = analyze_judging(judged).tables["cross_critique_answers"]["answer"][0]
    assert "judged like others', within 0.05" in answer


def test_critics_that_know_nothing_are_said_to_be_no_better_than_a_coin() -> None:
    judged = Critics(discernment=0.0).judged(np.random.default_rng(2), questions=500)
    answer = analyze_judging(judged).tables["cross_critique_answers"]["answer"][0]
    assert answer.startswith("Critique is not shown to be better than a coin")


def test_critics_that_tell_no_probability_leave_their_effects_open() -> None:
    judged = PLAIN.judged(np.random.default_rng(3), questions=20)
    untold = judged.with_columns(p_true=pl.lit(None, dtype=pl.Float64))
    assert all(e.value is None and e.missing for e in estimate_familiarity(untold))
