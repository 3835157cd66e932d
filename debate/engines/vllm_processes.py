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
    """Those of the given processes that live and are vLLM's."""
    return [pid for pid in pids if read(Path(f"/proc/{pid}/comm")).startswith(TITLE)]


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
