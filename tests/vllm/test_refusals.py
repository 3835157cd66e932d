"""What is said where vLLM itself cannot start a model: the cause, in one line, and what would help.

One process tries them all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.vllm.team import NEEDS_VLLM

pytestmark = [pytest.mark.vllm, NEEDS_VLLM]

OFFLINE = {"HF_HUB_OFFLINE": "1"}
Said = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    folder = tmp_path_factory.mktemp("refused")
    command = [sys.executable, "-m", "tests.vllm.refusals", str(folder)]
    environment = {**os.environ, **OFFLINE}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found: Said = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("missing folder", "does not exist"),
        ("empty folder", "unknown model"),
        ("unknown hub id", "unknown model"),
        ("unknown architecture", "a model that this vLLM cannot run"),
        ("unknown argument", 'did you mean "max_model_len"?'),
        ("wrong type", "engine_kwargs.max_model_len: Input should be a valid integer"),
        ("wrong dtype", "engine_kwargs.dtype: Input should be 'auto'"),
        ("unknown quantisation", "a quantisation that does not fit"),
        ("quantisation of another model", "a quantisation that does not fit"),
        ("longer than the model", "max_model_len (5000) is greater than"),
        ("too little memory", "out of memory"),
    ],
)
def test_a_model_that_cannot_start_is_refused_with_the_cause(
    said: Said, case: str, expected: str
) -> None:
    found = said[case]
    assert found["kind"] == "ModelRefused", found
    assert expected in found["message"]
    assert "Traceback" not in found["message"]
    assert "errors.pydantic.dev" not in found["message"]


def test_a_run_with_such_a_model_ends_with_two_and_without_a_traceback(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        "models: {m: {engine: vllm, model: quux/none-such, gpus: 0}}\n"
        "agents: [{id: a, model: m}, {id: b, model: m}]\n"
        "topology: pairwise\ntask: {generator: arithmetic, n: 2}\n"
    )
    found = processes.command(
        "run", str(config), "--out", str(tmp_path / "run"), "--quiet", **OFFLINE
    )
    assert found.returncode == 2, found.stderr[-2000:]
    assert "quux/none-such: unknown model" in found.stderr
    assert "Traceback" not in found.stderr
