"""Leave a folder of lines whole: nothing torn, nothing corrupted, no key twice, one file."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from debate.log.disk import append_durably, on_disk, replacing, sync_folder, write_in_chunks
from debate.log.index import Index, Key, build_index, superseded
from debate.log.layout import (
    FIRST_SHARD,
    QUARANTINE,
    SUPERSEDED,
    Problem,
    place,
    shard_file,
    shard_files,
)
from debate.log.lines import DamagedLine, read_lines
from debate.log.strays import forget_strays, stray_lines

_CHUNK = 1 << 20


class Mended(NamedTuple):
    """A folder's lines after repair, and what was wrong with them."""

    lines: Index
    problems: tuple[Problem, ...]


def mend(directory: Path, folder: str, kind: type[Key]) -> Mended:
    """Repair the files of one folder, which nobody else may be writing.

    Lines that cannot be read go to quarantine, other shards' lines behind those of the first
    shard, superseded and stray lines to the folder for those. Each step is whole or has not
    happened, and doing it again does no harm. Reads each file once where there is nothing to mend.
    """
    index = build_index(shard_files(directory, folder), kind)
    problems = tuple(damaged.problem for damaged in index.damaged)
    if problems or _needs_joining(index.files):
        _quarantine(directory, index.damaged)
        _join(directory, folder)
        index = build_index(shard_files(directory, folder), kind)
    replaced = superseded(index.files, index.keys, kind)
    for path, offsets in stray_lines(directory, folder, index.files, kind).items():
        replaced.setdefault(path, set()).update(offsets)
    if replaced:
        for path, offsets in replaced.items():
            _set_aside(directory / SUPERSEDED, path, offsets)
        index = build_index(index.files, kind)
    forget_strays(directory, folder)
    return Mended(index, problems)


def _needs_joining(files: list[Path]) -> bool:
    return any(path.stem != FIRST_SHARD or not _ends_whole(path) for path in files)


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        return not file.seek(0, os.SEEK_END) or os.pread(file.fileno(), 1, file.tell() - 1) == b"\n"


def _quarantine(directory: Path, damaged: Iterable[DamagedLine]) -> None:
    """Move unreadable lines out of the way, each with its place and reason."""
    by_path: dict[Path, list[DamagedLine]] = defaultdict(list)
    for each in damaged:
        by_path[each.path].append(each)
    for path, lines in by_path.items():
        kept = b"".join(_quarantined(line) for line in lines)
        append_durably(directory / QUARANTINE / _flat_name(path), kept)
        if len(lines) == 1 and lines[0].line.is_torn:
            _cut(path, lines[0].line.offset)
        else:
            _drop(path, {damaged.line.offset for damaged in lines})


def _quarantined(damaged: DamagedLine) -> bytes:
    entry = {
        "place": place(damaged.path, damaged.line.number),
        "reason": damaged.reason,
        "text": damaged.line.raw.decode(errors="backslashreplace"),
    }
    return msgspec.json.encode(entry) + b"\n"


def _join(directory: Path, folder: str) -> None:
    """Append the other shards' files to the first shard's, end it whole, and remove them."""
    first = shard_file(directory, folder, FIRST_SHARD)
    append_durably(first, b"")
    if not _ends_whole(first):
        append_durably(first, b"\n")
    for path in shard_files(directory, folder):
        if path == first:
            continue
        with on_disk(first, "append"), first.open("ab") as target, path.open("rb") as source:
            shutil.copyfileobj(source, target, _CHUNK)
            target.write(b"" if _ends_whole(path) else b"\n")
            target.flush()
            os.fsync(target.fileno())
        path.unlink()
        sync_folder(path.parent)


def _set_aside(folder: Path, path: Path, offsets: set[int]) -> None:
    """Move lines to the folder of superseded ones; they are there before they are gone here."""
    moved = (line.raw for line in read_lines(path) if line.offset in offsets)
    append_durably(folder / _flat_name(path), b"".join(moved))
    _drop(path, offsets)


def _drop(path: Path, offsets: set[int]) -> None:
    """Rewrite a file without the lines at these offsets, at once."""
    with replacing(path) as descriptor:
        kept = (line.raw for line in read_lines(path) if line.offset not in offsets)
        write_in_chunks(descriptor, kept)


def _cut(path: Path, length: int) -> None:
    with on_disk(path, "cut the torn last line off"), path.open("r+b") as file:
        file.truncate(length)
        os.fsync(file.fileno())


def _flat_name(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"
