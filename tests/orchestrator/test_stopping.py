"""When a debate ends, and what its verdicts are."""

from __future__ import annotations

from pathlib import Path

import pytest

from debate.log import Run
from tests.support import run, scripted, turns_of


def _rounds(found: Run, question: str = "q0") -> int:
    return max(turn.round for turn in turns_of(found, question))


def test_without_an_early_stop_all_rounds_are_held(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: 4"), scripted("b", "Answer: 4")]
    assert _rounds(run(tmp_path, agents, rounds=3)) == 3


def test_consensus_ends_a_debate_and_the_verdict_says_so(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: 4"), scripted("b", ["Answer: 5", "Answer: 4.0"])]
    found = run(tmp_path, agents, rounds=5, protocol={"stop": "consensus"})
    assert _rounds(found) == 1
    final = found.verdicts().filter(final=True)
    assert final["stopped_by"].to_list() == ["consensus"]
    assert final["round"].to_list() == [1]


def test_abstaining_alike_is_no_consensus(tmp_path: Path) -> None:
    agents = [scripted("a", "I do not know"), scripted("b", "no idea")]
    assert _rounds(run(tmp_path, agents, rounds=2, protocol={"stop": "consensus"})) == 2


def test_no_change_ends_a_debate(tmp_path: Path) -> None:
    replies = ["Answer: 1", "Answer: 2", "Answer: 2", "Answer: 3"]
    agents = [scripted("a", replies), scripted("b", "Answer: 9")]
    assert _rounds(run(tmp_path, agents, rounds=9, protocol={"stop": "no_change"})) == 2


def test_a_debate_that_would_not_pay_is_not_held(tmp_path: Path) -> None:
    by_question = {"q0": "Answer: 4", "q1": "Answer: 5"}
    agents = [scripted("a", by_question), scripted("b", "Answer: 4")]
    protocol = {"debate_if": "disagreement"}
    found = run(tmp_path, agents, rounds=2, num_questions=2, protocol=protocol)
    assert [_rounds(found, question) for question in ("q0", "q1")] == [0, 2]


def test_low_confidence_is_worth_a_debate(tmp_path: Path) -> None:
    by_question = {"q0": "Answer: 4\nConfidence: 95%", "q1": "Answer: 4\nConfidence: 60%"}
    agents = [scripted("a", by_question), scripted("b", "Answer: 4\nConfidence: 90%")]
    protocol = {"debate_if": "confidence < 0.8", "show_confidence": True}
    found = run(tmp_path, agents, rounds=1, num_questions=2, protocol=protocol)
    assert [_rounds(found, question) for question in ("q0", "q1")] == [0, 1]


@pytest.mark.parametrize(("stated", "rounds"), [(79, 1), (80, 0), (81, 0)])
def test_a_mean_confidence_at_the_limit_is_enough(tmp_path: Path, stated: int, rounds: int) -> None:
    agents = [scripted(name, f"Answer: 4\nConfidence: {stated}%") for name in "ab"]
    protocol = {"debate_if": "confidence < 0.8", "show_confidence": True}
    assert _rounds(run(tmp_path, agents, rounds=1, protocol=protocol)) == rounds


def test_there_is_a_verdict_after_every_round(tmp_path: Path) -> None:
    agents = [scripted("a", ["Answer: 1", "Answer: 4"]), scripted("b", "Answer: 4")]
    verdicts = run(tmp_path, agents, rounds=1).verdicts().sort("round")
    assert verdicts["answer"].to_list() == [None, "4"]
    assert verdicts["outcome"].to_list() == ["tied", "correct"]
    assert verdicts["final"].to_list() == [False, True]
