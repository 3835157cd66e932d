"""What people ask of a run is answered with its numbers, or with what the run lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
import pytest

from debate.analysis import Analysis, analyze
from debate.analysis.effects import ArmEffect, MainAnswer, describe_effects
from debate.analysis.intervals import Interval
from debate.analysis.main_questions import answer_main_questions
from debate.analysis.tokens import add_dollars
from tests.analysis.small import named
from tests.experiments.frames import Row, analysis_of, claim, turn

Rights = Callable[[int], tuple[str, str]]
"""Of a question, who opens with a right answer and who ends with one, as letters of agents."""


def panel(cell: str, num: int, rights: Rights, *, heard: str = "abc") -> Iterator[Row]:
    """Three agents that hear all openings; their errors are all the same one."""
    for question in range(num):
        for round, right in enumerate(rights(question)):
            refs = " ".join(f"0:opening:{who}" for who in heard) if round else ""
            for agent in "abc":
                told = {"right": agent in right, "heard": refs, "confidence": 0.5 + 0.25 * round}
                yield turn(cell, question, agent, round, **told)  # type: ignore[arg-type]


def ask(rows: list[Row], about: str) -> MainAnswer:
    """The one answer to the question that holds these words."""
    (found,) = [each for each in answer_main_questions(study(rows)) if about in each.question]
    return found


def study(rows: list[Row]) -> Analysis:
    return analyze(pl.DataFrame(rows), resamples=20)


def test_a_right_opening_that_two_others_outvote_is_counted_with_its_fate() -> None:
    rows = list(
        panel(
            "ring", 20, lambda q: ("c", "abc") if q < 4 else ("c", "c") if q < 6 else ("ab", "ab")
        )
    )
    found = study(rows)
    right, won = (named(found.estimates, name) for name in ("minority_right", "minority_won"))
    assert (right.value, right.n) == (6 / 20, 20)
    assert (won.value, won.n) == (pytest.approx(4 / 6), 6)
    assert found.tables["minorities"].rows() == [("ring", "c", 6, 4, "q0000")]
    told = ask(rows, "against the majority").sentence
    assert "most often c (6)" in told
    assert "had won in 4 of 6 (67 %" in told


def test_members_rules_and_arms_of_equal_numbers_are_told_to_be_tied() -> None:
    for right, told in (("ab", "most often a and b (2 each, tied)"), ("aa", "most often a (4)")):
        rows = list(
            panel(
                "main",
                20,
                lambda q, right=right: (right[q % 2], "abc") if q < 4 else ("abc", "abc"),
            )
        )
        assert told in ask(rows, "against the majority").sentence
        assert "(majority, tied with confidence_weighted)" in ask(rows, "Did debating").sentence
    effects = [
        ArmEffect(arm, Interval(value, value - 0.1, value + 0.1, 0.05, 20))
        for arm, value in zip("abcdef", (0.0, 0.0, 0.1, 0.2, 0.3, 0.3), strict=True)
    ]
    words = describe_effects(effects, ("better", "worse", "neither"))
    assert "from a (tied with b) +0.000" in words
    assert "to f (tied with e) +0.300" in words


def test_three_that_all_differ_have_no_majority() -> None:
    rows = [
        turn("ring", q, agent, 0, right=agent == "a", wrong=agent)
        for q in range(9)
        for agent in "abc"
    ]
    assert named(study(rows).estimates, "minority_right").value == 0.0


def test_two_voters_are_told_to_be_too_few() -> None:
    rows = [row for row in panel("ring", 9, lambda q: ("a", "ab")) if row["agent"] != "c"]
    told = ask(rows, "against the majority")
    assert not told.is_known
    assert "3 or more members" in told.sentence


def test_a_gain_is_called_better_and_one_that_may_be_nothing_is_not() -> None:
    gain = ask(list(panel("ring", 60, lambda q: ("a", "abc" if q % 2 else "a"))), "best vote")
    assert "ring from 0.000 to 0.500 (majority, 60 questions)" in gain.sentence
    assert gain.sentence.endswith(", better.")
    nothing = ask(list(panel("ring", 60, lambda q: ("ab" if q % 2 else "a",) * 2)), "best vote")
    assert "+0.000" in nothing.sentence
    assert "not distinguishable" in nothing.sentence
    assert "better" not in nothing.sentence


def test_many_arms_are_counted_at_a_level_that_they_share() -> None:
    rows = [
        row
        for k in range(5)
        for row in panel(f"arm{k}", 60, lambda q: ("a", "abc" if q % 2 else "a"))
    ]
    told = ask(rows, "best vote").sentence
    assert "of 5 arms better in 5, worse in 0, not distinguishable in 0" in told
    assert "intervals at 99\N{NO-BREAK SPACE}%" in told


def test_amplification_is_told_beyond_the_control_or_the_control_is_asked_for() -> None:
    def alone(cell: str, rise: float) -> Iterator[Row]:
        for q in range(40):
            for round in (0, 1):
                confidence = 0.5 + round * (rise + 0.01 * (q % 3))
                heard = "0:opening:a" if round and cell == "self" else ""
                told = {"right": q % 2 == 0, "confidence": confidence, "heard": heard}
                yield turn(cell, q, "a", round, **told)  # type: ignore[arg-type]

    without = ask(list(alone("self", 0.3)), "rereading").sentence
    assert "error amplification: self +0.155" in without
    assert "an arm `repeat` would tell" in without
    beside = ask([*alone("self", 0.3), *alone("repeat", 0.1)], "rereading").sentence
    assert "beyond resampling: self +0.100" in beside
    assert "would tell" not in beside


def test_a_sentence_about_a_claimed_contrast_says_what_the_claim_says() -> None:
    """Off 0 at 95 %, the contrast holds 0 at the level of ten claims."""
    rows = [
        turn(
            cell,
            q,
            "a",
            r,
            right=False,
            confidence=0.5 + (0.1 + 0.24 * (-1) ** q) * r * (cell == "self"),
            heard="0:opening:a" if r and cell == "self" else "",
        )
        for cell in ("self", "repeat")
        for q in range(36)
        for r in (0, 1)
    ]
    alone = ask(rows, "rereading").sentence
    claims = {
        f"c{k}": claim("eai", cell="self", control="repeat", smallest=0.01) for k in range(10)
    }
    found = analysis_of(rows, **claims)
    (told,) = [e.sentence for e in answer_main_questions(found) if "rereading" in e.question]
    assert "errors gained weight" in alone
    assert found.findings[0].verdict == "undecided"
    claimed = "(claim c0, at 99.5\N{NO-BREAK SPACE}%: undecided)"
    assert f"not distinguishable from no change {claimed}" in told


def test_a_share_of_nothing_is_told_as_none() -> None:
    told = ask(list(panel("ring", 20, lambda q: ("abc", "abc"))), "against the majority").sentence
    assert told.startswith("In none of the 20 debates of ring was the openings' majority wrong")


def test_what_a_run_cannot_tell_is_said_of_every_question() -> None:
    rows = [turn("only", q, "a", 0, right=q % 2 == 0) for q in range(9)]
    answers = answer_main_questions(study(rows))
    assert len(answers) == 4
    assert not any(each.is_known for each in answers)
    assert all(each.sentence.endswith(".") for each in answers)


def test_dollars_are_those_of_the_models_prices_and_absent_where_one_has_none() -> None:
    ledger = pl.DataFrame(
        {"model": ["x", "y"], "prompt_tokens": [1_000_000, 0], "generated_tokens": [0, 500_000]}
    )
    priced = {"x": {"price": {"prompt": 2.0, "generated": 9.0}}, "y": {"price": None}}
    assert "dollars" not in add_dollars(ledger, priced).columns
    priced["y"] = {"price": {"prompt": 1.0, "generated": 4.0}}
    assert add_dollars(ledger, priced)["dollars"].to_list() == [2.0, 2.0]
