"""The gallery's cards: each can be seated by name, and says where its figures are from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from debate.config.fetchable import FETCHABLE
from debate.config.loader import load_run
from debate.config.models import LocalWeights
from debate.config.references import list_shipped
from debate.errors import ConfigError
from tests.support import write_questions

CARDS = {name: path for name, path in list_shipped("agents").items() if "/" in name}
FACTS = {"source", "licence", "template", "reasoning", "sampling", "checked"}
FAMILIES = ("qwen3", "qwen2.5", "llama", "mistral", "gemma-3", "phi", "gpt-oss", "deepseek")


@pytest.fixture(autouse=True)
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that pass for the models that can be fetched."""
    monkeypatch.setenv("DEBATE_MODELS", str(tmp_path))
    for name, model in FETCHABLE.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "fetched.json").write_text(json.dumps(model.record))


def test_the_gallery_holds_what_many_people_run() -> None:
    for family in FAMILIES:
        assert any(name.startswith(f"gallery/{family}") for name in CARDS), family
    assert {f"gallery/{name}" for name in FETCHABLE} <= set(CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_says_where_its_figures_are_from_and_whether_they_were_checked(name: str) -> None:
    facts = yaml.safe_load(CARDS[name].read_text())["card"]
    assert set(facts) == FACTS
    assert isinstance(facts["checked"], bool)


def test_every_card_can_be_seated_by_its_name(tmp_path: Path) -> None:
    table = {"agents": [*CARDS], "topology": "ring", "task": write_questions(tmp_path)}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(table))
    spec = load_run(tmp_path / "run.yaml").spec
    assert [agent.id for agent in spec.agents] == [name.removeprefix("gallery/") for name in CARDS]
    assert [agent.model for agent in spec.agents] == [agent.id for agent in spec.agents]
    for agent in spec.agents:
        assert agent.sampling.temperature > 0
        assert isinstance(spec.models[agent.model], LocalWeights)


def test_a_name_that_the_gallery_lacks_is_told_with_the_nearest(tmp_path: Path) -> None:
    table = {"agents": ["gallery/qwen3-9b"], "task": write_questions(tmp_path)}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(table))
    with pytest.raises(ConfigError, match=r'"gallery/qwen3-9b" is unknown; did you mean "gallery/'):
        load_run(tmp_path / "run.yaml")


def test_what_a_run_says_of_its_machines_wins_over_the_card(tmp_path: Path) -> None:
    changed = {"engine": "openai", "url": "http://localhost:8000/v1"}
    agents = [
        {"card": "gallery/mistral-nemo", "id": "a", "model": changed},
        {"card": "gallery/gpt-oss-20b", "id": "b", "model": changed},
    ]
    table = {"agents": agents, "topology": "ring", "task": write_questions(tmp_path)}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(table))
    spec = load_run(tmp_path / "run.yaml").spec
    assert {model.engine for model in spec.models.values()} == {"openai"}
    assert spec.models["b"].model == "openai/gpt-oss-20b"
    assert spec.agents[0].sampling.temperature == 0.3
