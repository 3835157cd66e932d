"""Find duplicates among millions of values by hashes of 8 bytes each."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt


def find_repeated(hashes: array[int]) -> npt.NDArray[np.int64]:
    """Return the values that occur more than once. Needs as much memory again as they take.

    >>> find_repeated(array("q", [3, 1, 3, 2]))
    array([3])
    """
    ordered = np.sort(np.frombuffer(hashes, dtype=np.int64))
    again: npt.NDArray[np.int64] = ordered[1:][ordered[1:] == ordered[:-1]]
    return again
