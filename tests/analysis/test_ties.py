"""Ties score what they are worth, under every rule; the best rule of the openings is no trap."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from debate.analysis import analyze
from debate.analysis.contrasts import compare_with_openings
from debate.analysis.quantity import Quantity
from debate.analysis.schema import Estimate
from debate.analysis.states import build_states
from debate.analysis.votes import build_vote_states, find_best_rule_gain
from debate.cli import app
from debate.errors import InputError
from debate.log import read_table

from .small import debates, measures_of, named, quantity, turns

OPENINGS = [
    ("q1", "a", 0, "4", 0.9),
    ("q1", "b", 0, "5", 0.5),
    ("q1", "c", 0, "6", 0.4),
    ("q2", "a", 0, "5", 0.9),
    ("q2", "b", 0, "4", 0.8),
    ("q2", "c", 0, "6", 0.1),
    ("q3", "a", 0, "4", 0.2),
    ("q3", "b", 0, "4", 0.2),
    ("q3", "c", 0, "5", 0.5),
]
"""By majority two ties of three and one right vote; by confidence right, wrong, wrong."""
ENDS = [(f"q{k}", agent, 1, "4", 0.5) for k in (1, 2, 3) for agent in "abc"]
RULES = ("majority", "confidence_weighted")


def votes_of(rows: list[tuple[object, ...]]) -> list[Estimate]:
    return list(measures_of(debates(*rows)).make_estimates())


@pytest.mark.parametrize(
    ("rule", "opening", "tied"),
    [("majority", (1 / 3 + 1 / 3 + 1) / 3, 2 / 3), ("confidence_weighted", 1 / 3, 0.0)],
)
def test_each_rule_is_held_against_itself_and_a_tie_scores_its_expected_value(
    rule: str, opening: float, tied: float
) -> None:
    found = votes_of([*OPENINGS, *ENDS])
    assert named(found, "vote_accuracy", subject=rule, round=0).value == pytest.approx(opening)
    assert named(found, "vote_accuracy", subject=rule, round=1).value == 1.0
    assert named(found, "vote_gain", subject=rule).value == pytest.approx(1 - opening)
    assert named(found, "vote_tied_rate", subject=rule, round=0).value == pytest.approx(tied)


def test_both_votes_stand_side_by_side_with_their_shares_of_ties() -> None:
    compared = compare_with_openings(build_vote_states(debates(*OPENINGS, *ENDS)))
    by_rule = {c.method: c for c in compared}
    assert set(by_rule) == set(RULES)
    majority = by_rule["majority"]
    assert (majority.second_value, majority.first_value) == (pytest.approx(5 / 9), 1.0)
    assert (majority.second_tied, majority.first_tied) == (pytest.approx(2 / 3), 0.0)
    assert majority.is_own
    assert not by_rule["confidence_weighted"].is_own


def test_a_hypothesis_reads_the_very_gain_of_the_table() -> None:
    measures = measures_of(debates(*OPENINGS, *ENDS))
    assert quantity(measures.find("vote_gain", cell="ring")).value == pytest.approx(4 / 9)
    by_confidence = measures.find("vote_gain", cell="ring", subject="confidence_weighted")
    assert quantity(by_confidence).value == pytest.approx(2 / 3)


def test_three_experts_who_each_know_something_else_gain_nothing_by_confidence() -> None:
    rows: list[tuple[object, ...]] = []
    for k in range(12):
        for position, agent in enumerate("abc"):
            knows = position == k % 3
            said, sure = ("4", 0.95) if knows else (str(5 + position), 0.3)
            rows += [(f"q{k}", agent, 0, said, sure), (f"q{k}", agent, 1, "4", 0.95)]
    found = votes_of(rows)
    assert named(found, "vote_gain", subject="majority").value == pytest.approx(2 / 3)
    assert named(found, "vote_gain", subject="confidence_weighted").value == 0.0
    assert named(found, "gain_over_best_rule").value == 0.0


def test_ties_of_a_foreign_table_are_scored_alike(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    table = turns(*OPENINGS, *ENDS).rename({"question": "question_id", "cell": "arm"})
    table.write_csv(path)
    done = CliRunner().invoke(app, ["analyze", str(path), "--json"])
    assert done.exit_code == 0, done.output
    estimates = json.loads(done.output)["estimates"]
    gains = {e["subject"]: e["value"] for e in estimates if e["name"] == "vote_gain"}
    assert gains == {
        "majority": pytest.approx(4 / 9),
        "confidence_weighted": pytest.approx(2 / 3),
    }


def only_vote(*rows: tuple[object, ...], rule: str) -> dict[str, object]:
    vote_states = build_vote_states(debates(*rows)).filter(pl.col("agent") == rule)
    assert vote_states.height == 1
    return vote_states.row(0, named=True)


def test_weights_that_differ_by_rounding_alone_tie() -> None:
    """.1 + .2 is a little more than .3 in binary."""
    rows = [("q1", "a", 0, "4", 0.1), ("q1", "b", 0, "4", 0.2), ("q1", "c", 0, "5", 0.3)]
    vote = only_vote(*rows, rule="confidence_weighted")
    assert (vote["outcome"], vote["score"], vote["answer"]) == ("tied", 0.5, None)


def test_two_wrong_answers_that_tie_score_nothing() -> None:
    vote = only_vote(("q1", "a", 0, "5", 0.5), ("q1", "b", 0, "6", 0.5), rule="majority")
    assert (vote["outcome"], vote["score"]) == ("tied", 0.0)


def test_nobody_answering_is_no_tie() -> None:
    rows = [("q1", "a", 0, None, None), ("q1", "b", 0, None, None), ("q2", "a", 0, "4", 0.5)]
    vote = build_vote_states(debates(*rows)).filter(
        (pl.col("agent") == "majority") & (pl.col("question") == "q1")
    )
    assert vote.select("outcome", "score").row(0) == ("abstained", 0.0)


def test_a_recorded_tie_scores_the_share_of_its_answers_that_are_right() -> None:
    states = debates(("q1", "a", 0, "4", 0.5), ("q1", "b", 0, "5", 0.5), ("q1", "c", 0, "6", 0.5))
    verdicts = pl.DataFrame(
        {
            "cell": ["ring"],
            "question": ["q1"],
            "seed": [0],
            "round": [0],
            "method": ["borda"],
            "value": [None],
            "outcome": ["tied"],
            "tied": [["4", "6"]],
        },
        schema_overrides={"value": pl.String},
    )
    own = build_vote_states(states, verdicts).filter(pl.col("is_own"))
    assert own.select("agent", "outcome", "score").row(0) == ("borda", "tied", 0.5)


def noise_around_one_truth(rng: np.random.Generator, num: int) -> pl.DataFrame:
    """Votes of three rules over openings and of one at the end, all right with the same chance."""
    chance = rng.beta(3, 2, num)
    rules = {"x": 0, "y": 0, "z": 0, "x at the end": 1}
    return pl.concat(
        pl.DataFrame(
            {
                "question_code": range(num),
                "agent": name[0],
                "round": last,
                "is_own": name.startswith("x"),
                "score": (rng.random(num) < chance).astype(float),
            }
        )
        for name, last in rules.items()
    )


def test_the_gain_over_the_best_rule_is_nothing_where_rules_are_noise() -> None:
    """Chosen where it is scored, the best of the three would beat the same vote by chance."""
    crossed, flattered, num = [], [], 60
    for seed in range(300):
        vote_states = noise_around_one_truth(np.random.default_rng(seed), num)
        found = find_best_rule_gain(vote_states, num)
        assert isinstance(found, Quantity)
        crossed.append(found.value)
        means = vote_states.group_by("round", "agent").agg(pl.col("score").mean())
        opening = np.max(means.filter(pl.col("round") == 0)["score"].to_numpy())
        end = float(means.filter(pl.col("round") == 1)["score"].item())
        flattered.append(end - opening)
    error = np.std(crossed) / np.sqrt(len(crossed))
    assert abs(np.mean(crossed)) < 3 * error
    assert np.mean(flattered) < -5 * error


def near_ties(rng: np.random.Generator, num: int, better: float = 0.0) -> pl.DataFrame:
    """Two rules over openings, the second better by so much, and one vote at the end."""
    scores = {
        ("x", 0, True): rng.random(num) < 0.6,
        ("y", 0, False): rng.random(num) < 0.6 + better,
        ("x", 1, True): rng.random(num) < 0.75,
    }
    return pl.concat(
        pl.DataFrame({"question_code": range(num), "score": right.astype(float)}).with_columns(
            agent=pl.lit(agent), round=pl.lit(last), is_own=pl.lit(is_own)
        )
        for (agent, last, is_own), right in scores.items()
    )


def gains_over_openings(vote_states: pl.DataFrame, num: int) -> tuple[float, float, float]:
    """The gain over the best rule, then the plain gains over the own rule and the other one."""
    found = find_best_rule_gain(vote_states, num)
    assert isinstance(found, Quantity)
    means = vote_states.group_by("agent", "round").agg(pl.col("score").mean())
    of = {(agent, last): score for agent, last, score in means.iter_rows()}
    return found.value, of["x", 1] - of["x", 0], of["x", 1] - of["y", 0]


def test_the_gain_over_the_best_of_two_equally_good_rules_is_the_plain_gain() -> None:
    """On average; and few near ties score below both rules, as most do by the mean alone."""
    num, runs = 60, 200
    drawn = (near_ties(np.random.default_rng(seed), num) for seed in range(runs))
    told = [gains_over_openings(vote_states, num) for vote_states in drawn]
    excess = np.array([best - own for best, own, _ in told])
    assert abs(excess.mean()) < 3 * excess.std() / np.sqrt(runs)
    close = [(best, max(own, other)) for best, own, other in told if abs(own - other) <= 0.05]
    assert len(close) > 50
    assert sum(best > plain + 1e-9 for best, plain in close) < 0.2 * len(close)


def test_the_gain_is_over_a_clearly_better_rule_of_the_openings() -> None:
    num = 60
    for seed in range(20):
        vote_states = near_ties(np.random.default_rng(seed), num, better=0.4)
        best, _, over_better = gains_over_openings(vote_states, num)
        assert best == pytest.approx(over_better)


def test_a_rule_that_is_better_on_every_fold_is_the_one_that_is_chosen() -> None:
    """By confidence the openings are right throughout, so the debate's own majority gained 0."""
    rows = [
        (
            f"q{k}",
            agent,
            t,
            "4" if agent == "a" or t else str(5 + ord(agent)),
            0.9 if agent == "a" else 0.2,
        )
        for k in range(20)
        for agent in "abc"
        for t in range(2)
    ]
    states = build_states(turns(*rows))
    found = measures_of(states).find("gain_over_best_rule", cell="ring")
    assert quantity(found).value == 0.0
    assert quantity(measures_of(states).find("vote_gain", cell="ring")).value == pytest.approx(
        2 / 3
    )


def test_votes_are_the_teams_where_estimates_are_of_one_author() -> None:
    """Three experts, each right and sure on a third of the questions; the author is one of them."""
    rows = [
        {
            "question_id": f"q{i}",
            "round": t,
            "agent": agent,
            "target": "1",
            "answer": "1" if i % 3 == k else f"w{k}",
            "confidence": 0.9 if i % 3 == k else 0.2,
        }
        for i in range(30)
        for t in (0, 1)
        for k, agent in enumerate("abc")
    ]
    table = read_table(pl.DataFrame(rows))
    found = analyze(table, authors={"main": "a"}, resamples=20)
    gains = {c.method: (c.second_value, c.second_tied) for c in found.comparisons}
    assert gains == {
        "majority": (pytest.approx(1 / 3), 1.0),
        "confidence_weighted": (1.0, 0.0),
    }
    heard = analyze(table, silent={"b", "c"}, resamples=20)
    alone = {c.method: c.second_value for c in heard.comparisons}
    assert alone == dict.fromkeys(("majority", "confidence_weighted"), pytest.approx(1 / 3))


def test_a_vote_is_found_by_the_runs_own_rule_and_an_unknown_place_is_refused() -> None:
    found = analyze(turns(*OPENINGS, *ENDS))
    own = found.find("vote_gain", cell="ring", round=1)
    assert own is not None
    assert own == found.find("vote_gain", cell="ring", round=1, subject="majority")
    for wrong in ({"cell": "rnig"}, {"round": 7}, {"subject": "majorty"}):
        with pytest.raises(InputError, match=r"ring|1|majority"):
            found.find("vote_gain", **{"cell": "ring", **wrong})  # type: ignore[arg-type]
