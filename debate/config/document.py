"""Plain values that remember the file and line they were written on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

Key = str | int
KeyPath = tuple[Key, ...]


class Problem(NamedTuple):
    """One thing that is wrong, with what would be right; `path` leads to it inside the document."""

    path: KeyPath
    message: str

    def below(self, path: KeyPath) -> Problem:
        """The same problem of a part that stands at `path` of a larger document."""
        return Problem(path + self.path, self.message)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: a file and a line from 1, or a command-line override."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Document:
    """A plain value with the place of each of its parts; changes make a new document."""

    value: Any
    places: Mapping[KeyPath, Place]
    folder: Path

    def place(self, path: KeyPath) -> Place:
        """Where `path` was written, or the nearest thing around it."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, Place("the configuration"))

    def graft(self, path: KeyPath, branch: Document) -> Document:
        """This document with the whole of `branch` in place of what stands at `path`."""
        kept = {p: at for p, at in self.places.items() if p[: len(path)] != path}
        moved = {path + p: at for p, at in branch.places.items()}
        return replace(self, value=_with(self.value, path, branch.value), places={**kept, **moved})

    def at(self, path: KeyPath) -> Document:
        """The part of this document that stands at `path`."""
        value = self.value
        for key in path:
            value = value[key]
        inside = {p[len(path) :]: at for p, at in self.places.items() if p[: len(path)] == path}
        return Document(value, {(): self.place(path), **inside}, self.folder)

    def has(self, path: KeyPath) -> bool:
        """Whether anything stands at `path`."""
        value = self.value
        for key in path:
            if not holds(value, key):
                return False
            value = value[key]
        return True

    def instead(self, value: Any) -> Document:
        """Another value, as if it were written where this one is."""
        return Document(value, {(): self.place(())}, self.folder)

    def under(self, over: Document) -> Document:
        """Two mappings merged, deeply; `over` wins."""
        merged = self
        for key, value in over.value.items():
            below, branch = self.value.get(key), over.at((key,))
            if isinstance(value, dict) and isinstance(below, dict):
                branch = self.at((key,)).under(branch)
            merged = merged.graft((key,), branch)
        return merged


def holds(value: Any, key: Key) -> bool:
    """Whether a value has a part of this name or number.

    >>> holds({"a": 1}, "a"), holds([7], 0), holds([7], 1), holds("text", 0)
    (True, True, False, False)
    """
    if isinstance(value, dict):
        return key in value
    return isinstance(value, list) and isinstance(key, int) and key < len(value)


def _with(value: Any, path: KeyPath, new: Any) -> Any:
    """A copy of `value` with `new` at `path`; mappings on the way are made where missing."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(value, list) and isinstance(key, int):
        return [*value[:key], _with(value[key], rest, new), *value[key + 1 :]]
    below = value if isinstance(value, dict) else {}
    return {**below, key: _with(below.get(key), rest, new)}
