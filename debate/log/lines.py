"""Files of one value a line, read so that damage has a place."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from debate.log.codec import CorruptLine, decode
from debate.log.layout import Problem, place

T = TypeVar("T")


class Line(NamedTuple):
    """One line of a file as it is: its number from 1, its byte offset, its bytes."""

    number: int
    offset: int
    raw: bytes

    @property
    def is_torn(self) -> bool:
        """Whether writing stopped inside this line."""
        return not self.raw.endswith(b"\n")


class DamagedLine(NamedTuple):
    """A line that cannot be read, and why."""

    path: Path
    line: Line
    reason: str

    @property
    def problem(self) -> Problem:
        """The damage in words, with its place."""
        kind = "torn last line" if self.line.is_torn else "corrupted line"
        return Problem(place=place(self.path, self.line.number), what=f"{kind} ({self.reason})")


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, the torn last one included."""
    offset = 0
    with path.open("rb", buffering=1 << 20) as file:
        for number, raw in enumerate(file, start=1):
            yield Line(number, offset, raw)
            offset += len(raw)


def read_values(
    path: Path, kind: type[T], *, end: int | None = None, without: Collection[int] = ()
) -> Iterator[T]:
    """The values on lines that begin before byte `end`, passing over the offsets `without`.

    Warns of a corrupted line and passes over it. A torn last line is passed over in silence: the
    file may be growing this moment.
    """
    for line in read_lines(path):
        if end is not None and line.offset >= end:
            return
        if line.offset in without:
            continue
        try:
            yield decode(line.raw, kind)
        except CorruptLine as error:
            if not line.is_torn:
                problem = DamagedLine(path, line, str(error)).problem
                warnings.warn(f"{problem}; it is left out", stacklevel=2)
