"""Verification gaps of generators and verifiers whose accuracy and error rates are set."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import comb

import numpy as np
import polars as pl
import pytest

from debate.analysis.schema import Estimate
from debate.analysis.verification import (
    estimate_verification,
    tabulate_gaps,
    tabulate_reflection,
)

Key = tuple[str, str | None]
Rng = np.random.Generator
QUESTIONS = 200
SAMPLES = 4
NAMES = "abc"
ACCURACY = {"a": 0.7, "b": 0.45, "c": 0.55}
SPREAD = 3.0
"""Accuracy on a question is Beta(SPREAD·J, SPREAD·(1 − J)): some questions are hard."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often a verifier accepts wrong answers and rejects right ones; silent on some."""

    false_accept: float
    false_reject: float
    silent: float = 0.0

    def compute_gap(self, accuracy: float) -> float:
        """The closed form of the gap for a generator of this accuracy."""
        right = accuracy * (1 - self.false_reject)
        return right / (right + (1 - accuracy) * self.false_accept) - accuracy


ON_OTHERS = {
    "a": Rates(false_accept=0.3, false_reject=0.1),
    "b": Rates(false_accept=0.4, false_reject=0.25),
}
ON_OTHERS["c"] = Rates(false_accept=0.2, false_reject=0.3, silent=0.2)
ON_ITSELF = {
    "a": Rates(false_accept=0.6, false_reject=0.05),
    "b": ON_OTHERS["b"],
    "c": Rates(false_accept=0.5, false_reject=0.2),
}


def draw_judgements(
    rng: Rng, *, questions: int = QUESTIONS, samples: int = SAMPLES
) -> pl.DataFrame:
    """Everybody's verdict on everybody's answers, several answers to each question."""
    rows = []
    for author in NAMES:
        j = ACCURACY[author]
        hardness = rng.beta(SPREAD * j, SPREAD * (1 - j), (questions, 1))
        right = rng.random((questions, samples)) < hardness
        for critic in NAMES:
            rates = (ON_ITSELF if critic == author else ON_OTHERS)[critic]
            chance = np.where(right, 1 - rates.false_reject, rates.false_accept)
            accepts = rng.random(right.shape) < chance
            told = rng.random(right.shape) >= rates.silent
            rows.append(build_rows(critic, author, right, accepts, told))
    return pl.concat(rows)


def build_rows(
    critic: str,
    author: str,
    right: np.ndarray,
    accepts: np.ndarray,
    told: np.ndarray | None = None,
) -> pl.DataFrame:
    """Judgements with the columns that gaps are made of; arrays are (questions, samples)."""
    told = np.ones_like(right) if told is None else told
    question, seed = (axis.ravel() for axis in np.indices(right.shape))
    return pl.DataFrame(
        {
            "cell": "gaps",
            "question": question.astype(str),
            "seed": seed,
            "critic": critic,
            "author": author,
            "own": critic == author,
            "right": right.ravel(),
            "accepted": (accepts & told).ravel().astype(float),
            "rejected": (~accepts & told).ravel().astype(float),
            "failed": False,
            "p_true": np.where(accepts, 0.9, 0.1).ravel(),
            "question_code": question,
        }
    )


def compute_within_gap(rates: Rates, accuracy: float, samples: int = SAMPLES) -> float:
    """Mean over questions of the gap within a question, by its right answers and by verdicts."""
    a, b = SPREAD * accuracy, SPREAD * (1 - accuracy)
    points = (np.arange(500) + 0.5) / 500
    weight = points ** (a - 1) * (1 - points) ** (b - 1)
    hardness, weight = points, weight / weight.sum()
    total = 0.0
    speaks = 1 - rates.silent
    on = speaks * (1 - rates.false_reject), speaks * rates.false_accept
    for right in range(samples + 1):
        wrong = samples - right
        chance = weight @ (comb(samples, right) * hardness**right * (1 - hardness) ** wrong)
        for kept, passed in product(range(right + 1), range(wrong + 1)):
            p = comb(right, kept) * on[0] ** kept * (1 - on[0]) ** (right - kept)
            p *= comb(wrong, passed) * on[1] ** passed * (1 - on[1]) ** (wrong - passed)
            after = kept / (kept + passed) if kept + passed else right / samples
            total += chance * p * (after - right / samples)
    return float(total)


def list_truths() -> dict[Key, float]:
    """Every estimate and what it must be."""
    truths: dict[Key, float] = {}
    own = []
    for critic, author in product(NAMES, NAMES):
        rates = (ON_ITSELF if critic == author else ON_OTHERS)[critic]
        j, subject = ACCURACY[author], f"{critic} -> {author}"
        gap = rates.compute_gap(j)
        truths["generator_accuracy", subject] = j
        truths["verified_accuracy", subject] = j + gap
        truths["verification_gap", subject] = gap
        truths["relative_verification_gap", subject] = gap / (1 - j)
        spoken = 1 - rates.silent
        detected = spoken * (1 - rates.false_accept)
        truths["false_accept", subject] = 1 - detected
        truths["error_rate_sum", subject] = 1 - detected + spoken * rates.false_reject
        rest = gap - ON_OTHERS[critic].compute_gap(j)
        truths["gap_over_neutral", subject] = rest
        own.append((critic == author, gap, rest))
    for name, place in (("own_gap_difference", 1), ("own_gap_matched", 2)):
        sides = [[row[place] for row in own if row[0] is side] for side in (True, False)]
        truths[name, None] = float(np.mean(sides[0]) - np.mean(sides[1]))
    for subject in ("a -> a", "a -> b"):
        rates = ON_ITSELF["a"] if subject == "a -> a" else ON_OTHERS["a"]
        truths["verification_gap_within", subject] = compute_within_gap(
            rates, ACCURACY[subject[-1]]
        )
    return truths


def measure_coverage(repeats: int, seed: int) -> dict[Key, float]:
    """How often each 95 % interval holds what was set."""
    truths = list_truths()
    held = dict.fromkeys(truths, 0)
    for number in range(repeats):
        judged = draw_judgements(np.random.default_rng([seed, number]))
        found = {(e.name, e.subject): e for e in estimate_verification(judged)}
        for key, truth in truths.items():
            low, high = found[key].low, found[key].high
            held[key] += low is not None and high is not None and low <= truth <= high
    return {key: count / repeats for key, count in held.items()}


def test_gaps_of_set_verifiers_are_their_closed_form() -> None:
    """Of 3,000 questions; each within 4 standard errors, and those within .05."""
    judged = draw_judgements(np.random.default_rng(1), questions=3000)
    found = {(e.name, e.subject): e for e in estimate_verification(judged)}
    for key, truth in list_truths().items():
        e = found[key]
        assert e.value == pytest.approx(truth, abs=min(0.05, 4 * (e.se or 0.01))), key


def test_intervals_of_gaps_cover_what_was_set() -> None:
    """Twenty repeats: below 75 % would come by chance once in about 3,000 for a true 95 %."""
    for key, covered in measure_coverage(20, seed=2).items():
        assert covered >= 0.75, key


@pytest.mark.slow
def test_intervals_of_gaps_cover_in_95_percent() -> None:
    """A thousand repeats."""
    for key, covered in measure_coverage(1000, seed=3).items():
        assert 0.92 <= covered <= 0.98, (key, covered)


def find(judged: pl.DataFrame, name: str, subject: str | None) -> Estimate:
    return next(e for e in estimate_verification(judged) if (e.name, e.subject) == (name, subject))


RIGHT = np.random.default_rng(4).random((60, 2)) < 0.6


def test_a_verifier_that_knows_makes_all_of_the_gap_there_is() -> None:
    judged = build_rows("checker", "a", RIGHT, RIGHT)
    whole = find(judged, "relative_verification_gap", "checker -> a")
    assert (whole.value, whole.low) == (1.0, None)
    assert find(judged, "verification_gap", "checker -> a").value == pytest.approx(1 - RIGHT.mean())


def test_a_verifier_that_accepts_everything_or_by_chance_makes_nothing() -> None:
    judged = build_rows("yes", "a", RIGHT, np.ones_like(RIGHT))
    assert find(judged, "verification_gap", "yes -> a").value == 0
    assert find(judged, "error_rate_sum", "yes -> a").value == 1
    nothing = build_rows("no", "a", RIGHT, np.zeros_like(RIGHT))
    assert (
        find(nothing, "verification_gap", "no -> a").missing == "answers that the verifier accepted"
    )


def test_the_gap_within_questions_needs_several_answers_to_one() -> None:
    single = build_rows("b", "a", RIGHT[:, :1], RIGHT[:, :1])
    lacking = find(single, "verification_gap_within", "b -> a").missing
    assert lacking is not None
    assert "several judged answers" in lacking
    several = find(build_rows("b", "a", RIGHT, RIGHT), "verification_gap_within", "b -> a")
    assert several.value == pytest.approx(np.where(RIGHT.any(1), 1 - RIGHT.mean(1), 0).mean())


def test_p_true_weighs_where_verdicts_keep() -> None:
    judged = build_rows("b", "a", RIGHT, RIGHT)
    j = RIGHT.mean()
    weighed = 0.9 * j / (0.9 * j + 0.1 * (1 - j)) - j
    assert find(judged, "verification_gap_p_true", "b -> a").value == pytest.approx(weighed)


def test_the_diagonal_needs_two_who_judge_themselves_and_each_other() -> None:
    alone = pl.concat([build_rows("a", "a", RIGHT, RIGHT), build_rows("b", "a", RIGHT, RIGHT)])
    assert find(alone, "own_gap_matched", None).missing is not None


def test_the_table_of_gaps_says_whose_answers_are_verified() -> None:
    judged = pl.concat([build_rows(v, "a", RIGHT, RIGHT) for v in ("a", "early", "b")])
    table = tabulate_gaps(estimate_verification(judged), {("early", "a")})
    assert dict(zip(table["verifier"], table["relation"], strict=True)) == {
        "a": "own",
        "b": "other",
        "early": "past",
    }
    assert table["n"].to_list() == [120] * 3


def test_only_verdicts_that_decide_what_stands_are_put_on_the_plane() -> None:
    estimates = estimate_verification(build_rows("b", "a", RIGHT, ~RIGHT))
    gain = [
        Estimate(name="accuracy_change", cell="gaps", round=r, value=0.1 * r, low=0.0, high=1.0)
        for r in (1, 2)
    ]
    (row,) = tabulate_reflection([*estimates, *gain], {"gaps": "filter"}).to_dicts()
    assert (row["round"], row["gain"], row["error_rate_sum"]) == (2, 0.2, 2.0)
    assert tabulate_reflection([*estimates, *gain], {"gaps": "cross_critique"}).is_empty()
