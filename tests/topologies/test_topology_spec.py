"""Topologies as they are written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from debate.config.topology import TopologySpec
from debate.topologies import (
    Edge,
    build_schedule,
    get_edge,
    make_debaters,
)


def spec(**fields: Any) -> TopologySpec:
    return TopologySpec.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "place", "hint"),
    [
        ({}, (), '"edges: \\[\\]" for nobody'),
        ({"edges": ["a => b"]}, ("edges", 0, "edge"), "no arrow"),
        ({"edges": ["a -> b", {"edge": "b"}]}, ("edges", 1, "edge"), "no arrow"),
        (
            {"edges": [{"edge": "a -> b", "carries": []}]},
            ("edges", 0, "carries"),
            "feedback: false",
        ),
        (
            {"edges": [{"edge": "a -> b", "carries": ["answer"] * 2}]},
            ("edges", 0, "carries"),
            "once",
        ),
        (
            {"edges": [{"edge": "a -> b", "carries": ["answer", "masked_reasoning"]}]},
            ("edges", 0, "carries"),
            "keeps the answer back",
        ),
        (
            {"edges": [{"edge": "a -> b", "carries": ["rationale", "masked_reasoning"]}]},
            ("edges", 0, "carries"),
            "one text",
        ),
        (
            {"edges": [{"edge": "a -> b", "carries": ["confidence", "shuffled_confidence"]}]},
            ("edges", 0, "carries"),
            "shuffled or its speaker's",
        ),
        ({"edges": [{"edge": "a -> b", "carries": ["all"]}]}, ("edges", 0, "carries", 0), "answer"),
        ({"edges": [{"edge": "a -> b", "timeout_s": 0}]}, ("edges", 0, "timeout_s"), "greater"),
        ({"edges": [{"edge": "a -> b", "when": "often"}]}, ("edges", 0, "when"), "always"),
        ({"edges": [{"edge": "a -> b", "weight": 1}]}, ("edges", 0, "weight"), "not permitted"),
        ({"edges": "a -> b"}, ("edges",), "tuple"),
        ({"edgs": []}, ("edgs",), "not permitted"),
        ({"generator": "cycle_graph", "args": {"n": "$n"}, "among": "a,"}, ("among",), "missing"),
        ({"generator": "cycle_graph", "args": {"n": "$n"}, "seed": -1}, ("seed",), "greater"),
        ({"edges": [], "cycle": True}, (), '"rounds"'),
        ({"rounds": [{"edges": []}], "edges": []}, (), "no place for edges"),
        ({"rounds": [{"edges": []}], "defaults": {"feedback": False}}, (), "no place for defaults"),
        ({"rounds": [{"rounds": [{"edges": []}]}]}, ("rounds",), "rounds of its own"),
        ({"rounds": [{"edges": ["a"]}]}, ("rounds", 0, "edges", 0, "edge"), "no arrow"),
        ({"edges": [], "split": {"debaters": []}}, ("split",), "into no parts"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(fields: Any, place: Any, hint: str) -> None:
    with pytest.raises(ValidationError, match=hint) as caught:
        TopologySpec.model_validate(fields)
    assert [error["loc"] for error in caught.value.errors()] == [place]


def test_an_edge_is_a_line_of_notation_or_a_mapping() -> None:
    assert spec(edges=["a -> b"]) == spec(edges=[{"edge": "a -> b"}])


def test_an_edge_says_only_what_differs_from_the_defaults() -> None:
    topology = build_schedule(
        spec(
            edges=["a -> b", {"edge": "b -> a", "feedback": True, "carries": ["answer"]}],
            defaults={"feedback": False, "timeout_s": 5},
        ),
        make_debaters("a", "b"),
    ).at(1)
    assert get_edge(topology, "a", "b") == Edge(feedback=False, timeout_s=5.0)
    assert get_edge(topology, "b", "a") == Edge(carries=("answer",), timeout_s=5.0)


def test_a_written_edge_wins_over_a_generated_one() -> None:
    fields = {"generator": "complete_graph", "args": {"n": "$n"}}
    line = {"edge": "a -> b", "when": "disagreement"}
    topology = build_schedule(spec(**fields, edges=[line]), make_debaters("a", "b", "c")).at(1)
    assert topology.number_of_edges() == 6
    assert get_edge(topology, "a", "b").when == "disagreement"
    assert get_edge(topology, "b", "a").when == "always"


def test_a_spec_survives_being_written_down() -> None:
    written = spec(
        rounds=[
            {"edges": [{"edge": "a <-> b", "timeout_s": 2.5}], "defaults": {"carries": ["answer"]}},
            {"generator": "gnp_random_graph", "args": ["$n", 0.5], "resample": "each_round"},
        ],
        cycle=True,
    )
    assert TopologySpec.model_validate_json(written.model_dump_json()) == written
    assert TopologySpec.model_validate(written.model_dump(exclude_defaults=True)) == written


def test_every_field_is_documented() -> None:
    assert all(field.description for field in TopologySpec.model_fields.values())
