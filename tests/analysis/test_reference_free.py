"""Confidence where nothing says who was right: levels, changes, and the sum over the sides."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import polars as pl
import pytest

from debate.analysis.reference_free import (
    REFERENCE_FREE,
    estimate_reference_free,
    is_reference_free,
)
from debate.analysis.schema import Estimate
from debate.errors import InputError
from debate.log import read_table

Bet = tuple[str, int, str, float | None]
"""Question, round, agent, confidence of winning."""

BETS: list[Bet] = [
    ("m1", 0, "pro", 0.7),
    ("m1", 0, "con", 0.8),
    ("m1", 1, "pro", 0.8),
    ("m1", 1, "con", 0.9),
    ("m2", 0, "pro", 0.6),
    ("m2", 0, "con", 0.5),
    ("m2", 1, "pro", 0.6),
    ("m2", 1, "con", 0.7),
    ("m3", 0, "pro", 0.5),
    ("m3", 0, "con", 0.5),
    ("m3", 1, "pro", 0.7),
    ("m3", 1, "con", 0.8),
]
T_2 = 4.302652729911275
"""Student's t at .975 with 2 degrees of freedom."""


def frame(bets: Iterable[Bet], **columns: object) -> pl.DataFrame:
    table = pl.DataFrame(
        list(bets), schema=["question_id", "round", "agent", "confidence"], orient="row"
    )
    return read_table(
        table.with_columns(
            **{n: v if isinstance(v, pl.Expr) else pl.lit(v) for n, v in columns.items()}
        )
    )


def found(
    table: pl.DataFrame, name: str, round: int | None = None, subject: str | None = None
) -> Estimate:
    (one,) = (
        e
        for e in estimate_reference_free(table)
        if (e.name, e.round, e.subject) == (name, round, subject)
    )
    return one


def holds(
    estimate: Estimate, values: Iterable[float], *, least: float = 0.0, most: float = 1.0
) -> None:
    """The estimate is the mean of these equally large clusters, with its t-interval."""
    means = list(values)
    mean, num = sum(means) / len(means), len(means)
    se = math.sqrt(sum((value - mean) ** 2 for value in means) / (num - 1) / num)
    assert estimate.value == pytest.approx(mean)
    assert estimate.se == pytest.approx(se)
    assert estimate.low == pytest.approx(max(least, mean - T_2 * se))
    assert estimate.high == pytest.approx(min(most, mean + T_2 * se))
    assert estimate.num_questions == num


def test_a_hand_computed_table() -> None:
    table = frame(BETS)
    assert is_reference_free(table)
    assert not is_reference_free(table.with_columns(outcome=pl.lit("correct")))
    holds(found(table, "confidence", 0), [0.75, 0.55, 0.5])
    holds(found(table, "confidence", 1), [0.85, 0.65, 0.75])
    holds(found(table, "confidence_change", 1), [0.1, 0.1, 0.25], least=-1)
    holds(found(table, "confidence_drift"), [0.1, 0.1, 0.25], least=-1)
    holds(found(table, "confidence", 1, "pro"), [0.8, 0.6, 0.7])
    holds(found(table, "confidence_change", 1, "con"), [0.1, 0.2, 0.3], least=-1)
    holds(found(table, "confidence_sum_excess", 0), [0.5, 0.1, 0.0], least=-1)
    holds(found(table, "confidence_sum_excess_change", 1), [0.2, 0.2, 0.5], least=-2)
    holds(found(table, "confidence_sum_excess_drift"), [0.2, 0.2, 0.5], least=-2)
    assert {e.name for e in estimate_reference_free(table)} <= {*REFERENCE_FREE, "confidence"}


def test_ends_that_cannot_be_are_cut_off() -> None:
    sums = found(frame(BETS), "confidence_sum_excess", 1)
    assert sums.value == pytest.approx(0.5)
    assert sums.high is not None
    assert sums.high <= 1


def test_an_unknown_confidence_leaves_the_sum_of_its_debate_unknown() -> None:
    table = frame([*BETS[:-1], ("m3", 1, "con", None)])
    assert found(table, "confidence", 1).n == 5
    assert found(table, "confidence_change", 1).n == 5
    sums = found(table, "confidence_sum_excess", 1)
    assert (sums.value, sums.n) == (pytest.approx(0.5), 2)
    assert found(table, "confidence_sum_excess", 0).n == 3


def test_a_lost_turn_has_no_confidence_and_a_stopped_debate_keeps_its_last() -> None:
    more = [(f"k{n}", r, a, c) for n in range(3) for _, r, a, c in BETS[:4]]
    lost = frame([*BETS[:-1], *more])
    assert lost["lost"].sum() == 1
    assert found(lost, "confidence", 1).n == 11
    stopped = frame([*BETS[:-2], *more])
    assert stopped["lost"].sum() == 0
    assert found(stopped, "confidence", 1).n == 12
    assert found(stopped, "confidence", 1, "pro").value == pytest.approx((0.8 * 4 + 0.6 + 0.5) / 6)
    assert found(stopped, "confidence_drift").n == 10
    assert found(stopped, "confidence_sum_excess_drift").n == 5


def test_sides_are_what_agents_answer_and_models_are_told_apart() -> None:
    swapped = pl.col("question_id") == "m3"
    is_x = (pl.col("agent") == "con") != swapped
    table = frame(
        BETS,
        agent=pl.when(is_x).then(pl.lit("second")).otherwise(pl.lit("first")),
        model=pl.when(pl.col("agent") == "con").then(pl.lit("x")).otherwise(pl.lit("y")),
        answer=pl.when(pl.col("agent") == "pro").then(pl.lit("Yes")).otherwise(pl.lit("No")),
    )
    holds(found(table, "side_confidence", 1, "Yes"), [0.8, 0.6, 0.7])
    holds(found(table, "model_confidence", 1, "x"), [0.9, 0.7, 0.8])
    holds(found(table, "confidence_sum_excess", 0), [0.5, 0.1, 0.0], least=-1)


def test_agents_of_one_side_count_by_their_mean() -> None:
    table = frame(
        [("m", 0, "a", 0.9), ("m", 0, "b", 0.7), ("m", 0, "c", 0.6)],
        answer=pl.when(pl.col("agent") == "c").then(pl.lit("no")).otherwise(pl.lit("yes")),
    )
    sums = found(table, "confidence_sum_excess", 0)
    assert sums.value == pytest.approx(0.4)
    assert sums.caveats == ("no interval: fewer than two questions",)


@pytest.mark.parametrize(
    "answer",
    [
        pl.lit("yes"),
        pl.when(pl.col("round") == 0).then("agent").otherwise(pl.lit("pro")),
        pl.when(pl.col("agent") == "pro").then("agent"),
    ],
)
def test_debates_without_fixed_sides_have_no_sum(answer: pl.Expr) -> None:
    table = frame(BETS, answer=answer)
    (lack,) = (e for e in estimate_reference_free(table) if e.name == "confidence_sum_excess")
    assert lack.value is None
    assert lack.missing is not None
    assert "sides" in lack.missing
    assert found(table, "confidence", 0).n == 6


def test_a_cluster_above_the_question_is_what_intervals_rest_on() -> None:
    alone = found(frame(BETS), "confidence", 0)
    same = frame(BETS, cluster=pl.col("question_id").replace({"m3": "m2"}))
    clustered = found(same, "confidence", 0)
    assert (alone.num_questions, clustered.num_questions) == (3, 2)
    assert clustered.value == alone.value
    assert "cluster" in clustered.method


def test_equal_values_are_no_certainty() -> None:
    table = frame((q, r, a, 0.5) for q, r, a, _ in BETS)
    level = found(table, "confidence", 0)
    assert (level.value, level.low, level.high, level.se) == (0.5, None, None, None)
    assert level.caveats == ("no interval: no variation",)


def test_conditions_are_kept_apart_and_judges_left_out() -> None:
    table = pl.concat([frame(BETS), frame(BETS, arm="public", confidence=pl.col("confidence") / 2)])
    by_cell = {
        e.cell: e.value
        for e in estimate_reference_free(table)
        if (e.name, e.round, e.subject) == ("confidence", 0, None)
    }
    assert by_cell == {"main": pytest.approx(0.6), "public": pytest.approx(0.3)}
    judged = frame([*BETS, ("m1", 0, "judge", 1.0)])
    judged = judged.with_columns(
        kind=pl.when(pl.col("agent") == "judge").then(pl.lit("judgment")).otherwise("kind")
    )
    assert found(judged, "confidence", 0).value == pytest.approx(0.6)


def test_a_frame_without_the_columns_of_a_table_will_do() -> None:
    narrow = frame(BETS).drop("cluster", "lost", "text", "failed", "kind", "answer")
    assert found(narrow, "confidence_sum_excess", 0).value == pytest.approx(0.2)


def test_an_estimator_is_named_or_refused() -> None:
    table = frame(BETS).with_columns(confidence_verbal=pl.col("confidence") / 2)
    halved = estimate_reference_free(table, confidence="verbal")
    assert halved[0].value == pytest.approx(0.3)
    with pytest.raises(InputError, match=r'"verbl" is not recorded .*did you mean'):
        estimate_reference_free(table, confidence="verbl")


def simulate(rng: np.random.Generator, *, arm: str, rise: float) -> Iterable[dict[str, object]]:
    """Debates on motions that move both sides alike, each a step of mean `rise` surer a round."""
    for question in range(20):
        hard = rng.normal(0, 0.06)
        for agent in ("pro", "con"):
            level = 0.6 + hard + rng.normal(0, 0.04)
            for round_ in range(3):
                yield {
                    "question_id": f"m{question}",
                    "round": round_,
                    "agent": agent,
                    "arm": arm,
                    "confidence": min(max(level, 0.0), 1.0),
                }
                level += rng.normal(rise, 0.03)


def simulated(repeats: int, *, rise: float) -> list[Estimate]:
    rng = np.random.default_rng(7)
    rows = [row for n in range(repeats) for row in simulate(rng, arm=str(n), rise=rise)]
    return [e for e in estimate_reference_free(read_table(pl.DataFrame(rows))) if not e.subject]


@pytest.mark.parametrize(
    ("repeats", "least", "most"),
    [(50, 0.86, 1.0), pytest.param(250, 0.91, 0.985, marks=pytest.mark.system)],
)
def test_intervals_cover_what_was_set(repeats: int, least: float, most: float) -> None:
    truths = {
        ("confidence", 0): 0.6,
        ("confidence", 2): 0.68,
        ("confidence_change", 2): 0.08,
        ("confidence_drift", None): 0.04,
        ("confidence_sum_excess", 0): 0.2,
        ("confidence_sum_excess", 2): 0.36,
        ("confidence_sum_excess_drift", None): 0.08,
    }
    covered = dict.fromkeys(truths, 0)
    for e in simulated(repeats, rise=0.04):
        if (e.name, e.round) in truths:
            covered[e.name, e.round] += not e.excludes(truths[e.name, e.round])
    for place, num in covered.items():
        assert least <= num / repeats <= most, (place, num / repeats)


@pytest.mark.parametrize(
    ("repeats", "least", "most"),
    [(50, 0.0, 0.14), pytest.param(250, 0.015, 0.09, marks=pytest.mark.system)],
)
def test_a_sum_that_does_not_drift_is_seldom_said_to(
    repeats: int, least: float, most: float
) -> None:
    drifts = [e for e in simulated(repeats, rise=0.0) if e.name == "confidence_sum_excess_drift"]
    assert len(drifts) == repeats
    assert least <= sum(e.excludes(0) for e in drifts) / repeats <= most
