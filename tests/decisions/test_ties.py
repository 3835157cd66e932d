"""A tie that the rule leaves undecided is an outcome of its own, and scores its expected value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from debate.config.protocol import DecisionSpec
from debate.log import Run
from debate.log.codec import add_checksum
from debate.orchestrator.decisions import decide
from debate.runner.verify_run import verify_run
from debate.types import Answer, Confidence, Turn
from tests.support import run, scripted


def ballot(agent: str, value: str | None, confidence: float = 0.5) -> Turn:
    sure = (Confidence(source="verbal", value=confidence),)
    return Turn(
        cell="main",
        question="q",
        seed=0,
        round=0,
        kind="opening",
        agent=agent,
        model="m",
        answer=Answer(value=value),
        confidences=sure,
    )


def tied(*ballots: Turn, **spec: Any) -> tuple[str, ...]:
    return decide(DecisionSpec(**spec), ballots=ballots).tied


def test_equal_votes_tie() -> None:
    ballots = [ballot("a", "9"), ballot("b", "4"), ballot("c", None)]
    assert tied(*ballots) == ("4", "9")
    assert tied(*ballots, ballot("d", "4")) == ()


def test_weights_that_differ_by_rounding_tie() -> None:
    ballots = [ballot("a", "4", 0.1), ballot("b", "4", 0.2), ballot("c", "5", 0.3)]
    assert tied(*ballots, name="confidence_weighted") == ("4", "5")


def test_nobody_answering_is_no_tie() -> None:
    assert tied(ballot("a", None), ballot("b", None)) == ()
    assert tied(ballot("a", "4", 0.0), ballot("b", "5", 0.0), name="confidence_weighted") == ()


@pytest.mark.parametrize("name", ["super_majority", "unanimity"])
def test_a_share_that_nobody_reaches_is_no_tie(name: str) -> None:
    assert tied(ballot("a", "4"), ballot("b", "5"), name=name) == ()


def test_a_tie_that_the_rule_resolves_is_decided() -> None:
    ballots = [ballot("a", "4", 0.9), ballot("b", "5", 0.8)]
    for ties in ("first", "confidence", "random"):
        assert tied(*ballots, ties=ties) == ()
    assert tied(ballot("a", "4"), ballot("b", "5"), ties="confidence") == ("4", "5")


def row_of(folder: Path, *answers: str, **fields: Any) -> dict[str, Any]:
    agents = [scripted(name, text) for name, text in zip("abcd", answers, strict=False)]
    found = run(folder, agents, rounds=0, topology="isolated", **fields)
    assert verify_run(found.directory).problems == ()
    (row,) = found.verdicts().iter_rows(named=True)
    return row


@pytest.mark.parametrize(
    ("answers", "outcome", "score"),
    [
        (("Answer: 4", "Answer: 5"), "tied", 0.5),
        (("Answer: 4", "Answer: 5", "Answer: 6"), "tied", 1 / 3),
        (("Answer: 5", "Answer: 6"), "tied", 0.0),
        (("Answer: 4", "Answer: 4", "Answer: 6"), "correct", 1.0),
        (("Answer: 5", "Answer: 5", "Answer: 4"), "wrong", 0.0),
        (("none", "neither"), "abstained", 0.0),
    ],
)
def test_a_verdict_scores_its_expected_value(
    answers: tuple[str, ...], outcome: str, score: float, tmp_path: Path
) -> None:
    row = row_of(tmp_path, *answers)
    assert (row["outcome"], row["score"]) == (outcome, score)
    assert row["abstained"] == (outcome == "abstained")
    assert bool(row["tied"]) == (outcome == "tied")


def test_a_tie_is_scored_as_the_run_scores_answers(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps({"id": "q0", "question": "?", "answer": "4"}) + "\n")
    task = {"path": str(path), "kind": "number", "scoring": {"absolute": 1}}
    row = row_of(tmp_path, "Answer: 5", "Answer: 7", task=task)
    assert (row["tied"], row["score"]) == (["5", "7"], 0.5)
    strip(tmp_path / "run")
    assert Run(tmp_path / "run").verdicts()["score"].to_list() == [0.5]


def strip(directory: Path) -> None:
    """Make the verdicts those of a log from before ties and scores were written."""
    path = directory / "verdicts" / "0.jsonl"
    lines = []
    for line in path.read_text().splitlines():
        verdict = {k: v for k, v in json.loads(line).items() if k not in ("tied", "score", "crc32")}
        if verdict["outcome"] == "tied":
            verdict["outcome"] = "abstained"
        lines.append(add_checksum(json.dumps(verdict, separators=(",", ":")).encode()))
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("decision", ["majority", "unanimity", "super_majority"])
def test_a_log_from_before_gives_the_same_verdicts_and_no_problem(
    decision: str, tmp_path: Path
) -> None:
    agents = [scripted("a", ["Answer: 4", "Answer: 5"]), scripted("b", ["Answer: 5", "Answer: 5"])]
    found = run(tmp_path, agents, rounds=1, decision=decision, protocol={"stop": "consensus"})
    before = found.verdicts()
    assert (before["outcome"][0] == "tied") == (decision == "majority")
    strip(found.directory)
    again = Run(found.directory).verdicts()
    assert again.equals(before)
    assert verify_run(found.directory).problems == ()
