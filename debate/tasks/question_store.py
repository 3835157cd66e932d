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


class QuestionStore(Sequence[Question]):
    """Questions in a temporary file without a name; each is read when it is asked for, in 3 us.

    The file is closed, and so deleted, with the store.
    """

    def __init__(self, questions: Iterable[Question]) -> None:
        """Write the questions. Raises TaskError where the temporary folder cannot take them."""
        with _explain_full_disk():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - the finalizer closes it
        weakref.finalize(self, self._file.close)
        ends = array("q", [0])
        for each in questions:
            raw = msgspec.msgpack.encode(each)
            with _explain_full_disk():
                self._file.write(raw)
            ends.append(ends[-1] + len(raw))
        with _explain_full_disk():
            self._file.flush()
        self._ends = np.frombuffer(ends, dtype=np.int64)
        self._rows: npt.NDArray[np.int64] = np.arange(len(ends) - 1)

    def select(self, indices: npt.NDArray[np.int64]) -> None:
        """Drop all questions but those at these positions, and put them in this order."""
        self._rows = self._rows[indices]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Question: ...

    @overload
    def __getitem__(self, index: slice) -> list[Question]: ...

    def __getitem__(self, index: int | slice) -> Question | list[Question]:
        if isinstance(index, slice):
            return [self._read(row) for row in self._rows[index]]
        return self._read(self._rows[index])

    def _read(self, row: np.int64) -> Question:
        start, end = self._ends[row : row + 2].tolist()
        return _DECODER.decode(os.pread(self._file.fileno(), end - start, start))


@contextmanager
def _explain_full_disk() -> Iterator[None]:
    """Raise TaskError in place of an OSError of the temporary file."""
    try:
        yield
    except OSError as cause:
        raise TaskError(
            f"the questions find no room among the temporary files: {cause}; "
            "free some, or let TMPDIR name another folder"
        ) from cause
