"""Each hypothesis comes out as its numbers say, corrected over its file, or says what it lacks."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.analysis.claims import parse_hypotheses, read_claims
from debate.analysis.hypotheses import Finding, conclude_hypotheses
from debate.analysis.measures import Measures
from debate.analysis.schema import Estimate
from debate.analysis.states import build_states
from debate.analysis.votes import build_vote_states
from debate.config.run import HypothesisSpec
from debate.errors import InputError
from debate.log.manifest import Manifest, StatedHypotheses
from tests.experiments.frames import analysis_of, arm, claim

NUM = 300


def _nothing() -> Measures:
    states = build_states(pl.DataFrame(list(arm("main", 4, lambda q, r: q > 1))))
    return Measures(states, build_vote_states(states))


NOTHING = _nothing()


def _told(value: float, se: float, **fields: object) -> Finding:
    """The finding of one hypothesis about an estimate of this value ± 2 standard errors."""
    return _several([(value, se)], **fields)[0]


def _several(numbers: list[tuple[float, float]], **fields: object) -> tuple[Finding, ...]:
    estimates = [
        Estimate(
            name=f"made_up_{n}",
            value=value,
            low=value - 2 * se,
            high=value + 2 * se,
            se=se,
            num_questions=NUM,
        )
        for n, (value, se) in enumerate(numbers)
    ]
    told = {e.name: claim(e.name, **fields) for e in estimates}
    return conclude_hypotheses(told, NOTHING, estimates)


@pytest.mark.parametrize(
    ("value", "se", "direction", "verdict"),
    [
        (0.2, 0.02, "above", "supported"),
        (0.2, 0.02, "below", "contradicted"),
        (-0.2, 0.02, "below", "supported"),
        (-0.2, 0.02, "above", "contradicted"),
        (0.08, 0.02, "above", "supported in sign"),
        (-0.08, 0.02, "below", "supported in sign"),
        (0.03, 0.005, "above", "there, smaller than what matters"),
        (-0.03, 0.005, "above", "in the other direction, smaller than what matters"),
        (0.03, 0.005, "below", "in the other direction, smaller than what matters"),
        (0.0, 0.01, "above", "equivalent to nothing"),
        (0.03, 0.04, "above", "undecided"),
        (0.0, 0.01, "equal", "supported"),
        (0.2, 0.02, "equal", "contradicted"),
        (0.08, 0.02, "equal", "differs in sign"),
        (0.03, 0.04, "equal", "undecided"),
    ],
)
def test_the_verdict_follows_from_value_and_error(
    value: float, se: float, direction: str, verdict: str
) -> None:
    assert _told(value, se, direction=direction).verdict == verdict


def test_an_undecided_hypothesis_says_what_could_have_been_found() -> None:
    alone, among_many = _told(0.03, 0.04), _several([(0.03, 0.04)] * 10)[0]
    assert alone.detectable == pytest.approx(2.8 * 0.04, rel=0.03)
    assert among_many.detectable is not None
    assert among_many.detectable > alone.detectable
    assert _told(0.3, 0.04).detectable is None


def test_the_reference_is_what_counts_as_nothing() -> None:
    assert _told(0.5, 0.01, reference=0.5).verdict == "equivalent to nothing"
    assert _told(0.4, 0.01, reference=0.5, direction="below").verdict == "supported"


def test_a_hypothesis_that_cannot_be_computed_still_counts_in_the_correction() -> None:
    estimates = [
        Estimate(name="made_up", value=0.11, low=0.01, high=0.21, se=0.051, num_questions=NUM)
    ]
    alone = conclude_hypotheses({"one": claim("made_up")}, NOTHING, estimates)
    beside = {"one": claim("made_up"), "two": claim("not_there"), "three": claim("nor_this")}
    together = conclude_hypotheses(beside, NOTHING, estimates)
    assert alone[0].verdict == "supported in sign"
    assert together[0].verdict == "undecided"
    # z at level 1 - .05/3 over that at .95, on each half of the interval.
    assert together[0].level == pytest.approx(1 - 0.05 / 3)
    assert (together[0].low, together[0].high) == pytest.approx(
        (0.11 - 0.1 * 1.2255, 0.11 + 0.1 * 1.2255), abs=1e-3
    )
    assert [f.verdict for f in together[1:]] == ["not computed", "not computed"]


@given(
    numbers=st.lists(st.tuples(st.floats(-1, 1), st.floats(0.001, 0.5)), min_size=1, max_size=8),
    direction=st.sampled_from(["above", "below", "equal"]),
)
def test_every_hypothesis_gets_exactly_one_outcome_and_mirrored_claims_mirror(
    numbers: list[tuple[float, float]], direction: str
) -> None:
    found = _several(numbers, direction=direction)
    assert len(found) == len(numbers)
    opposite = {"above": "below", "below": "above", "equal": "equal"}[direction]
    mirrored = _several([(-value, se) for value, se in numbers], direction=opposite)
    assert [f.verdict for f in found] == [f.verdict for f in mirrored]


def test_under_the_null_a_file_of_claims_rarely_has_any_that_is_certain() -> None:
    rng, files, claims = np.random.default_rng(1), 300, 6
    certain = 0
    for _ in range(files):
        found = _several([(float(z) * 0.1, 0.1) for z in rng.standard_normal(claims)])
        certain += any(f.verdict not in ("undecided", "equivalent to nothing") for f in found)
    assert certain / files <= 0.08


def test_a_control_is_taken_off_question_by_question() -> None:
    rows = [
        *arm("self", 40, lambda q, r: (q + r) % 2 == 0),
        *arm("repeat", 40, lambda q, r: q % 2 == 0),
    ]
    told = claim("accuracy_change", cell="self", control="repeat", direction="equal")
    found = analysis_of(rows, swaps=told).findings[0]
    assert found.value == pytest.approx(0.0)
    assert found.what == "accuracy_change: self − repeat"


def test_a_missing_arm_is_named_with_what_was_meant() -> None:
    rows = list(arm("self", 40, lambda q, r: q % 2 == 0))
    told = claim("eai", cell="self", control="repaet")
    found = analysis_of(rows, typo=told).findings[0]
    assert found.verdict == "not computed"
    assert 'needs the arm "repaet"' in found.reason


def test_entrenchment_without_beliefs_is_read_from_stated_confidence() -> None:
    rows = list(arm("self", 40, lambda q, r: q % 2 == 0))
    for name in ("entrenchment", "entrenchment_alone"):
        found = analysis_of(rows, surer=claim(name, cell="self")).findings[0]
        assert found.verdict == "not computed"
        assert "no belief was probed: bounds from stated confidence" in found.reason
        assert "no variation" in found.reason


def test_a_dose_without_teams_says_so() -> None:
    rows = list(arm("self", 40, lambda q, r: q % 2 == 0))
    told = claim("dose_response.vote_gain.slope", direction="below")
    found = analysis_of(rows, dose=told).findings[0]
    assert found.verdict == "not computed"
    assert "at least 3 teams" in found.reason


def test_the_outcomes_are_in_the_json() -> None:
    rows = list(arm("self", 40, lambda q, r: q % 2 == 0))
    assert '"verdict": "not computed"' in analysis_of(rows, dose=claim("nothing")).to_json()


def test_a_control_needs_an_arm_and_another_one() -> None:
    with pytest.raises(ValueError, match="name that one too"):
        claim("eai", control="repeat")
    with pytest.raises(ValueError, match="its own"):
        claim("eai", cell="self", control="self")


def test_recorded_hypotheses_that_cannot_be_read_are_an_input_error() -> None:
    with pytest.raises(InputError, match="runs/x"):
        parse_hypotheses({"a": {"statement": "x"}}, place="runs/x")
    spec = claim("eai", cell="self")
    assert parse_hypotheses({"a": spec.model_dump()}, place="") == {"a": spec}


def _manifest(present: dict[str, HypothesisSpec], *stated: StatedHypotheses) -> Manifest:
    spec = {"hypotheses": {name: each.model_dump() for name, each in present.items()}}
    return Manifest(created_at="2026", spec=spec, stated=stated)


def test_a_claim_made_after_the_first_answers_says_so() -> None:
    early, late = claim("eai", cell="self"), claim("drift", cell="self")
    told = {"early": early.model_dump()}
    manifest = _manifest(
        {"early": early, "late": late},
        StatedHypotheses(at="monday", num_turns=0, hypotheses=told),
        StatedHypotheses(
            at="tuesday", num_turns=1200, hypotheses={**told, "late": late.model_dump()}
        ),
    )
    found = read_claims(manifest, place="")
    assert found["early"].note == ""
    assert found["late"].note == "stated when 1,200 turns were on record"


def test_a_claim_that_was_withdrawn_is_still_judged() -> None:
    first, second = claim("eai", cell="self"), claim("eai", cell="self", direction="below")
    manifest = _manifest(
        {"it": second},
        StatedHypotheses(at="monday", num_turns=0, hypotheses={"it": first.model_dump()}),
        StatedHypotheses(at="tuesday", num_turns=9, hypotheses={"it": second.model_dump()}),
    )
    found = read_claims(manifest, place="")
    assert set(found) == {"it", "it (until tuesday)"}
    assert found["it (until tuesday)"].hypothesis == first
    assert "withdrawn" in found["it (until tuesday)"].note
