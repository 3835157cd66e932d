"""Commands in this process or in one of their own, and runs watched by the turns in their logs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from debate.cli import main

PATIENCE_S = 240.0


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `debate WORDS` has printed, and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "debate", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def run_python(program: str, *words: str, **environment: str) -> str:
    """What a program prints, in a process of its own that must end well."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def invoke(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `debate WORDS` prints, and its exit code, run in this process, in seconds less.

    A warning is an error here; in a process of its own (`command`) it is printed.
    """
    out, err = io.StringIO(), io.StringIO()
    arguments = ["debate", *words]
    code: object = 0
    with (
        pytest.MonkeyPatch.context() as process,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        process.setattr(sys, "argv", arguments)
        for name, value in environment.items():
            process.setenv(name, value)
        try:
            main()
        except SystemExit as end:
            code = end.code
    returncode = code if isinstance(code, int) else int(code is not None)
    return subprocess.CompletedProcess(arguments, returncode, out.getvalue(), err.getvalue())


def start(config: Path, out: Path) -> subprocess.Popen[bytes]:
    """A process that runs, or resumes, a configuration."""
    words = ("run", str(config), "--out", str(out), "--quiet", "--no-report")
    return subprocess.Popen([sys.executable, "-m", "debate", *words], stdout=subprocess.DEVNULL)


def start_listening(config: Path, out: Path) -> subprocess.Popen[str]:
    """The same, and what it prints can be read."""
    words = ("run", str(config), "--out", str(out), "--quiet", "--no-report")
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", "debate", *words], stdout=pipe, stderr=pipe, text=True
    )


def num_turns(out: Path) -> int:
    """Whole turns in the run's log files, of all its processes."""
    num = 0
    for path in (out / "turns").glob("*.jsonl"):
        with suppress(FileNotFoundError):  # it was merged into another meanwhile
            num += path.read_bytes().count(b"\n")
    return num


def await_turns(process: subprocess.Popen[Any], out: Path, num: int) -> None:
    """Wait until the log has so many turns or the process has ended.

    Raises TimeoutError where neither comes about.
    """
    deadline = time.monotonic() + PATIENCE_S
    while num_turns(out) < num and process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.002)
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"{num_turns(out)} of {num} turns after {PATIENCE_S:g} s")


def kill_at(process: subprocess.Popen[bytes], out: Path, num: int) -> None:
    """SIGKILL as soon as the log has so many turns, unless the process has ended by itself."""
    await_turns(process, out, num)
    process.kill()
    process.wait(PATIENCE_S)
