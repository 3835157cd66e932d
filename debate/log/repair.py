"""Repair a folder of lines: nothing torn or corrupted, no key twice, no orphans, one file.

Orphaned records are whole lines that are no part of what their debate became. A call that failed
can send its debate down another path: its critics stay silent, or it goes on where it would have
ended. When the call is made again the debate leads back, and the lines of the abandoned path must
not count. Their keys are noted in a file before the lines are moved, so that after a crash in
between the next repair moves them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from debate.log.codec import CorruptLine, decode_line
from debate.log.disk import (
    append_durably,
    open_file,
    open_replacement,
    sync_folder,
    wrap_disk_errors,
    write_in_chunks,
)
from debate.log.files import (
    FIRST_SHARD,
    ORPHANS,
    QUARANTINE,
    SUPERSEDED,
    TURNS,
    VERDICTS,
    DamagedLine,
    LogProblem,
    format_place,
    has_final_newline,
    list_shards,
    make_shard_path,
    read_lines,
)
from debate.log.index import (
    DebateRecords,
    K,
    LineIndex,
    LineKey,
    TurnKey,
    VerdictKey,
    build_index,
    find_superseded,
)
from debate.types import DebateKey, format_turn_ref

_CHUNK_BYTES = 1 << 20


class RepairedFolder(NamedTuple):
    """The lines of a folder after repair, and the problems that were found."""

    lines: LineIndex
    problems: tuple[LogProblem, ...]


def repair_folder(directory: Path, folder: str, kind: type[LineKey]) -> RepairedFolder:
    """Repair the files of one folder, which nobody else may be writing.

    Lines that cannot be read go to quarantine, other shards' lines behind those of the first
    shard, superseded and orphaned lines to the folder for those. Each step is atomic and may be
    repeated. Reads each file once where there is nothing to repair.
    """
    index = build_index(list_shards(directory, folder), kind)
    problems = tuple(damaged.problem for damaged in index.damaged)
    if problems or _needs_joining(index.files):
        _quarantine(directory, index.damaged)
        _join_shards(directory, folder)
        index = build_index(list_shards(directory, folder), kind)
    replaced = find_superseded(index.files, index.keys, kind)
    for path, offsets in find_orphans(directory, folder, index.files, kind).items():
        replaced.setdefault(path, set()).update(offsets)
    if replaced:
        for path, offsets in replaced.items():
            _set_aside(directory / SUPERSEDED, path, offsets)
        index = build_index(index.files, kind)
    remove_orphan_notes(directory, folder)
    return RepairedFolder(index, problems)


def _needs_joining(files: list[Path]) -> bool:
    return any(path.stem != FIRST_SHARD or not has_final_newline(path) for path in files)


def _quarantine(directory: Path, damaged: Iterable[DamagedLine]) -> None:
    """Move unreadable lines to the quarantine, each with its place and reason."""
    by_path: dict[Path, list[DamagedLine]] = defaultdict(list)
    for each in damaged:
        by_path[each.path].append(each)
    for path, lines in by_path.items():
        kept = b"".join(_encode_damaged(line) for line in lines)
        append_durably(directory / QUARANTINE / _make_flat_name(path), kept)
        if len(lines) == 1 and lines[0].line.is_torn:
            _truncate(path, lines[0].line.offset)
        else:
            _drop_lines(path, {damaged.line.offset for damaged in lines})


def _encode_damaged(damaged: DamagedLine) -> bytes:
    entry = {
        "place": format_place(damaged.path, damaged.line.number),
        "reason": damaged.reason,
        "text": damaged.line.raw.decode(errors="backslashreplace"),
    }
    return msgspec.json.encode(entry) + b"\n"


def _join_shards(directory: Path, folder: str) -> None:
    """Append the other shards' files to the first shard's, each ended by a newline; remove them."""
    first = make_shard_path(directory, folder, FIRST_SHARD)
    append_durably(first, b"")
    if not has_final_newline(first):
        append_durably(first, b"\n")
    for path in list_shards(directory, folder):
        if path == first:
            continue
        with (
            wrap_disk_errors(first, "append"),
            open(open_file(first, os.O_WRONLY | os.O_APPEND), "ab") as target,
            path.open("rb") as source,
        ):
            shutil.copyfileobj(source, target, _CHUNK_BYTES)
            target.write(b"" if has_final_newline(path) else b"\n")
            target.flush()
            os.fsync(target.fileno())
        path.unlink()
        sync_folder(path.parent)


def _set_aside(folder: Path, path: Path, offsets: set[int]) -> None:
    """Move lines to the folder of superseded ones: written there first, then dropped here."""
    moved = (line.raw for line in read_lines(path) if line.offset in offsets)
    append_durably(folder / _make_flat_name(path), b"".join(moved))
    _drop_lines(path, offsets)


def _drop_lines(path: Path, offsets: set[int]) -> None:
    """Replace a file atomically by one without the lines at these offsets."""
    with open_replacement(path) as descriptor:
        kept = (line.raw for line in read_lines(path) if line.offset not in offsets)
        write_in_chunks(descriptor, kept)


def _truncate(path: Path, length: int) -> None:
    with (
        wrap_disk_errors(path, "cut the torn last line off"),
        open(open_file(path, os.O_RDWR), "r+b") as file,
    ):
        file.truncate(length)
        os.fsync(file.fileno())


def _make_flat_name(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"


class OrphanNotes:
    """The keys of orphaned records that a process has found; none where its run began empty."""

    def __init__(
        self, directory: Path, shard: str, turns: DebateRecords, verdicts: DebateRecords
    ) -> None:
        self._directory = directory
        self._shard = shard
        self._turns, self._verdicts = turns, verdicts
        self._may_exist = len(turns) > 0 or len(verdicts) > 0
        self._found: dict[str, list[LineKey]] = {TURNS: [], VERDICTS: []}

    def collect(
        self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]
    ) -> None:
        """Collect the debate's recorded turns not in `turns`, and its verdicts not on `rounds`."""
        if not self._may_exist:
            return
        turn_keys = self._turns.read_keys(debate, TurnKey)
        verdict_keys = self._verdicts.read_keys(debate, VerdictKey)
        self._found[TURNS] += [key for key in turn_keys if _make_ref(key) not in turns]
        self._found[VERDICTS] += [key for key in verdict_keys if key.round not in rounds]

    def write(self) -> None:
        """Write the collected keys to disk."""
        for folder, keys in self._found.items():
            if keys:
                path = self._directory / ORPHANS / f"{folder}-{self._shard}.jsonl"
                append_durably(path, b"".join(map(_encode_key, keys)))
                keys.clear()


def has_orphans(directory: Path, folder: str) -> bool:
    """Whether lines of a folder are noted as orphaned and not yet moved."""
    return any(True for _ in _list_notes(directory, folder))


def find_orphans(
    directory: Path, folder: str, files: Iterable[Path], kind: type[K]
) -> dict[Path, set[int]]:
    """Return the offsets of the lines that are noted as orphaned, by file."""
    noted = {tuple(_to_plain(key).items()) for key in _read_notes(directory, folder, kind)}
    found: dict[Path, set[int]] = {}
    for path in files if noted else ():
        for line in read_lines(path):
            key = decode_line(line.raw, kind)
            if tuple(_to_plain(key).items()) in noted:
                found.setdefault(path, set()).add(line.offset)
    return found


def remove_orphan_notes(directory: Path, folder: str) -> None:
    """Remove the notes of a folder, once their lines are moved."""
    for path in list(_list_notes(directory, folder)):
        with wrap_disk_errors(path, "remove"):
            path.unlink()
            sync_folder(path.parent)


def _list_notes(directory: Path, folder: str) -> Iterator[Path]:
    return (directory / ORPHANS).glob(f"{folder}-*.jsonl")


def _read_notes(directory: Path, folder: str, kind: type[K]) -> Iterator[K]:
    """Yield the noted keys. A torn note is skipped: its line will be found orphaned again."""
    for path in _list_notes(directory, folder):
        for line in read_lines(path):
            try:
                yield decode_line(line.raw, kind)
            except CorruptLine:
                continue


def _make_ref(key: TurnKey) -> str:
    return format_turn_ref(round=key.round, kind=key.kind, agent=key.agent, about=key.about)


def _to_plain(key: LineKey) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(key)
    return fields


def _encode_key(key: LineKey) -> bytes:
    return json.dumps(_to_plain(key)).encode() + b"\n"
