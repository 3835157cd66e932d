"""Where each debate's lines lie: about 50 bytes a line, so that a million stay in memory."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from debate.hashes import repeated
from debate.log.codec import CorruptLine, decode
from debate.log.lines import DamagedLine, Line, read_lines
from debate.types import DebateKey, Kind

IntArray = npt.NDArray[np.int64]


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


def debate_hash(key: Key | DebateKey) -> int:
    """64 bits for the key's debate."""
    return hash((key.cell, key.question, key.seed))


def key_hash(key: Key) -> int:
    """64 bits for the whole key."""
    return hash((debate_hash(key), key.parts))


class Location(NamedTuple):
    """One line: the file's position in `Index.files`, and its bytes in that file."""

    file: int
    offset: int
    length: int


class Index:
    """Which lines of `files` belong to which debate, oldest first, as they lay there when read.

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

    def add(self, key: Key, location: Location) -> None:
        """Note a line behind all others, before anything is asked."""
        self._debates.append(debate_hash(key))
        self.keys.append(key_hash(key))
        self._files.append(location.file)
        self._offsets.append(location.offset)
        self._lengths.append(location.length)

    def locations(self, debate: DebateKey) -> list[Location]:
        """The lines of a debate (and of any that shares its hash), oldest first."""
        if not self.keys:
            return []
        rows, debates = self._by_debate
        wanted = np.int64(debate_hash(debate))
        first, end = (np.searchsorted(debates, wanted, side=side) for side in ("left", "right"))
        return [self._location(row) for row in rows[first:end]]

    def debates(self) -> Iterator[list[Location]]:
        """The lines of every debate, debate by debate."""
        rows, debates = self._by_debate
        _, starts = np.unique(debates, return_index=True)
        for first, end in pairwise([*starts, len(rows)]):
            yield [self._location(row) for row in rows[first:end]]

    @cached_property
    def _by_debate(self) -> tuple[IntArray, IntArray]:
        """The lines' numbers, those of a debate side by side and in order; and their debates."""
        debates = np.frombuffer(self._debates, dtype=np.int64)
        rows = np.argsort(debates, kind="stable")
        return rows, debates[rows]

    def _location(self, row: int) -> Location:
        return Location(self._files[row], self._offsets[row], self._lengths[row])


def build_index(files: Iterable[Path], kind: type[K]) -> Index:
    """Read every line's key; what has none is listed in `damaged`."""
    index = Index(files)
    for number, line, key in keyed_lines(index.files, kind, damaged=index.damaged):
        index.add(key, Location(number, line.offset, len(line.raw)))
    return index


def keyed_lines(
    files: Sequence[Path], kind: type[K], *, damaged: list[DamagedLine] | None = None
) -> Iterator[tuple[int, Line, K]]:
    """Every line that has a key: its file's position, itself, its key. `damaged` takes the rest."""
    for number, path in enumerate(files):
        for line in read_lines(path):
            try:
                yield number, line, decode(line.raw, kind)
            except CorruptLine as error:
                if damaged is not None:
                    damaged.append(DamagedLine(path, line, str(error)))


def superseded(files: Sequence[Path], keys: array[int], kind: type[K]) -> dict[Path, set[int]]:
    """The offsets of lines that a later line of the same key replaces, by file.

    `keys` are the hashes of all lines' keys. The files are read only where some are equal.
    """
    twice = set(repeated(keys).tolist())
    last: dict[Hashable, tuple[int, Line]] = {}
    replaced: dict[Path, set[int]] = defaultdict(set)
    for number, line, key in keyed_lines(files, kind) if twice else ():
        if key_hash(key) not in twice:
            continue
        whole = (key.cell, key.question, key.seed, key.parts)
        if whole in last:
            before, old = last[whole]
            replaced[files[before]].add(old.offset)
        last[whole] = number, line
    return dict(replaced)
