"""Verdicts of whole analyses: what an effect and a number of questions come to."""

from __future__ import annotations

import json

import pytest

from debate.analysis import Analysis
from debate.analysis.tables.results import tabulate_findings
from debate.errors import InputError
from tests.experiments.frames import Row, analysis_of, arm, claim, turn


def changed(num: int, *, gained: int, lost: int) -> list[Row]:
    """One agent's two rounds: `gained` questions become right, `lost` wrong."""

    def right(question: int, round: int) -> bool:
        if question < gained:
            return round == 1
        if question < gained + lost:
            return round == 0
        return question % 2 == 0

    return list(arm("self", num, right))


def verdict(num: int, gained: int, lost: int, direction: str) -> str:
    told = claim("accuracy_change", cell="self", direction=direction)
    (found,) = analysis_of(changed(num, gained=gained, lost=lost), it=told).findings
    return found.verdict


@pytest.mark.parametrize(
    ("num", "gained", "lost", "direction", "expected"),
    [
        (1000, 60, 20, "above", "supported in sign"),
        (4000, 240, 80, "above", "there, smaller than what matters"),
        (1000, 150, 20, "above", "supported"),
        (2000, 20, 80, "above", "in the other direction, smaller than what matters"),
        (2000, 20, 220, "above", "contradicted"),
        (2000, 20, 220, "below", "supported"),
        (500, 5, 5, "above", "equivalent to nothing"),
        (500, 5, 5, "equal", "supported"),
        (1000, 60, 20, "equal", "differs in sign"),
        (1000, 150, 20, "equal", "contradicted"),
        (5, 0, 0, "equal", "undecided"),
        (72, 0, 0, "equal", "undecided"),
        (73, 0, 0, "equal", "supported"),
        (3, 3, 0, "above", "undecided"),
        (100, 8, 2, "above", "undecided"),
    ],
)
def test_the_verdict_of_an_effect_on_so_many_questions(
    num: int, gained: int, lost: int, direction: str, expected: str
) -> None:
    """Claims with a smallest effect of .05; each expected from value ± 1.96 √variance/√n."""
    assert verdict(num, gained, lost, direction) == expected


SHARPER = {
    "undecided": 0,
    "supported in sign": 1,
    "there, smaller than what matters": 2,
}


def test_more_questions_at_the_same_effect_sharpen_a_verdict_and_never_turn_it() -> None:
    """+.04, smallest .05: found in sign, then found to be smaller than what matters."""
    sizes = (50, 200, 500, 1000, 2000, 4000)
    found = [verdict(n, 6 * n // 100, 2 * n // 100, "above") for n in sizes]
    ranks = [SHARPER[each] for each in found]
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2}


def test_three_of_three_are_no_finding_and_say_the_exact_p() -> None:
    told = claim("accuracy_change", cell="self")
    (found,) = analysis_of(changed(3, gained=3, lost=0), it=told).findings
    assert found.p_value == pytest.approx(0.25)
    assert found.verdict == "undecided"


def test_an_undecided_claim_says_how_many_questions_would_decide() -> None:
    told = claim("accuracy_change", cell="self", direction="equal")
    (found,) = analysis_of(changed(5, gained=0, lost=0), it=told).findings
    assert (found.low, found.high) == pytest.approx((-3.8415 / 8.8415, 3.8415 / 8.8415), abs=1e-3)
    assert found.needed == 73


def test_the_questions_to_decide_are_questions_to_ask_and_tables_say_how_many_count() -> None:
    """Only the wrong openings, a third of the questions, bear on the confidence in them."""
    rows = [
        turn("self", q, "a", r, right=q % 3 > 0, confidence=0.5 + r * 0.1 * (-1) ** q)
        for q in range(36)
        for r in (0, 1)
    ]
    told = claim("confidence_when_wrong", cell="self", smallest=0.1, reference=0.45)
    found = analysis_of(rows, it=told)
    (finding,) = found.findings
    assert (finding.num_questions, finding.num_asked, finding.verdict) == (12, 36, "undecided")
    assert finding.needed is not None
    assert finding.needed >= 36
    assert finding.needed % 3 == 0
    assert tabulate_findings(found).rows[0][-1].under == "12 of 36 count"


def test_the_level_is_that_of_all_claims_of_the_file() -> None:
    told = {f"c{k}": claim("accuracy_change", cell="self", direction="equal") for k in range(6)}
    six = analysis_of(changed(132, gained=0, lost=0), **told).findings
    assert {f.verdict for f in six} == {"undecided"}
    assert {f.needed for f in six} == {133}
    assert {round(f.level, 6) for f in six} == {round(1 - 0.05 / 6, 6)}
    enough = analysis_of(changed(133, gained=0, lost=0), **told).findings
    assert {f.verdict for f in enough} == {"supported"}


@pytest.mark.parametrize("name", ["accuracy", "vote_accuracy", "oracle", "abstention_rate"])
def test_a_claim_prints_the_interval_of_the_table(name: str) -> None:
    rows = [
        turn("peer", q, a, t, right=q > 0, heard=f"0:opening:{b}" * t)
        for q in range(60)
        for t in range(2)
        for a, b in ("ab", "ba")
    ]
    told = claim(name, cell="peer", round=0, reference=0.5)
    found = analysis_of(rows, it=told)
    (shown,) = [
        e
        for e in found.select(name, cell="peer")
        if e.round == 0 and e.subject in (None, "majority")
    ]
    (judged,) = found.findings
    assert judged.value == pytest.approx(shown.value)
    assert (judged.low, judged.high) == pytest.approx((shown.low, shown.high), abs=1e-9)
    assert judged.high is not None
    assert judged.high <= 1


def found_in(name: str) -> Analysis:
    return analysis_of(list(arm(name, 6, lambda q, r: q % 2 == 0)))


def test_a_name_that_no_estimate_has_is_refused_with_what_was_meant() -> None:
    found = found_in("self")
    for ask in (found.frame, found.select):
        with pytest.raises(InputError, match=r'no estimate is called "acuracy".*"accuracy"'):
            ask("acuracy")
    with pytest.raises(InputError, match="acuracy"):
        found.find("acuracy", cell="self")


def test_a_frame_holds_the_estimates_of_its_names_and_all_without_any() -> None:
    found = found_in("self")
    assert set(found.frame("accuracy", "eai")["name"]) == {"accuracy", "eai"}
    assert found.frame().height == len(found.estimates)
    content = json.loads(found.to_json())
    assert len(content["estimates"]) == len(found.estimates)
