"""What is known of engines before any is built, and what tells models apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from debate.config.models import ENGINES, ModelSpec
from debate.engines.registry import build_engine, compute_identity, get_capabilities

EVERY: dict[str, dict[str, Any]] = {
    "calculator": {},
    "checker": {},
    "oracle": {},
    "human": {},
    "openai": {"model": "m", "url": "http://localhost:8000/v1"},
    "replay": {"path": "runs/x"},
    "python": {},
    "scripted": {"replies": "x"},
    "simulated": {},
    "transformers": {"model": "org/name"},
    "vllm": {"model": "org/name"},
}


def spec(engine: str, **fields: Any) -> ModelSpec:
    built: ModelSpec = TypeAdapter(ModelSpec).validate_python(
        {"engine": engine} | EVERY[engine] | fields
    )
    return built


def test_every_engine_of_the_configuration_has_an_entry() -> None:
    assert ENGINES.keys() == EVERY.keys()
    for engine in ENGINES:
        get_capabilities(spec(engine))


def test_capabilities_and_identity_load_no_heavy_library() -> None:
    program = (
        "import sys; from debate.config.models import TransformersModel, VllmModel, OpenaiModel\n"
        "from debate.engines.registry import compute_identity, get_capabilities\n"
        "for spec in (TransformersModel(engine='transformers', model='a/b'),"
        " VllmModel(engine='vllm', model='a/b'),"
        " OpenaiModel(engine='openai', model='m', url='http://h')):\n"
        "    get_capabilities(spec), compute_identity(spec)\n"
        "print({'torch', 'transformers', 'vllm', 'ray', 'aiohttp', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize("engine", [name for name in EVERY if name != "vllm"])
def test_a_built_engine_can_do_what_was_said(engine: str) -> None:
    assert build_engine(spec(engine)).capabilities == get_capabilities(spec(engine))


def test_openai_gives_log_probabilities_only_if_asked_to() -> None:
    assert get_capabilities(spec("openai")).logprobs
    assert not get_capabilities(spec("openai", logprobs=False)).logprobs


SAME = [
    ("transformers", {"cpus": 4, "threads": 2, "max_batch_size": 8, "timeout_s": 5.0}),
    ("vllm", {"gpus": 2, "replicas": 3}),
    ("openai", {"retries": 0, "api_key_env": "K", "requests_per_minute": 3, "max_in_flight": 1}),
    ("simulated", {"latency_s": 1, "host": "actor"}),
]

DIFFERENT = [
    ("transformers", {"model": "org/other"}),
    ("transformers", {"dtype": "bfloat16"}),
    ("transformers", {"revision": "step1000"}),
    ("vllm", {"revision": "v0"}),
    ("oracle", {"false_accept": 0.1}),
    ("vllm", {"engine_kwargs": {"seed": 1}}),
    ("openai", {"model": "n"}),
    ("openai", {"url": "http://elsewhere/v1"}),
    ("openai", {"extra_body": {"reasoning": False}}),
    ("simulated", {"competence": 0.1}),
    ("scripted", {"replies": ["x"]}),
    ("replay", {"agent": "b"}),
]


@pytest.mark.parametrize(("engine", "fields"), SAME)
def test_where_a_model_runs_does_not_change_which_it_is(engine: str, fields: Any) -> None:
    assert compute_identity(spec(engine)) == compute_identity(spec(engine, **fields))


@pytest.mark.parametrize(("engine", "fields"), DIFFERENT)
def test_what_alters_replies_changes_the_identity(engine: str, fields: Any) -> None:
    assert compute_identity(spec(engine)) != compute_identity(spec(engine, **fields))


def test_engines_of_the_same_weights_are_different_models() -> None:
    assert compute_identity(spec("vllm")) != compute_identity(spec("transformers"))


def local(folder: Path) -> str:
    return compute_identity(spec("transformers", model=None, path=str(folder)))


def test_a_folder_counts_by_its_content_not_by_its_place(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    one, other = tmp_path / "one", tmp_path / "other"
    assert local(one) == local(other)
    (other / "README.md").write_text("a card")
    assert local(one) == local(other)
    (other / "model.safetensors").write_bytes(b"weighty")
    assert local(one) != local(other)


def test_a_change_anywhere_at_the_ends_of_a_large_file_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    size = 70 * 2**20
    found = []
    for place in (None, 0, size - 1):
        with file.open("wb") as stream:
            stream.truncate(size)
            if place is not None:
                stream.seek(place)
                stream.write(b"x")
        found.append(local(tmp_path))
    assert len(set(found)) == 3
