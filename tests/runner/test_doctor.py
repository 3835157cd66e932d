"""`debate doctor` says what this machine can run, and how to install what is missing."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from debate.config.models import ENGINES
from debate.runner import doctor


def test_every_check_is_printed_as_it_was_found() -> None:
    out = StringIO()
    doctor.print_machine(Console(file=out, width=400))
    printed = out.getvalue()
    for check in doctor.check_machine():
        assert check.found in printed


def test_every_engine_that_needs_a_package_is_looked_for() -> None:
    own = {"simulated", "scripted", "replay", "calculator"}
    assert set(doctor.ENGINES) == set(ENGINES) - own


def test_what_is_missing_is_named_with_its_extra() -> None:
    assert "debate-lab[vllm]" in doctor.ENGINES["vllm"][1]
