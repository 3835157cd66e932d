"""The processes that vLLM works in: find them, and end those that outlive their engine. Linux."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TITLE = "VLLM::"
"""How vLLM titles its processes."""


def descendants(pid: int) -> list[int]:
    """The processes below one, whichever of its threads started them."""
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, read(listed).split()):
            found += [child, *descendants(child)]
    return found


def engine_processes(pids: Iterable[int]) -> list[int]:
    """Those of the given processes that are vLLM's and run; a corpse is not running."""
    return [pid for pid in pids if is_running_engine(read(Path(f"/proc/{pid}/stat")))]


def is_running_engine(stat: str) -> bool:
    """Whether a line of `/proc/PID/stat` is that of a running vLLM process.

    >>> is_running_engine("8 (VLLM::EngineCor) S 1"), is_running_engine("8 (VLLM::Worker) Z 1")
    (True, False)
    """
    name, _, rest = stat.rpartition(") ")
    return f"({TITLE}" in name and rest[:1] not in ("Z", "X")


def kill(pids: Iterable[int]) -> None:
    """End processes that did not end by themselves."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def read(path: Path) -> str:
    """A file of a process; empty once the process has ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
