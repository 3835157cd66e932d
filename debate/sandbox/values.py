"""What a program may take, and what a sandbox says became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RunOutcome = Literal["done", "error", "timeout", "memory", "flood", "died"]
"""It came to its end, raised, was ended by one of three limits, or its process died."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one program may take: seconds, megabytes, and characters of its output that are kept."""

    time_s: float = 2.0
    memory_mb: int = 128
    output_chars: int = 4000

    @property
    def max_raw(self) -> int:
        """The characters of output past which a program is ended."""
        return 16 * self.output_chars


@dataclass(frozen=True, slots=True)
class RawRun:
    """How a program ended, and what it printed up to the limit, as it came."""

    outcome: RunOutcome
    output: str = ""
    error: str | None = None
    took_s: float = 0.0
