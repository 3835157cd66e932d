"""The shipped topologies against their definitions, written here independently."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
import yaml

from debate.config.topology import TopologySpec
from debate.topologies import (
    build_schedule,
    find_problems,
    get_edge,
    list_shipped_topologies,
    load_topology,
    make_debaters,
    make_default_seats,
)
from debate.topologies.seats import Seat

Edges = set[tuple[int, int]]


def both(edges: Edges) -> Edges:
    return edges | {(v, u) for u, v in edges}


def layers(n: int) -> Edges:
    sizes = [n // 3 + (n % 3 > layer) for layer in range(3)]
    layer = [k for k, size in enumerate(sizes) for _ in range(size)]
    return {(u, v) for u in range(n) for v in range(n) if layer[v] == layer[u] + 1}


AMONG_DEBATERS: dict[str, Callable[[int], Edges]] = {
    "self_loop": lambda n: {(i, i) for i in range(n)},
    "pairwise": lambda n: both({(i, i + 1) for i in range(0, n - 1, 2)}),
    "ring": lambda n: {(i, (i + 1) % n) for i in range(n)},
    "chain": lambda n: {(i, i + 1) for i in range(n - 1)},
    "star": lambda n: both({(0, i) for i in range(1, n)}),
    "complete": lambda n: set(permutations(range(n), 2)),
    "complete_with_self": lambda n: {(i, j) for i in range(n) for j in range(n)},
    "isolated": lambda n: set(),
    "tree": lambda n: both({((i - 1) // 2, i) for i in range(1, n)}),
    "layered": layers,
}
PANELS = {"judge_panel": False, "judge_panel_feedback": True}


def test_every_shipped_topology_is_defined_here() -> None:
    assert set(list_shipped_topologies()) == {*AMONG_DEBATERS, *PANELS}


@pytest.mark.parametrize("n", range(2, 13))
@pytest.mark.parametrize("name", AMONG_DEBATERS)
def test_a_shipped_topology_has_the_edges_of_its_definition(name: str, n: int) -> None:
    ids = [f"agent-{i}" for i in range(n)]
    schedule = build_schedule(load_topology(name), make_debaters(*ids))
    expected = {(ids[u], ids[v]) for u, v in AMONG_DEBATERS[name](n)}
    assert set(schedule.at(1).edges()) == expected
    assert not schedule.changes


@pytest.mark.parametrize("n", range(2, 13))
@pytest.mark.parametrize("name", PANELS)
def test_every_judge_of_a_panel_reads_every_debater(name: str, n: int) -> None:
    seats = (
        *make_debaters(*map(str, range(n))),
        *(Seat(id=f"j{k}", role="judge") for k in range(3)),
    )
    topology = build_schedule(load_topology(name), seats).at(1)
    assert set(topology.edges()) == {(f"j{k}", str(i)) for k in range(3) for i in range(n)}
    assert {get_edge(topology, u, v).feedback for u, v in topology.edges()} == {PANELS[name]}


def test_the_leaves_of_a_star_do_not_hear_one_another() -> None:
    topology = build_schedule(load_topology("star"), make_debaters(*"abcdef")).at(1)
    assert all("a" in pair for pair in topology.edges())


@pytest.mark.parametrize("name", [*AMONG_DEBATERS, *PANELS])
@pytest.mark.parametrize("protocol", ["exchange", "critique"])
def test_a_shipped_topology_has_nothing_wrong_with_it(name: str, protocol: str) -> None:
    spec = load_topology(name)
    assert find_problems(spec, make_default_seats(6, spec), protocol=protocol, rounds=3) == []


@pytest.mark.parametrize("name", [*AMONG_DEBATERS, *PANELS])
def test_a_shipped_topology_says_what_it_is_and_survives_being_written_down(name: str) -> None:
    spec = load_topology(name)
    assert len(spec.description) > 20
    assert (
        TopologySpec.model_validate(yaml.safe_load(yaml.safe_dump(spec.model_dump(mode="json"))))
        == spec
    )
    assert TopologySpec.model_validate_json(spec.model_dump_json()) == spec
