"""The files of a run directory: where each lies, and how its lines are read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from debate.log.codec import CorruptLine, decode_line
from debate.log.false_numbers import drop_false_numbers

FORMAT_VERSION = 1
TURNS, VERDICTS = "turns", "verdicts"
SUPERSEDED, QUARANTINE, ORPHANS = "superseded", "quarantine", "strays"
MANIFEST, QUESTIONS, LOCK = "manifest.json", "questions.jsonl", "lock"
REPORT = "report"  # what lies beside the page of that name
FIRST_SHARD = "0"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogProblem:
    """Something wrong in a run directory: where (`turns/0.jsonl:12`) and what, in words."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def make_shard_path(directory: Path, folder: str, shard: str) -> Path:
    """Return the path of the file that one process appends to.

    >>> make_shard_path(Path("runs/a"), "turns", "0").as_posix()
    'runs/a/turns/0.jsonl'
    """
    return directory / folder / f"{shard}.jsonl"


def list_shards(directory: Path, folder: str) -> tuple[Path, ...]:
    """Return the files of one folder, oldest content first: `0` before `1`, `9` before `10`."""
    found = (directory / folder).glob("*.jsonl")
    return tuple(sorted(found, key=lambda path: (len(path.stem), path.stem)))


def format_place(path: Path, number: int | None = None) -> str:
    """Name a file, or a line of it, by its path below the run directory.

    >>> format_place(Path("runs/a/turns/0.jsonl"), 12)
    'turns/0.jsonl:12'
    """
    name = f"{path.parent.name}/{path.name}"
    return name if number is None else f"{name}:{number}"


class LogLine(NamedTuple):
    """One line of a file as it stands there: its number from 1, its byte offset, its bytes."""

    number: int
    offset: int
    raw: bytes

    @property
    def is_torn(self) -> bool:
        """Whether writing stopped inside this line."""
        return not self.raw.endswith(b"\n")


class DamagedLine(NamedTuple):
    """A line that cannot be read, and the reason."""

    path: Path
    line: LogLine
    reason: str

    @property
    def problem(self) -> LogProblem:
        """The damage in words, with its place."""
        kind = "torn last line" if self.line.is_torn else "corrupted line"
        return LogProblem(
            place=format_place(self.path, self.line.number), what=f"{kind} ({self.reason})"
        )


def read_lines(path: Path) -> Iterator[LogLine]:
    """Yield the lines of a file, a torn last one included."""
    offset = 0
    with path.open("rb", buffering=1 << 20) as file:
        for number, raw in enumerate(file, start=1):
            yield LogLine(number, offset, raw)
            offset += len(raw)


def has_final_newline(path: Path) -> bool:
    """Whether the last line ends in a newline; true of an empty file."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        return size == 0 or os.pread(file.fileno(), 1, size - 1) == b"\n"


def read_values(
    path: Path, kind: type[T], *, end: int | None = None, without: Collection[int] = ()
) -> Iterator[T]:
    """Yield the values on lines that begin before byte `end`, except at the offsets `without`.

    A corrupted line is skipped with a warning. A torn last line is skipped in silence: the file
    may be growing at this moment. Numbers that are none are absent, with one warning for the file.
    """
    false: list[str] = []
    for line in read_lines(path):
        if end is not None and line.offset >= end:
            break
        if line.offset in without:
            continue
        try:
            sound = drop_false_numbers(decode_line(line.raw, kind))
        except CorruptLine as error:
            if not line.is_torn:
                problem = DamagedLine(path, line, str(error)).problem
                warnings.warn(f"{problem}; it is left out", stacklevel=2)
            continue
        false += [f"{format_place(path, line.number)}: {fault}" for fault in sound.faults]
        yield sound.value
    if false:
        more = f" and {len(false) - 1:,} more" if len(false) > 1 else ""
        told = f"{false[0]}{more}: taken for absent; `debate verify` names each"
        warnings.warn(told, stacklevel=2)
