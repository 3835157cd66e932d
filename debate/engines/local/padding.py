"""How far prompts and batches are filled up."""

from __future__ import annotations

from collections.abc import Sequence


def canonical_width(length: int) -> int:
    """The padded length of a prompt: it depends on the prompt alone, and wastes at most a fifth.

    >>> [canonical_width(length) for length in (1, 16, 17, 100, 1000)]
    [8, 16, 24, 112, 1024]
    """
    step = max(8, 1 << max(0, (length - 1).bit_length() - 3))
    return -(-length // step) * step


def filled_up(rows: Sequence[int], multiple: int) -> list[int]:
    """Row numbers, the first repeated until their number divides by `multiple`.

    >>> filled_up([3, 5, 6], 4)
    [3, 5, 6, 3]
    """
    missing = -len(rows) % multiple
    return [*rows, *[rows[0] for _ in range(missing)]]
