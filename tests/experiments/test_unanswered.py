"""Turns without an answer are no finding: they are counted, and bound what is claimed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from debate.analysis import analyze_run
from debate.analysis.hypotheses import Finding
from tests.experiments.frames import Row, analysis_of, arm, claim, turn
from tests.support import run, scripted

NUM = 200
HARM = {"direction": "below", "smallest": 0.02}


def _silence(rows: list[Row], when: Callable[[int, int], bool], **change: object) -> list[Row]:
    """The rows, with those of `when(question, round)` without an answer or a confidence."""
    lost = {"answer": None, "confidence": None, **change}
    return [r | lost if when(int(r["question"][1:]), r["round"]) else r for r in rows]


def _half_abstain(cell: str = "self", *, share: float = 0.5) -> list[Row]:
    """Half are right throughout; after round 0 a share says nothing, right or wrong alike."""
    rows = list(arm(cell, NUM, lambda q, r: q % 2 == 0))
    return _silence(rows, lambda q, r: r > 0 and q < share * NUM)


def _find(rows: list[Row], **fields: object) -> Finding:
    return analysis_of(rows, claim=claim(**fields)).findings[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("estimate", ["accuracy_change", "vote_gain"])
def test_abstaining_half_the_time_is_no_harm_of_rereading(estimate: str) -> None:
    found = _find(_half_abstain(), estimate=estimate, cell="self", **HARM)
    assert found.value == pytest.approx(-0.25)
    assert found.verdict == "undecided"
    assert found.is_bounded
    assert found.p_value is None
    assert found.low is not None
    assert found.low < -0.25
    assert found.high is not None
    assert found.high > 0.2
    assert "self after round 1: 100 of 200 (100 abstained)" in found.reason
    assert [(a.round, a.abstained, a.num_turns) for a in found.unanswered] == [
        (0, 0, NUM),
        (1, 100, NUM),
    ]


def test_a_control_that_answers_makes_no_finding_of_an_arm_that_does_not() -> None:
    rows = _half_abstain() + list(arm("repeat", NUM, lambda q, r: q % 2 == 0))
    found = _find(rows, estimate="accuracy", cell="self", control="repeat", **HARM)
    assert found.verdict == "undecided"
    assert [(a.cell, a.unanswered) for a in found.unanswered] == [("self", 100), ("repeat", 0)]


def test_few_abstentions_matter_where_they_make_up_the_effect() -> None:
    rows = _half_abstain(share=0.08) + list(arm("repeat", NUM, lambda q, r: q % 2 == 0))
    found = _find(rows, estimate="accuracy", cell="self", control="repeat", **HARM)
    assert found.value == pytest.approx(-0.04)
    assert found.verdict == "undecided"
    rows = _half_abstain(share=0.08)
    found = _find(rows, estimate="accuracy_change", cell="self", max_unanswered=0.5, **HARM)
    assert found.verdict == "undecided"


def test_an_effect_larger_than_what_is_missing_is_supported_and_says_what_is_missing() -> None:
    rows = list(arm("self", NUM, lambda q, r: r == 0))
    rows = _silence(rows, lambda q, r: r > 0 and q < 40)
    found = _find(rows, estimate="accuracy_change", cell="self", **HARM)
    assert found.verdict == "supported"
    assert found.is_bounded
    assert found.high == pytest.approx(-0.8, abs=0.08)
    assert "40 of 200" in found.reason


def test_as_many_as_the_limit_allows_leave_the_plain_interval() -> None:
    rows = _silence(list(arm("self", NUM, lambda q, r: r == 0)), lambda q, r: r > 0 and q < 20)
    found = _find(rows, estimate="accuracy_change", cell="self", **HARM)
    assert found.verdict == "supported"
    assert not found.is_bounded
    assert "20 of 200 (20 abstained)" in found.reason
    found = _find(rows, estimate="accuracy_change", cell="self", max_unanswered=0.05, **HARM)
    assert found.is_bounded


def test_failed_and_cut_replies_count_as_abstentions_do() -> None:
    rows = list(arm("self", NUM, lambda q, r: q % 2 == 0))
    frame = pl.DataFrame(rows).with_columns(
        outcome=pl.when((pl.col("round") > 0) & (pl.int_range(pl.len()) < 80))
        .then(pl.lit("failed"))
        .when((pl.col("round") > 0) & (pl.int_range(pl.len()) < 200))
        .then(pl.lit("cut"))
        .when(pl.col("answer") == "4")
        .then(pl.lit("correct"))
        .otherwise(pl.lit("wrong"))
    )
    found = _find(frame.to_dicts(), estimate="accuracy_change", cell="self", **HARM)
    assert found.verdict == "undecided"
    (_, later) = found.unanswered
    assert (later.failed, later.cut, later.abstained) == (40, 60, 0)


def test_errors_may_have_been_amplified_where_nobody_answers_and_may_not() -> None:
    rows = [
        row | {"confidence": 0.9 if row["round"] else 0.3}
        for row in arm("self", NUM, lambda q, r: q % 2 == 0)
    ]
    whole = _find(rows, estimate="eai", cell="self")
    assert whole.verdict == "supported"
    silent = _silence(rows, lambda q, r: r > 0 and q < 150)
    found = _find(silent, estimate="eai", cell="self")
    assert found.verdict == "undecided"
    assert found.low is not None
    assert found.low < 0
    assert found.high is not None
    assert found.high > 0.7


def test_an_estimate_without_bounds_decides_nothing() -> None:
    rows = _half_abstain()
    for position, row in enumerate(rows):
        row["confidence"] = None if row["answer"] is None else (position % 7 + 1) / 10
    found = _find(rows, estimate="nll", cell="self")
    assert found.verdict == "undecided"
    assert "has no bounds" in found.reason


def test_shares_of_abstentions_are_themselves_a_finding() -> None:
    found = _find(_half_abstain(), estimate="abstention_rate", cell="self")
    assert found.verdict == "supported"


def test_a_vote_is_open_only_where_missing_ballots_could_turn_it() -> None:
    rows = [
        turn("team", q, agent, r, right=r == 1, wrong=f"{agent}{q}")
        for q in range(NUM)
        for r in (0, 1)
        for agent in ("a", "b", "c", "d")
    ]
    one_silent = [
        row | {"answer": None, "confidence": None}
        if row["round"] == 1 and row["agent"] == "d"
        else row
        for row in rows
    ]
    found = _find(one_silent, estimate="vote_T", cell="team", reference=0.5)
    assert found.verdict == "supported"
    assert found.is_bounded
    two_silent = [
        row | {"answer": None, "confidence": None}
        if row["round"] == 1 and row["agent"] in ("c", "d")
        else row
        for row in rows
    ]
    found = _find(two_silent, estimate="vote_T", cell="team", reference=0.5)
    assert found.verdict == "undecided"


def test_where_nobody_answers_no_change_is_zero() -> None:
    rows = _silence(list(arm("self", 60, lambda q, r: True)), lambda q, r: True)
    rows += _silence(list(arm("other", 60, lambda q, r: True)), lambda q, r: True)
    found = analysis_of(
        rows,
        change=claim("accuracy_change", cell="self"),
        contrast=claim("accuracy", cell="self", control="other"),
    )
    changes = ("accuracy_change", "eai", "eai_kept", "vote_gain", "gain_over_best_rule")
    for estimate in found.select(*changes):
        assert (estimate.value, estimate.low) == (None, None), estimate
        assert estimate.missing
    (change, *_) = [e for e in found.select("accuracy_change") if e.cell == "self"]
    assert change.missing == "an answer: no turn stated one"
    assert all(c.value is None and c.missing for c in found.comparisons)
    assert [f.verdict for f in found.findings] == ["not computed", "not computed"]
    assert "60 of 60" in found.findings[0].reason


def test_the_author_of_a_scripted_run_that_stops_answering_supports_no_harm(tmp_path: Path) -> None:
    replies = {
        f"q{n}": [f"Answer: {4 if n % 2 else 5}", "I agree." if n % 4 < 2 else f"Answer: {n % 2}"]
        for n in range(40)
    }
    done = run(
        tmp_path,
        [scripted("author", replies), scripted("peer", "Answer: 4")],
        topology={"edges": ["peer -> author"]},
        num_questions=40,
        rounds=1,
        sweep={"arm": ["single", "self"]},
        hypotheses={
            "harm": claim("accuracy", cell="self", control="single", **HARM).model_dump(),
        },
    )
    (found,) = analyze_run(done).findings
    assert found.verdict == "undecided"
    assert "self after round 1: 20 of 40 (20 abstained)" in found.reason
