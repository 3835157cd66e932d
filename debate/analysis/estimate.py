"""One number with its interval, what it rests on, and what it lacks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from debate.analysis.intervals import ABSENT, Interval
from debate.analysis.quantity import Measure, Quantity, Unavailable

ESTIMATE_SCHEMA: dict[str, Any] = {
    "name": pl.String,
    "cell": pl.String,
    "round": pl.Int64,
    "subject": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "se": pl.Float64,
    "bound_low": pl.Float64,
    "bound_high": pl.Float64,
    "p_value": pl.Float64,
    "n": pl.Int64,
    "num_questions": pl.Int64,
    "df": pl.Int64,
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
    where there is none. Where part of what is averaged is not known, `bound_low` and `bound_high`
    bound a 95 % interval around all that it may be; a verdict is read from those.
    `n` counts observations, `missing` says which control or column is not there.
    `df`: degrees of freedom of the interval where they are not `num_questions` − 1.
    """

    name: str
    cell: str | None = None
    round: int | None = None
    subject: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    bound_low: float | None = None
    bound_high: float | None = None
    p_value: float | None = None
    n: int = 0
    num_questions: int = 0
    df: int | None = None
    unit: str = ""
    method: str = ""
    caveats: tuple[str, ...] = ()
    missing: str | None = None

    def __post_init__(self) -> None:
        numbers = (self.value, self.low, self.high, self.se, self.bound_low, self.bound_high)
        for number in (*numbers, self.p_value):
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
    """The estimate that an interval and its context make; without one, the reason is a caveat."""
    caveats = tuple(about.pop("caveats", ()))
    if interval.value is not None and interval.low is None and interval.reason:
        caveats += (f"no interval: {interval.reason}",)
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


def make_estimate(measure: Measure, found: Quantity | Unavailable, **place: Any) -> Estimate:
    """The estimate of a measure at a place (cell, round, subject), or what it lacks."""
    if isinstance(found, Unavailable):
        return Estimate(name=measure.name, unit=measure.unit, missing=found.reason, **place)
    interval, bounded = found.interval(), None
    if measure.value is None and measure.bounds is not None:
        interval = ABSENT._replace(num_questions=interval.num_questions)
    caveats = measure.caveats
    if found.bounds is not None:
        bounded = found.bounded()
    made = from_interval(
        measure.name,
        interval,
        n=found.n,
        unit=measure.unit,
        caveats=caveats,
        method=f"{interval.method or measure.method or INTERVAL_METHODS[found.kind]}, by question",
        missing=None if interval.value is not None or bounded else measure.lacking,
        **place,
    )
    if bounded is None:
        return made
    return replace(made, bound_low=bounded.low, bound_high=bounded.high)


INTERVAL_METHODS = {
    "proportion": "Wilson at the clustered effective size",
    "mean": "clustered t",
    "difference": "Tango or clustered t",
    "gap": "MOVER",
    "contrast": "clustered t of the difference",
    "yule_q": "log odds ratio",
    "phi": "log odds ratio",
    "smooth": "delta method, clustered",
    "linear": "linearised, clustered",
    "inside_unit": "clustered t of the logit",
    "root": "linear in the square, clustered",
}
"""How the interval of each kind of quantity is made, where it does not say itself."""


def estimates_frame(estimates: Iterable[Estimate]) -> pl.DataFrame:
    """One row for each estimate, under the names of its fields.

    >>> estimates_frame([Estimate(name="drift", cell="ring", value=0.1)]).shape
    (1, 18)
    """
    rows = [asdict(estimate) for estimate in estimates]
    return pl.DataFrame(rows, schema=ESTIMATE_SCHEMA, orient="row")
