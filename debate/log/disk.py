"""Durable writing: whole files, appended lines in groups, and errors that say what to do."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from debate.errors import LogError

_CHUNK_BYTES = 1 << 20
_sync_file = getattr(os, "fdatasync", os.fsync)
_Waiter = asyncio.Future[None]
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


def append_durably(path: Path, content: bytes) -> None:
    """Append to a file and sync it; the file and its folder are made where absent."""
    with wrap_disk_errors(path, "append"):
        make_folder(path.parent)
        with path.open("ab", buffering=0) as file:
            write_all(file.fileno(), content)
            os.fsync(file.fileno())
        sync_folder(path.parent)


@contextmanager
def open_replacement(path: Path) -> Iterator[int]:
    """Yield the descriptor of a draft, which replaces `path` atomically at the end of the block.

    Until then, and if anything fails, `path` is as it was, even if the machine stops.
    """
    draft = path.with_name(f"{path.name}.tmp")
    with wrap_disk_errors(path, "replace"):
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


@dataclass(slots=True)
class _Group:
    """Lines for each file that are written together, and the futures that wait for them."""

    lines: tuple[list[bytes], ...]
    waiters: list[_Waiter] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    is_empty: bool = True


class Committer:
    """Appends lines to files in groups, from a thread of its own: one write and sync for each file.

    Lines that are queued while a group is written form the next one. Within a group the files are
    written in the order given, each synced before the next, so a line never reaches the disk before
    one that was queued before it in its own or an earlier file.
    After the first error every append fails with the same LogError.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._descriptors = [_open_to_append(path) for path in self._files]
        self._ends = [os.fstat(descriptor).st_size for descriptor in self._descriptors]
        self._group = self._make_group()
        self._error: LogError | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="turn log", daemon=True)
        self._thread.start()

    @property
    def error(self) -> LogError | None:
        """The error that stopped the log; None while it works."""
        return self._error

    def append(self, file: int, line: bytes) -> int:
        """Queue a line for the file at that position; return the offset that it will have.

        Raises LogError where the disk has refused an earlier one.
        """
        with self._changed:
            self._get_open_group().lines[file].append(line)
            offset = self._ends[file]
            self._ends[file] += len(line)
        return offset

    async def wait_until_written(self) -> None:
        """Return once all that is queued is on disk. Raises LogError where it will not be."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        with self._changed:
            self._get_open_group().waiters.append(waiter)
        await waiter

    def flush(self) -> None:
        """Block until all that is queued is on disk. Raises LogError where it will not be."""
        with self._changed:
            group = self._get_open_group()
        group.is_over.wait()
        if self._error:
            raise _copy_error(self._error)

    def close(self) -> None:
        """Write what is queued, stop the thread, close the files; a second call does nothing."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify()
        self._thread.join()
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _get_open_group(self) -> _Group:
        """Return the group that is being gathered, and wake the thread if it was empty."""
        if self._error:
            raise _copy_error(self._error)
        if self._closing:
            raise LogError("the log is closed", boundary="log")
        group = self._group
        if group.is_empty:
            group.is_empty = False
            self._changed.notify()
        return group

    def _run(self) -> None:
        while group := self._take_group():
            self._write_group(group)
            group.is_over.set()
            _notify_waiters(group, self._error)

    def _take_group(self) -> _Group | None:
        with self._changed:
            self._changed.wait_for(lambda: not self._group.is_empty or self._closing)
            group, self._group = self._group, self._make_group()
            return None if group.is_empty else group

    def _write_group(self, group: _Group) -> None:
        for path, descriptor, lines in zip(
            self._files, self._descriptors, group.lines, strict=True
        ):
            if not lines or self._error:
                continue
            try:
                write_all(descriptor, b"".join(lines))
                _sync_file(descriptor)
            except Exception as cause:  # whatever it is, nothing unwritten may be acknowledged
                self._error = make_disk_error(cause, path, "append")

    def _make_group(self) -> _Group:
        return _Group(lines=tuple([] for _ in self._files))


def _open_to_append(path: Path) -> int:
    with wrap_disk_errors(path, "open for appending"):
        make_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        sync_folder(path.parent)
        return descriptor


def _copy_error(error: LogError) -> LogError:
    return LogError(str(error), boundary=error.boundary)


def _notify_waiters(group: _Group, error: LogError | None) -> None:
    """Resolve each waiter in its own event loop, with one wake-up per loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiter]] = defaultdict(list)
    for waiter in group.waiters:
        by_loop[waiter.get_loop()].append(waiter)
    for loop, waiters in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, waiters, error)


def _resolve(waiters: Sequence[_Waiter], error: LogError | None) -> None:
    for waiter in waiters:
        if waiter.done():  # its task was cancelled meanwhile
            continue
        if error:
            waiter.set_exception(_copy_error(error))
        else:
            waiter.set_result(None)
