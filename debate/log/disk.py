"""Durable writing, and what the disk says against it in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from debate.errors import LogError

_CHUNK = 1 << 20
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the file-size limit",
    errno.EROFS: "make the file system writable",
    errno.EACCES: "make the folder writable",
    errno.EIO: "check the disk",
}


@contextmanager
def on_disk(path: Path, doing: str) -> Iterator[None]:
    """Turn what the system raises while `doing` something to `path` into a LogError in words."""
    try:
        yield
    except OSError as cause:
        raise disk_error(cause, path, doing) from cause


def disk_error(cause: Exception, path: Path, doing: str) -> LogError:
    """What failed, where, why, and what to do about it.

    >>> print(disk_error(OSError(errno.ENOSPC, "No space left on device"), Path("r/0"), "append"))
    r/0: cannot append: No space left on device; free some space and run again to resume
    """
    advice = _ADVICE.get(getattr(cause, "errno", None) or 0, "mend this")
    reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    message = f"{path}: cannot {doing}: {reason}; {advice} and run again to resume"
    return LogError(message, boundary="log")


def write_all(descriptor: int, content: bytes | bytearray) -> None:
    """Write every byte; a write that the disk cuts short is continued, or raises OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_in_chunks(descriptor: int, lines: Iterable[bytes]) -> None:
    """Write all lines, about a mebibyte of them at a time."""
    waiting = bytearray()
    for line in lines:
        waiting += line
        if len(waiting) >= _CHUNK:
            write_all(descriptor, waiting)
            waiting.clear()
    write_all(descriptor, waiting)


def append_durably(path: Path, content: bytes) -> None:
    """Append to a file, made with its folder where absent, and wait for the disk."""
    with on_disk(path, "append"):
        path.parent.mkdir(exist_ok=True)
        with path.open("ab", buffering=0) as file:
            write_all(file.fileno(), content)
            os.fsync(file.fileno())
        sync_folder(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[int]:
    """Yield a descriptor; on leaving, what was written to it takes the place of `path` at once.

    Until then, and if anything fails, `path` is as it was, even if the machine stops.
    """
    draft = path.with_name(f"{path.name}.tmp")
    with on_disk(path, "replace"):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            yield descriptor
            os.fsync(descriptor)
        except BaseException:
            draft.unlink()
            raise
        finally:
            os.close(descriptor)
        draft.replace(path)
        sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all."""
    with replacing(path) as descriptor:
        write_all(descriptor, content)


def sync_folder(folder: Path) -> None:
    """Make a folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
