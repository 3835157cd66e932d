"""Runs in processes of their own, to be killed, stopped, starved of disk, or refused."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Literal, NamedTuple

PATIENCE_S = 600.0
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    ["tests.faults.driver", "debate.runner.report_run", "debate.cli.commands"]
)

Disk = Literal["read-only"] | int | None
"""What the run's folder is to the process: as it is, not to be written, or of so many bytes."""


class Told(NamedTuple):
    """How an attempt ended: `done`, the class of the error, or `died`; and the error's message."""

    how: str
    message: str = ""


def _work(
    config: Mapping[str, Any], directory: Path, disk: Disk, host: str | None, told: Connection
) -> None:
    """Run to the end; tell what stopped it, if anything did."""
    from debate.errors import DebateError
    from tests.faults.driver import undisturbed

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        _confine(directory, disk, host)
        undisturbed(config, directory)
        told.send(Told("done"))
    except (DebateError, OSError) as error:
        told.send(Told(type(error).__name__, str(error)))
    if isinstance(disk, int):
        shutil.copytree(directory, directory.with_name("saved"))


def _confine(directory: Path, disk: Disk, host: str | None) -> None:
    from tests.faults.confinement import make_read_only, make_small, stand_alone, take_name

    if host is not None:
        take_name(host)
    if disk is not None:
        directory.mkdir(exist_ok=True)
        stand_alone()
    if isinstance(disk, int):
        make_small(directory, disk)
    elif disk == "read-only":
        make_read_only(directory)


def _obey(words: tuple[str, ...], said: Path) -> None:
    """`debate WORDS` as a shell starts it; what it says goes to a file."""
    from debate.cli import main

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.argv = ["debate", *words]
    main()


class _Running:
    """A process that writes to a run directory."""

    def __init__(self, directory: Path, target: Callable[..., None], arguments: tuple[Any, ...]):
        self.directory = directory
        self._process: ForkServerProcess = FORKING.Process(target=target, args=arguments)
        self._process.start()

    def kill_at(self, size: int) -> bool:
        """SIGKILL once the turns take so many bytes; False where the run ended before."""
        was_alive = self.signal_at(size, signal.SIGKILL)
        self._process.join(PATIENCE_S)
        return was_alive

    def signal_at(self, size: int, number: signal.Signals) -> bool:
        """Send a signal once the turns take so many bytes; False where the run ended before."""
        return self.await_bytes(size) and self.signal(number)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; False where the run is over."""
        assert self._process.pid is not None
        is_alive = self._process.is_alive()
        if is_alive:
            os.kill(self._process.pid, number)
        return is_alive

    def await_bytes(self, size: int = 0) -> bool:
        """Wait until the turns take so many bytes; False where the run ended before."""
        deadline = time.monotonic() + PATIENCE_S
        while self._process.is_alive() and time.monotonic() < deadline:
            if self.num_bytes() >= size:
                return True
            self.wait(0.001)
        return False

    def wait(self, seconds: float) -> None:
        """Wait for its end, so long at most."""
        self._process.join(seconds)

    def num_bytes(self) -> int:
        """The bytes of turns on disk; below zero before there is a file."""
        paths = (self.directory / "turns").glob("*.jsonl")
        sizes = [path.stat().st_size for path in paths if path.exists()]
        return sum(sizes) if sizes else -1


class Attempt(_Running):
    """A run under way in another process, on a disk or a machine as named.

    What a process wrote to a small disk of its own lies in the folder `saved` beside the
    directory in the end.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        directory: Path,
        *,
        disk: Disk = None,
        host: str | None = None,
    ) -> None:
        self._here, there = FORKING.Pipe(duplex=False)
        super().__init__(directory, _work, (dict(config), directory, disk, host, there))
        there.close()

    def outcome(self) -> Told:
        """How it ended."""
        self._process.join(PATIENCE_S)
        try:
            told = self._here.recv() if self._here.poll(0) else Told("died")
        except EOFError:
            told = Told("died")
        self._process.close()
        return Told(*told)


class Command(_Running):
    """`debate run` in another process, as a user calls it."""

    def __init__(self, config: Mapping[str, Any], directory: Path, *words: str) -> None:
        file = directory.with_name(f"{directory.name}.yaml")
        file.write_text(json.dumps(config))
        self._said = directory.with_name(f"{directory.name}.said")
        self._said.unlink(missing_ok=True)
        words = ("run", str(file), "--out", str(directory), "--no-report", *words)
        super().__init__(directory, _obey, (words, self._said))

    def outcome(self) -> tuple[int, str]:
        """Its exit code, and what it said."""
        self._process.join(PATIENCE_S)
        code = self._process.exitcode
        self._process.close()
        assert code is not None
        return code, self._said.read_text() if self._said.exists() else ""
