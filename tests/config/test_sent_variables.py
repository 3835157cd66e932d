"""Which variables of the environment a configuration sends where, told and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from debate.config.loader import load_run
from debate.errors import ConfigError
from tests.processes import invoke

HOST = "stranger.example:8443"


def write_config(folder: Path, **model: Any) -> str:
    """A configuration with one model behind an endpoint, and one that is simulated."""
    url = f"https://{HOST}/v1?team=debate"
    config = {
        "models": {
            "far": {"engine": "openai", "model": "m", "url": url, **model},
            "near": {"engine": "simulated"},
        },
        "agents": [{"id": "a", "model": "far"}, {"id": "b", "model": "near"}],
        "topology": "pairwise",
        "task": {"generator": "arithmetic", "n": 2},
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(config))
    return str(path)


def test_what_is_sent_to_which_host_is_told_without_its_value(tmp_path: Path) -> None:
    headers = {"X-Team": "team $TEAM_TOKEN", "X-Note": "debate"}
    path = write_config(tmp_path, api_key_env="PLANTED", headers=headers, proxy="$MY_PROXY")
    done = invoke("validate", path, PLANTED="planted-value-01")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("model ")]
    assert lines == [
        f"model far talks to {HOST}",
        f"model far sends $PLANTED to {HOST} (api_key_env)",
        f"model far sends $TEAM_TOKEN to {HOST} (headers.X-Team)",
        "model far sends $MY_PROXY to its proxy (proxy)",
    ]
    assert "planted-value" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "model",
    [
        {"api_key_env": "PATH"},
        {"api_key_env": "KEY_OF_MINE"},
        {"headers": {"X-A": "$MY_KEY and ${PATH}"}},
        {"proxy": "http://$PATH@stranger.example:3128"},
    ],
)
def test_without_custom_code_only_what_is_named_like_a_key_is_sent(
    model: dict[str, Any], tmp_path: Path
) -> None:
    path = write_config(tmp_path, **model)
    load_run(path)
    with pytest.raises(ConfigError, match=r"it sends \$(PATH|KEY_OF_MINE), .*allow-key"):
        load_run(path, custom_code=False)
    load_run(path, custom_code=False, allowed_keys=["PATH", "KEY_OF_MINE"])


@pytest.mark.parametrize(
    "model",
    [
        {"api_key_env": "MY_KEY"},
        {"api_key_env": "my_token"},
        {"headers": {"X-A": "Token ${HF_TOKEN}"}},
        {"proxy": "$HTTPS_PROXY"},
    ],
)
def test_what_is_named_like_a_key_is_let_through(model: dict[str, Any], tmp_path: Path) -> None:
    load_run(write_config(tmp_path, **model), custom_code=False)


def test_a_variable_is_let_through_by_name(tmp_path: Path) -> None:
    path = write_config(tmp_path, api_key_env="PATH")
    refused = invoke("validate", path, "--no-custom-code")
    assert refused.returncode == 2
    assert "--allow-key PATH" in " ".join(refused.stderr.split())
    assert invoke("validate", path, "--no-custom-code", "--allow-key", "PATH").returncode == 0
