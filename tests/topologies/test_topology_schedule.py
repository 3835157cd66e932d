"""Topologies over seats and by round."""

from __future__ import annotations

import pickle
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.config.topology import TopologySpec
from debate.errors import TopologyError
from debate.topologies import (
    Edge,
    InvalidTopologyError,
    Seat,
    TopologySchedule,
    build_schedule,
    from_graph,
    get_authors,
    get_critics,
    get_edge,
    get_heard_critics,
    make_debaters,
)
from debate.topologies.graph import get_seat

SEATS = (*make_debaters("a", "b"), Seat(id="j", role="judge"), *make_debaters("c"))
EDGES = st.sets(st.tuples(*[st.sampled_from("abcde")] * 2))


def scheduled(*seats: Seat, **fields: Any) -> TopologySchedule:
    return build_schedule(TopologySpec.model_validate(fields), seats or SEATS)


def edges_at(schedule: TopologySchedule, round: int) -> set[tuple[str, str]]:
    return set(schedule.at(round).edges())


@given(EDGES)
def test_critics_and_authors_are_the_two_ends_of_the_edges_in_seat_order(
    edges: set[tuple[str, str]],
) -> None:
    graph = nx.DiGraph(sorted(edges, reverse=True))
    topology = from_graph(graph, make_debaters(*"edcba"))
    for agent in "abcde":
        assert get_critics(topology, agent) == tuple(u for u in "edcba" if (u, agent) in edges)
        assert get_authors(topology, agent) == tuple(v for v in "edcba" if (agent, v) in edges)


def test_an_author_hears_the_critics_whose_edges_give_feedback() -> None:
    silent = {"edge": "j -> debaters", "feedback": False}
    topology = scheduled(edges=["b, c -> a", silent]).at(1)
    assert get_critics(topology, "a") == ("b", "j", "c")
    assert get_heard_critics(topology, "a") == ("b", "c")


def test_agents_stand_in_seat_order() -> None:
    topology = scheduled(edges=["c -> b -> a"]).at(1)
    assert tuple(topology) == ("a", "b", "j", "c")
    assert get_seat(topology, "j") == SEATS[2]


def test_a_topology_cannot_be_changed_here_or_in_another_process() -> None:
    topology = scheduled(edges=["a -> b"]).at(1)
    for frozen in (topology, pickle.loads(pickle.dumps(topology))):
        with pytest.raises(nx.NetworkXError, match="Frozen"):
            frozen.add_edge("b", "a")
        with pytest.raises(nx.NetworkXError, match="Frozen"):
            frozen.remove_node("a")


def test_an_edge_that_is_not_there_has_no_attributes() -> None:
    with pytest.raises(KeyError):
        get_edge(from_graph(nx.DiGraph([("a", "b")])), "b", "a")


def test_a_list_by_round_stays_with_its_last_topology() -> None:
    schedule = scheduled(rounds=[{"edges": ["a -> b"]}, {"edges": ["b -> a"]}])
    assert schedule.changes
    assert [edges_at(schedule, r) for r in (1, 2, 3, 9)] == [{("a", "b")}] + [{("b", "a")}] * 3


def test_a_list_by_round_can_begin_again() -> None:
    schedule = scheduled(rounds=[{"edges": ["a -> b"]}, {"edges": ["b -> a"]}], cycle=True)
    assert [edges_at(schedule, r) for r in (1, 2, 3, 4)] == [{("a", "b")}, {("b", "a")}] * 2


def test_the_opening_has_no_topology() -> None:
    with pytest.raises(ValueError, match="the first that does is 1"):
        scheduled(edges=[]).at(0)


def test_groups_are_roles_own_groups_all_and_ids() -> None:
    seats = (Seat(id="a", group="x"), Seat(id="b", role="critic", group="x"), Seat(id="c"))
    schedule = scheduled(*seats, edges=["x -> c", "critics -> a", "each all -> itself"])
    assert edges_at(schedule, 1) == {(u, v) for u, v in ("ac", "bc", "ba", "aa", "bb", "cc")}


def test_a_group_can_be_split_in_seat_order() -> None:
    split = {"debaters": ["pro", "con"]}
    schedule = scheduled(*make_debaters(*"abcde"), split=split, edges=["pro -> con"])
    assert edges_at(schedule, 1) == {(u, v) for u in "abc" for v in "de"}


def test_a_generator_and_edges_add_up() -> None:
    ring = {"generator": "cycle_graph", "args": {"n": "$n", "create_using": "DiGraph"}}
    schedule = scheduled(**ring, edges=["judges -> debaters"])
    expected = {"ab", "bc", "ca", "ja", "jb", "jc"}
    assert {u + v for u, v in edges_at(schedule, 1)} == expected


@pytest.mark.parametrize(
    ("fields", "path", "hint"),
    [
        ({"edges": ["a -> b", "a -> jugdes"]}, ("edges", 1), 'did you mean "judges"'),
        ({"edges": ["a -> b", "debaters -> b"]}, ("edges", 1), 'a -> b of .* already in "a -> b"'),
        ({"edges": ["a <-> b", "all -> all"]}, ("edges", 1), r"\(and 1 more\)"),
        ({"edges": [], "split": {"team": ["x"]}}, ("split", "team"), 'called "team"'),
        ({"edges": [], "split": {"all": ["a"]}}, ("split", "all"), '"a" already names'),
        ({"generator": "path_graph", "args": {"n": 9}}, ("args",), "makes 9 nodes"),
        ({"generator": "path_graph", "args": {"n": 3}, "among": "x"}, ("among",), 'called "x"'),
        ({"rounds": [{"edges": []}, {"edges": ["a -> x"]}]}, ("rounds", 1, "edges", 0), '"x"'),
    ],
)
def test_a_spec_that_does_not_fit_the_seats_says_where_and_why(
    fields: Any, path: Any, hint: str
) -> None:
    with pytest.raises(InvalidTopologyError, match=hint) as caught:
        scheduled(**fields)
    assert [problem.path for problem in caught.value.problems] == [path]


def test_all_unknown_names_are_told_at_once() -> None:
    with pytest.raises(InvalidTopologyError) as caught:
        scheduled(edges=["x -> y", "z -> a"])
    assert len(caught.value.problems) == len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("seats", "hint"),
    [
        ([], "at least one agent"),
        (make_debaters("a", "a"), "used twice"),
        (make_debaters("judges", "b"), "a group of others"),
        ((Seat(id="a", group="b"), Seat(id="b")), "a group of others"),
        (make_debaters(*map(str, range(1001))), "at most 1000"),
    ],
)
def test_seats_that_cannot_be_told_apart_are_refused(seats: Any, hint: str) -> None:
    with pytest.raises(TopologyError, match=hint):
        build_schedule(TopologySpec(edges=()), seats)


def test_seats_made_from_one_card_can_be_addressed_by_the_card() -> None:
    seats = (*(Seat(id=f"a-{k}", group="a") for k in (1, 2)), Seat(id="b"))
    assert edges_at(scheduled(*seats, edges=["a -> b"]), 1) == {("a-1", "b"), ("a-2", "b")}


def test_a_graph_made_in_python_keeps_its_edges() -> None:
    graph = nx.DiGraph([("a", "b")])
    graph.edges["a", "b"]["edge"] = Edge(feedback=False)
    assert get_edge(from_graph(graph), "a", "b") == Edge(feedback=False)


def test_a_graph_over_agents_without_a_seat_is_refused() -> None:
    with pytest.raises(TopologyError, match="without a seat: x"):
        from_graph(nx.DiGraph([("a", "x")]), make_debaters("a"))
