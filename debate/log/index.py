"""An index of the lines of each debate: about 50 bytes a line, so that a million fit in memory."""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from debate.errors import LogError
from debate.hashes import find_repeated
from debate.log.codec import CorruptLine, decode_line
from debate.log.disk import wrap_disk_errors
from debate.log.false_numbers import drop_false_numbers
from debate.log.files import (
    DamagedLine,
    LogLine,
    LogProblem,
    format_place,
    list_shards,
    read_lines,
    read_values,
)
from debate.types import DebateKey, Kind, Turn, Verdict

IntArray = npt.NDArray[np.int64]


class TurnKey(msgspec.Struct, gc=False, frozen=True):
    """The fields that tell one turn from all others of a run."""

    cell: str
    question: str
    seed: int
    round: int
    kind: Kind
    agent: str
    about: str | None = None

    @property
    def parts(self) -> tuple[str | int | None, ...]:
        """The key inside its debate."""
        return (self.round, self.kind, self.agent, self.about)


class VerdictKey(msgspec.Struct, gc=False, frozen=True):
    """The fields that tell one verdict from all others of a run."""

    cell: str
    question: str
    seed: int
    round: int
    method: str

    @property
    def parts(self) -> tuple[str | int | None, ...]:
        """The key inside its debate."""
        return (self.round, self.method)


LineKey = TurnKey | VerdictKey
K = TypeVar("K", bound=LineKey)
RecordT = TypeVar("RecordT", Turn, Verdict)
T = TypeVar("T")


def hash_debate(key: LineKey | DebateKey) -> int:
    """Return the 64-bit hash of the key's debate."""
    return hash((key.cell, key.question, key.seed))


def hash_key(key: LineKey) -> int:
    """Return the 64-bit hash of the whole key."""
    return hash((hash_debate(key), key.parts))


class LineLocation(NamedTuple):
    """One line: the file's position in `LineIndex.files`, and its bytes there."""

    file: int
    offset: int
    length: int


class LineIndex:
    """The lines of `files` by debate, oldest first, as they lay there when read.

    Debates and keys are told apart by their 64-bit hash. Two debates may share one, so whoever
    reads the lines of a debate compares what is read with what was asked for.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self.files = list(files)
        self.damaged: list[DamagedLine] = []
        self.keys = array("q")
        self._debates = array("q")
        self._files = array("H")
        self._offsets = array("q")
        self._lengths = array("q")

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, key: LineKey, location: LineLocation) -> None:
        """Add a line behind all others; to be called before any look-up."""
        self._debates.append(hash_debate(key))
        self.keys.append(hash_key(key))
        self._files.append(location.file)
        self._offsets.append(location.offset)
        self._lengths.append(location.length)

    def find_locations(self, debate: DebateKey) -> list[LineLocation]:
        """Return the lines of a debate (and of any that shares its hash), oldest first."""
        if not self.keys:
            return []
        rows, debates = self._by_debate
        wanted = np.int64(hash_debate(debate))
        first, end = (np.searchsorted(debates, wanted, side=side) for side in ("left", "right"))
        return [self._make_location(row) for row in rows[first:end]]

    def iter_debates(self) -> Iterator[list[LineLocation]]:
        """Yield the lines of one debate after another."""
        rows, debates = self._by_debate
        _, starts = np.unique(debates, return_index=True)
        for first, end in pairwise([*starts, len(rows)]):
            yield [self._make_location(row) for row in rows[first:end]]

    @cached_property
    def _by_debate(self) -> tuple[IntArray, IntArray]:
        """The lines' numbers sorted by debate, oldest first in each, and their debates' hashes."""
        debates = np.frombuffer(self._debates, dtype=np.int64)
        rows = np.argsort(debates, kind="stable")
        return rows, debates[rows]

    def _make_location(self, row: int) -> LineLocation:
        return LineLocation(self._files[row], self._offsets[row], self._lengths[row])


def build_index(files: Iterable[Path], kind: type[K]) -> LineIndex:
    """Read every line's key; lines without one are listed in `damaged`."""
    index = LineIndex(files)
    for number, line, key in read_keyed_lines(index.files, kind, damaged=index.damaged):
        index.add(key, LineLocation(number, line.offset, len(line.raw)))
    return index


def read_keyed_lines(
    files: Sequence[Path], kind: type[K], *, damaged: list[DamagedLine] | None = None
) -> Iterator[tuple[int, LogLine, K]]:
    """Yield each line that has a key: its file's position, itself, its key.

    The others are appended to `damaged`.
    """
    for number, path in enumerate(files):
        for line in read_lines(path):
            try:
                yield number, line, decode_line(line.raw, kind)
            except CorruptLine as error:
                if damaged is not None:
                    damaged.append(DamagedLine(path, line, str(error)))


def find_superseded(files: Sequence[Path], keys: array[int], kind: type[K]) -> dict[Path, set[int]]:
    """Return, by file, the offsets of lines that a later line of the same key replaces.

    `keys` are the hashes of all lines' keys. The files are read only where some are equal.
    """
    twice = set(find_repeated(keys).tolist())
    last: dict[Hashable, tuple[int, LogLine]] = {}
    replaced: dict[Path, set[int]] = defaultdict(set)
    for number, line, key in read_keyed_lines(files, kind) if twice else ():
        if hash_key(key) not in twice:
            continue
        whole = (key.cell, key.question, key.seed, key.parts)
        if whole in last:
            before, old = last[whole]
            replaced[files[before]].add(old.offset)
        last[whole] = number, line
    return dict(replaced)


class DebateRecords:
    """The lines of an index, one debate at a time; `problems` gathers what cannot be read.

    Lines may be added before they are on disk: `flush`, where it is set, is called to write them
    when one is read too early. Added lines of a debate that is over can be forgotten, so that
    memory does not grow with their number. Numbers that are none are absent, unless values are read
    `as_written`.
    """

    def __init__(self, index: LineIndex, *, as_written: bool = False) -> None:
        self.problems: list[LogProblem] = []
        self.flush: Callable[[], None] | None = None
        self._index = index
        self._as_written = as_written
        self._added: dict[int, list[LineLocation]] = {}
        self._keys = array("q")
        self._descriptors: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._index) + len(self._keys)

    @property
    def has_repeats(self) -> bool:
        """Whether some key may stand on more than one line."""
        return len(find_repeated(self._index.keys + self._keys)) > 0

    def register_file(self, path: Path) -> int:
        """Return the number by which locations name a file, which is added if it is new."""
        files = self._index.files
        if path not in files:
            files.append(path)
        return files.index(path)

    def add(self, key: LineKey, location: LineLocation) -> None:
        """Add a line that was just written, or is about to be."""
        self._added.setdefault(hash_debate(key), []).append(location)
        self._keys.append(hash_key(key))

    def forget(self, debate: DebateKey) -> None:
        """Forget the added lines of a debate that is over."""
        self._added.pop(hash_debate(debate), None)

    def read_debate(self, debate: DebateKey, kind: type[RecordT]) -> Iterator[RecordT]:
        """Yield the values of a debate as they were written, oldest first, repeats included."""
        for location in self._find_locations(debate):
            value = self.read_value(location, kind)
            if value and value.debate == debate:
                yield value

    def read_keys(self, debate: DebateKey, kind: type[K]) -> Iterator[K]:
        """Yield the keys on a debate's lines, oldest first, repeats included."""
        for location in self._find_locations(debate):
            key = self._read_key(location, kind)
            if (key.cell, key.question, key.seed) == (debate.cell, debate.question, debate.seed):
                yield key

    def iter_debates(self, kind: type[RecordT]) -> Iterator[tuple[DebateKey, list[RecordT]]]:
        """Yield each debate with its indexed values, repeats included."""
        for locations in self._index.iter_debates():
            gathered: dict[DebateKey, list[RecordT]] = {}
            for location in locations:
                if value := self.read_value(location, kind):
                    gathered.setdefault(value.debate, []).append(value)
            yield from gathered.items()

    def read_value(self, location: LineLocation, kind: type[RecordT]) -> RecordT | None:
        """Return the value on a line; None, and one problem more, where it cannot be read."""
        try:
            value = decode_line(self._read_line(location), kind)
            return value if self._as_written else drop_false_numbers(value).value
        except CorruptLine as error:
            path = self._index.files[location.file]
            where = f"{format_place(path)} at byte {location.offset}"
            self.problems.append(LogProblem(place=where, what=f"corrupted line ({error})"))
            return None

    def _read_key(self, location: LineLocation, kind: type[K]) -> K:
        try:
            return decode_line(self._read_line(location), kind)
        except CorruptLine as error:
            place = f"{self._index.files[location.file]} at byte {location.offset}"
            raise LogError(
                f"{place}: {error}: the file was changed while in use; run again to repair it",
                boundary="log",
            ) from error

    def close(self) -> None:
        """Close the files; a later read opens them again."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def _find_locations(self, debate: DebateKey) -> list[LineLocation]:
        return [*self._index.find_locations(debate), *self._added.get(hash_debate(debate), ())]

    def _read_line(self, location: LineLocation) -> bytes:
        path = self._index.files[location.file]
        with wrap_disk_errors(path, "read"):
            if location.file not in self._descriptors:
                self._descriptors[location.file] = os.open(path, os.O_RDONLY)
            raw = self._read_bytes(location)
            if len(raw) < location.length and self.flush:
                self.flush()
                raw = self._read_bytes(location)
        if len(raw) < location.length:
            raise LogError(f"{path}: the file became shorter while in use", boundary="log")
        return raw

    def _read_bytes(self, location: LineLocation) -> bytes:
        return os.pread(self._descriptors[location.file], location.length, location.offset)


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderSnapshot:
    """The lines of a folder that count at one moment: the last of each key, and nothing torn.

    By file, `ends` tells how many bytes to read and `superseded` which offsets to skip.
    """

    ends: dict[Path, int]
    superseded: dict[Path, set[int]]
    num_lines: int

    def __len__(self) -> int:
        return self.num_lines - sum(map(len, self.superseded.values()))

    def read_values(self, kind: type[T]) -> Iterator[T]:
        """Yield the lines that count, decoded; a corrupted one is skipped with a warning."""
        for path, end in self.ends.items():
            yield from read_values(path, kind, end=end, without=self.superseded.get(path, set()))


def take_snapshot(
    directory: Path, folder: str, kind: type[K], *, on_key: Callable[[K], None] | None = None
) -> FolderSnapshot:
    """Read every key of a folder to tell which lines count. `on_key` is called with each key."""
    files = list_shards(directory, folder)
    ends = {path: path.stat().st_size for path in files}
    keys = array("q")
    for _, _, key in read_keyed_lines(files, kind):
        keys.append(hash_key(key))
        if on_key:
            on_key(key)
    return FolderSnapshot(
        ends=ends, superseded=find_superseded(files, keys, kind), num_lines=len(keys)
    )
