"""Durable writing below a folder, following no link out of it, and errors that say what to do.

A file that is written, and the folder that it lies in, must be no links: whoever made the folder
could have them lead anywhere.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from debate.errors import LogError, RunConflict

_CHUNK_BYTES = 1 << 20
_UNFOLLOWED = os.O_NOFOLLOW | os.O_NONBLOCK  # without waiting for the other end of a pipe
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the file-size limit",
    errno.EROFS: "make the file system writable",
    errno.EACCES: "make the folder writable",
    errno.EIO: "check the disk",
}


@contextmanager
def wrap_disk_errors(path: Path, doing: str) -> Iterator[None]:
    """Raise an OSError in the block as a LogError that says what could not be done to `path`."""
    try:
        yield
    except OSError as cause:
        raise make_disk_error(cause, path, doing) from cause


def make_disk_error(cause: Exception, path: Path, doing: str) -> LogError:
    """Say what failed, where and why, and what to do about it.

    >>> full = OSError(errno.ENOSPC, "No space left on device")
    >>> print(make_disk_error(full, Path("r/0"), "append"))
    r/0: cannot append: No space left on device; free some space and run again to resume
    """
    advice = _ADVICE.get(getattr(cause, "errno", None) or 0, "mend this")
    reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    message = f"{path}: cannot {doing}: {reason}; {advice} and run again to resume"
    return LogError(message, boundary="log")


def write_all(descriptor: int, content: bytes | bytearray) -> None:
    """Write every byte, in several writes where the disk takes fewer. Raises OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_in_chunks(descriptor: int, lines: Iterable[bytes]) -> None:
    """Write all lines, about a mebibyte of them at a time."""
    waiting = bytearray()
    for line in lines:
        waiting += line
        if len(waiting) >= _CHUNK_BYTES:
            write_all(descriptor, waiting)
            waiting.clear()
    write_all(descriptor, waiting)


def resolve_alias(folder: Path) -> Path:
    """Return a folder that a user names by a link as the folder itself; any other as it is."""
    return folder.resolve() if os.path.islink(folder) else folder


@contextmanager
def open_folder(folder: Path) -> Iterator[int]:
    """Yield the descriptor of a folder. Raises RunConflict for a link, OSError."""
    refuse_link(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def refuse_link(path: Path) -> None:
    """Raise RunConflict where a path is a link."""
    if os.path.islink(path):
        raise RunConflict(
            f"{path} is a link, and nothing is written through it, as it may lead anywhere; "
            "remove it, or name another directory"
        )


def open_file(path: Path, flags: int) -> int:
    """Open a file to write to it, made where absent. Raises RunConflict for a link, OSError."""
    with open_folder(path.parent) as folder:
        refuse_link(path)
        return os.open(path.name, flags | os.O_CREAT | _UNFOLLOWED, 0o666, dir_fd=folder)


def append_durably(path: Path, content: bytes) -> None:
    """Append to a file and sync it; the file and its folder are made where absent."""
    with wrap_disk_errors(path, "append"):
        descriptor = open_to_append(path)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_to_append(path: Path) -> int:
    """Open a file for appending; its name and that of its folder, made where absent, are synced."""
    make_folder(path.parent)
    descriptor = open_file(path, os.O_WRONLY | os.O_APPEND)
    sync_folder(path.parent)
    return descriptor


@contextmanager
def open_replacement(path: Path) -> Iterator[int]:
    """Yield the descriptor of a draft, which replaces `path` atomically at the end of the block.

    Until then, and if anything fails, `path` is as it was, even if the machine stops. A link in the
    place of either is replaced itself.
    """
    draft = f"{path.name}.tmp"
    with wrap_disk_errors(path, "replace"), open_folder(path.parent) as folder:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(draft, flags, 0o666, dir_fd=folder)
        try:
            yield descriptor
            os.fsync(descriptor)
        except BaseException:
            os.unlink(draft, dir_fd=folder)
            raise
        finally:
            os.close(descriptor)
        os.replace(draft, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all."""
    with open_replacement(path) as descriptor:
        write_all(descriptor, content)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where absent, so that their names are durable."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names of its files are durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
