"""Confidences that are not there: what can still be said, within which bounds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from debate.analysis import analyze
from debate.analysis.quantity import Unavailable
from debate.analysis.schema import Estimate
from debate.analysis.states import build_states

from . import simulate
from .small import debates, measures_of, named, quantity, turns

PARTLY = [
    ("q1", "a", 0, "5", 0.6),
    ("q1", "a", 1, "5", 0.8),
    ("q2", "a", 0, "5", None),
    ("q2", "a", 1, "4", 0.9),
    ("q3", "a", 0, "4", 0.7),
    ("q3", "a", 1, "6", None),
    ("q4", "a", 0, "4", None),
    ("q4", "a", 1, "4", None),
]
"""Known at both ends in q1 alone. The others lie in [-1, 0], [0, 1] and at 0."""


def test_amplification_is_over_rows_known_at_both_ends_and_bounded_over_all() -> None:
    eai = quantity(measures_of(debates(*PARTLY)).find("eai", cell="ring"))
    assert (eai.n, eai.value) == (1, pytest.approx(0.2))
    assert eai.bounds is not None
    lower, upper = eai.bounds
    assert (lower.n, upper.n) == (4, 4)
    assert lower.value == pytest.approx((0.2 - 1) / 4)
    assert upper.value == pytest.approx((0.2 + 1) / 4)


def test_the_change_of_accuracy_is_over_all_rows_whatever_is_known_of_confidence() -> None:
    found = named(measures_of(debates(*PARTLY)).make_estimates(), "accuracy_change", round=1)
    assert (found.n, found.value) == (4, 0.0)
    gained = [
        (f"q{k}", "a", t, "4" if k % 2 or (t and k % 4 == 0) else "5", 0.9 if k % 2 else None)
        for k in range(40)
        for t in range(2)
    ]
    change = named(measures_of(debates(*gained)).make_estimates(), "accuracy_change", round=1)
    assert (change.n, change.value) == (40, 0.25)


def whole_and_parted(how: str) -> tuple[float, Estimate]:
    """The amplification of all rows, and what is told where a part of the confidences is hidden."""
    rng = np.random.default_rng(3)
    table = simulate.opinions(rng, questions=150, rounds=1)
    wrong = table["answer"].to_numpy() != "0"
    chance = 0.25 if how == "at random" else np.where(wrong, 0.5, 0.05)
    hidden = rng.random(table.height) < chance
    parted = table.with_columns(
        confidence=pl.when(pl.Series(hidden)).then(None).otherwise(pl.col("confidence"))
    )
    whole = quantity(measures_of(build_states(table)).find("eai", cell="debate"))
    assert whole.bounds is None
    told = named(measures_of(build_states(parted)).make_estimates(), "eai", cell="debate", round=1)
    return whole.value, told


@pytest.mark.parametrize("how", ["at random", "by outcome"])
def test_the_bounds_hold_what_all_confidences_would_give(how: str) -> None:
    true, told = whole_and_parted(how)
    assert told.bound_low is not None
    assert told.bound_high is not None
    assert told.bound_low < true < told.bound_high
    if how == "at random":
        assert not told.excludes(true)


def test_no_verdict_is_given_where_the_bounds_disagree() -> None:
    from tests.experiments.frames import claim

    table = turns(*(row for k in range(30) for row in renamed(PARTLY, k)))
    (found,) = analyze(
        table, hypotheses={"rise": claim("eai", cell="ring", smallest=0.01)}, resamples=20
    ).findings
    assert found.value == pytest.approx(0.2)
    assert found.is_bounded
    assert found.verdict == "undecided"
    assert "bounds" in found.reason


def test_a_verdict_is_given_where_both_bounds_agree() -> None:
    from tests.experiments.frames import claim

    rows = [
        (f"q{k}", "a", t, "5", None if k == 0 else (0.2, 0.9)[t])
        for k in range(40)
        for t in range(2)
    ]
    (found,) = analyze(
        turns(*rows), hypotheses={"rise": claim("eai", cell="ring")}, resamples=20
    ).findings
    assert found.is_bounded
    assert found.verdict == "supported"


def renamed(rows: list[tuple[object, ...]], k: int) -> list[tuple[object, ...]]:
    return [(f"{row[0]}-{k}", *row[1:]) for row in rows]


def test_without_any_confidence_amplification_is_missing_with_its_reason() -> None:
    rows = [(f"q{k}", "a", t, "4" if k % 2 or t else "5", None) for k in range(8) for t in (0, 1)]
    table = turns(*rows).with_columns(pl.col("confidence").cast(pl.Float64))
    found = analyze(table, resamples=20)
    eai = found.find("eai", cell="ring", round=1)
    assert eai is not None
    assert (eai.value, eai.bound_low, eai.bound_high) == (None, None, None)
    assert eai.missing == "a confidence at round 0 and now, whatever the outcome"
    change = found.find("accuracy_change", cell="ring", round=1)
    assert change is not None
    assert change.value == 0.5
    assert found.confidence is None
    assert isinstance(measures_of(build_states(table)).find("eai", cell="ring"), Unavailable)


def test_nan_in_a_table_is_a_confidence_that_is_not_there() -> None:
    rows = [(q, a, t, said, float("nan") if c is None else c) for q, a, t, said, c in PARTLY]
    assert quantity(measures_of(debates(*rows)).find("eai", cell="ring")).n == 1
