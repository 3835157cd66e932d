"""Appending lines to files in groups, each synced before whoever waits for it goes on."""

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
from debate.log.disk import make_disk_error, open_to_append, wrap_disk_errors, write_all
from debate.log.ownership import lock_file

_sync_file = getattr(os, "fdatasync", os.fsync)
_Waiter = asyncio.Future[None]


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
    After the first error every append fails with the same LogError. A file that was moved or
    deleted meanwhile is such an error: what is appended to it would be found by nobody.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._places = tuple(path.absolute() for path in files)
        self._descriptors = [_open_locked(path) for path in files]
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
        """Write what is queued, stop the thread, close the files; a second call does nothing.

        Raises LogError where a file turns out to have been moved or deleted since the last group.
        """
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify()
        self._thread.join()
        try:
            if self._error is None:
                self._require_all_in_place()
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)

    def _require_all_in_place(self) -> None:
        for place, descriptor in zip(self._places, self._descriptors, strict=True):
            try:
                _require_in_place(place, descriptor)
            except LogError as error:
                self._error = error
                raise

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
        for number, lines in enumerate(group.lines):
            if not lines or self._error:
                continue
            descriptor = self._descriptors[number]
            try:
                write_all(descriptor, b"".join(lines))
                _sync_file(descriptor)
                _require_in_place(self._places[number], descriptor)
            except LogError as error:
                self._error = error
            except Exception as cause:  # whatever it is, nothing unwritten may be acknowledged
                self._error = make_disk_error(cause, self._files[number], "append")

    def _make_group(self) -> _Group:
        return _Group(lines=tuple([] for _ in self._files))


def _open_locked(path: Path) -> int:
    """Open a file for appending, and lock it. Raises RunConflict where another process writes."""
    with wrap_disk_errors(path, "open for appending"):
        descriptor = open_to_append(path)
        try:
            lock_file(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _require_in_place(path: Path, descriptor: int) -> None:
    """Raise LogError where the path no longer leads to the file that is open."""
    opened = os.fstat(descriptor)
    try:
        found = os.stat(path)
    except OSError:
        found = None
    if opened.st_nlink and found and _is_same_file(opened, found):
        return
    if not opened.st_nlink:
        what = "was deleted, with what it held,"
        then = "run again to make those turns anew"
    else:
        what = f"was moved{_find_present_place(descriptor)}"
        then = "nothing is lost: move it back and run again to resume"
    raise LogError(
        f"{path} {what} while the run was writing to it, so the run stops; {then}", boundary="log"
    )


def _is_same_file(opened: os.stat_result, found: os.stat_result) -> bool:
    """Whether both are one file; some network file systems number a file anew now and then."""
    return os.path.samestat(opened, found) or opened.st_size == found.st_size


def _find_present_place(descriptor: int) -> str:
    """Return where an open file lies by now, where the system tells that."""
    try:
        return f" to {os.readlink(f'/proc/self/fd/{descriptor}')}"
    except OSError:
        return ""


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
