"""Runs in processes of their own, to be killed, starved of disk, or refused."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Literal, NamedTuple

PATIENCE_S = 600.0
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.faults.driver", "debate.log"])

Disk = Literal["read-only"] | int | None
"""What the run's folder is to the process: as it is, not to be written, or of so many bytes."""


class Told(NamedTuple):
    """How an attempt ended: `done`, the class of the error, or `died`; and the error's message."""

    how: str
    message: str = ""


def _work(config: Mapping[str, Any], directory: Path, disk: Disk, told: Connection) -> None:
    """Run to the end; tell what stopped it, if anything did."""
    from debate.errors import DebateError
    from tests.faults.driver import undisturbed

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        _confine(directory, disk)
        undisturbed(config, directory)
        told.send(Told("done"))
    except (DebateError, OSError) as error:
        told.send(Told(type(error).__name__, str(error)))
    if isinstance(disk, int):
        shutil.copytree(directory, directory.with_name("saved"))


def _confine(directory: Path, disk: Disk) -> None:
    from tests.faults.confinement import make_read_only, make_small, stand_alone

    if disk is not None:
        directory.mkdir(exist_ok=True)
        stand_alone()
    if isinstance(disk, int):
        make_small(directory, disk)
    elif disk == "read-only":
        make_read_only(directory)


class Attempt:
    """A run under way in another process.

    What a process wrote to a small disk of its own lies in the folder `saved` beside the
    directory in the end.
    """

    def __init__(self, config: Mapping[str, Any], directory: Path, *, disk: Disk = None) -> None:
        self.directory = directory
        self._here, there = FORKING.Pipe(duplex=False)
        self._process: ForkServerProcess = FORKING.Process(
            target=_work, args=(dict(config), directory, disk, there)
        )
        self._process.start()
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

    def kill_at(self, size: int) -> bool:
        """SIGKILL once the turns take so many bytes; False where the run ended before."""
        deadline = time.monotonic() + PATIENCE_S
        while self._process.is_alive() and time.monotonic() < deadline:
            if self.num_bytes() >= size:
                break
            self._process.join(0.001)
        assert self._process.pid is not None
        was_alive = self._process.is_alive()
        if was_alive:
            os.kill(self._process.pid, signal.SIGKILL)
        self.outcome()
        return was_alive

    def num_bytes(self) -> int:
        """The bytes of turns on disk; below zero before there is a file."""
        sizes = [path.stat().st_size for path in (self.directory / "turns").glob("*.jsonl")]
        return sum(sizes) if sizes else -1

    def await_file(self) -> None:
        """Wait until the run has a file of turns, or is over."""
        deadline = time.monotonic() + PATIENCE_S
        while self._process.is_alive() and self.num_bytes() < 0 and time.monotonic() < deadline:
            self._process.join(0.001)
