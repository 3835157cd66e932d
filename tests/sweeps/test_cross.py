"""A sweep's levels, how they cross, what the cells are called, and where mistakes are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.config.expansion import expand_cells
from debate.config.loader import load_run
from debate.config.run import RunSpec
from debate.errors import ConfigError
from debate.runner.plan import make_plan

AGENTS = [{"id": name, "model": {"engine": "simulated"}} for name in "abc"]
BASE = {"agents": AGENTS, "topology": "ring", "task": {"generator": "arithmetic", "n": 4}}


def swept(sweep: dict[str, Any], **fields: Any) -> RunSpec:
    return load_run({**BASE, "sweep": sweep, **fields}).spec


def test_every_combination_is_a_cell_called_by_its_levels() -> None:
    cells = swept({"topology": ["star", "chain"], "rounds": [1, 3]}).cells
    assert list(cells) == ["star-r1", "star-r3", "chain-r1", "chain-r3"]
    assert cells["chain-r3"].rounds == 3
    assert cells["chain-r3"].factors == {"topology": "chain", "rounds": "r3"}


def test_all_factors_can_be_named_in_a_line_each() -> None:
    cells = swept(
        {
            "team": [["a", "b"], "c"],
            "protocol": ["exchange", "critique"],
            "anonymous": [True, False],
            "show_confidence": [True, False],
            "decision": ["majority", "unanimity"],
        },
        topology={"edges": [], "uncritiqued": "allow"},
    ).cells
    assert len(cells) == 32
    named = cells["a_b-critique-named-noconfidence-unanimity"]
    assert named.protocol is not None
    assert (named.agents, named.protocol.name) == (("a", "b"), "critique")
    assert (named.protocol.anonymous, named.protocol.show_confidence) == (False, False)


def test_zipped_factors_go_together() -> None:
    sweep = {"rounds": [1, 2], "topology": ["star", "chain"], "zip": ["rounds", "topology"]}
    assert list(swept(sweep).cells) == ["star-r1", "chain-r2"]


def test_zipped_factors_cross_with_the_others() -> None:
    sweep = {
        "rounds": [1, 2],
        "topology": ["star", "chain"],
        "anonymous": [True, False],
        "zip": [["rounds", "anonymous"]],
    }
    assert list(swept(sweep).cells) == [
        "star-r1-anonymous",
        "star-r2-named",
        "chain-r1-anonymous",
        "chain-r2-named",
    ]


def test_an_exclusion_leaves_out_all_that_has_its_levels() -> None:
    sweep = {
        "topology": ["star", "chain"],
        "rounds": [1, 2, 3],
        "exclude": [{"topology": "chain", "rounds": [2, 3]}],
    }
    assert list(swept(sweep).cells) == ["star-r1", "star-r2", "star-r3", "chain-r1"]


def test_an_inclusion_adds_one_cell_of_known_or_new_levels() -> None:
    sweep = {
        "team": {"pair": ["a", "b"]},
        "rounds": [1],
        "include": [{"team": "pair", "rounds": 5, "topology": "pairwise"}],
    }
    cells = swept(sweep).cells
    assert list(cells) == ["pair-r1", "pair-pairwise-r5"]
    assert cells["pair-pairwise-r5"].agents == ("a", "b")
    assert cells["pair-pairwise-r5"].topology is not None


def test_a_level_can_be_given_a_name() -> None:
    cells = swept({"topology": {"pair": {"edges": ["a <-> b"], "uncritiqued": "allow"}}}).cells
    assert list(cells) == ["pair"]


def test_the_first_topology_of_a_sweep_is_the_run_s_where_it_names_none() -> None:
    spec = {key: value for key, value in BASE.items() if key != "topology"}
    assert list(load_run({**spec, "sweep": {"topology": ["star", "ring"]}}).spec.cells) == [
        "star",
        "ring",
    ]


def test_cells_stand_beside_a_sweep() -> None:
    cells = swept({"rounds": [1]}, cells={"own": {"rounds": 4}}).cells
    assert list(cells) == ["own", "r1"]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=4, unique=True), st.integers(21, 40))
def test_a_level_added_later_changes_no_cell_that_was_there(rounds: list[int], more: int) -> None:
    before = swept({"rounds": rounds, "arm": ["self", "peer"]}).cells
    after = swept({"rounds": [more, *rounds], "arm": ["self", "repeat", "peer"]}).cells
    assert {name: after[name] for name in before} == before


def test_what_is_expanded_stays_as_it_is() -> None:
    spec = swept({"arm": ["single", "sibling", "scripted", "noise"], "topology": ["star", "ring"]})
    assert expand_cells(spec).spec == spec


def test_a_mistake_in_a_cell_is_told_where_its_level_is_written(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "agents:\n"
        "  - {id: a, model: {engine: simulated}}\n"
        "topology: self_loop\n"
        "task: {generator: arithmetic, n: 2}\n"
        "sweep:\n"
        "  topology:\n"
        "    loop: self_loop\n"
        "    pair:\n"
        "      edges:\n"
        "        - a -> bee\n"
    )
    with pytest.raises(ConfigError, match=r"run\.yaml:10: .*bee"):
        make_plan(load_run(path))


def test_a_name_that_is_too_long_asks_for_shorter_levels() -> None:
    with pytest.raises(ConfigError, match="shorter names"):
        swept({"team": {"x" * 40: ["a"]}, "decision": {"y" * 40: "majority"}})
