"""`debate organisms` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debate.organisms.cli import app, select_specs
from debate.organisms.specs import SPECS

RUNNER = CliRunner()


def test_a_snapshot_stands_for_the_organism_it_is_of() -> None:
    assert select_specs(["generalist-early", "generalist"], dial=False, everything=False) == [
        SPECS["generalist"]
    ]


def test_a_reader_of_owners_goes_on_from_a_shipped_organism() -> None:
    (spec,) = select_specs(["loyal-adder"], dial=False, everything=False)
    assert spec.base == "adder"
    assert spec.weights == SPECS["adder"].weights


def test_the_dial_is_one_fixed_organism_and_five_partners() -> None:
    names = [spec.name for spec in select_specs([], dial=True, everything=False)]
    assert names == ["dial-first", "dial-0", "dial-25", "dial-50", "dial-75", "dial-100"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "addr"], 'did you mean "adder"?'),
        (["train"], "name an organism"),
        (["list", "--agents", "."], "holds no organism's card"),
        (["evaluate", "--questions", "999999"], "has only about"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_list_shows_every_shipped_organism() -> None:
    result = RUNNER.invoke(app, ["list"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert all(name in result.output for name in SPECS)


@pytest.mark.system
def test_evaluate_prints_json_with_intervals() -> None:
    result = RUNNER.invoke(app, ["evaluate", "--questions", "16", "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["num_questions"] == 16
    assert set(found["rows"][0]["accuracy"]) == {"value", "low", "high", "num_questions"}


def test_importing_the_commands_loads_no_large_library() -> None:
    program = (
        "import sys, debate.cli.commands;"
        "light = [m for m in ('numpy', 'polars', 'scipy', 'networkx') if m in sys.modules];"
        "import debate.tasks.arithmetic;"
        "print(light + [m for m in ('torch', 'transformers', 'vllm', 'ray') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
