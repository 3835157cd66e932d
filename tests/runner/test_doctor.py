"""`debate doctor` says what this machine can run, and how to install what is missing."""

from __future__ import annotations

import sys
from io import StringIO

import pytest
from packaging.requirements import Requirement
from rich.console import Console

from debate.config.models import ENGINES
from debate.installation import make_install_command
from debate.runner import doctor


def test_every_check_is_printed_as_it_was_found() -> None:
    out = StringIO()
    doctor.print_machine(Console(file=out, width=400))
    printed = out.getvalue()
    for check in doctor.check_machine():
        assert check.found in printed


def test_every_engine_that_needs_a_package_is_looked_for() -> None:
    own = {"simulated", "scripted", "replay", "calculator", "checker", "oracle"}
    own |= {"python"}  # by its sandboxes
    features = (name for name in doctor.FEATURES if "engine" in name)
    looked_for = {name.removeprefix("engine ").partition(",")[0] for name in features}
    assert looked_for == set(ENGINES) - own


def test_what_is_missing_is_named_with_the_command_that_adds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "gguf", None)
    out = StringIO()
    doctor.print_machine(Console(file=out, width=40))
    (local,) = (line for line in out.getvalue().splitlines() if "engine transformers" in line)
    assert local.startswith("! ")
    assert local.endswith(f"missing torch: {make_install_command('local')}")
    assert f"missing torch, gguf: {make_install_command('gguf')}\n" in out.getvalue()


def test_a_version_that_an_extra_does_not_allow_is_a_clash() -> None:
    lines = ["numpy>=2", 'torch<2; extra == "local"', 'ray<1; python_version < "3"']
    wanted = map(Requirement, lines)
    applying = [each.name for each in wanted if doctor._applies(each, ("", "local"))]
    assert applying == ["numpy", "torch"]
