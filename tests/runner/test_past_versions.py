"""Past versions of an agent as seats: what may be one, and how tables tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from debate.analysis import analyze_run
from debate.analysis.design import find_past_versions
from debate.config.loader import load_run
from debate.config.models import ModelSpec, TransformersModel
from debate.errors import ConfigError
from debate.runner.describe import describe_anchors
from debate.runner.plan import Plan, make_plan
from tests.support import run, simulated

TASK = {"generator": "arithmetic", "n": 2}


def weights(folder: Path, **config: Any) -> dict[str, Any]:
    """A folder of weights, as far as checks look at it."""
    folder.mkdir()
    told = {"model_type": "llama", "hidden_size": 128, "num_hidden_layers": 2, **config}
    (folder / "config.json").write_text(json.dumps(told))
    return {"engine": "transformers", "path": str(folder)}


def seat(name: str, model: Any, **fields: Any) -> dict[str, Any]:
    return {"id": name, "model": model, **fields}


def plan(*agents: dict[str, Any], models: Any = None) -> Plan:
    config = {"agents": list(agents), "topology": "complete", "task": TASK, "rounds": 1}
    return make_plan(load_run({**config, "models": models or {}}))


def test_an_earlier_checkpoint_of_the_same_architecture_is_a_past_version(tmp_path: Path) -> None:
    late, early = weights(tmp_path / "late"), weights(tmp_path / "early")
    made = plan(seat("author", late), seat("early", early, past_of="author"))
    assert describe_anchors(made) == ["early is a past version of author"]


@pytest.mark.parametrize(
    "field", [{"revision": "step1000"}, {"adapter": "/a"}, {"dtype": "float16"}]
)
def test_a_revision_an_adapter_and_another_precision_are_versions(field: dict[str, str]) -> None:
    base = {"engine": "transformers", "model": "org/name"}
    assert plan(seat("author", base), seat("early", {**base, **field}, past_of="author"))


def test_what_cannot_be_a_past_version_is_refused_with_the_reason(tmp_path: Path) -> None:
    late, wide = weights(tmp_path / "late"), weights(tmp_path / "wide", hidden_size=256)
    author = seat("author", late)
    for other, why in (
        (seat("early", wide, past_of="author"), "another architecture .llama, width 256"),
        (seat("early", late, past_of="author"), "same weights as author"),
        (
            seat("early", wide, past_of="auther"),
            'no agent is called "auther"; did you mean "author"',
        ),
        (seat("early", wide, past_of="early"), "early is itself"),
        (seat("early", {"engine": "calculator"}, past_of="author"), "engine calculator"),
    ):
        with pytest.raises(ConfigError, match=why):
            plan(author, other)


def test_two_agents_are_not_each_others_past(tmp_path: Path) -> None:
    late, early = weights(tmp_path / "late"), weights(tmp_path / "early")
    with pytest.raises(ConfigError, match="each be the other's past"):
        plan(seat("a", late, past_of="b"), seat("b", early, past_of="a"))


def test_tables_tell_a_past_version_from_another_model(tmp_path: Path) -> None:
    agents = [
        simulated("author", competence=0.6),
        {**simulated("early", competence=0.4), "past_of": "author"},
        simulated("other", competence=0.5),
    ]
    found = run(tmp_path, agents, rounds=1, num_questions=20)
    assert find_past_versions(found) == {("early", "author")}
    hazards = analyze_run(found, resamples=0).tables["hazards"]
    assert set(hazards["relation"]) == {"past", "other_model"}


def test_validate_says_who_knows_the_right_answers() -> None:
    seats = [
        seat("author", {"engine": "simulated"}),
        seat("checker", {"engine": "checker"}, role="critic"),
        seat("user", {"engine": "oracle", "states_answer": True}, role="human"),
    ]
    config = {"agents": seats, "task": TASK, "rounds": 1, "protocol": "critique"}
    topology = {"edges": ["critics, humans -> author"]}
    (told,) = describe_anchors(make_plan(load_run({**config, "topology": topology})))
    assert told.startswith("note: checker and user know the right answers")
    assert told.endswith("and of user what it should be")


def test_a_revision_is_of_a_hub_id_alone() -> None:
    made = TypeAdapter(ModelSpec).validate_python(
        {"engine": "vllm", "model": "org/name", "revision": "main"}
    )
    assert made.revision == "main"
    for place in ({"path": "folder"}, {"model": "/folder"}):
        with pytest.raises(ValidationError, match="`revision` is of a hub id"):
            TransformersModel(engine="transformers", revision="main", **place)
