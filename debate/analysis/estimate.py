"""One number with its interval, what it rests on, and what it lacks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from debate.analysis.intervals import Interval

SCHEMA: dict[str, Any] = {
    "name": pl.String,
    "cell": pl.String,
    "round": pl.Int64,
    "subject": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "se": pl.Float64,
    "p_value": pl.Float64,
    "n": pl.Int64,
    "num_questions": pl.Int64,
    "unit": pl.String,
    "method": pl.String,
    "caveats": pl.List(pl.String),
    "missing": pl.String,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A named quantity of one cell; `value is None` means that it could not be had.

    `subject` names what it is about inside the cell (an agent, an edge, a pair, a rule).
    `low` and `high` bound a 95 % interval clustered by question, `se` is its standard error; None
    where there is none.
    `n` counts observations, `missing` says which control or column is not there.
    """

    name: str
    cell: str | None = None
    round: int | None = None
    subject: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    p_value: float | None = None
    n: int = 0
    num_questions: int = 0
    unit: str = ""
    method: str = ""
    caveats: tuple[str, ...] = ()
    missing: str | None = None

    def __post_init__(self) -> None:
        for number in (self.value, self.low, self.high, self.se, self.p_value):
            assert number is None or not math.isnan(number), f"{self.name}: nan is not a number"

    @property
    def is_known(self) -> bool:
        """Whether there is a value at all."""
        return self.value is not None

    def excludes(self, number: float) -> bool:
        """Whether the interval lies wholly on one side of `number`.

        >>> Estimate(name="drift", value=.2, low=.1, high=.3).excludes(0)
        True
        """
        return (
            self.low is not None and self.high is not None and not self.low <= number <= self.high
        )


def from_interval(name: str, interval: Interval, *, n: int, **about: Any) -> Estimate:
    """The estimate that an interval and its context make; one question gives no interval."""
    caveats = tuple(about.pop("caveats", ()))
    if interval.value is not None and interval.low is None:
        caveats += ("too few questions for an interval",)
    return Estimate(
        name=name,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        se=interval.se,
        p_value=about.pop("p_value", None),
        n=int(n),
        num_questions=interval.num_questions,
        caveats=caveats,
        **about,
    )


def estimates_frame(estimates: Iterable[Estimate]) -> pl.DataFrame:
    """One row for each estimate, under the names of its fields.

    >>> estimates_frame([Estimate(name="drift", cell="ring", value=0.1)]).shape
    (1, 15)
    """
    rows = [asdict(estimate) for estimate in estimates]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
