"""What validation says of topologies that can be built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from debate.config.document import Problem
from debate.config.topology import TopologySpec
from debate.topologies import (
    Seat,
    find_problems,
    make_debaters,
)

DEBATERS = make_debaters("a", "b")
JUDGE = Seat(id="j", role="judge")
CRITIC = Seat(id="k", role="critic")
TOOL = Seat(id="t", role="tool")
RANDOM = {"generator": "gnp_random_graph", "args": {"n": "$n", "p": 0}}


def checked(
    *seats: Seat,
    protocol: str = "exchange",
    rounds: int = 2,
    needs_judges: bool = False,
    by_round: Sequence[Any] = (),
    **fields: Any,
) -> list[Problem]:
    spec = TopologySpec.model_validate({**fields, **({"rounds": by_round} if by_round else {})})
    return find_problems(spec, seats, protocol=protocol, rounds=rounds, needs_judges=needs_judges)


def said(*seats: Seat, **fields: Any) -> str:
    found = checked(*seats, **fields)
    assert len(found) == 1, found
    return found[0].message


def test_a_judge_that_judges_nobody() -> None:
    message = said(*DEBATERS, JUDGE, edges=["a <-> b"])
    assert message == 'j is a judge and judges nobody; write "j -> debaters"'


def test_a_judge_at_the_wrong_end_of_its_edges() -> None:
    message = said(*DEBATERS, JUDGE, edges=["debaters -> judges"])
    assert "an edge starts at the one who critiques" in message


@pytest.mark.parametrize("seat", [CRITIC, TOOL])
def test_a_critic_or_tool_that_critiques_nobody(seat: Seat) -> None:
    message = said(*DEBATERS, seat, edges=["a <-> b"], protocol="critique")
    assert f'write "{seat.id} -> debaters"' in message


def test_a_debater_that_nobody_critiques() -> None:
    message = said(*DEBATERS, edges=["a -> b"], protocol="critique")
    assert message.startswith("nobody critiques a,")
    assert '"b -> a"' in message


def test_a_debater_that_nobody_critiques_is_fine_where_it_is_meant_or_where_answers_travel() -> (
    None
):
    assert not checked(*DEBATERS, edges=["a -> b"], protocol="critique", uncritiqued="allow")
    assert not checked(*DEBATERS, edges=["a -> b"], protocol="exchange")


def test_a_debater_that_is_critiqued_in_some_round_is_critiqued() -> None:
    phases = [{"edges": ["a -> b"]}, {"edges": ["b -> a"]}]
    assert not checked(*DEBATERS, by_round=phases, protocol="critique", rounds=2)
    assert len(checked(*DEBATERS, by_round=phases, protocol="critique", rounds=1)) == 1


def test_an_empty_panel() -> None:
    assert "the panel is empty" in said(*DEBATERS, edges=["a <-> b"], needs_judges=True)
    assert not checked(*DEBATERS, JUDGE, edges=["j -> debaters"], needs_judges=True)


def test_a_line_whose_group_is_empty_is_told_with_its_place() -> None:
    (problem,) = checked(*DEBATERS, edges=["a <-> b", "judges -> debaters"])
    assert problem.path == ("edges", 1)
    assert '"judges -> debaters" connects nobody' in problem.message


def test_a_generator_among_nobody_is_told_with_its_place() -> None:
    (problem,) = checked(JUDGE, TOOL, **RANDOM, edges=["j -> t", "t -> j"])
    assert problem.path == ("generator",)


def test_a_topology_without_edges_that_was_not_written_as_such() -> None:
    assert "nobody hears anybody" in said(*DEBATERS, **RANDOM)
    assert not checked(*DEBATERS, **RANDOM, rounds=0)
    assert not checked(*DEBATERS, edges=[])


def test_a_critic_has_nothing_to_say_in_an_exchange() -> None:
    message = said(*DEBATERS, CRITIC, edges=["critics -> debaters"])
    assert '"protocol: critique"' in message
    assert not checked(*DEBATERS, CRITIC, edges=["critics -> debaters"], protocol="critique")


@pytest.mark.parametrize(
    ("protocol", "carries", "is_heard"),
    [
        ("exchange", ["critique"], False),
        ("exchange", ["critique", "answer"], True),
        ("exchange", ["rationale"], True),
        ("exchange", ["confidence"], True),
        ("critique", ["reasoning"], False),
        ("critique", ["critique"], True),
        ("critique", ["answer"], True),
        ("critique", ["masked_reasoning"], True),
        ("my_module.my_protocol", ["confidence"], True),
    ],
)
def test_an_edge_must_carry_something_that_the_protocol_sends(
    protocol: str, carries: list[str], is_heard: bool
) -> None:
    line = {"edge": "a <-> b", "carries": carries}
    found = checked(*DEBATERS, edges=[line], protocol=protocol)
    assert (not found) == is_heard
    assert not checked(*DEBATERS, edges=[{**line, "feedback": False}], protocol=protocol)


@pytest.mark.parametrize("carried", ["confidence", "shuffled_confidence"])
def test_an_edge_that_carries_a_confidence_needs_one_that_is_stated(carried: str) -> None:
    topology = {"edges": [{"edge": "a -> c", "carries": [carried]}, "b, c -> a, b"]}
    topology["edges"] += [{"edge": "b -> c", "carries": [carried]}]
    seats = make_debaters("a", "b", "c")
    problems = find_problems(
        TopologySpec(**topology), seats, protocol="exchange", rounds=1, shows_confidence=False
    )
    assert len(problems) == 2
    assert all("show_confidence: true" in problem.message for problem in problems)
    assert not find_problems(
        TopologySpec(**topology), seats, protocol="exchange", rounds=1, shows_confidence=True
    )


def test_a_confidence_that_nobody_can_change_with_is_refused() -> None:
    alone = {"edges": [{"edge": "a -> b", "carries": ["answer", "shuffled_confidence"]}]}
    assert "nobody can change with" in said(*DEBATERS, **alone)


def test_where_answers_alone_are_heard_an_edge_must_carry_one() -> None:
    spec = TopologySpec(**{"edges": [{"edge": "a <-> b", "carries": ["rationale"]}]})
    seats = make_debaters("a", "b")
    (*found,) = find_problems(spec, seats, protocol="exchange", rounds=1, answers_only=True)
    assert "sends answer; add one" in found[0].message


def test_what_cannot_be_built_and_an_empty_panel_are_told_together() -> None:
    found = checked(*DEBATERS, edges=["a -> x"], needs_judges=True)
    assert [problem.path for problem in found] == [("edges", 0), ()]


def test_each_problem_is_told_once_with_each_of_its_places() -> None:
    phase = {"edges": ["a <-> b", "judges -> debaters"]}
    found = checked(*DEBATERS, by_round=[phase, phase], rounds=5)
    assert [problem.path[:2] for problem in found] == [("rounds", 0), ("rounds", 1)]
    carried = {"edges": [{"edge": "a <-> b", "carries": ["critique"]}]}
    assert len(checked(*DEBATERS, by_round=[carried, carried], rounds=5)) == 2
