"""The values that `debate bench` gives: a measurement, or the reason why there is none."""

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
class Measurement:
    """One number, and the number that it is compared with: a lower bound, or a bare loop.

    `against` is None where there is nothing to compare with.
    """

    part: Part
    what: str
    value: float
    unit: str
    against: float | None = None
    against_what: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """`value` by `against`."""
        return None if not self.against else self.value / self.against


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedMeasurement:
    """A measurement that was not made, and the reason."""

    part: Part
    what: str
    reason: str


Result = Measurement | SkippedMeasurement
Results = Iterator[Result]
