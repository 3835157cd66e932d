"""What the same tokens buy without exchange: matched by tokens, picked without flattery."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from debate.analysis.measures import Measures
from debate.analysis.quantity import Quantity, Unavailable
from debate.analysis.states import build_states
from debate.analysis.tokens import SamplePool, find_debating_cells, find_pools
from debate.analysis.votes import build_vote_states
from tests.experiments.frames import Row, turn

NUM = 60


def _team(num: int = NUM) -> list[Row]:
    """Two models that hear each other once; eight tokens a turn after the openings."""
    heard = {"a": "0:opening:b", "b": "0:opening:a"}
    return [
        turn(
            "team",
            q,
            agent,
            round,
            right=(q + round) % 2 == 0,
            heard=heard[agent] * round,
            tokens=4 + 4 * round,
        )
        for q in range(num)
        for agent in "ab"
        for round in (0, 1)
    ]


def _alone(cell: str, agents: str, rounds: int, share: float, num: int = NUM) -> list[Row]:
    rng = np.random.default_rng(len(cell))
    return [
        turn(cell, q, agent, round, right=bool(rng.random() < share), wrong=str(5 + round))
        for q in range(num)
        for agent in agents
        for round in range(rounds)
    ]


def _measures(*parts: list[Row]) -> Measures:
    states = build_states(pl.DataFrame([row for part in parts for row in part]))
    return Measures(states, build_vote_states(states))


def test_a_team_is_where_somebody_hears_somebody_else() -> None:
    own = [
        turn("self", q, "a", r, right=True, heard=f"{r - 1}:revision:a" * r)
        for q in (0, 1)
        for r in (0, 1)
    ]
    states = build_states(pl.DataFrame([*_team(4), *own, *_alone("pool", "ab", 2, 0.5, 4)]))
    assert find_debating_cells(states) == ("team",)
    assert [pool.cell for pool in find_pools(states)] == ["pool"]


def test_a_pool_is_cut_where_it_has_used_the_debate_s_tokens() -> None:
    found = _measures(_team(), _alone("pool", "ab", 5, 0.5)).matched("self_consistency", "team")
    assert not isinstance(found, Unavailable)
    assert (found.cell, found.num_samples, found.share) == ("pool", 6, pytest.approx(1.0))


def test_a_pool_that_is_too_small_says_how_much_it_has() -> None:
    found = _measures(_team(), _alone("pool", "ab", 2, 0.5)).matched("self_consistency", "team")
    assert not isinstance(found, Unavailable)
    assert found.share == pytest.approx(16 / 24)


def test_a_pool_of_other_seats_is_none() -> None:
    measures = _measures(_team(), _alone("other", "a", 6, 0.5))
    found = measures.find("self_consistency", cell="team")
    assert isinstance(found, Unavailable)
    assert "same seats" in found.reason


def test_the_best_member_needs_every_member_alone() -> None:
    found = _measures(_team(), _alone("alone_a", "a", 6, 0.5)).find("gain_over_best", cell="team")
    assert isinstance(found, Unavailable)
    assert "b alone" in found.reason


def test_the_better_member_is_taken_where_one_is_clearly_better() -> None:
    measures = _measures(_team(), _alone("weak", "a", 6, 0.1), _alone("strong_", "b", 6, 0.8))
    matched, gain = (
        measures.matched("best_single", "team"),
        measures.find("gain_over_best", cell="team"),
    )
    assert not isinstance(matched, Unavailable)
    assert isinstance(gain, Quantity)
    assert matched.cell == "strong_"
    last = measures.find("vote_T", cell="team")
    assert isinstance(last, Quantity)
    assert gain.value == pytest.approx(last.value - matched.quantity.value)


def test_picking_the_best_of_equals_does_not_flatter_it() -> None:
    rng, repeats, found = np.random.default_rng(3), 60, []
    for _ in range(repeats):
        parts = [
            [turn(f"arm_{m}", q, m, 0, right=bool(rng.random() < 0.5), model=m) for q in range(50)]
            for m in "abcdef"
        ]
        team = [
            turn("team", q, m, r, right=True, heard="0:opening:z" * r)
            for q in range(50)
            for m in "abcdef"
            for r in (0, 1)
        ]
        best = _measures(*parts, team).find("best_single", cell="team")
        assert isinstance(best, Quantity)
        found.append(best.value)
    assert np.mean(found) == pytest.approx(0.5, abs=4 * 0.07 / np.sqrt(repeats))


def test_a_tie_scores_the_share_of_the_tied_answers_that_are_right() -> None:
    rows = [
        turn("pool", q, agent, 0, right=agent == "a", confidence=0.9 if agent == "a" else 0.2)
        for q in range(6)
        for agent in "ab"
    ]
    states = build_states(pl.DataFrame([*_team(6), *rows]))
    found = Measures(states, build_vote_states(states)).find("self_consistency", cell="team")
    assert isinstance(found, Quantity)
    assert found.value == 0.5


def test_where_nothing_tells_tokens_samples_are_counted() -> None:
    rows = [
        {**row, "generated_tokens": None} for row in (*_team(8), *_alone("pool", "ab", 5, 0.5, 8))
    ]
    found = _measures(rows).matched("self_consistency", "team")
    assert not isinstance(found, Unavailable)
    assert (found.num_samples, found.share) == (4, None)


def test_the_samples_of_a_pool_keep_their_order() -> None:
    (pool,) = find_pools(build_states(pl.DataFrame(_alone("pool", "ab", 3, 0.5, 4))))
    assert isinstance(pool, SamplePool)
    assert pool.num_samples == 6
    assert pool.tokens == (4.0, 8.0, 12.0, 16.0, 20.0, 24.0)
