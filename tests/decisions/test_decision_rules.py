"""Each rule on small panels whose outcome is known by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from debate.config.protocol import DecisionSpec
from debate.orchestrator.decisions import TeamAnswer, decide
from debate.types import Answer, Confidence, Turn
from tests.decisions.ballots import FAILURE, ballot


def judgment(
    judge: str,
    value: str | None = None,
    *,
    about: str | None = None,
    accepts: bool | None = None,
    sure: float | None = None,
    source: str = "verbal",
    failed: bool = False,
) -> Turn:
    return Turn(
        cell="main",
        question="q",
        seed=0,
        round=1,
        kind="judgment",
        agent=judge,
        about=about,
        model="m",
        answer=None if failed else Answer(value=value),
        accepts=accepts,
        confidences=() if sure is None else (Confidence(source=source, value=sure),),
        failure=FAILURE if failed else None,
    )


def panel(*values: str | None) -> list[Turn]:
    return [ballot(f"a{seat}", value) for seat, value in enumerate(values)]


def by(
    rule: str, ballots: Sequence[Turn], judges: Sequence[Turn] = (), **more: object
) -> TeamAnswer:
    spec = DecisionSpec.model_validate({"name": rule, **more})
    return decide(spec, ballots=ballots, judgments=judges, rng_key="0/q/0")


@pytest.mark.parametrize(
    ("rule", "values", "value", "confidence"),
    [
        ("majority", ("1", "1", "2"), "1", 2 / 3),
        ("majority", ("1", "2", "3", "3"), "3", 1 / 2),
        ("majority", ("1", "1", None, None), "1", 1 / 2),
        ("majority", ("1", "2"), None, None),
        ("majority", (None, None), None, None),
        ("majority", (), None, None),
        ("super_majority", ("1", "1", "2"), "1", 2 / 3),
        ("super_majority", ("1", "1", "2", "3"), None, None),
        ("super_majority", ("1", "1", "1", None), "1", 3 / 4),
        ("super_majority", ("1", "1", None, None), None, None),
        ("unanimity", ("1", "1", "1"), "1", 1.0),
        ("unanimity", ("1", "1", "2"), None, None),
        ("unanimity", ("1", "1", None), None, None),
        ("last_speaker", ("1", "2", "3"), "3", None),
        ("last_speaker", ("1", "2", None), None, None),
    ],
)
def test_votes_are_counted(
    rule: str, values: tuple[str | None, ...], value: str | None, confidence: float | None
) -> None:
    decided = by(rule, panel(*values))
    assert decided.value == value
    assert decided.confidence == pytest.approx(confidence)


def test_failures_and_abstentions_are_counted_and_do_not_vote() -> None:
    ballots = [*panel("1", "1", None), ballot("x", None, failed=True), ballot("y", "2")]
    decided = by("majority", ballots)
    assert decided.value == "1"
    assert dict(decided.tally) == {"1": 2.0, "2": 1.0}
    assert (decided.num_asked, decided.num_failed, decided.num_abstained) == (5, 1, 1)
    assert decided.confidence == pytest.approx(2 / 4)


def test_a_failure_is_missing_from_the_share_and_an_abstention_is_not() -> None:
    failed = ballot("x", None, failed=True)
    assert by("unanimity", [*panel("1", "1"), failed]).value == "1"
    assert by("unanimity", panel("1", "1", None)).value is None


def test_a_panel_that_failed_whole_is_failed_and_not_abstained() -> None:
    failed = [ballot(name, None, failed=True) for name in "ab"]
    assert by("majority", failed).failed
    assert not by("majority", [*failed, ballot("c", None)]).failed
    assert not by("majority", []).failed


@pytest.mark.parametrize(
    ("threshold", "value"), [(0.75, "1"), (0.76, None), (1.0, None), (0.51, "1")]
)
def test_a_super_majority_needs_its_threshold(threshold: float, value: str | None) -> None:
    assert by("super_majority", panel("1", "1", "1", "2"), threshold=threshold).value == value


def test_confidence_outweighs_number() -> None:
    ballots = [ballot("a", "1", sure=0.9), ballot("b", "2", sure=0.3), ballot("c", "2", sure=0.4)]
    decided = by("confidence_weighted", ballots)
    assert decided.value == "1"
    assert dict(decided.tally) == pytest.approx({"1": 0.9, "2": 0.7})
    assert decided.confidence == pytest.approx(0.9 / 1.6)


def test_a_ballot_without_a_confidence_has_no_weight_and_is_reported() -> None:
    ballots = [ballot("a", "1"), ballot("b", "1"), ballot("c", "2", sure=0.1)]
    decided = by("confidence_weighted", ballots)
    assert decided.value == "2"
    assert decided.num_uncounted == 2
    assert decided.confidence == pytest.approx(1 / 3)


@pytest.mark.parametrize("sure", [math.nan, math.inf, -0.1, 1.1])
def test_an_impossible_confidence_has_no_weight(sure: float) -> None:
    decided = by("confidence_weighted", [ballot("a", "1", sure=sure), ballot("b", "2", sure=0.2)])
    assert (decided.value, decided.num_uncounted) == ("2", 1)


def test_the_named_estimator_is_read() -> None:
    two = (Confidence(source="verbal", value=0.9), Confidence(source="sequence", value=0.1))
    turn = Turn(
        cell="main",
        question="q",
        seed=0,
        round=0,
        kind="opening",
        agent="a",
        model="m",
        answer=Answer(value="1"),
        confidences=two,
    )
    other = ballot("b", "2", sure=0.5)
    assert by("confidence_weighted", [turn, other]).value == "1"
    decided = by("confidence_weighted", [turn, other], confidence="sequence")
    assert (decided.value, decided.num_uncounted) == ("1", 1)


def test_the_last_speaker_is_the_last_seat_of_the_latest_round_that_spoke() -> None:
    ballots = [
        ballot("a", "1", round=2, sure=0.7),
        ballot("b", "2", round=1),
        ballot("c", None, round=2, failed=True),
    ]
    decided = by("last_speaker", ballots)
    assert (decided.value, decided.confidence, decided.num_failed) == ("1", 0.7, 1)


def test_ties_are_abstentions_unless_a_rule_is_named() -> None:
    ballots = [ballot("a", "2", sure=0.4), ballot("b", "1", sure=0.6)]
    assert by("majority", ballots).value is None
    assert by("majority", ballots, ties="first").value == "2"
    assert by("majority", ballots, ties="confidence").value == "1"
    assert by("majority", ballots, ties="random").value in ("1", "2")


def test_no_confidence_at_all_is_a_vote_without_weight() -> None:
    decided = by("confidence_weighted", [ballot("a", "1", sure=0.0), ballot("b", "2", sure=1.0)])
    assert (decided.value, decided.num_uncounted, decided.confidence) == ("2", 0, 1.0)


def test_a_tie_in_confidence_too_is_an_abstention() -> None:
    ballots = [ballot("a", "2", sure=0.5), ballot("b", "1", sure=0.5)]
    assert by("majority", ballots, ties="confidence").value is None
    assert by("majority", panel("1", "2"), ties="confidence").value is None


def test_a_drawn_tie_follows_its_key_and_nothing_else() -> None:
    spec = DecisionSpec(ties="random")
    drawn = [decide(spec, ballots=panel("1", "2"), rng_key=str(key)).value for key in range(64)]
    again = [decide(spec, ballots=panel("2", "1"), rng_key=str(key)).value for key in range(64)]
    assert drawn == again
    assert 16 < drawn.count("1") < 48


def test_weights_that_differ_by_rounding_alone_are_a_tie() -> None:
    ballots = [
        ballot("a", "1", sure=0.1),
        ballot("b", "1", sure=0.2),
        ballot("c", "2", sure=0.3),
    ]
    assert by("confidence_weighted", ballots).value is None


def test_equal_answers_in_two_spellings_are_one() -> None:
    decided = decide(
        DecisionSpec(), ballots=panel("paris", "Paris", "Rome"), normalise=str.casefold
    )
    assert decided.value == "Paris"
    assert dict(decided.tally) == {"Paris": 2.0, "Rome": 1.0}


def test_judges_outvote_debaters() -> None:
    judges = [judgment("j", "2"), judgment("k", "2"), judgment("l", "1"), judgment("m")]
    decided = by("judge_majority", panel("1", "1", "1"), judges)
    assert decided.value == "2"
    assert (decided.num_asked, decided.num_abstained) == (4, 1)
    assert decided.confidence == pytest.approx(2 / 4)


def test_a_judge_with_many_judgments_has_one_vote() -> None:
    judges = [judgment("j", "1", about=a) for a in ("a0", "a1")] + [
        judgment("k", "2"),
        judgment("l", "2"),
    ]
    decided = by("judge_majority", panel("1", "1"), judges)
    assert dict(decided.tally) == {"1": 1.0, "2": 2.0}


def test_a_judge_without_an_answer_votes_for_what_it_accepts() -> None:
    judges = [
        judgment("j", about="a0", accepts=False),
        judgment("j", about="a1", accepts=True),
    ]
    assert by("judge_majority", panel("1", "2"), judges).value == "2"


def test_judges_that_all_failed_are_a_failure_even_if_debaters_spoke() -> None:
    assert by("judge_majority", panel("1", "1"), [judgment("j", failed=True)]).failed


def test_scores_are_means_over_the_judgments_of_an_answer() -> None:
    judges = [
        judgment("j", about="a0", accepts=True),
        judgment("k", about="a0", accepts=False),
        judgment("j", about="a1", accepts=True),
        judgment("k", about="a2", accepts=False),
    ]
    decided = by("judge_scores", panel("1", "2", "2"), judges, ties="first")
    assert dict(decided.tally) == {"1": 0.5, "2": 0.5}
    assert decided.value == "1"


def test_a_score_by_confidence_is_about_the_answer() -> None:
    judges = [
        judgment("j", about="a0", accepts=False, sure=0.9),
        judgment("j", about="a1", accepts=True, sure=0.6),
        judgment("k", about="a1", accepts=False, sure=0.7, source="p_true"),
        judgment("k", about="a0", accepts=True),
    ]
    decided = by("judge_scores", panel("1", "2"), judges, score="confidence")
    assert dict(decided.tally) == pytest.approx({"1": 0.1, "2": 0.65})
    assert decided.num_uncounted == 1


def test_a_confidence_that_is_no_probability_scores_nothing() -> None:
    judges = [
        judgment("j", about="a0", accepts=False, sure=1.5),
        judgment("j", about="a1", accepts=True, sure=0.6),
    ]
    decided = by("judge_scores", panel("1", "2"), judges, score="confidence")
    assert dict(decided.tally) == {"2": 0.6}
    assert decided.num_uncounted == 1


def test_answers_that_no_judge_accepts_do_not_win() -> None:
    judges = [judgment("j", about="a0", accepts=False)]
    assert by("judge_scores", panel("1", "2"), judges).value is None


def test_without_judgments_judges_decide_nothing() -> None:
    decided = by("judge_majority", panel("1", "1"))
    assert (decided.value, decided.num_asked, decided.failed) == (None, 0, False)
