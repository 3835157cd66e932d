"""Intervals that speak of other models and prompts, too: statsmodels agrees, and they cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from statsmodels.regression.linear_model import OLS

from debate.analysis import analyze
from debate.analysis.factors import (
    FACTORS,
    LEAST_LEVELS,
    TwoWayClusters,
    compute_two_way_interval,
    compute_two_way_variance,
    estimate_across_factors,
    find_factors,
)
from debate.analysis.intervals import compute_clustered_mean, get_t_quantile
from debate.analysis.measures import CONTRASTED
from debate.analysis.registry import MEASURES
from debate.analysis.states import build_states
from debate.analysis.tables.results import tabulate_across_factors
from debate.config.run import HypothesisSpec
from debate.log import read_table
from tests.support import run, simulated

Row = dict[str, Any]


def _rows(num_models: int, *, num: int = 30, seed: int = 0, **fields: Any) -> list[Row]:
    """Openings and one later round of agents whose models differ in how good they are."""
    rng = np.random.default_rng(seed)
    rows = []
    for model in range(num_models):
        skill = rng.normal(0.3, 1.0)
        for question in range(num):
            for round in (0, 1):
                right = bool(rng.random() < expit(skill + 0.2 * round))
                rows.append(
                    {
                        "cell": "main",
                        "question": f"q{question}",
                        "agent": f"a{model}",
                        "model": f"m{model}",
                        "round": round,
                        "answer": "4" if right else "5",
                        "target": "4",
                        "confidence": float(rng.random()),
                        **fields,
                    }
                )
    return rows


def _states(rows: list[Row]) -> pl.DataFrame:
    return build_states(pl.DataFrame(rows))


@pytest.mark.parametrize("seed", range(5))
def test_the_variance_is_that_of_two_way_clustering_in_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    questions, levels = (rng.permutation(np.arange(240) % k).astype(np.int64) for k in (30, 7))
    values = rng.normal(size=30)[questions] + rng.normal(size=7)[levels] + rng.normal(size=240)
    fitted = OLS(values, np.ones(240)).fit(
        cov_type="cluster", cov_kwds={"groups": np.stack([questions, levels], axis=1)}
    )
    of = TwoWayClusters(questions, levels)
    influence = (values - values.mean()) / len(values)
    assert compute_two_way_variance(influence, of) == pytest.approx(
        float(fitted.bse[0] ** 2), rel=1e-9
    )
    found = compute_two_way_interval(values, of)
    half = get_t_quantile(0.95, 6) * float(fitted.bse[0])
    assert found[:3] == pytest.approx((values.mean(), values.mean() - half, values.mean() + half))


def test_the_variance_is_never_below_that_of_questions_or_of_models_alone() -> None:
    """Where every row is a cluster of its own shape, the difference of the three is too small."""
    questions, levels = np.repeat(np.arange(8), 8), np.tile(np.arange(8), 8)
    values = np.where((questions + levels) % 2 == 0, 1.0, -1.0)
    influence = values / len(values)
    assert compute_two_way_variance(influence, TwoWayClusters(questions, levels)) == 0.0
    values[:8] += 1.0
    influence = (values - values.mean()) / len(values)
    by_question = compute_clustered_mean(values, questions).se
    assert by_question is not None
    found = compute_two_way_variance(influence, TwoWayClusters(questions, levels))
    assert found == pytest.approx(by_question**2)


@pytest.mark.parametrize("num_models", [6, 12])
def test_it_covers_the_mean_over_models_where_clustering_by_question_does_not(
    num_models: int,
) -> None:
    """400 repeats: models and questions are drawn anew each time; one error of .95 is .011."""
    rng, num, repeats = np.random.default_rng(num_models), 40, 400
    truth = float(expit(rng.normal(0.5, np.sqrt(2.0), size=1_000_000)).mean())
    of = TwoWayClusters(np.tile(np.arange(num), num_models), np.repeat(np.arange(num_models), num))
    both = by_question = 0
    for _ in range(repeats):
        skill, ease = rng.normal(0.5, 1.0, num_models), rng.normal(0.0, 1.0, num)
        right = (rng.random((num_models, num)) < expit(skill[:, None] + ease)).astype(float)
        found = compute_two_way_interval(right.ravel(), of, is_share=True)
        alone = compute_clustered_mean(right.ravel(), of.questions)
        assert found.low is not None
        assert found.high is not None
        assert alone.low is not None
        assert alone.high is not None
        both += found.low <= truth <= found.high
        by_question += alone.low <= truth <= alone.high
    assert 0.92 <= both / repeats <= 0.985
    assert by_question / repeats < 0.8


def test_six_models_are_needed_and_the_caveat_says_what_there_is() -> None:
    few = analyze(pl.DataFrame(_rows(LEAST_LEVELS - 1)), resamples=50)
    assert not [e for e in few.estimates if e.name in FACTORS]
    assert any("not of other models" in c and "across" not in c for c in few.caveats)
    enough = analyze(pl.DataFrame(_rows(LEAST_LEVELS)), resamples=50)
    made = {e.name: e for e in enough.estimates if e.name in FACTORS}
    assert set(made) == {name for name in FACTORS if name.endswith("_across_models")}
    assert any("…_across_models speak of other models" in c for c in enough.caveats)
    for name, found in made.items():
        plain = enough.find(name.removesuffix("_across_models"), cell="main", round=1)
        assert plain is not None
        assert found.value == pytest.approx(plain.value)
        assert (found.df, found.num_questions, found.n) == (5, 30, plain.n)
    shown = tabulate_across_factors(enough)
    assert [entry.text for entry in shown.rows[0][:2]] == ["main", "1"]


def test_openings_alone_have_no_changes() -> None:
    rows = [row for row in _rows(6) if row["round"] == 0]
    names = {e.name for e in estimate_across_factors(_states(rows))}
    assert names == {f"{n}_across_models" for n in ("accuracy", "confidence", "over_confidence")}


def test_amplification_has_bounds_where_errors_lack_confidences() -> None:
    rows = [
        row | {"confidence": None if row["answer"] == "5" and n % 3 == 0 else row["confidence"]}
        for n, row in enumerate(_rows(6))
    ]
    made = {e.name: e for e in estimate_across_factors(_states(rows))}
    found = made["eai_across_models"]
    assert found.low is not None
    assert found.bound_low is not None
    assert found.bound_high is not None
    assert found.bound_low < found.low < found.bound_high


def test_wordings_of_the_prompts_are_a_factor_where_they_meet_several_questions() -> None:
    rows = [row | {"prompt_set": f"p{row['agent']}"} for row in _rows(6)]
    assert find_factors(_states(rows)) == {"models": ["main"], "prompts": ["main"]}
    nested = [row | {"prompt_set": row["question"]} for row in rows]
    assert find_factors(_states(nested)) == {"models": ["main"]}
    unnamed = [row | {"prompt_set": None if n == 3 else "p"} for n, row in enumerate(rows)]
    assert find_factors(_states(unnamed)) == {"models": ["main"]}


def test_a_foreign_table_may_name_them_and_a_column_prompt_is_left_alone() -> None:
    rows = [row | {"prompt_set": f"p{row['agent']}", "prompt": ["any"]} for row in _rows(6)]
    table = pl.DataFrame(rows).rename({"question": "question_id", "cell": "arm"})
    read = read_table(table)
    assert read["prompt_set"].n_unique() == 6
    names = {e.name for e in analyze(read, resamples=50).estimates}
    assert names >= set(FACTORS)
    assert "prompt_set" not in read_table(table.drop("prompt_set")).columns


def test_a_run_of_six_models_and_prompt_sets_is_told_of(tmp_path: Any) -> None:
    from debate.analysis import analyze_run

    agents = [simulated(name) | {"prompts": "chat"} for name in "abcdef"]
    agents[0]["prompts"] = "compact"
    done = run(tmp_path, agents, rounds=1, num_questions=6, topology="ring")
    names = {e.name for e in analyze_run(done, resamples=50).estimates}
    assert {name for name in FACTORS if name.endswith("models")} <= names
    assert not {name for name in FACTORS if name.endswith("prompts")} & names


def test_a_hypothesis_about_one_is_judged_by_the_degrees_of_freedom_of_models() -> None:
    claim = {"statement": "So.", "direction": "above", "smallest": 0.05, "cell": "main"}
    told = {
        name: HypothesisSpec(estimate="confidence_across_models", **claim)  # type: ignore[arg-type]
        for name in ("one", "two")
    }
    found = analyze(pl.DataFrame(_rows(8)), hypotheses=told, resamples=50)
    plain = found.find("confidence_across_models", cell="main", round=1)
    finding = found.findings[0]
    assert plain is not None
    assert plain.se is not None
    assert plain.value is not None
    assert finding.high == pytest.approx(plain.value + get_t_quantile(0.975, 7) * plain.se)
    assert finding.num_questions == 30


def test_they_are_in_the_registry_and_stand_in_no_contrast() -> None:
    assert set(FACTORS) <= set(MEASURES)
    assert not set(FACTORS) & set(CONTRASTED)
    assert all("Cameron" in m.source for m in FACTORS.values())
