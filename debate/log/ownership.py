"""Whose a run directory is: no other files in it, no links, and one process that writes to it.

What is written is locked, besides a file of its own: deleting that file lets nobody in.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from debate.errors import InputError, RunConflict
from debate.input_files import find_file_problem
from debate.log.codec import encode_line
from debate.log.disk import open_file, refuse_link, wrap_disk_errors, write_all
from debate.log.files import (
    LOCK,
    MANIFEST,
    ORPHANS,
    QUARANTINE,
    QUESTIONS,
    REPORT,
    SUPERSEDED,
    TURNS,
    VERDICTS,
    format_place,
    list_shards,
)
from debate.log.manifest import read_manifest
from debate.types import Question

_FOLDERS = (TURNS, VERDICTS, QUARANTINE, SUPERSEDED, ORPHANS)
_FILES = re.compile(r"manifest\.json|(questions|utilisation)\.jsonl|lock(\.\d+)?")
_DRAFTS = (f"{MANIFEST}.tmp", f"{QUESTIONS}.tmp")
_SIGNED = re.compile(rb"(\d+ \S+)?")
_MAX_SIGNATURE = 300
_MAX_NAMED = 5
_BUSY_ERRORS = (errno.EWOULDBLOCK, errno.EACCES)


def require_own_folder(directory: Path, questions: Iterable[Question]) -> None:
    """Raise unless a run of these questions may begin in a directory, or go on there.

    It may in one that is absent, empty, or a run's, and in one with nothing but what a start leaves
    that was killed. Raises RunConflict, InputError where it is a file or its manifest is no run's,
    LogError where the disk refuses. Writes nothing.
    """
    with wrap_disk_errors(directory, "read"):
        if not os.path.isdir(directory):
            if os.path.lexists(directory):
                raise InputError(f"{directory} is no folder; name another directory")
            return
        refuse_links(directory)
        if (directory / MANIFEST).exists():
            read_manifest(directory)
        else:
            _require_no_turns(directory)
            _require_no_files(directory, questions)


def refuse_links(directory: Path) -> None:
    """Raise RunConflict where something in a run's place is a link, or no file or folder at all."""
    refuse_link(directory / REPORT)
    for folder in (directory / name for name in _FOLDERS):
        refuse_link(folder)
        if folder.exists() and not folder.is_dir():
            raise RunConflict(f"{folder} is no folder, as a run has there; name another directory")
    inside = ((directory / name).glob("*.jsonl") for name in _FOLDERS)
    for path in chain(directory.iterdir(), *inside):
        if path.parent == directory and not _FILES.fullmatch(path.name):
            continue
        refuse_link(path)
        if problem := find_file_problem(path):
            raise RunConflict(f"{path} {problem}; remove it, or name another directory")


def _require_no_turns(directory: Path) -> None:
    for path in list_shards(directory, TURNS):
        if path.stat().st_size:
            raise RunConflict(
                f"{directory} has turns ({format_place(path)}) but no {MANIFEST}, "
                "so nobody can tell which run they belong to; name another directory"
            )


def _require_no_files(directory: Path, questions: Iterable[Question]) -> None:
    """Raise RunConflict where files lie in a directory that no killed start has left there."""
    foreign = sorted(p.name for p in directory.iterdir() if not _is_left_over(p, questions))
    if foreign:
        named = ", ".join(foreign[:_MAX_NAMED])
        rest = f" and {len(foreign) - _MAX_NAMED} more" if len(foreign) > _MAX_NAMED else ""
        raise RunConflict(
            f"{directory} holds files that are no run's: {named}{rest}; name another directory"
        )


def _is_left_over(path: Path, questions: Iterable[Question]) -> bool:
    """Whether a start that was killed may have left this file."""
    if path.name in (TURNS, VERDICTS) and path.is_dir():
        return all(p.suffix == ".jsonl" and not p.stat().st_size for p in path.iterdir())
    if path.is_symlink() or not path.is_file():
        return False
    if path.name == LOCK:
        return _read_signature(path) is not None
    if path.name == QUESTIONS:
        return _holds(path, map(encode_line, questions))
    return path.name in _DRAFTS


def _holds(path: Path, lines: Iterable[bytes]) -> bool:
    """Whether a file holds these lines and nothing else."""
    with path.open("rb") as file:
        return all(file.read(len(line)) == line for line in lines) and not file.read(1)


def _read_signature(path: Path) -> str | None:
    """Return what a lock says of its holder; None where the file is no lock."""
    with path.open("rb") as file:
        content = file.read(_MAX_SIGNATURE)
    return content.decode(errors="replace") if _SIGNED.fullmatch(content) else None


class FileLock:
    """An exclusive lock on a file, held from construction until `release`.

    The kernel frees it when its process dies. With `folder` it holds the file's folder too, where
    the file system can: then it outlives the file.
    """

    def __init__(self, path: Path, *, folder: bool = False) -> None:
        """Take the lock. Raises RunConflict naming the process that has it, or for another file."""
        self._path = path
        self._descriptors: list[int] = []
        try:
            if folder:
                self._lock_folder()
            with wrap_disk_errors(path, "open the lock"):
                self._file = open_file(path, os.O_RDWR)
            self._descriptors.append(self._file)
            if _read_signature(path) is None:
                raise RunConflict(f"{path} is a file of somebody else's; name another directory")
            lock_file(path, self._file)
        except BaseException:
            self.release()
            raise

    def sign(self) -> None:
        """Write into the file which process holds it."""
        with wrap_disk_errors(self._path, "write the lock"):
            os.ftruncate(self._file, 0)
            write_all(self._file, f"{os.getpid()} {socket.gethostname()}".encode())

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _lock_folder(self) -> None:
        folder = self._path.parent
        with wrap_disk_errors(folder, "open"):
            self._descriptors.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        try:
            fcntl.flock(self._descriptors[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY_ERRORS:
                raise _make_conflict(self._path) from None
            # the file system locks files alone, as some on a network do


def lock_file(path: Path, descriptor: int) -> None:
    """Lock an open file until it is closed. Raises RunConflict where another process has it."""
    if not _try_lock(path, descriptor, fcntl.LOCK_EX):
        raise _make_conflict(path)


def require_free(directory: Path) -> None:
    """Raise RunConflict where a process writes to one of the shards; takes no lock."""
    for path in _list_shard_locks(directory):
        if _is_held(path):
            raise _make_conflict(path)


def is_in_use(directory: Path) -> bool:
    """Whether some process writes to the run directory now."""
    return any(map(_is_held, (directory / LOCK, *_list_shard_locks(directory))))


def _list_shard_locks(directory: Path) -> Iterator[Path]:
    """The files that are locked while somebody writes, but for the lock of the whole run."""
    yield from directory.glob(f"{LOCK}.*")
    yield from list_shards(directory, TURNS)
    yield from list_shards(directory, VERDICTS)


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return not _try_lock(path, file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _try_lock(path: Path, descriptor: int, mode: int) -> bool:
    with wrap_disk_errors(path, "lock"):
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY_ERRORS:
                return False
            raise
        return True


def _make_conflict(path: Path) -> RunConflict:
    """Say which process has what is locked, by the lock beside it."""
    signed = None
    folder = path.parent.parent if path.parent.name in _FOLDERS else path.parent
    lock = path if path.name.startswith(LOCK) else folder / LOCK
    with suppress(OSError):
        signed = _read_signature(lock)
    pid, _, host = (signed or "").partition(" ")
    holder = f"process {pid} on {host}" if host else "another process"
    return RunConflict(
        f"{folder} is in use by {holder}; wait for its end, stop that process, or name another "
        "directory (deleting files here, even the lock, does not free it)"
    )
