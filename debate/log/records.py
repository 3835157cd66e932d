"""What a folder of lines holds of each debate, read from disk when asked for."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from debate.errors import LogError
from debate.hashes import repeated
from debate.log.codec import CorruptLine, decode
from debate.log.disk import on_disk
from debate.log.index import Index, K, Key, Location, debate_hash, key_hash
from debate.log.layout import Problem, place
from debate.types import DebateKey, Turn, Verdict

T = TypeVar("T", Turn, Verdict)


class Records:
    """The lines of an index, one debate at a time; `problems` gathers what cannot be read.

    Lines may be added. One that is not there yet is waited for by `catch_up`, where the files are
    being written; those of a debate that is over are forgotten, so that memory stays flat however
    many there are.
    """

    def __init__(self, index: Index) -> None:
        self.problems: list[Problem] = []
        self.catch_up: Callable[[], None] | None = None
        self._index = index
        self._added: dict[int, list[Location]] = {}
        self._keys = array("q")
        self._descriptors: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._index) + len(self._keys)

    @property
    def has_repeats(self) -> bool:
        """Whether some key may stand on more than one line."""
        return len(repeated(self._index.keys + self._keys)) > 0

    def position(self, path: Path) -> int:
        """The number by which locations name a file."""
        files = self._index.files
        if path not in files:
            files.append(path)
        return files.index(path)

    def add(self, key: Key, location: Location) -> None:
        """Note a line that was just written, or is about to be."""
        self._added.setdefault(debate_hash(key), []).append(location)
        self._keys.append(key_hash(key))

    def forget(self, debate: DebateKey) -> None:
        """Forget where the debate's added lines lie: it is over."""
        self._added.pop(debate_hash(debate), None)

    def of(self, debate: DebateKey, kind: type[T]) -> Iterator[T]:
        """The values of a debate as they were written, oldest first, repeats included."""
        for location in self._locations(debate):
            value = self.at(location, kind)
            if value and value.debate == debate:
                yield value

    def keys_of(self, debate: DebateKey, kind: type[K]) -> Iterator[K]:
        """The keys on a debate's lines, oldest first, repeats included."""
        for location in self._locations(debate):
            key = decode(self._raw(location), kind)
            if (key.cell, key.question, key.seed) == (debate.cell, debate.question, debate.seed):
                yield key

    def by_debate(self, kind: type[T]) -> Iterator[tuple[DebateKey, list[T]]]:
        """The indexed values of every debate, debate by debate, repeats included."""
        for locations in self._index.debates():
            gathered: dict[DebateKey, list[T]] = {}
            for location in locations:
                if value := self.at(location, kind):
                    gathered.setdefault(value.debate, []).append(value)
            yield from gathered.items()

    def at(self, location: Location, kind: type[T]) -> T | None:
        """The value on a line; None, and a problem more, where it cannot be read."""
        try:
            return decode(self._raw(location), kind)
        except CorruptLine as error:
            path = self._index.files[location.file]
            where = f"{place(path)} at byte {location.offset}"
            self.problems.append(Problem(place=where, what=f"corrupted line ({error})"))
            return None

    def close(self) -> None:
        """Close the files; reading again opens them again."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def _locations(self, debate: DebateKey) -> list[Location]:
        return [*self._index.locations(debate), *self._added.get(debate_hash(debate), ())]

    def _raw(self, location: Location) -> bytes:
        path = self._index.files[location.file]
        with on_disk(path, "read"):
            if location.file not in self._descriptors:
                self._descriptors[location.file] = os.open(path, os.O_RDONLY)
            raw = self._read(location)
            if len(raw) < location.length and self.catch_up:
                self.catch_up()
                raw = self._read(location)
        if len(raw) < location.length:
            raise LogError(f"{path}: the file became shorter while in use", boundary="log")
        return raw

    def _read(self, location: Location) -> bytes:
        return os.pread(self._descriptors[location.file], location.length, location.offset)
