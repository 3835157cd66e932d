"""The caveat about stopping that knew the truth: said of oracles, not of rules that read turns."""

import numpy as np
import polars as pl
import pytest

from debate.analysis.stopping import describe_oracle_stopping, is_explained

from .stopped import HONEST, ORACLES, falling_silent, stopped, suspected

SCHEMA = {
    "debate": pl.Int64,
    "cell": pl.String,
    "round": pl.Int64,
    "agent": pl.String,
    "answer": pl.String,
    "correct": pl.Boolean,
    "confidence": pl.Float64,
    "carried": pl.Boolean,
}


def _guessed(
    rng: np.random.Generator,
    *,
    debates: int,
    agents: int,
    confidence: float | None = 0.7,
    goes_on: str = "all wrong",
    cell: str = "main",
) -> pl.DataFrame:
    """Agents right in 40 %, wrong always alike; asked again, up to three times, as `goes_on` says:
    each "wrong agent", debates with "all wrong", "any wrong", a "wrong majority", or "always".
    """
    rows = []
    for debate in range(debates):
        asked = np.ones(agents, dtype=bool)
        for t in range(4):
            right = rng.random(agents) < 0.4
            rows += [
                (debate, cell, t, f"a{k}", "12"[not right[k]], bool(right[k]), confidence, False)
                for k in np.flatnonzero(asked)
            ]
            asked &= {
                "wrong agent": ~right,
                "all wrong": np.repeat(not right.any(), agents),
                "any wrong": np.repeat(not right.all(), agents),
                "wrong majority": np.repeat(right.mean() <= 0.5, agents),
                "always": np.ones(agents, dtype=bool),
            }[goes_on]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@pytest.mark.parametrize(("debates", "agents"), [(60, 1), (60, 3), (400, 3), (400, 5)])
@pytest.mark.parametrize("goes_on", ["wrong agent", "all wrong", "any wrong", "wrong majority"])
@pytest.mark.parametrize("confidence", [0.7, None])
def test_asking_only_the_wrong_again_is_told(
    debates: int, agents: int, goes_on: str, confidence: float | None
) -> None:
    states = _guessed(
        np.random.default_rng(debates),
        debates=debates,
        agents=agents,
        confidence=confidence,
        goes_on=goes_on,
    )
    assert describe_oracle_stopping(states)


def test_the_sentence_names_the_condition_and_what_was_asked_again() -> None:
    rng = np.random.default_rng(1)
    states = pl.concat(
        [
            _guessed(rng, debates=80, agents=1, cell="oracle"),
            _guessed(rng, debates=80, agents=1, cell="open", goes_on="always").with_columns(
                pl.col("debate") + 80
            ),
        ]
    )
    right = states.filter((pl.col("cell") == "oracle") & (pl.col("round") < 3))
    num_right, num_wrong = right["correct"].sum(), (~right["correct"]).sum()
    sentence = describe_oracle_stopping(states)
    assert sentence is not None
    assert sentence.startswith(
        f"In oracle the next round was left out after {num_right} of {num_right} right and "
        f"0 of {num_wrong} wrong answers"
    )


@pytest.mark.parametrize("name", sorted(HONEST))
def test_rules_that_read_the_turns_are_not_suspected(name: str) -> None:
    assert suspected(HONEST[name], repeats=6, seed=5) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HONEST))
def test_rules_that_read_the_turns_are_suspected_in_less_than_five_percent(name: str) -> None:
    assert suspected(HONEST[name], repeats=400) <= 0.05


@pytest.mark.parametrize("name", ["majority right", "any right"])
def test_oracles_are_found_though_confidence_goes_with_being_right(name: str) -> None:
    rng = np.random.default_rng(6)
    assert describe_oracle_stopping(stopped(rng, ORACLES[name], questions=200, agents=3))


@pytest.mark.parametrize("knows", [True, False])
def test_agents_that_fall_silent_one_by_one(knows: bool) -> None:
    states = falling_silent(np.random.default_rng(7), questions=150, knows=knows)
    assert (describe_oracle_stopping(states) is not None) == knows


def test_agents_that_only_open_are_no_oracle() -> None:
    """Critics who speak once and are better than the author that revises."""
    rng = np.random.default_rng(8)
    states = _guessed(rng, debates=200, agents=3, goes_on="always")
    once = (pl.col("agent") == "a0") | (pl.col("round") == 0)
    better = pl.when(pl.col("agent") == "a0").then(pl.col("correct")).otherwise(True)
    assert describe_oracle_stopping(states.filter(once).with_columns(correct=better)) is None


def test_carried_states_are_no_turns() -> None:
    states = _guessed(np.random.default_rng(9), debates=100, agents=1)
    last = states.group_by("debate").agg(pl.all().sort_by("round").last())
    carried = [
        last.filter(pl.col("round") < t).with_columns(round=pl.lit(t, pl.Int64), carried=True)
        for t in (1, 2, 3)
    ]
    filled = pl.concat([states, *(part.select(states.columns) for part in carried)])
    assert describe_oracle_stopping(filled) == describe_oracle_stopping(states)


def test_debates_of_one_length_have_nothing_to_suspect() -> None:
    states = _guessed(np.random.default_rng(10), debates=60, agents=3, goes_on="always")
    assert describe_oracle_stopping(states) is None
    assert describe_oracle_stopping(states.head(0)) is None
    assert describe_oracle_stopping(states.filter(pl.col("round") == 0)) is None


def test_a_limit_of_one_feature_or_of_several_explains_a_stop() -> None:
    rng = np.random.default_rng(11)
    features = rng.random((200, 2))
    high = features > 0.6
    for stops in (high[:, 0], ~high[:, 1], high.any(axis=1), high.all(axis=1)):
        assert is_explained(features, stops)
    assert not is_explained(features, rng.random(200) < 0.4)
    assert not is_explained(np.full((200, 2), 0.7), rng.random(200) < 0.4)
