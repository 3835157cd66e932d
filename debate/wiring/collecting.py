"""Fewer rounds of garbage collection while thousands of debates are under way."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (50_000, 20, 50)
"""Python's own thresholds suit programs with little in memory. Debates under way are much, live
long, and hold no cycles, so that looking through them again and again finds nothing."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Raise the collector's thresholds while the body runs; a collector that is off stays off."""
    before = gc.get_threshold()
    gc.set_threshold(*(SELDOM if before[0] else before))
    try:
        yield
    finally:
        gc.set_threshold(*before)
