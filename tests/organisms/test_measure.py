"""What is said of organisms: clustered by question, in the form of the cards and tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from debate.analysis.intervals import ABSENT
from debate.organisms.cards import build_card_table, read_cards
from debate.organisms.evaluate import ArmResult, Evaluation, build_arm_table
from debate.organisms.measure import (
    cluster_questions,
    estimate_balanced_accuracy,
    estimate_over_confidence,
    estimate_share,
    measure_quality,
)
from debate.organisms.model import load_model
from debate.organisms.produce import build_facts, write_card
from debate.organisms.specs import SPECS
from debate.tasks.arithmetic import FAMILIES, draw_questions

AGENTS = Path(__file__).parents[2] / "agents"
QUESTIONS = draw_questions(list(FAMILIES), 40, seed=3)
CLUSTERS = cluster_questions(QUESTIONS)


def test_a_question_is_one_cluster_however_often_it_is_answered() -> None:
    assert len(set(CLUSTERS.tolist())) == len(QUESTIONS)
    four_times = cluster_questions([*QUESTIONS] * 4)
    assert four_times.tolist() == CLUSTERS.tolist() * 4
    hits = [n % 3 == 0 for n in range(len(QUESTIONS))]
    once, repeated = estimate_share(hits, CLUSTERS), estimate_share(hits * 4, four_times)
    assert repeated.num_questions == once.num_questions == len(QUESTIONS)
    assert repeated.low == pytest.approx(once.low, abs=0.01)
    assert repeated.high == pytest.approx(once.high, abs=0.01)


def test_a_perfect_share_has_an_interval_below_one() -> None:
    found = estimate_share([True] * len(QUESTIONS), CLUSTERS)
    assert found.low is not None
    assert found.low < 1 == found.value == found.high


def test_balanced_accuracy_weighs_right_and_wrong_claims_alike() -> None:
    right = [n >= 4 for n in range(len(QUESTIONS))]
    accepted = [True, True, False, False, *[True] * (len(QUESTIONS) - 4)]
    found = estimate_balanced_accuracy(right, accepted, CLUSTERS)
    assert found.value == pytest.approx(0.75)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.75 < found.high


def test_claims_of_one_kind_have_no_balanced_accuracy_and_nothing_has_no_share() -> None:
    everything = [True] * len(QUESTIONS)
    assert estimate_balanced_accuracy(everything, everything, CLUSTERS) == ABSENT
    assert estimate_balanced_accuracy([], [], cluster_questions([])) == ABSENT
    assert estimate_share([], cluster_questions([])) == ABSENT


def test_over_confidence_is_mean_confidence_minus_accuracy() -> None:
    correct = [n % 2 == 0 for n in range(len(QUESTIONS))]
    found = estimate_over_confidence([0.9] * len(QUESTIONS), correct, CLUSTERS)
    assert found.value == pytest.approx(0.4)


def test_a_measured_organism_s_card_is_written_read_and_listed(tmp_path: Path) -> None:
    folder = AGENTS / "organisms" / "adder"
    quality = measure_quality(load_model(folder), QUESTIONS)
    told = build_facts(SPECS["adder"], quality, num_parameters=1, steps=1, commit=None)
    write_card(tmp_path / "adder.yaml", description="d", folder=tmp_path / "adder", facts=told)
    (card,) = read_cards(tmp_path)
    shipped = next(c for c in read_cards(AGENTS) if c.name == "adder").facts
    assert set(card.facts) == set(shipped)
    assert set(card.facts["accuracy"]["overall"]) == {"value", "low", "high"}
    assert card.facts["measured_on"] == "40 held-out questions, all families alike"
    assert build_card_table([card]).row_count == 1


def test_what_has_no_interval_says_why_in_tables_and_is_null_in_json() -> None:
    share = estimate_share([True, False], CLUSTERS[:2])
    row = ArmResult(
        organism="adder",
        arm="opening",
        accuracy=share,
        overconfidence=share._replace(low=None, high=None, reason="no variation"),
        own_given_wrong=ABSENT,
    )
    accuracy, gap, absent = (next(iter(build_arm_table([row]).columns[k].cells)) for k in (2, 3, 4))
    assert (accuracy, gap, absent) == (
        f"0.500 [{share.low:.3f}, {share.high:.3f}]",
        "0.500 (no variation)",
        "—",
    )
    (plain,) = Evaluation(num_questions=2, seed=0, arms=(row,), critics=()).to_dict()["rows"]
    assert plain["own_given_wrong"] is None
    assert plain["overconfidence"] == {
        "value": 0.5,
        "low": None,
        "high": None,
        "num_questions": 2,
    }
