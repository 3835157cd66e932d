"""Topologies by name and by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from debate.config import references
from debate.config.references import get_shipped_folder, list_shipped
from debate.errors import ConfigError
from debate.topologies import list_shipped_topologies, load_topology


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
    monkeypatch.setattr(references, "__file__", str(package / "config" / "references.py"))
    assert list_shipped("topologies") == {"mine": package / "shipped" / "topologies" / "mine.yaml"}
    assert list_shipped("agents") == {}


def test_a_checkout_reads_the_folders_at_its_root() -> None:
    assert get_shipped_folder("topologies") == Path(__file__).resolve().parents[2] / "topologies"
    assert list_shipped_topologies() == list_shipped("topologies")
    assert "ring" in list_shipped_topologies()
