"""Whom an average counts, what it clusters by, and where there is nothing that varies."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from statsmodels.regression.linear_model import OLS

from debate.analysis import analyze
from debate.analysis.schema import Estimate
from debate.analysis.states import build_states
from tests.experiments.frames import claim

from .small import debates, measures_of, named, quantity, turns


def test_accuracy_counts_the_agents_of_each_debate_alone() -> None:
    """Four agents take turns by question, two a question, and all are right."""
    rows = [
        (f"q{k}", agent, t, "4", 0.9)
        for k in range(12)
        for t in range(2)
        for agent in ("ab" if k % 2 else "cd")
    ]
    found = list(measures_of(debates(*rows)).make_estimates())
    for t in range(2):
        accuracy = named(found, "accuracy", round=t, subject=None)
        assert (accuracy.n, accuracy.value) == (24, 1.0)
        failures = named(found, "failure_rate", round=t, subject=None)
        assert failures.value == 0.0
    alone = named(found, "accuracy", round=0, subject="a")
    assert (alone.n, alone.value) == (12 / 2, 1.0)


def passages(num: int = 40) -> pl.DataFrame:
    """Three questions to a passage, two agents, what a passage is like shared by all six."""
    rng = np.random.default_rng(4)
    rows = []
    for passage in range(num // 3 + 1):
        easy = rng.normal()
        for k in range(3):
            for agent in "ab":
                for t in range(2):
                    right = rng.normal() + easy + 0.3 * t > 0
                    sure = float(np.clip(0.5 + 0.15 * easy + rng.normal(0, 0.1), 0, 1))
                    rows.append(
                        (
                            f"q{passage}-{k}",
                            agent,
                            t,
                            "4" if right else "5",
                            sure,
                            "",
                            f"p{passage}",
                        )
                    )
    return turns(*rows, columns="cluster")


MEANS = {
    "confidence": pl.col("confidence"),
    "brier": (pl.col("confidence") - pl.col("score")) ** 2,
}


@pytest.mark.parametrize("name", MEANS)
@pytest.mark.parametrize("unit", ["cluster", "question"])
def test_intervals_cluster_by_the_unit_that_the_data_name(name: str, unit: str) -> None:
    table = passages() if unit == "cluster" else passages().drop("cluster")
    states = build_states(table)
    found = quantity(measures_of(states).find(name, cell="ring", round=1)).interval()
    last = passages().filter(pl.col("round") == 1)
    last = last.with_columns(score=(pl.col("answer") == "4").cast(pl.Float64))
    values = last.select(MEANS[name]).to_series().to_numpy()
    _, codes = np.unique(last[unit].to_numpy(), return_inverse=True)
    fit = OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": codes}, use_t=True
    )
    low, high = fit.conf_int()[0]
    assert found.num_questions == len(np.unique(codes))
    assert (found.value, found.se) == pytest.approx((fit.params[0], fit.bse[0]), abs=1e-9)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def width(table: pl.DataFrame, name: str) -> float:
    interval = quantity(measures_of(build_states(table)).find(name, cell="ring")).interval()
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


@pytest.mark.parametrize("name", ["accuracy", "confidence", "brier", "auroc"])
def test_what_a_passage_shares_widens_every_interval(name: str) -> None:
    assert width(passages(), name) > 1.1 * width(passages().drop("cluster"), name)


def test_votes_cluster_by_the_same_unit() -> None:
    measures = measures_of(build_states(passages()))
    vote = quantity(measures.find("vote_accuracy", cell="ring")).interval()
    member = quantity(measures.find("accuracy", cell="ring")).interval()
    assert vote.num_questions == member.num_questions == 14


def unvaried() -> pl.DataFrame:
    rows = [(f"q{k}", "a", t, "4" if k % 2 else "5", 0.8) for k in range(20) for t in range(2)]
    return turns(*rows)


def test_where_nothing_varies_there_is_a_value_and_no_interval() -> None:
    found = analyze(unvaried(), resamples=20).find("confidence", cell="ring", round=0)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(0.8)
    assert (found.low, found.high, found.se) == (None, None, None)
    assert found.caveats == ("no interval: no variation",)


def test_a_claim_about_what_does_not_vary_is_not_computed() -> None:
    told = claim("confidence", cell="ring", reference=0.5)
    (found,) = analyze(unvaried(), hypotheses={"sure": told}, resamples=20).findings
    assert found.verdict == "not computed"
    assert found.reason == "no variation"
    assert found.p_value is None


def test_a_share_that_never_varies_has_width_by_wilson() -> None:
    rows = [(f"q{k}", "a", 0, "4", 0.8) for k in range(20)]
    found = quantity(measures_of(debates(*rows)).find("accuracy", cell="ring")).interval()
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(20 / (20 + 3.8415), abs=0.02)
