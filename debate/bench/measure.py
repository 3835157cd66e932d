"""What a measurement is, and what stands in its place where it cannot be made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Part = Literal["a", "b", "c", "d", "e"]

TITLES: dict[Part, str] = {
    "a": "orchestration alone, an instant engine, the log on",
    "b": "an endpoint of known latency",
    "c": "a real engine",
    "d": "prompt tokens from the prefix cache",
    "e": "memory of the driver",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One number. `against` is what it is compared with (a lower bound, a bare loop), `ratio` the
    number by that; both None where the number stands alone."""

    part: Part
    what: str
    value: float
    unit: str
    against: float | None = None
    against_what: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The number in units of what it is compared with."""
        return None if not self.against else self.value / self.against


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A measurement that was not made, and why."""

    part: Part
    what: str
    reason: str


Result = Measure | Skipped
Results = Iterator[Result]
