"""One writer at a time: a lock that the kernel frees when its process dies."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

from debate.errors import RunConflict
from debate.log.disk import on_disk, write_all

_BUSY = (errno.EWOULDBLOCK, errno.EACCES)


class Lock:
    """An exclusive lock on a file, held from construction until `release`."""

    def __init__(self, path: Path) -> None:
        """Take the lock, or raise RunConflict naming the process that has it."""
        with on_disk(path, "open the lock"):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _try_lock(path, self._descriptor, fcntl.LOCK_EX):
            os.close(self._descriptor)
            raise _in_use(path)
        with on_disk(path, "write the lock"):
            os.ftruncate(self._descriptor, 0)
            write_all(self._descriptor, f"{os.getpid()} {socket.gethostname()}".encode())

    def release(self) -> None:
        """Let others in; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def require_free(path: Path) -> None:
    """Raise RunConflict if another process holds the lock; take nothing."""
    if is_held(path):
        raise _in_use(path)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        return not _try_lock(path, file.fileno(), fcntl.LOCK_SH)


def _try_lock(path: Path, descriptor: int, mode: int) -> bool:
    with on_disk(path, "lock"):
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                return False
            raise
        return True


def _in_use(path: Path) -> RunConflict:
    pid, _, host = path.read_text(errors="replace").partition(" ")
    holder = f"process {pid} on {host}" if host else "another process"
    return RunConflict(
        f"{path.parent} is in use by {holder}; wait for it, stop it, or name another directory"
    )
