"""Entrenchment, amplification, drift, flips, conformity and attribution on small tables."""

import math

import numpy as np
import polars as pl
import pytest

from debate.analysis.attribution import (
    compute_edges,
    compute_hazards,
    credit_flips,
    find_disagreements,
    find_first_seen,
    find_flip_sources,
    join_hearings,
)
from debate.analysis.contrasts import contrast_conditions
from debate.analysis.design import NO_CONTROL, Controls, choose_controls
from debate.analysis.flips import (
    advise,
    estimate_conformity,
    estimate_flips,
    estimate_revisions,
    tabulate_flow,
)
from debate.analysis.states import build_states
from debate.errors import InputError

from . import simulate
from .small import debates, measures_of, named

KEPT_AND_DROPPED = [
    ("q1", "a", 0, "5", 0.5, ""),
    ("q1", "a", 1, "5", 0.8, ""),
    ("q2", "a", 0, "6", 0.5, ""),
    ("q2", "a", 1, "7", 0.9, ""),
    ("q3", "a", 0, "4", 0.5, ""),
    ("q3", "a", 1, "5", 0.6, ""),
    ("q4", "a", 0, "5", 0.2, ""),
    ("q4", "a", 1, "4", 0.9, ""),
    ("q5", "a", 0, "5", 0.5, ""),
    ("q5", "a", 1, "5", 0.5, ""),
]


def test_the_change_of_surviving_errors_counts_only_errors_that_were_kept() -> None:
    kept = named(
        measures_of(debates(*KEPT_AND_DROPPED)).make_estimates(), "survivor_change", round=1
    )
    assert kept.n == 2
    assert kept.value == pytest.approx(math.log(4) / 2)
    assert any("selection" in caveat for caveat in kept.caveats)


def test_without_the_control_there_is_no_number_over_it_and_the_lack_is_told() -> None:
    measures = measures_of(debates(*KEPT_AND_DROPPED))
    found = named(contrast_conditions(measures, Controls()), "eai_over_control")
    assert found.value is None
    assert found.missing == NO_CONTROL


def test_the_control_is_taken_off_question_by_question() -> None:
    table = simulate.entrenched(
        np.random.default_rng(0), questions=80, rise=0.3, resampling=0.1, rounds=1
    )
    measures = measures_of(build_states(table))
    alone, control = (
        named(measures.make_estimates(), "eai", cell=cell, round=1) for cell in ("self", "repeat")
    )
    over = named(
        contrast_conditions(measures, choose_controls(["self", "repeat"])),
        "eai_over_control",
        cell="self",
    )
    assert alone.value is not None
    assert control.value is not None
    assert over.value == pytest.approx(alone.value - control.value)


def test_a_control_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match='arm "repaet" is unknown; did you mean "repeat"'):
        choose_controls(["self", "repeat"], controls={"self": "repaet"})


def test_a_stated_certainty_gives_a_finite_change_of_logit() -> None:
    rows = [("q1", "a", 0, "5", 1.0, ""), ("q1", "a", 1, "5", 0.0, "")]
    found = named(measures_of(debates(*rows)).make_estimates(), "survivor_change", round=1)
    assert found.value == pytest.approx(2 * math.log(0.001 / 0.999))


def test_eai_is_the_change_of_confident_error_mass_and_its_parts_add_up() -> None:
    found = list(measures_of(debates(*KEPT_AND_DROPPED)).make_estimates())
    eai = named(found, "eai", round=1)
    assert eai.value == pytest.approx((0.3 + 0.4 + 0.6 - 0.2 + 0.0) / 5)
    parts = [named(found, f"eai_{p}").value for p in ("kept", "moved", "introduced", "removed")]
    assert parts == pytest.approx([0.3 / 5, 0.4 / 5, 0.6 / 5, -0.2 / 5])


def test_an_abstention_holds_no_confident_error_and_a_failure_is_left_out() -> None:
    states = build_states(
        pl.DataFrame(
            {
                "cell": ["c"] * 4,
                "question": ["q1", "q1", "q2", "q2"],
                "agent": ["a"] * 4,
                "round": [0, 1, 0, 1],
                "answer": ["5", None, "5", None],
                "outcome": ["wrong", "abstained", "wrong", "failed"],
                "confidence": [0.7, None, 0.7, None],
            }
        )
    )
    eai = named(measures_of(states).make_estimates(), "eai", round=1)
    assert eai.n == 1
    assert eai.value == pytest.approx(-0.7)


def test_drift_is_the_mean_step_of_belief_in_the_truth() -> None:
    table = pl.DataFrame(
        {
            "cell": ["c"] * 6,
            "question": ["q1"] * 3 + ["q2"] * 3,
            "agent": ["a"] * 6,
            "round": [0, 1, 2] * 2,
            "answer": ["4"] * 6,
            "target": ["4"] * 6,
            "belief_target": [0.2, 0.3, 0.6, 0.5, 0.5, None],
        }
    )
    found = list(measures_of(build_states(table)).make_estimates())
    assert named(found, "drift", round=None).value == pytest.approx((0.1 + 0.3 + 0.0) / 3)
    assert named(found, "drift", round=1).value == pytest.approx(0.05)


def test_without_beliefs_drift_says_what_is_missing() -> None:
    found = named(measures_of(debates(*KEPT_AND_DROPPED)).make_estimates(), "drift", round=None)
    assert found.value is None
    assert found.missing is not None
    assert found.missing.startswith("belief in the target on at least two rounds")


def test_flips_are_counted_from_right_and_from_not_right() -> None:
    found = estimate_flips(debates(*KEPT_AND_DROPPED))
    assert named(found, "error_correction_rate", round=1).value == pytest.approx(1 / 4)
    assert named(found, "error_introduction_rate", round=1).value == pytest.approx(1.0)
    assert named(found, "wrong_to_right", round=1).value == pytest.approx(1 / 5)
    assert named(found, "fixed_point", round=1).value == pytest.approx(0.25 / 1.25)
    gain = named(found, "next_round_gain", round=1).value
    assert gain == pytest.approx(0.25 * 4 / 5 - 1.0 * 1 / 5)


def test_at_the_fixed_point_another_round_gains_nothing() -> None:
    rows = []
    for k in range(20):
        before, after = ("4", "5") if k < 5 else ("5", "4") if k < 10 else ("4", "4")
        before, after = ("5", "5") if k >= 15 else (before, after)
        rows += [(f"q{k}", "a", 0, before, 0.5, ""), (f"q{k}", "a", 1, after, 0.5, "")]
    found = estimate_flips(debates(*rows))
    assert named(found, "fixed_point", round=None).value == pytest.approx(0.5)
    gain = named(found, "next_round_gain", round=None)
    assert gain.value == pytest.approx(0.0)
    assert advise(gain.low, gain.high) == "undecided"


def test_the_flow_counts_every_agent_once_a_round() -> None:
    table = tabulate_flow(debates(*KEPT_AND_DROPPED))
    assert table["count"].sum() == 5
    moved = table.filter((pl.col("source") == "wrong") & (pl.col("destination") == "wrong"))
    assert sorted(moved["same_answer"].to_list()) == [False, True]


DISAGREEMENTS = [
    ("q1", "a", 0, "4", 0.6, ""),
    ("q1", "b", 0, "5", 0.9, ""),
    ("q1", "a", 1, "5", 0.7, "0:opening:b"),
    ("q1", "b", 1, "5", 0.9, "0:opening:a"),
    ("q2", "a", 0, "6", 0.6, ""),
    ("q2", "b", 0, "4", 0.9, ""),
    ("q2", "a", 1, "4", 0.7, "0:opening:b"),
    ("q2", "b", 1, "7", 0.9, "0:opening:a"),
    ("q3", "a", 0, "4", 0.6, ""),
    ("q3", "b", 0, "4", 0.9, ""),
    ("q3", "a", 1, "9", 0.7, "0:opening:b"),
    ("q3", "b", 1, "4", 0.9, "0:opening:a"),
]


def test_conformity_is_over_disagreements_only() -> None:
    states = debates(*DISAGREEMENTS)
    found = estimate_conformity(states, find_disagreements(join_hearings(states)), Controls())
    assert named(found, "conformity").n == 4
    assert named(found, "conformity").value == pytest.approx(2 / 4)
    assert named(found, "obstinacy").value == pytest.approx(1 / 4)
    assert named(found, "identity_bias").missing == "the same arm with anonymous speakers"


def test_identity_bias_is_the_lean_with_names_beyond_the_lean_without() -> None:
    rng = np.random.default_rng(3)
    with_names = simulate.conformists(rng, questions=300, adopt=0.6, keep=0.3)
    without = simulate.conformists(rng, questions=300, adopt=0.3, keep=0.6)
    without = without.with_columns(cell=pl.lit("debate_anonymous"))
    states = build_states(pl.concat([with_names, without]))
    chosen = choose_controls(states["cell"].unique())
    found = estimate_conformity(states, find_disagreements(join_hearings(states)), chosen)
    bias = named(found, "identity_bias", cell="debate")
    assert bias.value == pytest.approx(0.6, abs=0.1)
    assert bias.excludes(0.0)


def test_hearing_oneself_is_no_disagreement() -> None:
    rows = [("q1", "a", 0, "4", 0.6, ""), ("q1", "a", 1, "5", 0.7, "0:opening:a")]
    states = debates(*rows)
    found = estimate_conformity(states, find_disagreements(join_hearings(states)), Controls())
    assert named(found, "conformity").value is None


def test_harmful_and_beneficial_revision_need_to_have_seen_the_other() -> None:
    states = debates(*DISAGREEMENTS)
    found = estimate_revisions(states, find_first_seen(join_hearings(states)))
    harmful, beneficial = (
        named(found, name, round=1) for name in ("harmful_revision", "beneficial_revision")
    )
    assert (harmful.n, harmful.value) == (2, 1.0)
    assert (beneficial.n, beneficial.value) == (2, 0.5)


def test_a_flip_goes_back_to_whoever_held_the_new_answer() -> None:
    states = debates(*DISAGREEMENTS)
    sources = find_flip_sources(states, join_hearings(states))
    by_turn = {(r["question"], r["agent"]): r for r in sources.iter_rows(named=True)}
    assert by_turn["q1", "a"]["critic"] == "b"
    assert by_turn["q1", "a"]["critic_outcome"] == "wrong"
    assert by_turn["q1", "a"]["critic_confidence"] == 0.9
    assert by_turn["q2", "a"]["flip"] == "wrong_to_right"
    assert by_turn["q3", "a"]["critic"] is None


def test_the_shares_of_a_flip_add_up_to_one() -> None:
    rng = np.random.default_rng(4)
    states = build_states(simulate.conformists(rng, questions=100, adopt=0.5, keep=0.3, agents=4))
    sources = find_flip_sources(states, join_hearings(states))
    turns = sources.group_by("question", "agent", "round").agg(pl.col("share").sum())
    assert turns["share"].to_list() == pytest.approx([1.0] * turns.height)
    by_kind = credit_flips(sources).group_by("cell", "flip").agg(pl.col("share").sum())
    assert by_kind["share"].to_list() == pytest.approx([1.0] * by_kind.height)


def test_hazards_count_those_at_risk_by_what_they_heard() -> None:
    states = debates(*DISAGREEMENTS)
    table = compute_hazards(states, join_hearings(states))
    heard_wrong = table.filter(
        (pl.col("transition") == "right_to_wrong") & (pl.col("critic_outcome") == "wrong")
    )
    assert heard_wrong["n"].sum() == 2
    assert heard_wrong["successes"].sum() == 2
    assert set(heard_wrong["surer"]) == {True, False}


def test_turns_that_heard_nobody_have_a_hazard_of_their_own() -> None:
    states = debates(*KEPT_AND_DROPPED)
    table = compute_hazards(states, join_hearings(states))
    assert set(table["relation"]) == {"nothing_heard"}
    assert table["n"].sum() == 5


def test_edges_tell_adoption_apart_by_direction() -> None:
    table = compute_edges(join_hearings(debates(*DISAGREEMENTS)))
    adopted = table.filter(pl.col("transition") == "adoption")
    rates = {(r["critic"], r["author"]): r["rate"] for r in adopted.iter_rows(named=True)}
    assert rates == {("b", "a"): 1.0, ("a", "b"): 0.0}
