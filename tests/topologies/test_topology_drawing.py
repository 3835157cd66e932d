"""Topologies as text and as pictures."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debate.errors import TopologyError
from debate.topologies import (
    Seat,
    Topology,
    build_schedule,
    draw_picture,
    draw_text,
    from_graph,
    list_shipped_topologies,
    load_topology,
    make_debaters,
    make_default_seats,
)
from debate.topologies.layout import compute_curves, compute_positions
from debate.topologies.picture import get_radius

GRAPHS = st.builds(
    lambda n, edges, judges: from_graph(
        nx.DiGraph([(str(u), str(v)) for u, v in edges if max(u, v) < n]),
        [Seat(id=str(k), role="judge" if k < judges else "debater") for k in range(n)],
    ),
    st.integers(1, 14),
    st.sets(st.tuples(*[st.integers(0, 13)] * 2), max_size=40),
    st.integers(0, 3),
)
MIXED = {
    "edges": [
        {"edge": "judges -> debaters", "feedback": False},
        {"edge": "a -> b", "when": "disagreement"},
        {"edge": "b -> a", "timeout_s": 2.5, "carries": ["answer"]},
        "each debaters -> itself",
    ]
}


def shipped(name: str, n: int) -> Topology:
    spec = load_topology(name)
    return build_schedule(spec, make_default_seats(n, spec)).at(1)


def mixed() -> Topology:
    seats = (*make_debaters("a", "b"), Seat(id="judge-1", role="judge"))
    return build_schedule(load_topology(MIXED), seats).at(1)


def test_the_text_says_who_critiques_whom_and_what_is_unusual() -> None:
    assert draw_text(mixed()).splitlines() == [
        "3 agents, 6 edges (a → b: a critiques b)",
        "● a        debater  ↻ itself  ⇄ b  ← judge-1",
        "● b        debater  ↻ itself  ⇄ a  ← judge-1",
        "◆ judge-1  judge    → a, b",
        "",
        "a → b: on disagreement only",
        "b → a: carries answer, waits at most 2.5 s",
        "judge-1 → a b: not heard",
    ]


@pytest.mark.parametrize("name", list_shipped_topologies())
def test_the_text_of_thirty_agents_fits_a_terminal(name: str) -> None:
    lines = draw_text(shipped(name, 30), width=80).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) < 110


@given(GRAPHS)
@settings(max_examples=60, deadline=None)
def test_agents_stand_apart_in_a_picture(topology: Topology) -> None:
    where = compute_positions(topology)
    assert set(where) == set(topology)
    apart = [math.dist(p, q) for a, p in where.items() for b, q in where.items() if a < b]
    assert all(distance > 2 * get_radius(len(topology)) + 8 for distance in apart)


@given(GRAPHS)
@settings(max_examples=60, deadline=None)
def test_every_edge_has_a_line_that_ends_in_an_arrowhead_at_its_author(topology: Topology) -> None:
    where, radius = compute_positions(topology), get_radius(len(topology))
    drawn = compute_curves(topology, where, radius)
    assert {(c.critic, c.author) for c in drawn} == set(topology.edges())
    for curve in drawn:
        assert math.dist(curve.tip, where[curve.author]) == pytest.approx(radius + 2, abs=1.5)
        assert math.dist(curve.points[0], where[curve.critic]) == pytest.approx(radius + 2, abs=2.5)


def test_the_two_arrows_between_two_agents_are_apart() -> None:
    topology = from_graph(nx.DiGraph([("a", "b"), ("b", "a")]))
    one, other = (c.points[16] for c in compute_curves(topology, compute_positions(topology), 19.0))
    assert math.dist(one, other) > 8


@pytest.mark.parametrize("name", ["self_loop", "star", "judge_panel"])
def test_a_picture_names_every_agent_and_is_well_formed(name: str, tmp_path: Path) -> None:
    topology = shipped(name, 4)
    draw_picture(topology, tmp_path / "picture.svg", title=name)
    texts = ElementTree.parse(tmp_path / "picture.svg").getroot().itertext()
    assert {*topology, name} <= {text.strip() for text in texts}


def test_a_picture_can_be_a_png(tmp_path: Path) -> None:
    draw_picture(mixed(), tmp_path / "picture.PNG", title="mixed")
    assert (tmp_path / "picture.PNG").read_bytes().startswith(b"\x89PNG")


def test_names_are_escaped_in_a_picture(tmp_path: Path) -> None:
    name = "<script>alert('&')</script>"
    topology = from_graph(nx.DiGraph([(name, "b")]))
    draw_picture(topology, tmp_path / "picture.svg", title=name)
    root = ElementTree.parse(tmp_path / "picture.svg").getroot()
    assert not [element for element in root.iter() if "script" in element.tag]
    assert [text for text in root.itertext() if text == name]


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=r"write \.svg or \.png"):
        draw_picture(mixed(), tmp_path / "picture.gif")


def test_a_picture_of_too_many_edges_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="too many for a picture"):
        draw_picture(shipped("complete", 60), tmp_path / "picture.svg")


def test_seats_for_a_look_have_the_roles_and_names_that_the_topology_uses() -> None:
    assert [seat.id for seat in make_default_seats(3, load_topology("ring"))] == ["a", "b", "c"]
    panel = make_default_seats(2, load_topology("judge_panel"))
    assert [seat.role for seat in panel] == ["debater"] * 2 + ["judge"] * 3
    named = make_default_seats(3, load_topology({"edges": ["bo -> al", "tools -> bo"]}))
    assert [(seat.id, seat.role) for seat in named] == [
        ("a", "debater"),
        ("al", "debater"),
        ("bo", "debater"),
        ("tool-1", "tool"),
    ]
    with pytest.raises(ValueError, match="from 1 to 1000"):
        make_default_seats(0, load_topology("ring"))


def test_thirty_seats_have_thirty_names() -> None:
    ids = [seat.id for seat in make_default_seats(30, load_topology("ring"))]
    assert ids[25:28] == ["z", "aa", "ab"]
    assert len(set(ids)) == 30
