"""Graphs by networkx generators."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from debate.config.graph_generators import fill_counts, format_call, list_generators
from debate.config.topology import TopologySpec
from debate.errors import ConfigError, TopologyError
from debate.topologies import (
    Topology,
    TopologySchedule,
    build_schedule,
    load_topology,
    make_debaters,
)

IDS = [f"a{i}" for i in range(12)]
SMALL_WORLD = {"generator": "watts_strogatz_graph", "args": {"n": "$n", "k": 4, "p": 0.5}}


def scheduled(n: int = 12, **fields: Any) -> TopologySchedule:
    return build_schedule(TopologySpec.model_validate(fields), make_debaters(*IDS[:n]))


def made(n: int = 12, **fields: Any) -> Topology:
    return scheduled(n, **fields).at(1)


def numbered(topology: Topology) -> set[tuple[int, int]]:
    return {(IDS.index(u), IDS.index(v)) for u, v in topology.edges()}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_random_graph_is_the_one_that_networkx_draws_with_the_seed(seed: int) -> None:
    expected = nx.watts_strogatz_graph(12, 4, 0.5, seed=seed).to_directed()
    assert numbered(made(**SMALL_WORLD, seed=seed)) == set(expected.edges())


def test_a_directed_graph_keeps_its_direction_and_can_be_reversed_or_doubled() -> None:
    random = {"generator": "gnp_random_graph", "args": {"n": "$n", "p": 0.3, "directed": True}}
    edges = set(nx.gnp_random_graph(12, 0.3, seed=0, directed=True).edges())
    assert numbered(made(**random)) == edges
    assert numbered(made(**random, direction="backward")) == {(v, u) for u, v in edges}
    assert numbered(made(**random, direction="both")) == edges | {(v, u) for u, v in edges}


def test_an_undirected_graph_can_run_from_earlier_to_later_seats_only() -> None:
    edges = numbered(made(**SMALL_WORLD, direction="forward"))
    assert all(u < v for u, v in edges)
    assert edges | {(v, u) for u, v in edges} == numbered(made(**SMALL_WORLD))


def test_a_graph_on_coordinates_is_laid_onto_seats_row_by_row() -> None:
    topology = made(n=6, generator="grid_2d_graph", args={"m": "$n//3", "n": 3})
    assert ("a0", "a3") in topology.edges
    assert ("a2", "a3") not in topology.edges


def test_arguments_can_be_given_by_position() -> None:
    topology = made(n=5, generator="complete_multipartite_graph", args=[2, "$n-2"])
    assert ("a0", "a1") not in topology.edges
    assert topology.number_of_edges() == 12


def test_a_generator_connects_the_named_group_only() -> None:
    fields = {"generator": "complete_graph", "args": {"n": "$n"}, "among": "a1, a2"}
    assert set(made(**fields).edges()) == {("a1", "a2"), ("a2", "a1")}


def test_resampled_graphs_differ_by_round_and_by_run_seed_and_come_again() -> None:
    first, again = (scheduled(**SMALL_WORLD, resample="each_round") for _ in range(2))
    drawn = {
        frozenset(first.at(round, seed=seed).edges()) for round in (1, 2, 3) for seed in (0, 1)
    }
    assert first.changes
    assert len(drawn) == 6
    for round in (3, 1, 2):
        assert set(again.at(round, seed=1).edges()) == set(first.at(round, seed=1).edges())


def test_resampled_graphs_depend_on_the_spec_seed_too() -> None:
    one, other = (scheduled(**SMALL_WORLD, resample="each_round", seed=seed) for seed in (0, 1))
    assert set(one.at(1).edges()) != set(other.at(1).edges())


def test_a_graph_that_is_not_resampled_is_the_same_in_every_round_and_run() -> None:
    schedule = scheduled(**SMALL_WORLD)
    assert schedule.at(1, seed=0) is schedule.at(7, seed=9)
    assert not schedule.changes


def test_without_a_dot_only_graph_generators_of_networkx_can_be_named() -> None:
    for name in (
        "read_gml",
        "from_numpy_array",
        "__import__",
        "shortest_path",
        "graph_atlas",
        "ego_graph",
        "is_valid_joint_degree",
    ):
        with pytest.raises(ValidationError, match="networkx has no generator"):
            TopologySpec.model_validate({"generator": name})
    for name in ("os.system", "networkx.cycle_graph"):
        with pytest.raises(ConfigError, match=f'generator "{name}" would be imported and run'):
            load_topology({"generator": name, "args": ["$n"]}, custom_code=False)
    assert len(list_generators()) > 100
    assert all(
        make.__module__.startswith("networkx.generators.") for make in list_generators().values()
    )


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"generator": "cyle_graph"}, 'did you mean "cycle_graph"'),
        ({"generator": "cycle_graph"}, r"cycle_graph\(n, create_using=None\)"),
        ({"generator": "cycle_graph", "args": {"n": 4, "k": 2}}, "unexpected keyword argument 'k'"),
        ({"generator": "cycle_graph", "args": {"n": "$x"}}, "is no count of seats"),
        ({"generator": "cycle_graph", "args": {"n": "$n//0"}}, "is no count of seats"),
        ({"generator": "cycle_graph", "args": {"n": "$n", "create_using": "os"}}, "DiGraph"),
        ({"generator": "cycle_graph", "args": {"n": "$n", "backend": "x"}}, "backend"),
        ({"generator": "gnp_random_graph", "args": {"n": 4, "p": 1, "seed": 1}}, 'beside "args:"'),
        ({"generator": "cycle_graph", "args": {"n": "$n"}, "resample": "each_round"}, "draw anew"),
        ({"edges": [], "resample": "each_round"}, "draw anew"),
        ({"edges": [], "args": {"n": 1}}, "need a generator"),
    ],
)
def test_a_generator_that_cannot_be_called_so_says_how_it_can(fields: Any, hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        TopologySpec.model_validate(fields)


@pytest.mark.parametrize(
    ("generator", "args", "hint"),
    [
        ("star_graph", {"n": "$n"}, r"does not fit 5 seats \(debaters\): it makes 6 nodes.*\$n-1"),
        ("watts_strogatz_graph", {"n": "$n", "k": 9, "p": 0.1}, r"watts_strogatz_graph\(n, k, p"),
        ("random_regular_graph", {"d": 3, "n": "$n"}, "must be even"),
        ("cycle_graph", {"n": "many"}, "cycle_graph"),
        ("cycle_graph", {"n": 10**9}, "more than 5 seats can use"),
        ("cycle_graph", {"n": 1e9}, "more than 5 seats can use"),
        ("hypercube_graph", {"n": 30}, "more than 2000 nodes"),
        ("balanced_tree", {"r": 5, "h": 50}, "more than 2000 nodes"),
        ("grid_graph", {"dim": [50, 50, 50]}, "more than 2000 nodes"),
        ("random_cograph", {"n": 40}, "more than 2000 nodes"),
        ("sudoku_graph", {"n": "many"}, "sudoku_graph cannot take"),
        ("barabasi_albert_graph", {"n": "$n", "m": 1, "initial_graph": "x"}, "barabasi_albert"),
        ("random_unlabeled_tree", {"n": "$n", "number_of_trees": 2}, "makes no graph"),
    ],
)
def test_a_generator_that_does_not_fit_the_seats_says_why(
    generator: str, args: dict[str, Any], hint: str
) -> None:
    with pytest.raises(TopologyError, match=hint):
        made(n=5, generator=generator, args=args)


def test_a_count_of_seats_can_be_computed() -> None:
    values = [fill_counts(text, 7) for text in ("$n", "$n-1", "$n + 2", "$n*3", "$n//2")]
    assert values == [7, 6, 9, 21, 3]


def test_the_signature_hides_what_a_topology_cannot_write() -> None:
    assert (
        format_call("gnp_random_graph")
        == "gnp_random_graph(n, p, directed=False, *, create_using=None)"
    )
