"""Hostile programs in each sandbox: all end within their limit, and reach and leave nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from debate.errors import EngineError
from debate.sandbox import (
    MAX_CODE,
    MAX_ERROR,
    FinishedRun,
    SandboxName,
    bubblewrap,
    clean_output,
    explain_lack,
    passes_tests,
    run_python,
)
from debate.sandbox.system_calls import make_filter
from debate.sandbox.values import Limits
from tests.sandbox.hostile import HOSTILE, Hostile

LIMITS = Limits(time_s=0.3, memory_mb=64, output_chars=1000)
SANDBOXES: tuple[SandboxName, ...] = ("monty", "bubblewrap")
MAX_S = 30.0
"""No run takes as long even on a busy machine; without a limit most would take for ever."""
CLEAN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]*")

Runs = Mapping[tuple[str, str], FinishedRun]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """What became of every program in every sandbox that works here, all run side by side."""
    there = [name for name in SANDBOXES if explain_lack(name) is None]
    pairs = [(name, each) for name in there for each in HOSTILE]
    os.environ["SANDBOX_TEST_KEY"] = "secret"

    def run_one(pair: tuple[SandboxName, Hostile]) -> FinishedRun:
        return run_python(pair[1].code, sandbox=pair[0], limits=LIMITS)

    with ThreadPoolExecutor(4) as threads:
        ended = list(threads.map(run_one, pairs))
    del os.environ["SANDBOX_TEST_KEY"]
    return {(name, each.name): run for (name, each), run in zip(pairs, ended, strict=True)}


@pytest.mark.parametrize("each", HOSTILE, ids=lambda each: each.name)
@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_a_hostile_program_comes_to_nothing(
    sandbox: SandboxName, each: Hostile, runs: Runs
) -> None:
    if lack := explain_lack(sandbox):
        pytest.skip(lack)
    ended = runs[sandbox, each.name]
    assert ended.outcome in each.ends, ended
    assert "ESCAPED" not in ended.output
    assert len(ended.text) <= LIMITS.output_chars + MAX_ERROR + 100
    assert CLEAN.fullmatch(ended.text), ended
    assert ended.took_s < MAX_S


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_no_program_leaves_a_process_or_a_file_behind(sandbox: SandboxName, runs: Runs) -> None:
    if lack := explain_lack(sandbox):
        pytest.skip(lack)
    assert not Path("/x").exists()
    own = [line for line in _list_commands() if "bwrap" in line and "main.py" in line]
    assert own == []


def _list_commands() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == os.getpid() and status[0] != "Z":
                yield (process / "cmdline").read_text()
        except OSError:
            continue


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_a_harmless_program_is_run_and_each_begins_afresh(sandbox: SandboxName) -> None:
    if lack := explain_lack(sandbox):
        pytest.skip(lack)
    code = "import math\ndef f(n):\n    return math.factorial(n)\nprint(f(5))"
    limits = Limits(time_s=5)
    ended = run_python(code, sandbox=sandbox, limits=limits)
    assert (ended.outcome, ended.text) == ("done", "120")
    ended = run_python("print(f(5))", sandbox=sandbox, limits=limits)
    assert ended.outcome == "error"
    assert ended.text == "NameError: name 'f' is not defined (line 1)"
    assert run_python("x = 1", sandbox=sandbox, limits=limits).text == "(nothing was printed)"


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize(
    ("code", "is_right"),
    [
        ("def f(x):\n    return x + 1", True),
        ("def f(x):\n    return x", False),
        ("def f(x):\n    return x + 1\nraise SystemExit(0)", False),
        ("import os\nos._exit(0)", False),
        ("def f(x):\n    while True: pass", False),
        ("def f(x):\n    return x + 1\nprint('x' * 10**6)", False),
        ("def f(x):\n    return x + 1\nprint('seen', end='')", True),
        ("def f(x:", False),
        ("def f(x):\n    return x + 1\n'''", False),
    ],
)
def test_a_program_passes_only_where_all_its_tests_have_run(
    sandbox: SandboxName, code: str, is_right: bool
) -> None:
    if lack := explain_lack(sandbox):
        pytest.skip(lack)
    limits = Limits(time_s=0.5 if "while" in code else 5, output_chars=1000)
    tests = "assert f(1) == 2\nassert f(-1) == 0"
    assert passes_tests(code, tests, sandbox=sandbox, limits=limits) is is_right


def test_what_is_too_long_is_not_run() -> None:
    ended = run_python("#" * (MAX_CODE + 1), sandbox="monty", limits=LIMITS)
    assert (ended.outcome, ended.error) == ("error", "the program is longer than 50,000 bytes")


def test_outputs_are_cut_and_lose_what_a_terminal_obeys() -> None:
    assert clean_output("a\x1b[2Jb\r\nc\x00", 99) == "ab\nc�"
    assert clean_output("abcdef", 3) == "abc\n[… the rest is left out]"


def test_without_its_program_bubblewrap_is_refused_and_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lack = explain_lack("bubblewrap")
    assert lack == "the sandbox bubblewrap is not installed: the program bwrap is not on the PATH"
    with pytest.raises(EngineError, match="not on the PATH"):
        run_python("print(1)", sandbox="bubblewrap", limits=LIMITS)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "No permissions"),
        ('while [ "$1" != -c ]; do p=$1; shift; done; exec python3 "$@"', "does not isolate"),
    ],
)
def test_a_bubblewrap_that_does_not_isolate_is_found_out_by_a_trial(
    script: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    bubblewrap._explain_lack.cache_clear()
    assert told in str(explain_lack("bubblewrap"))
    bubblewrap._explain_lack.cache_clear()


def test_the_filter_of_system_calls_jumps_to_its_last_line_for_what_it_denies() -> None:
    for machine in ("x86_64", "aarch64"):
        rules = make_filter(machine)
        assert rules is not None
        lines = [rules[at : at + 8] for at in range(0, len(rules), 8)]
        for at, line in enumerate(lines[4:-2], start=4):
            assert at + 1 + line[2] == len(lines) - 1
    assert make_filter("mips") is None
