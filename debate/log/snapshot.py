"""A folder's lines as they count at one moment: the last of each key, and nothing torn."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from debate.log.index import K, key_hash, keyed_lines, superseded
from debate.log.layout import shard_files
from debate.log.lines import read_values

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """Which lines count: by file, how many bytes to read and which offsets to pass over."""

    ends: dict[Path, int]
    superseded: dict[Path, set[int]]
    num_lines: int

    def __len__(self) -> int:
        return self.num_lines - sum(map(len, self.superseded.values()))

    def rows(self, kind: type[T]) -> Iterator[T]:
        """The lines that count, decoded; warns of a corrupted one and passes over it."""
        for path, end in self.ends.items():
            yield from read_values(path, kind, end=end, without=self.superseded.get(path, set()))


def snapshot(
    directory: Path, folder: str, kind: type[K], *, see: Callable[[K], None] | None = None
) -> Snapshot:
    """Read every key of a folder to tell which lines count. `see` is shown each key."""
    files = shard_files(directory, folder)
    ends = {path: path.stat().st_size for path in files}
    keys = array("q")
    for _, _, key in keyed_lines(files, kind):
        keys.append(key_hash(key))
        if see:
            see(key)
    return Snapshot(ends=ends, superseded=superseded(files, keys, kind), num_lines=len(keys))
