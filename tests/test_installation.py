"""A base installation runs what needs no local model, and names the command that adds the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from debate import installation
from debate.cluster.launch import select_local_models
from debate.config.cluster import ClusterSpec
from debate.config.models import CalculatorModel, OpenaiModel, TransformersModel, VllmModel
from debate.engines.registry import build_engine, explain_missing
from debate.errors import ModelRefused
from tests.pages import ROOT
from tests.processes import invoke
from tests.runner.test_sick_endpoints import chat, saying

ABSENT = ("torch", "transformers", "safetensors", "tokenizers", "accelerate", "gguf", "pandas")
"""What a base installation has not."""

WITHOUT = f"""
import json, sys
for name in {ABSENT!r}:
    sys.modules[name] = None
from debate.cli import main
codes = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["debate", *words]
    try:
        main()
        codes.append(0)
    except SystemExit as end:
        codes.append(end.code)
print("codes", codes, file=sys.stderr)
"""
LOCAL = "agents: [{id: a, model: {engine: transformers, path: weights}}]\n"
REST = "topology: self_loop\ntask: {generator: arithmetic, n: 2}\nrounds: 1\n"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process, as if the packages of the extras were not installed."""
    for name in (*ABSENT, "vllm", "math_verify"):
        monkeypatch.setitem(sys.modules, name, None)


def _write_config(folder: Path, agents: str) -> str:
    path = folder / "c.yaml"
    path.write_text(agents + REST)
    return str(path)


def test_endpoints_and_simulated_agents_debate_without_torch_and_transformers(
    tmp_path: Path,
) -> None:
    with saying(chat()) as url:
        seat: dict[str, Any] = {"engine": "openai", "url": url, "model": "m", "logprobs": True}
        models = [seat, {"engine": "simulated"}, {"engine": "scripted", "replies": "Answer: 4"}]
        agents = [{"id": name, "model": model} for name, model in zip("abc", models, strict=True)]
        config = _write_config(tmp_path, f"agents: {json.dumps(agents)}\n")
        asked = (
            f"validate {config}|run {config} --out r --quiet|analyze r|"
            "show r 1|report r|verify r|doctor|organisms list"
        )
        words = json.dumps([each.split() for each in asked.split("|")])
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stderr.splitlines()[-1] == f"codes {[0] * len(asked.split('|'))}", done.stderr


@pytest.mark.usefixtures("bare")
def test_a_run_of_local_models_names_them_and_the_command_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    config = _write_config(tmp_path, LOCAL)
    done = invoke("run", config, "--out", str(tmp_path / "r"), "--quiet")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    command = installation.make_install_command("local")
    told = "runs on this machine by transformers, which is not installed"
    assert line.startswith("error: the model ")
    assert line.endswith(f"{told}: {command}")
    assert "[local]'" in command or command.endswith("[local]")


@pytest.mark.usefixtures("bare")
def test_validate_warns_of_a_missing_extra_and_holds_the_configuration_valid(
    tmp_path: Path,
) -> None:
    (tmp_path / "weights").mkdir()
    done = invoke("validate", _write_config(tmp_path, LOCAL))
    assert done.returncode == 0
    assert "warning: the model" in done.stdout
    assert installation.make_install_command("local") in done.stdout.replace("\n", "")
    assert "the configuration is valid" in done.stdout


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("organisms train adder", "local"),
        ("organisms evaluate", "local"),
        ("models fetch smollm2 --folder {0}/models", "gguf"),
        ("models convert {0}/x.gguf {0}/x", "gguf"),
    ],
)
def test_a_command_on_local_models_names_its_extra(words: str, extra: str, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    done = invoke(*words.format(tmp_path).split())
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert line.endswith(installation.make_install_command(extra))


@pytest.mark.usefixtures("bare")
def test_models_are_told_apart_by_the_extra_that_they_need() -> None:
    models = {
        "a": TransformersModel(engine="transformers", model="m"),
        "b": TransformersModel(engine="transformers", path="/x.gguf"),
        "c": VllmModel(engine="vllm", model="m"),
        "d": TransformersModel(engine="transformers", model="n"),
        "e": CalculatorModel(engine="calculator"),
        "f": OpenaiModel(engine="openai", model="m", url="http://localhost/v1"),
    }
    told = explain_missing(models)
    assert told is not None
    assert 'models "a", "d" run on this machine by transformers, which is not installed' in told
    assert 'model "b" runs on this machine by transformers, which is not' in told
    assert 'model "c" runs on this machine by vllm, which is not installed' in told
    assert told.endswith(installation.make_install_command("local", "gguf", "vllm"))
    assert explain_missing({name: models[name] for name in "ef"}) is None


def test_a_library_that_is_there_but_lacks_another_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    models = {"b": TransformersModel(engine="transformers", path="/x.gguf")}
    told = explain_missing(models)
    assert told is not None
    assert "by transformers, which lacks accelerate: " in told


def test_what_other_machines_run_is_not_looked_for_here() -> None:
    in_actor = VllmModel(engine="vllm", model="m")
    models = {"a": in_actor, "d": in_actor.model_copy(update={"host": "driver"})}
    assert list(select_local_models(models, ClusterSpec())) == ["a", "d"]
    assert list(select_local_models(models, ClusterSpec(address="auto"))) == ["d"]
    assert list(select_local_models(models, ClusterSpec(runtime_env={"pip": ["vllm"]}))) == ["d"]


@pytest.mark.usefixtures("bare")
def test_an_actor_without_the_library_says_what_to_install() -> None:
    with pytest.raises(ModelRefused, match=r'"m" runs on this machine .*\[local\]'):
        build_engine(TransformersModel(engine="transformers", model="m"))


@pytest.mark.parametrize(
    ("recorded", "source"),
    [
        ({"url": ROOT.as_uri(), "dir_info": {}}, f"{ROOT}[local]"),
        ({"url": "file:///no/longer/there", "dir_info": {}}, None),
        (
            {"url": "https://h/p", "vcs_info": {"vcs": "git", "requested_revision": "v1"}},
            "debate-lab[local] @ git+https://h/p@v1",
        ),
        (
            {"url": "https://h/p.zip", "archive_info": {}, "subdirectory": "lab"},
            "debate-lab[local] @ https://h/p.zip#subdirectory=lab",
        ),
        ({}, None),
    ],
)
def test_the_source_is_what_pip_recorded(recorded: dict[str, Any], source: str | None) -> None:
    assert installation.describe_source(recorded, "[local]") == source


def test_a_checkout_with_a_space_in_its_path_is_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(installation, "find_checkout", lambda: tmp_path / "my lab")
    assert installation.make_install_command("local").endswith(f"'{tmp_path}/my lab[local]'")


def _install_namesake(folder: Path) -> None:
    metadata = folder / "debate-0.8.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: debate\nVersion: 0.8.0\n")


def test_another_project_of_the_name_is_told_at_the_start_and_by_doctor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert installation.describe_namesake() is None
    _install_namesake(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    done = invoke("topology", "ring")
    assert done.returncode == 0
    assert "warning: another project called debate (0.8.0) is installed" in done.stderr
    assert "has the same module and command" in done.stderr
    assert "uninstall debate" in done.stderr
    assert "another project called debate (0.8.0)" in invoke("doctor").stdout


def test_a_package_whose_files_were_replaced_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("debate.open_run")
    told = installation.describe_namesake()
    assert told is not None
    assert "has replaced files of this one" in told


def test_another_program_called_debate_is_told_by_doctor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "debate"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert f"`debate` starts {other}, another program" in invoke("doctor").stdout
    other.write_text("#!/usr/bin/python3\nfrom debate.cli import main\n")
    assert "another program" not in invoke("doctor").stdout
