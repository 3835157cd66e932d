"""Topologies by name and by file."""

from __future__ import annotations

from pathlib import Path

import pytest

import debate.config.shipped as finder
from debate.config.shipped import shelf, shipped
from debate.errors import ConfigError
from debate.topologies import load_topology, shipped_topologies


def test_a_file_with_a_topology_by_round_can_name_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("rounds:\n- ring\n- edges: [a -> b]\n")
    spec = load_topology(tmp_path / "own.yaml")
    assert spec.rounds[0] == load_topology("ring")
    assert spec.rounds[1].edges is not None


def test_an_unknown_name_says_which_are_known() -> None:
    with pytest.raises(ConfigError, match='"rnig" is unknown; did you mean "ring"'):
        load_topology("rnig")


def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("description: x\nedges:\n- a -> b\n- a - b\n")
    with pytest.raises(ConfigError, match=r"own\.yaml:4: .*no arrow"):
        load_topology(tmp_path / "own.yaml")


def test_an_installed_package_reads_its_own_declarations_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "debate"
    (package / "config").mkdir(parents=True)
    (package / "shipped" / "topologies").mkdir(parents=True)
    (package / "shipped" / "topologies" / "mine.yaml").write_text("edges: []\n")
    (package.parent / "agents").mkdir()
    (package.parent / "agents" / "other.yaml").write_text("not: ours\n")
    monkeypatch.setattr(finder, "__file__", str(package / "config" / "shipped.py"))
    assert shipped("topologies") == {"mine": package / "shipped" / "topologies" / "mine.yaml"}
    assert shipped("agents") == {}


def test_a_checkout_reads_the_folders_at_its_root() -> None:
    assert shelf("topologies") == Path(__file__).resolve().parents[2] / "topologies"
    assert shipped_topologies() == shipped("topologies")
    assert "ring" in shipped_topologies()
