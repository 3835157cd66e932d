"""Manners of the command line: help, version, completion."""

from __future__ import annotations

from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
import typer

from debate.cli import app
from tests.pages import ROOT
from tests.processes import invoke


def _list_commands() -> list[str]:
    root = typer.main.get_command(app)
    found = [""]
    for name, each in root.commands.items():  # type: ignore[attr-defined]
        found += [name, *(f"{name} {below}" for below in getattr(each, "commands", ()))]
    return found


@pytest.mark.parametrize("words", _list_commands())
def test_every_command_helps_at_h_and_at_help(words: str) -> None:
    short, long = invoke(*words.split(), "-h"), invoke(*words.split(), "--help")
    assert short.returncode == 0
    assert short.stdout == long.stdout
    assert f"Usage: debate {words}".rstrip() in short.stdout


def test_the_version_is_that_of_the_distribution() -> None:
    done = invoke("--version")
    assert done.returncode == 0
    assert done.stdout == f"debate-lab {version('debate-lab')}\n"


def test_both_commands_start_the_same_program() -> None:
    scripts = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]\n")[2]
    assert scripts.splitlines()[:2] == [
        'debate = "debate.cli:main"',
        'debate-lab = "debate.cli:main"',
    ]
    (found,) = (each for each in entry_points(group="console_scripts", name="debate"))
    assert found.value == "debate.cli:main"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_a_shell(shell: str, tmp_path: Path) -> None:
    # typer then takes the shell that is named, instead of looking for that of its parent
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "HOME": str(tmp_path)}
    done = invoke("--install-completion", shell, **named)
    assert done.returncode == 0, done.stderr
    assert f"{shell} completion installed in {tmp_path}" in done.stdout
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("_DEBATE_COMPLETE=complete_" in path.read_text() for path in written)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("val", ["validate"]), ("run self_", ["self_revision"]), ("run --qu", ["--quiet"])],
)
def test_commands_options_and_shipped_configurations_are_completed(
    typed: str, completed: list[str]
) -> None:
    words = ["debate", *typed.split()]
    done = invoke(
        _DEBATE_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(words),
        COMP_CWORD=str(len(words) - 1),
    )
    assert done.returncode == 0
    assert done.stdout.split() == completed
    assert not done.stderr
