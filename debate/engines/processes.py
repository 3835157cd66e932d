"""The processes that engines work in: find them, end them, and have them end with this one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress

VLLM_TITLE = "VLLM::"
"""The beginning of the names that vLLM gives its processes."""

SCRIPT = 'while read -r target; do targets="$targets $target"; done; kill -9 -- $targets'
"""Collects process ids until its input closes, as it does when its parent dies; then kills them."""


def find_descendants(pid: int) -> list[int]:
    """Find the processes below one; none where it is gone."""
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def find_vllm_processes(pids: Iterable[int]) -> list[int]:
    """Select the given processes that are vLLM's and run; a zombie does not run."""
    return [pid for pid in pids if is_running_vllm(pid)]


def is_running_vllm(pid: int) -> bool:
    """Whether a process is one of vLLM's and runs."""
    import psutil

    try:
        process = psutil.Process(pid)
        is_over = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return not is_over and process.name().startswith(VLLM_TITLE)
    except psutil.NoSuchProcess:
        return False


def kill_processes(pids: Iterable[int]) -> None:
    """Kill processes, those that have ended excepted."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class ParentDeathWatchdog:
    """Kills processes and process groups as soon as this process has died, however it died.

    A process killed outright runs none of its own clean-up; its children would live on with the
    GPU memory that they hold. POSIX only.
    """

    def __init__(self) -> None:
        self._shell: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the shell that outlives this process."""
        if self._shell is None:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )

    def watch(self, pids: Iterable[int]) -> None:
        """Have these processes killed when this process dies."""
        self._send(str(pid) for pid in pids)

    def watch_group(self, group: int) -> None:
        """Have this process group killed when this process dies."""
        self._send([f"-{group}"])

    def stop(self) -> None:
        """Stop the shell; no process is killed any more."""
        if self._shell is not None:
            self._shell.kill()
            self._shell.communicate()
            self._shell = None

    def _send(self, targets: Iterable[str]) -> None:
        assert self._shell is not None, "watch before start"
        assert self._shell.stdin is not None, "the shell reads from a pipe"
        self._shell.stdin.writelines(f"{target}\n" for target in targets)
        self._shell.stdin.flush()
