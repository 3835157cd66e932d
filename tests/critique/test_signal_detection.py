"""d′ and c by who wrote an answer and whose it is said to be, on critics for whom they are set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from debate.analysis.judging import analyze_judging
from debate.analysis.schema import Estimate
from debate.analysis.signal_detection import (
    compute_criterion,
    compute_sensitivity,
    estimate_detection,
    estimate_ownership,
    list_ownerships,
)
from tests.critique.owners import OwnerCritics

Key = tuple[str, str, str | None]
PLAIN = OwnerCritics()
CRITICS = {
    "nothing but skill": PLAIN,
    "ownership": PLAIN.harder(ownership=0.8),
    "familiarity": PLAIN.harder(familiarity=0.6),
    "everything": PLAIN.harder(ownership=0.8, writing=0.4, familiarity=0.5, discernment=1.2),
    "sharp eyes": PLAIN.harder(ownership=0.5, discernment=2.2),
}


def list_truths(critics: OwnerCritics) -> dict[Key, float]:
    """What each estimate must be."""
    truths: dict[Key, float] = {}
    for arm in ("nobody", "own", "others"):
        for own, whom in ((True, "own"), (False, "others")):
            shift = critics.criterion(own=own, arm=arm)
            truths |= name_levels("judging", arm, whom, critics.d_prime, shift)
    shift = critics.criterion(own=True, arm="own")
    truths |= name_levels("judging", "own", "a -> a", critics.d_prime, shift)
    for among in (None, "own answers", "others' answers", "a"):
        truths |= name_levels("said_to_be", "own", among, 0.0, critics.said_to_be)
    for cell, among in (("own", None), ("own", "b"), ("nobody", "said to be nobody's")):
        truths |= name_levels("written_by", cell, among, 0.0, critics.written_by)
    return truths | {
        ("said_to_be_logit", "own", None): critics.ownership,
        ("written_by_logit", "own", None): critics.writing,
        ("written_by_said_to_be_logit", "own", None): 0.0,
        ("said_to_be_logit_apart", "own", None): 0.0,
        ("written_by_logit_apart", "own", None): 0.0,
        ("familiarity_logit", "own", None): critics.familiarity,
    }


def name_levels(
    about: str, cell: str, subject: str | None, apart: float, shift: float
) -> dict[Key, float]:
    ends = {"d_prime": apart, "d_a": apart, "criterion": shift, "midpoint": shift}
    return {(f"{about}_{end}", cell, subject): truth for end, truth in ends.items()}


def estimate(judged: pl.DataFrame) -> dict[Key, Estimate]:
    found = [*estimate_detection(judged), *estimate_ownership(judged)]
    return {(e.name, e.cell or "", e.subject): e for e in found}


def measure_coverage(critics: OwnerCritics, *, repeats: int, seed: int) -> Mapping[Key, float]:
    """How often each 95 % interval holds what was set."""
    truths = list_truths(critics)
    held = dict.fromkeys(truths, 0)
    for number in range(repeats):
        found = estimate(critics.judged(np.random.default_rng([seed, number])))
        for key, truth in truths.items():
            low, high = found[key].low, found[key].high
            held[key] += low is not None and high is not None and low <= truth <= high
    return {key: count / repeats for key, count in held.items()}


@pytest.mark.parametrize("name", ["everything", "sharp eyes"])
def test_intervals_cover_what_was_set(name: str) -> None:
    """Sixteen repeats: below 11 would come by chance once in some thousands for a true 95 %."""
    for key, covered in measure_coverage(CRITICS[name], repeats=16, seed=5).items():
        assert covered >= 11 / 16, key


@pytest.mark.slow
@pytest.mark.parametrize("name", CRITICS)
def test_intervals_cover_what_was_set_in_ninety_five_percent(name: str) -> None:
    """Of one critic, whose few answers are all accepted now and then, they may cover more."""
    for key, covered in measure_coverage(CRITICS[name], repeats=500, seed=1).items():
        most = 0.99 if key[2] in ("a", "b", "a -> a") else 0.98
        assert 0.92 <= covered <= most, key


def make_rows(right: list[int], wrong: list[int]) -> pl.DataFrame:
    """Judgements of right and of wrong answers, each on a question of its own; 1 accepts."""
    accepted = [*right, *wrong]
    kinds = [True] * len(right) + [False] * len(wrong)
    codes = list(range(len(accepted)))
    return pl.DataFrame({"accepted": accepted, "right": kinds, "question_code": codes})


def test_half_an_acceptance_and_half_a_rejection_are_added() -> None:
    rows = make_rows([1, 1, 1, 0], [0, 0, 1])
    z_right, z_wrong = norm.ppf(3.5 / 5), norm.ppf(1.5 / 4)
    sensitivity, criterion = compute_sensitivity(rows), compute_criterion(rows)
    assert sensitivity is not None
    assert criterion is not None
    assert sensitivity.linear.value == pytest.approx(z_right - z_wrong)
    assert criterion.linear.value == pytest.approx(-(z_right + z_wrong) / 2)


def test_whoever_accepts_everything_lets_more_pass_and_tells_nothing() -> None:
    everything, fair = make_rows([1] * 9, [1] * 9), make_rows([1, 0] * 9, [1, 0] * 9)
    lenient, even = compute_criterion(everything), compute_criterion(fair)
    assert lenient is not None
    assert even is not None
    assert lenient.linear.value < even.linear.value == pytest.approx(0)
    apart = compute_sensitivity(everything)
    assert apart is not None
    assert apart.linear.value == pytest.approx(0)


def test_answers_of_one_kind_alone_have_no_sensitivity() -> None:
    assert compute_sensitivity(make_rows([1, 0], [])) is None


def test_accepting_all_right_and_no_wrong_answers_is_no_certainty() -> None:
    judged = PLAIN.harder(discernment=9.0).judged(np.random.default_rng(0), questions=30)
    found = estimate(judged)[("judging_d_prime", "own", "a -> a")]
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.5


def test_ownership_is_told_from_familiarity() -> None:
    rng = np.random.default_rng(3)
    owned = analyze_judging(CRITICS["ownership"].judged(rng, questions=600))
    (answer,) = owned.tables["ownership_answers"]["answer"]
    assert "a critic lets more pass" in answer
    assert "tells right from wrong as well, within 0.2" in answer
    assert "on what it wrote itself instead of another it lets as much pass" in answer
    familiar = analyze_judging(CRITICS["familiarity"].judged(rng, questions=600))
    (answer,) = familiar.tables["ownership_answers"]["answer"]
    assert "a critic lets as much pass, within 0.1" in answer
    assert "instead of another it lets more pass" in answer
    assert "trust in what it wrote itself does not show" in answer


def test_the_table_has_the_four_ways_and_nobodys_for_all_and_for_each_critic() -> None:
    judged = PLAIN.judged(np.random.default_rng(1), questions=40)
    table = analyze_judging(judged).tables["ownership"]
    assert table.height == 6 * 4
    ways = table.filter(pl.col("critic").is_null()).select("written_by", "said_to_be").rows()
    assert set(ways) == {
        (writer, owner)
        for writer in ("own", "another's")
        for owner in ("own", "another's", "nobody's")
    }


def test_swapped_labels_give_the_same_four_ways() -> None:
    judged = CRITICS["ownership"].judged(np.random.default_rng(1), questions=60)
    own, others = (judged.filter(pl.col("cell") == arm) for arm in ("own", "others"))
    honest = pl.concat([own.filter("own"), others.filter(~pl.col("own"))])
    swapped = pl.concat([own.filter(~pl.col("own")), others.filter("own")])
    renamed = [
        part.with_columns(cell=pl.lit(name), labels=pl.lit(name))
        for name, part in (("honest", honest), ("swapped", swapped))
    ]
    found, known = estimate(pl.concat(renamed)), estimate(judged)
    for name in ("said_to_be_criterion", "said_to_be_d_prime", "written_by_midpoint"):
        assert found[(name, "honest", None)].value == pytest.approx(
            known[(name, "own", None)].value
        )


def test_arms_that_differ_in_more_than_names_are_not_compared() -> None:
    judged = PLAIN.judged(np.random.default_rng(1), questions=5)
    arm = pl.when(pl.col("cell") == "own").then(pl.lit("short")).otherwise(pl.lit("long"))
    assert list_ownerships(judged.with_columns(setting=arm)) == []
