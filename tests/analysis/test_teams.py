"""Diversity, votes, comparisons and where."""

import itertools

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from debate.analysis.attribution import join_hearings, rank_error_growth
from debate.analysis.calibration import (
    BlockSums,
    ScoredAnswers,
    bootstrap_changes,
    compute_metrics,
    draw_blocks,
)
from debate.analysis.contrasts import (
    compare_scores,
    compare_with_baseline,
    compare_with_openings,
    correct_family,
)
from debate.analysis.design import Controls, choose_controls
from debate.analysis.diversity import PAIRS, TEAM_STATISTICS
from debate.analysis.schema import Estimate
from debate.analysis.scores import compute_aurc, compute_ece
from debate.analysis.states import build_states
from debate.analysis.votes import build_vote_states

from . import simulate
from .small import measures_of, quantity


def openings(*answers: str | None, target: str = "4", question: str = "q1") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "cell": ["c"] * len(answers),
            "question": [question] * len(answers),
            "agent": [f"a{k}" for k in range(len(answers))],
            "round": [0] * len(answers),
            "answer": pl.Series(answers, dtype=pl.String),
            "target": [target] * len(answers),
        }
    )


def two_agents(seed: int = 0, questions: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    answers = rng.choice(4, size=(1, questions, 2), p=[0.5, 0.3, 0.1, 0.1])
    return simulate.frame(answers, cell="c", confidence=np.full(answers.shape, 0.5))


def diversity(table: pl.DataFrame) -> list[Estimate]:
    """How members err, two by two and together."""
    found = measures_of(build_states(table)).make_estimates()
    return [e for e in found if e.name in (*PAIRS, *TEAM_STATISTICS)]


def pair_values(table: pl.DataFrame) -> dict[str, float | None]:
    return {e.name: e.value for e in diversity(table) if e.subject}


def test_pair_statistics_follow_their_definitions() -> None:
    table = two_agents()
    wide = table.pivot(on="agent", index="question", values="answer")
    a, b = wide["a"].to_numpy(), wide["b"].to_numpy()
    right, also = a == "0", b == "0"
    found = pair_values(table)
    assert found["disagreement"] == pytest.approx(np.mean(right != also))
    assert found["double_fault"] == pytest.approx(np.mean(~right & ~also))
    assert found["phi"] == pytest.approx(np.corrcoef(right, also)[0, 1])
    both = ~right & ~also
    assert found["same_wrong"] == pytest.approx(np.mean(a[both] == b[both]))
    odds = [np.sum(x & y) for x in (right, ~right) for y in (also, ~also)]
    q = (odds[0] * odds[3] - odds[1] * odds[2]) / (odds[0] * odds[3] + odds[1] * odds[2])
    assert found["q_statistic"] == pytest.approx(q)


def one_hot(table: pl.DataFrame, agent: str) -> NDArray[np.float64]:
    answers = table.filter(pl.col("agent") == agent).sort("question")["answer"]
    return np.asarray(np.eye(4)[answers.cast(pl.Int64).to_numpy()], dtype=np.float64)


@pytest.mark.filterwarnings("ignore")
def test_kappa_of_answers_is_lm_sims_capa_of_one_hot_probabilities() -> None:
    lmsim = pytest.importorskip("lmsim.metrics")
    table = two_agents().with_columns(num_options=pl.lit(4))
    first, second = one_hot(table, "a"), one_hot(table, "b")
    reference = lmsim.CAPA().compute_k(list(first), list(second), [0] * len(first))
    assert pair_values(table)["kappa_p"] == pytest.approx(reference)


def test_agents_that_always_agree_amount_to_one_voter() -> None:
    answers = np.repeat(np.random.default_rng(2).integers(0, 2, (1, 60, 1)), 4, axis=2)
    table = simulate.frame(answers, cell="c", confidence=np.full(answers.shape, 0.5))
    found = {e.name: e.value for e in diversity(table) if e.subject is None}
    assert found["effective_votes"] == pytest.approx(1.0)


def test_a_team_that_is_always_right_has_no_error_correlation() -> None:
    answers = np.zeros((1, 20, 3), dtype=np.int64)
    table = simulate.frame(answers, cell="c", confidence=np.full(answers.shape, 0.5))
    found = {e.name: e for e in diversity(table)}
    assert found["error_correlation"].value is None
    assert found["error_correlation"].missing is not None


def test_one_agent_has_no_pairs() -> None:
    table = two_agents().filter(pl.col("agent") == "a")
    assert diversity(table) == []


@pytest.mark.parametrize(
    ("answers", "value", "outcome"),
    [
        (("4", "4", "5"), "4", "correct"),
        (("5", "5", "4"), "5", "wrong"),
        (("4", "5"), None, "tied"),
        (("4", "4", "5", "5", "6"), None, "tied"),
        (("4", None, "5"), None, "tied"),
        ((None, None, "5"), "5", "wrong"),
        ((None, None), None, "abstained"),
    ],
)
def test_the_majority_never_guesses(
    answers: tuple[str | None, ...], value: str | None, outcome: str
) -> None:
    row = build_vote_states(build_states(openings(*answers))).row(0, named=True)
    assert (row["agent"], row["answer"], row["outcome"]) == ("majority", value, outcome)


def test_a_debate_whose_turns_all_failed_failed() -> None:
    table = openings(None, None).with_columns(outcome=pl.lit("failed"))
    assert build_vote_states(build_states(table))["outcome"].to_list() == ["failed"]


def test_the_votes_confidence_is_scored_like_a_members() -> None:
    table = pl.concat([openings("4", "4", "5"), openings("5", "5", "5", question="q2")])
    estimates = measures_of(build_states(table)).make_estimates()
    found = {e.name: e.value for e in estimates if e.subject == "majority"}
    assert found["vote_accuracy"] == 0.5
    assert found["vote_brier"] == pytest.approx(((2 / 3 - 1) ** 2 + 1) / 2)


def test_given_verdicts_win_over_the_majority() -> None:
    verdicts = pl.DataFrame(
        {
            "cell": ["c"],
            "question": ["q1"],
            "seed": [0],
            "round": [0],
            "method": ["judge"],
            "value": ["5"],
            "outcome": ["wrong"],
            "confidence": [0.9],
        }
    )
    vote_states = build_vote_states(build_states(openings("4", "4")), verdicts)
    own = vote_states.filter(pl.col("is_own"))
    assert own["agent"].to_list() == ["judge"]
    assert vote_states.filter(~pl.col("is_own"))["agent"].to_list() == ["majority"]


UNTIED = {"after_tied": False, "before_tied": False, "is_own": True}


def test_a_comparison_carries_its_tests_and_what_it_could_have_found() -> None:
    pairs = pl.DataFrame(
        {
            "question_code": range(100),
            "after": [True] * 60 + [False] * 40,
            "before": [True] * 50 + [False] * 40 + [True] * 10,
            **UNTIED,
        }
    )
    found = compare_scores(pairs, family="f", cell="c", method="m", first="T", second="0")
    assert (found.gained, found.lost, found.value) == (10, 10, 0.0)
    assert found.p_mcnemar == 1.0
    assert found.high is not None
    assert found.detectable == pytest.approx(2.8016 / 1.96 * found.high, rel=0.001)


def test_vote_t_is_compared_with_vote_0_of_the_same_debates() -> None:
    answers = np.zeros((2, 50, 3), dtype=np.int64)
    answers[0, :10] = 1
    table = simulate.frame(answers, cell="c", confidence=np.full(answers.shape, 0.5))
    compared = compare_with_openings(build_vote_states(build_states(table)))
    assert [c.method for c in compared] == ["majority", "confidence_weighted"]
    for found in compared:
        assert found.value == pytest.approx(0.2)
        assert (found.gained, found.lost) == (10, 0)
        assert found.is_own == (found.method == "majority")


def test_cells_are_compared_with_the_baseline_question_by_question() -> None:
    single = two_agents(seed=5).filter(pl.col("agent") == "a").with_columns(cell=pl.lit("single"))
    table = pl.concat([single, two_agents(seed=6)])
    vote_states = build_vote_states(build_states(table))
    (found,) = compare_with_baseline(vote_states, choose_controls(["single", "c"]))
    assert (found.first, found.second, found.n) == ("c", "single", 200)
    assert compare_with_baseline(vote_states, Controls()) == []


def test_holm_runs_over_the_family_and_skips_what_has_no_p_value() -> None:
    pairs = pl.DataFrame(
        {"question_code": [0, 1, 2], "after": [1, 1, 0], "before": [0, 0, 1], **UNTIED}
    )
    known = compare_scores(pairs, family="f", cell="c", method="m", first="T", second="0")
    lone = compare_scores(pairs.head(1), family="f", cell="d", method="m", first="T", second="0")
    first, second, third = correct_family([known, lone, known])
    assert second.p_holm is None
    assert first.p_value is not None
    assert first.p_holm == third.p_holm == pytest.approx(min(1.0, 2 * first.p_value))


def scored(seed: int, questions: int = 60) -> ScoredAnswers:
    rng = np.random.default_rng(seed)
    confidence = rng.integers(0, 76, questions * 3) / 75
    correct = (rng.random(questions * 3) < confidence).astype(float)
    return ScoredAnswers(confidence, correct, np.repeat(np.arange(questions), 3))


def test_sums_over_bins_hold_all_that_the_scores_need() -> None:
    data = scored(0)
    totals = BlockSums.from_answers(data, np.arange(60)).sums.sum(axis=0)
    found = compute_metrics(totals)
    assert found["ece"] == pytest.approx(compute_ece(data.confidence, data.correct).value)
    assert found["brier"] == pytest.approx(np.mean((data.confidence - data.correct) ** 2))
    level = np.minimum((data.confidence * 75).astype(int), 74).astype(float)
    assert found["aurc"] == pytest.approx(compute_aurc(level, data.correct).value)


def test_the_bootstrap_of_brier_has_the_clustered_standard_error() -> None:
    from debate.analysis.intervals import compute_clustered_mean

    first, second = scored(1), scored(2)
    arms = {
        "x": BlockSums.from_answers(first, np.arange(60)),
        "y": BlockSums.from_answers(second, np.arange(60)),
    }
    found = bootstrap_changes(arms, [("x", "y")], np.random.default_rng(0), resamples=4000)
    change = (first.confidence - first.correct) ** 2 - (second.confidence - second.correct) ** 2
    exact = compute_clustered_mean(change, first.clusters)
    assert found["brier", "x", "y"].value == pytest.approx(exact.value)
    assert found["brier", "x", "y"].se == pytest.approx(exact.se, rel=0.06)


def test_an_arm_does_not_differ_from_itself_in_any_resample() -> None:
    block = BlockSums.from_answers(scored(3), np.arange(60))
    found = bootstrap_changes({"x": block}, [("x", "x")], np.random.default_rng(0), resamples=50)
    assert {(i.low, i.high) for i in found.values()} == {(0.0, 0.0)}


def test_many_questions_are_resampled_in_blocks_of_equal_size() -> None:
    sizes = np.bincount(draw_blocks(5_000, np.random.default_rng(0)))
    assert set(sizes) == {5}


def amplified() -> pl.DataFrame:
    rng = np.random.default_rng(7)
    table = simulate.conformists(rng, questions=80, adopt=0.5, keep=0.4)
    return build_states(table.with_columns(category=pl.col("question").str.slice(1, 1)))


def test_every_ranking_adds_up_to_the_index() -> None:
    states = amplified()
    eai = quantity(measures_of(states).find("eai", cell="debate")).value
    found = rank_error_growth(states, join_hearings(states), limit=10_000)
    for table in (found.questions, found.categories, found.agents, found.edges, found.rounds):
        assert table["contribution"].sum() == pytest.approx(eai)


def test_a_hot_spot_names_the_turn_at_which_confidence_in_the_error_rose() -> None:
    rows = [
        ("q1", "a", 0, "5", 0.3, ""),
        ("q1", "a", 1, "5", 0.4, "0:opening:b"),
        ("q1", "a", 2, "5", 0.9, "1:revision:b"),
        ("q1", "b", 0, "5", 0.5, ""),
        ("q1", "b", 1, "5", 0.5, ""),
        ("q1", "b", 2, "5", 0.5, ""),
    ]
    columns = ["question", "agent", "round", "answer", "confidence", "heard"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    states = build_states(frame.with_columns(cell=pl.lit("ring"), target=pl.lit("4")))
    found = rank_error_growth(states, join_hearings(states))
    spot = found.hotspots.row(0, named=True)
    assert found.hotspots["step"].to_list() == pytest.approx([0.5, 0.1])
    assert (spot["question"], spot["agent"], spot["round"]) == ("q1", "a", 2)
    assert spot["heard"] == ["1:revision:b"]
    assert (spot["previous_confidence"], spot["confidence"]) == (0.4, 0.9)
    for table in (found.questions, found.categories, found.agents, found.edges):
        line = table.row(0, named=True)
        assert (line["steepest_question"], line["steepest_round"]) == ("q1", 2)
    assert found.links["round"].to_list() == [1, 2]


def test_every_line_of_a_ranking_leads_to_a_turn_where_mass_rose() -> None:
    states = amplified()
    found = rank_error_growth(states, join_hearings(states), limit=7)
    linked = set(found.links.select("cell", "question", "seed", "agent", "round").iter_rows())
    for table in (found.questions, found.categories, found.agents, found.edges, found.rounds):
        risen = table.filter(pl.col("contribution") > 0)
        assert risen["steepest_question"].null_count() == 0
        steepest = risen.select("cell", pl.col("^steepest_.*$"))
        assert set(steepest.iter_rows()) <= linked
    assert (found.links["step"] > 0).all()
    assert found.questions.height == 7


def test_hot_spots_are_ranked_by_the_rise_at_the_turn_and_none_reads_as_zero() -> None:
    """a rises more in all, b more at one turn; c's rises are too small to be shown."""
    paths = {"a": (0.1, 0.5, 0.9), "b": (0.1, 0.7, 0.4), "c": (0.5, 0.504, 0.508)}
    rows = [("q1", a, r, "5", c) for a, path in paths.items() for r, c in enumerate(path)]
    columns = ["question", "agent", "round", "answer", "confidence"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    states = build_states(frame.with_columns(cell=pl.lit("ring"), target=pl.lit("4")))
    found = rank_error_growth(states, join_hearings(states))
    assert found.hotspots["agent"].to_list() == ["b", "a", "a"]
    small = found.agents.filter(pl.col("agent") == "c")
    assert small["contribution"].item() > 0
    assert small["steepest_question"].item() is None


def test_hot_spots_are_bounded_for_each_cell() -> None:
    states = amplified()
    assert rank_error_growth(states, join_hearings(states), limit=3).hotspots.height == 3


def test_pairs_are_listed_for_every_two_agents() -> None:
    answers = np.random.default_rng(8).integers(0, 2, (1, 30, 4))
    table = simulate.frame(answers, cell="c", confidence=np.full(answers.shape, 0.5))
    listed = {e.subject for e in diversity(table) if e.name == "phi"}
    assert listed == {f"{a} & {b}" for a, b in itertools.combinations("abcd", 2)}
