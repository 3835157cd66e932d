"""Group commit: one write and one sync of the disk for all lines that wait."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from debate.errors import LogError
from debate.log.disk import disk_error, on_disk, sync_folder, write_all

_sync = getattr(os, "fdatasync", os.fsync)
Waiter = asyncio.Future[None]


@dataclass(slots=True)
class _Group:
    """Lines for each file, and who waits for them."""

    lines: tuple[list[bytes], ...]
    waiters: list[Waiter] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    is_empty: bool = True


class Committer:
    """Appends lines to files from a thread of its own; what queues meanwhile is the next group.

    Within a group the files are written in the order given, each synced before the next, so a
    line never reaches the disk before one that was queued before it in its own or an earlier file.
    After the first error every append fails with the same LogError.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._descriptors = [_open_to_append(path) for path in self._files]
        self._ends = [os.fstat(descriptor).st_size for descriptor in self._descriptors]
        self._group = self._new_group()
        self._error: LogError | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="turn log", daemon=True)
        self._thread.start()

    @property
    def error(self) -> LogError | None:
        """What stopped the log; None while it works."""
        return self._error

    def append(self, file: int, line: bytes) -> int:
        """Queue a line for the file at that position; return the offset that it will have.

        Raises LogError where the disk has refused an earlier one.
        """
        with self._changed:
            self._join_group().lines[file].append(line)
            offset = self._ends[file]
            self._ends[file] += len(line)
        return offset

    async def written(self) -> None:
        """Return once all that is queued is on disk. Raises LogError where it will not be."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        with self._changed:
            self._join_group().waiters.append(waiter)
        await waiter

    def flush(self) -> None:
        """Block until all that is queued is on disk. Raises LogError where it will not be."""
        with self._changed:
            group = self._join_group()
        group.is_over.wait()
        if self._error:
            raise _again(self._error)

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

    def _join_group(self) -> _Group:
        """The group that is being gathered, of which the thread hears once it has something."""
        if self._error:
            raise _again(self._error)
        if self._closing:
            raise LogError("the log is closed", boundary="log")
        group = self._group
        if group.is_empty:
            group.is_empty = False
            self._changed.notify()
        return group

    def _work(self) -> None:
        while group := self._next_group():
            self._write(group)
            group.is_over.set()
            _release(group, self._error)

    def _next_group(self) -> _Group | None:
        with self._changed:
            self._changed.wait_for(lambda: not self._group.is_empty or self._closing)
            group, self._group = self._group, self._new_group()
            return None if group.is_empty else group

    def _write(self, group: _Group) -> None:
        for path, descriptor, lines in zip(
            self._files, self._descriptors, group.lines, strict=True
        ):
            if not lines or self._error:
                continue
            try:
                write_all(descriptor, b"".join(lines))
                _sync(descriptor)
            except Exception as cause:  # whatever it is, nothing unwritten may be acknowledged
                self._error = disk_error(cause, path, "append")

    def _new_group(self) -> _Group:
        return _Group(lines=tuple([] for _ in self._files))


def _open_to_append(path: Path) -> int:
    with on_disk(path, "open for appending"):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        sync_folder(path.parent)
        return descriptor


def _again(error: LogError) -> LogError:
    return LogError(str(error), boundary=error.boundary)


def _release(group: _Group, error: LogError | None) -> None:
    """Tell each waiter, in its own event loop, with one wake-up per loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Waiter]] = defaultdict(list)
    for waiter in group.waiters:
        by_loop[waiter.get_loop()].append(waiter)
    for loop, waiters in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, waiters, error)


def _settle(waiters: Sequence[Waiter], error: LogError | None) -> None:
    for waiter in waiters:
        if waiter.done():  # its task was cancelled meanwhile
            continue
        if error:
            waiter.set_exception(_again(error))
        else:
            waiter.set_result(None)
