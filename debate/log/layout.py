"""The run directory: what lies where, and what may be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FORMAT_VERSION = 1
TURNS, VERDICTS = "turns", "verdicts"
SUPERSEDED, QUARANTINE, STRAYS = "superseded", "quarantine", "strays"
MANIFEST, QUESTIONS, LOCK = "manifest.json", "questions.jsonl", "lock"
FIRST_SHARD = "0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something wrong in a run directory: where (`turns/0.jsonl:12`) and what, in words."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def shard_file(directory: Path, folder: str, shard: str) -> Path:
    """The file that one process appends to.

    >>> shard_file(Path("runs/a"), "turns", "0").as_posix()
    'runs/a/turns/0.jsonl'
    """
    return directory / folder / f"{shard}.jsonl"


def shard_files(directory: Path, folder: str) -> tuple[Path, ...]:
    """The files of one folder, oldest content first: `0` before `1`, `9` before `10`."""
    found = (directory / folder).glob("*.jsonl")
    return tuple(sorted(found, key=lambda path: (len(path.stem), path.stem)))


def place(path: Path, number: int | None = None) -> str:
    """Where a line lies, from the run directory on.

    >>> place(Path("runs/a/turns/0.jsonl"), 12)
    'turns/0.jsonl:12'
    """
    name = f"{path.parent.name}/{path.name}"
    return name if number is None else f"{name}:{number}"
