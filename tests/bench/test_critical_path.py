"""The bound that makespans are compared with: no debate can be faster, and an ideal one is not
slower."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.bench.latency import (
    compute_critical_path_s,
    compute_quantile,
    compute_spans_s,
    find_dependencies,
    group_by_debate,
)
from debate.types import Kind, Turn


def _turn(
    agent: str, round: int, *heard: str, kind: Kind | None = None, about: str | None = None
) -> Turn:
    kind = kind or ("revision" if round else "opening")
    return Turn(
        cell="main",
        question="q",
        seed=0,
        round=round,
        kind=kind,
        agent=agent,
        about=about,
        model=agent,
        heard=heard,
    )


def _ring(agents: str, rounds: int) -> list[Turn]:
    """Each hears the one before it, from the round before."""
    turns = [_turn(agent, 0) for agent in agents]
    for round in range(1, rounds + 1):
        said = "revision" if round > 1 else "opening"
        for n, agent in enumerate(agents):
            turns.append(_turn(agent, round, f"{round - 1}:{said}:{agents[n - 1]}"))
    return turns


def test_equal_latencies_take_one_call_a_round() -> None:
    assert compute_critical_path_s(_ring("abc", 3), lambda turn: 0.5) == pytest.approx(4 * 0.5)


def test_nobody_waits_for_a_slow_agent_that_it_does_not_hear() -> None:
    slow = {"a": 10.0, "b": 1.0}
    turns = [_turn("a", 0), _turn("b", 0), _turn("b", 1, "0:opening:b")]
    assert compute_critical_path_s(turns, lambda turn: slow[turn.agent]) == 10
    assert compute_critical_path_s(turns[1:], lambda turn: slow[turn.agent]) == 2


def test_a_slow_agent_slows_a_ring_only_as_far_as_it_is_heard() -> None:
    latency = {"a": 3.0, "b": 1.0, "c": 1.0}
    one_round = compute_critical_path_s(_ring("abc", 1), lambda turn: latency[turn.agent])
    assert one_round == 3 + 3


def test_a_critique_stands_between_what_it_is_about_and_who_hears_it() -> None:
    turns = [
        _turn("a", 0),
        _turn("b", 0),
        _turn("a", 1, "0:opening:b", kind="critique", about="b"),
        _turn("b", 1, "1:critique:a:b"),
    ]
    assert compute_critical_path_s(turns, lambda turn: 1.0) == 3


def test_an_agent_waits_for_its_own_earlier_turns_whatever_they_are_called() -> None:
    judged = _turn("j", 2, "1:revision:a", kind="judgment")
    known = ["1:judgment:j", "0:opening:a", "1:revision:a"]
    assert sorted(find_dependencies(judged, known)) == ["1:judgment:j", "1:revision:a"]


def test_no_turns_take_no_time() -> None:
    assert compute_critical_path_s([], lambda turn: 1.0) == 0


@given(
    st.integers(1, 5),
    st.integers(0, 4),
    st.lists(st.floats(0.01, 10), min_size=5, max_size=5),
)
def test_the_bound_lies_between_the_slowest_agent_alone_and_all_in_a_row(
    num_agents: int, rounds: int, latencies: list[float]
) -> None:
    agents = "abcde"[:num_agents]
    latency = dict(zip(agents, latencies, strict=False))
    turns = _ring(agents, rounds)
    found = compute_critical_path_s(turns, lambda turn: latency[turn.agent])
    assert found >= (rounds + 1) * max(latency.values()) - 1e-9
    assert found <= sum(latency[turn.agent] for turn in turns) + 1e-9


@given(st.permutations(_ring("abc", 3)))
def test_the_order_of_the_log_does_not_matter(turns: list[Turn]) -> None:
    latency = {"a": 1.0, "b": 0.3, "c": 2.0}
    bound = compute_critical_path_s(_ring("abc", 3), lambda turn: latency[turn.agent])
    assert compute_critical_path_s(turns, lambda turn: latency[turn.agent]) == pytest.approx(bound)


def test_a_debate_spans_from_its_first_call_to_its_last_turns_end() -> None:
    def at(agent: str, start: float, end: float) -> Turn:
        return Turn(
            cell="main",
            question="q",
            seed=0,
            round=0,
            kind="opening",
            agent=agent,
            model="m",
            started_at=start,
            finished_at=end,
        )

    turns = [at("a", 10, 11), at("b", 10.5, 13)]
    assert list(compute_spans_s(turns).values()) == [3]
    assert len(group_by_debate(turns)) == 1


@given(st.lists(st.floats(-1e3, 1e3), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_enough_values_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = compute_quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) <= share * len(values) + 1e-6


def test_the_ideal_schedule_reaches_the_bound() -> None:
    """Played event by event on a virtual clock, with every call begun as soon as it can be."""
    latency = {"a": 0.2, "b": 0.5, "c": 2.0}
    turns = _ring("abc", 3)

    async def play() -> float:
        refs = {turn.ref for turn in turns}
        done: dict[str, asyncio.Future[float]] = {
            ref: asyncio.get_running_loop().create_future() for ref in refs
        }

        async def call(turn: Turn) -> None:
            before = [await done[ref] for ref in find_dependencies(turn, refs)]
            done[turn.ref].set_result(max(before, default=0.0) + latency[turn.agent])

        await asyncio.gather(*(call(turn) for turn in turns))
        return max(future.result() for future in done.values())

    assert asyncio.run(play()) == compute_critical_path_s(turns, lambda turn: latency[turn.agent])
