"""Where each debate's lines lie: about 30 bytes a line, so that a million stay in memory."""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from debate.log.codec import CorruptLine, decode
from debate.log.lines import DamagedLine, read_lines
from debate.types import DebateKey, Kind

_END = -1


class TurnKey(msgspec.Struct, gc=False, frozen=True):
    """What tells one turn from all others of a run, under the turn's own field names."""

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
    """What tells one verdict from all others of a run."""

    cell: str
    question: str
    seed: int
    round: int
    method: str

    @property
    def parts(self) -> tuple[str | int | None, ...]:
        """The key inside its debate."""
        return (self.round, self.method)


Key = TurnKey | VerdictKey
K = TypeVar("K", bound=Key)


class Location(NamedTuple):
    """One line: the file's position in `Index.files`, and its bytes in that file."""

    file: int
    offset: int
    length: int


class Index:
    """Which lines of `files` belong to which debate, oldest first.

    Debates and keys are told apart by their 64-bit hash. Two that share a hash share a chain, so
    whoever reads a chain compares what is read with what was asked for.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self.files = list(files)
        self._positions = {path: number for number, path in enumerate(self.files)}
        self.damaged: list[DamagedLine] = []
        self._newest: dict[int, int] = {}
        self._older = array("q")
        self._keys = array("q")
        self._files = array("H")
        self._offsets = array("q")
        self._lengths = array("q")

    def __len__(self) -> int:
        return len(self._older)

    def position(self, path: Path) -> int:
        """The file's position in `files`, behind the others where it is new."""
        if path not in self._positions:
            self._positions[path] = len(self.files)
            self.files.append(path)
        return self._positions[path]

    def add(self, debate: Hashable, parts: Hashable, location: Location) -> None:
        """Note a line behind all others of its debate."""
        chain = hash(debate)
        self._older.append(self._newest.get(chain, _END))
        self._newest[chain] = len(self._keys)
        self._keys.append(hash((chain, parts)))
        self._files.append(location.file)
        self._offsets.append(location.offset)
        self._lengths.append(location.length)

    def locations(self, debate: DebateKey) -> list[Location]:
        """The lines of a debate (and of any that shares its hash), oldest first."""
        found = []
        row = self._newest.get(hash((debate.cell, debate.question, debate.seed)), _END)
        while row != _END:
            found.append(self._location(row))
            row = self._older[row]
        return found[::-1]

    def chains(self) -> Iterator[list[Location]]:
        """The lines of every debate, debate by debate."""
        for newest in self._newest.values():
            rows = [newest]
            while (older := self._older[rows[-1]]) != _END:
                rows.append(older)
            yield [self._location(row) for row in reversed(rows)]

    def repeated(self) -> list[Location]:
        """The lines whose key (or whose key's hash) another line has too, oldest first."""
        keys = np.frombuffer(self._keys, dtype=np.int64)
        ordered = np.sort(keys)
        if not (ordered[1:] == ordered[:-1]).any():
            return []  # nearly always; finding out which would take several times the memory
        _, group, count = np.unique(keys, return_inverse=True, return_counts=True)
        return [self._location(int(row)) for row in np.flatnonzero(count[group] > 1)]

    def _location(self, row: int) -> Location:
        return Location(self._files[row], self._offsets[row], self._lengths[row])


def build_index(
    files: Iterable[Path], kind: type[K], *, see: Callable[[K], None] | None = None
) -> Index:
    """Read every line's key; what has none is listed in `damaged`. `see` is shown each key."""
    index = Index(files)
    for number, path in enumerate(index.files):
        for line in read_lines(path):
            try:
                key = decode(line.raw, kind)
            except CorruptLine as error:
                index.damaged.append(DamagedLine(path, line, str(error)))
                continue
            debate = (key.cell, key.question, key.seed)
            index.add(debate, key.parts, Location(number, line.offset, len(line.raw)))
            if see:
                see(key)
    return index


def superseded(index: Index, kind: type[K]) -> dict[Path, set[int]]:
    """The offsets of lines that a later line of the same key replaces, by file."""
    last: dict[Hashable, Location] = {}
    replaced: dict[Path, set[int]] = defaultdict(set)
    for location in index.repeated():
        line = decode(read_location(index, location), kind)
        key = (line.cell, line.question, line.seed, line.parts)
        if old := last.get(key):
            replaced[index.files[old.file]].add(old.offset)
        last[key] = location
    return dict(replaced)


def read_location(index: Index, location: Location) -> bytes:
    """The bytes of one line."""
    with index.files[location.file].open("rb") as file:
        return os.pread(file.fileno(), location.length, location.offset)
