"""A tiny process that ends an engine's processes when the one that started them is gone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

SCRIPT = 'while read -r target; do targets="$targets $target"; done; kill -9 -- $targets'
"""Collects what to end until its input closes, which any death of its parent does."""


class Reaper:
    """Ends processes and process groups as soon as this process has died, however it died.

    A process killed outright runs none of its own clean-up; its children would live on with the
    GPU memory that they hold. POSIX only.
    """

    def __init__(self) -> None:
        self._shell: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin to watch this process."""
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
        """Add processes to end."""
        self._tell(str(pid) for pid in pids)

    def watch_group(self, group: int) -> None:
        """Add a process group to end."""
        self._tell([f"-{group}"])

    def stop(self) -> None:
        """Stop watching; what was watched is ended already and not touched."""
        if self._shell is not None:
            self._shell.kill()
            self._shell.communicate()
            self._shell = None

    def _tell(self, targets: Iterable[str]) -> None:
        assert self._shell is not None, "watch before start"
        assert self._shell.stdin is not None, "the shell reads from a pipe"
        self._shell.stdin.writelines(f"{target}\n" for target in targets)
        self._shell.stdin.flush()
