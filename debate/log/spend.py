"""What a run has spent: `spend.jsonl` of its directory, written before each call and after it.

A call is held at its worst case before it starts, and the line that says so is on disk by then.
When the call has ended, another line takes back what it did not use. What a killed process had in
flight is never taken back, and so stays counted at its worst.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import msgspec

from debate.errors import InputError
from debate.log.disk import replace_file, wrap_disk_errors, write_all
from debate.log.files import FIRST_SHARD

SPEND = "spend.jsonl"


class CallSize(NamedTuple):
    """Calls of one model and their tokens: spent, held, or taken back."""

    calls: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0

    def plus(self, other: CallSize) -> CallSize:
        """Return both together."""
        return CallSize(*(mine + its for mine, its in zip(self, other, strict=True)))

    def minus(self, other: CallSize) -> CallSize:
        """Return this one without the other."""
        return CallSize(*(mine - its for mine, its in zip(self, other, strict=True)))


class SpendLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the file. Counts are added to those of the lines before; below zero, taken back.

    `by` is the number of the process; `open` counts the calls in flight, and `lost` says that those
    of this process have ended with it. `seconds` are of the run as a whole.
    """

    by: str = FIRST_SHARD
    model: str | None = None
    open: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    seconds: float = 0.0
    lost: bool = False

    @property
    def size(self) -> CallSize:
        """The calls and tokens."""
        return CallSize(self.calls, self.prompt_tokens, self.generated_tokens)


@dataclass(kw_only=True)
class SpendTotals:
    """The sums of all lines: calls and tokens by model, calls in flight by process, seconds."""

    models: dict[str, CallSize] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, line: SpendLine) -> None:
        """Add a line."""
        if line.model is not None:
            self.models[line.model] = self.models.get(line.model, CallSize()).plus(line.size)
        self.open[line.by] = 0 if line.lost else self.open.get(line.by, 0) + line.open
        self.seconds += line.seconds

    def plus(self, other: SpendTotals) -> SpendTotals:
        """Return both together, with nothing in flight."""
        models = dict(self.models)
        for model, size in other.models.items():
            models[model] = models.get(model, CallSize()).plus(size)
        return SpendTotals(models=models, seconds=self.seconds + other.seconds)

    def copy(self) -> SpendTotals:
        """Return the sums as they are now."""
        return replace(self, models=dict(self.models), open=dict(self.open))


Decide = Callable[[SpendTotals], Sequence[SpendLine]]
"""Says what is to be written, by what all processes have written until now."""


class SpendJournal:
    """The file of one run, which several processes may append to, one at a time."""

    def __init__(self, directory: Path | None) -> None:
        """Open the file, made where absent; without a directory, one that goes when it is closed.

        Raises LogError where the disk refuses.
        """
        self._path = (directory or Path(tempfile.gettempdir())) / SPEND
        with wrap_disk_errors(self._path, "open"):
            self._descriptor = _open_nameless() if directory is None else _open(self._path)
        self._totals, self._read = SpendTotals(), 0
        self._thread_lock = threading.Lock()

    def commit(self, decide: Decide) -> SpendTotals:
        """Append what `decide` says, and return the sums with it; on disk if it holds anything.

        No other process appends meanwhile. Raises LogError where the disk refuses.
        """
        with self._thread_lock, self._hold_lock():
            self._refresh()
            lines = decide(self._totals)
            if lines:
                write_all(self._descriptor, b"".join(map(_encode, lines)))
                if any(line.calls > 0 or line.seconds > 0 for line in lines):
                    os.fdatasync(self._descriptor)
                self._refresh()
            return self._totals.copy()

    def read(self) -> SpendTotals:
        """Return the sums of what all processes have written until now."""
        return self.commit(lambda _: ())

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    @contextmanager
    def _hold_lock(self) -> Iterator[None]:
        with wrap_disk_errors(self._path, "append"):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _refresh(self) -> None:
        """Add the lines that are new since the last look."""
        size = os.fstat(self._descriptor).st_size
        while self._read < size:
            content = os.pread(self._descriptor, size - self._read, self._read)
            whole = content[: content.rfind(b"\n") + 1]
            if not whole:
                return
            for line in whole.splitlines():
                self._totals.add(_decode(self._path, line))
            self._read += len(whole)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)


def _open_nameless() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def read_spend(directory: Path) -> SpendTotals | None:
    """Read the sums of a run's file; None where there is none. A torn last line does not count.

    Nothing may be going on in the run. Raises InputError for a line that cannot be read: what was
    spent is not known then.
    """
    path = directory / SPEND
    if not path.exists():
        return None
    with wrap_disk_errors(path, "read"):
        content = path.read_bytes()
    totals = SpendTotals()
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), start=1):
        totals.add(_decode(path, line, number))
    return replace(totals, open={})


def start_spend(directory: Path, totals: SpendTotals) -> None:
    """Write the file anew, with the sums until now and nothing in flight."""
    lines = [
        SpendLine(model=model, **size._asdict()) for model, size in sorted(totals.models.items())
    ]
    lines.append(SpendLine(seconds=totals.seconds))
    replace_file(directory / SPEND, b"".join(map(_encode, lines)))


def _encode(line: SpendLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _decode(path: Path, line: bytes, number: int | None = None) -> SpendLine:
    try:
        return msgspec.json.decode(line, type=SpendLine)
    except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
        place = path if number is None else f"{path}:{number}"
        raise InputError(
            f"{place}: what was spent cannot be read ({cause}); correct the line, or remove the "
            "file to have it counted from the recorded turns"
        ) from cause
