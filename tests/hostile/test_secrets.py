"""A key is used and never written: not in log, manifest, error, page or terminal."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from aiohttp import web

from debate.config.secrets import redact, redact_text
from tests.faults.driver import undisturbed
from tests.faults.endpoint import serving
from tests.faults.on_ray import nodes
from tests.processes import command, invoke

KEY = "sk-planted-0123456789abcdefghijklmnop"
OTHER = "planted-password-9876543210"


def write_config(folder: Path, url: str, **model: object) -> Path:
    spec = {"engine": "openai", "model": "m", "url": url, "retries": 0, "timeout_s": 5, **model}
    config = {
        "models": {"m": spec},
        "agents": [{"id": "a", "model": "m"}, {"id": "b", "model": "m"}],
        "topology": "pairwise",
        "task": {"generator": "arithmetic", "n": 3},
        "rounds": 1,
        "log": {"prompts": True},
        "cluster": {"env": {"HF_TOKEN": OTHER, "MY_SERVICE_KEY": OTHER}},
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(config))
    return path


def debate(*words: str) -> subprocess.CompletedProcess[str]:
    return command(*words, PLANTED=KEY)


def here(*words: str) -> subprocess.CompletedProcess[str]:
    return invoke(*words, PLANTED=KEY)


def assert_nowhere(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    for secret in (KEY, OTHER):
        assert secret not in done.stdout + done.stderr
        for path in folder.rglob("*"):
            if path.is_file() and path.name != "run.yaml":
                assert secret.encode() not in path.read_bytes(), path


async def _tell_tale(request: web.Request, good: bytes) -> web.StreamResponse:
    """An endpoint that quotes the key that it got, as some do."""
    said = f'{{"error": "the key {request.headers["Authorization"]} is not valid"}}'
    return web.Response(text=said, status=401)


@pytest.mark.system
def test_a_key_is_found_nowhere_after_a_run(tmp_path: Path) -> None:
    with serving() as endpoint:
        extra = {"api_key": OTHER, "metadata": {"password": OTHER}}
        url = f"{endpoint.url}?api_key={OTHER}"
        path = write_config(tmp_path, endpoint.url, api_key_env="PLANTED", extra_body=extra)
        out = str(tmp_path / "out")
        endpoint.strike(0.5, (_tell_tale,), "tell")
        done = debate("run", str(path), "--out", out, "--quiet", "--no-preflight", "--no-report")
        assert done.returncode == 0, done.stderr
        assert endpoint.num_struck
        assert_nowhere(tmp_path, done)
        assert "(hidden)" in (tmp_path / "out" / "manifest.json").read_text()
        for words in (["analyze", out], ["verify", out], ["report", out]):
            assert_nowhere(tmp_path, debate(*words))
        write_config(tmp_path, url, api_key_env="PLANTED")
        assert_nowhere(tmp_path, debate("run", str(path), "--out", f"{out}2", "--quiet"))


def test_what_a_configuration_would_do_is_told_without_its_keys(tmp_path: Path) -> None:
    extra = {"api_key": OTHER, "metadata": {"password": OTHER}}
    path = write_config(
        tmp_path, f"http://me:{OTHER}@localhost:1/v1", api_key_env="PLANTED", extra_body=extra
    )
    for words in (["validate", str(path)], ["topology", str(path)], ["doctor"]):
        assert_nowhere(tmp_path, here(*words))


@pytest.mark.slow
@pytest.mark.ray
def test_a_key_is_in_no_name_and_no_message_on_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setenv("PLANTED", KEY)
    with nodes(2) as cluster, serving() as endpoint:
        endpoint.strike(0.5, (_tell_tale,), "tell")
        path = write_config(tmp_path, endpoint.url, api_key_env="PLANTED")
        config = json.loads(path.read_text())
        config["cluster"] |= {"address": cluster.address, "orchestrators": 2}
        undisturbed(config, tmp_path / "out")
        told = repr(cluster.global_state.actor_table(None, None, None)) + "".join(
            capfd.readouterr()
        )
    assert ":orchestrator:" in told
    assert endpoint.num_struck
    for secret in (KEY, OTHER):
        assert secret not in told
        for file in (tmp_path / "out").rglob("*.*"):
            assert secret.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": KEY},
        {"api_key_env": KEY},
        {"url": f"http://me:{OTHER}@localhost:1/v1"},
        {"timeout_s": f"Bearer {KEY}"},
        {"max_in_flight": f"http://x/?token={OTHER}"},
        {"extra_body": [{"api_key": KEY}]},
    ],
)
def test_an_error_does_not_quote_a_key(fields: dict[str, object], tmp_path: Path) -> None:
    path = write_config(tmp_path, "http://localhost:1/v1")
    config = json.loads(path.read_text())
    config["models"]["m"] |= fields
    path.write_text(json.dumps(config))
    done = here("run", str(path), "--out", str(tmp_path / "out"), "--quiet")
    assert_nowhere(tmp_path, done)


def test_an_override_with_a_key_is_not_quoted(tmp_path: Path) -> None:
    path = write_config(tmp_path, "http://localhost:1/v1")
    words = ("-o", f"models.m.api_key={KEY}", "-o", "rouds=3")
    assert_nowhere(tmp_path, here("validate", str(path), *words))


def test_what_is_hidden_and_what_is_not() -> None:
    plain = {
        "max_tokens": "5",
        "bos_token": "<s>",
        "api_key_env": "MY_KEY",
        "model": "org/sk-small",
        "chars_per_token": "4",
        "stop": ["token"],
        "key": "value",
        "text": "The secret is out.",
    }
    assert redact(plain) == plain
    for name in (
        "api_key",
        "HF_TOKEN",
        "OPENAI_API_KEY",
        "password",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "Authorization",
        "client_secret",
        "x-api-key",
    ):
        assert redact({name: OTHER}) == {name: "(hidden)"}
    assert KEY not in redact_text(f"it said: {KEY}, and Bearer {KEY}")
