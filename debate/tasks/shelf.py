"""Questions on disk: as many as there are, at 16 bytes of memory each."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import overload

import msgspec
import numpy as np
import numpy.typing as npt

from debate.errors import TaskError
from debate.types import Question

_DECODER = msgspec.msgpack.Decoder(Question)


class Shelf(Sequence[Question]):
    """Questions in a temporary file without a name; each is read when it is asked for, in 3 us.

    The file goes with the shelf.
    """

    def __init__(self, questions: Iterable[Question]) -> None:
        """Raises TaskError where the temporary folder cannot take them."""
        with _room():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - the finalizer closes it
        weakref.finalize(self, self._file.close)
        ends = array("q", [0])
        for each in questions:
            raw = msgspec.msgpack.encode(each)
            with _room():
                self._file.write(raw)
            ends.append(ends[-1] + len(raw))
        with _room():
            self._file.flush()
        self._ends = np.frombuffer(ends, dtype=np.int64)
        self._rows: npt.NDArray[np.int64] = np.arange(len(ends) - 1)

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Keep the questions at these positions alone, in this order."""
        self._rows = self._rows[rows]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Question: ...

    @overload
    def __getitem__(self, place: slice) -> list[Question]: ...

    def __getitem__(self, place: int | slice) -> Question | list[Question]:
        if isinstance(place, slice):
            return [self._read(row) for row in self._rows[place]]
        return self._read(self._rows[place])

    def _read(self, row: np.int64) -> Question:
        start, end = self._ends[row : row + 2].tolist()
        return _DECODER.decode(os.pread(self._file.fileno(), end - start, start))


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise TaskError(
            f"the questions find no room among the temporary files: {cause}; "
            "free some, or let TMPDIR name another folder"
        ) from cause
