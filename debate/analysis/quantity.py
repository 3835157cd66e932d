"""A number as a function of per-question sums: its interval, its test, its contrast with another.

Every measure of the registry ends here. Two quantities of the same questions share the rows of
their sums, so their difference is paired and clustered without anything being matched by hand. A
"question" is whatever intervals cluster by: the question, or the unit above it that the data name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from debate.analysis.intervals import (
    LEVEL,
    Array,
    Codes,
    Interval,
    around_bounds,
    clustered_se,
    delta,
    from_influence,
    inside_unit,
    numeric_gradient,
    quantile_t,
    rate,
    ratio,
)
from debate.analysis.paired import (
    floor_se,
    paired_difference,
    paired_p,
    sign_flip_p,
    touch_zero,
    zero_p_value,
)
from debate.analysis.proportions import over_confidence, phi, yules_q

Statistic = Callable[[Array], Array]
Kind = Literal[
    "proportion", "mean", "difference", "gap", "contrast", "yule_q", "phi", "smooth", "linear",
    "inside_unit", "root",
]  # fmt: skip
"""How the interval is made. proportion: Wilson at the clustered effective size. mean: clustered t.
difference: of paired states, Tango or clustered t with its floor. gap: of a mean and a
proportion, MOVER. contrast: of two quantities over the same questions. yule_q, phi: by the log odds
ratio. smooth: delta method. linear: from the influence of each question; inside_unit: the same on
the scale of the logit; root: the same of the square."""


class Missing(NamedTuple):
    """Why a number cannot be had: what is missing, as a clause."""

    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantity:
    """A number over questions.

    sums: (questions, k), a row of zeros for a question that takes no part. of: maps (..., k)
    totals to (...) values, smooth at the totals. n: observations. limits: where the value can lie.
    pooled: design effect of the same proportion over the run's conditions, where this one shows
    hardly any variation of its own. bounds: the same number where whatever is not known is as low,
    and as high, as it can be; None where everything is known. parts: of a contrast, its two sides.
    at: the value, where `sums` holds each question's influence on it and its count.
    """

    sums: Array
    of: Statistic
    n: int
    kind: Kind
    limits: tuple[float, float] = (-np.inf, np.inf)
    pooled: float | None = None
    bounds: tuple[Quantity, Quantity] | None = None
    parts: tuple[Quantity, Quantity] | None = None
    at: float | None = None

    @property
    def value(self) -> float:
        """The number itself; nan where the sums do not define it."""
        if self.at is not None:
            return max(0.0, self.at) ** 0.5 if self.kind == "root" else self.at
        return float(self.of(self.sums.sum(axis=0)))

    @property
    def is_linear_in_sums(self) -> bool:
        """Whether the value is a total over a count."""
        return self.kind in ("proportion", "mean", "difference", "gap")

    @property
    def totals(self) -> Array:
        """What is averaged, summed by question; (questions,)."""
        return self.sums[:, 0] - self.sums[:, 1] if self.kind == "gap" else self.sums[:, 0]

    @property
    def counts(self) -> Array:
        """How many observations each question has; (questions,)."""
        return self.sums[:, -1]

    def interval(self, level: float = LEVEL) -> Interval:
        """The interval at this level, by question; its `reason` says why there is none."""
        return INTERVALS[self.kind](self, level).within(*self.limits)

    def bounded(self, level: float = LEVEL) -> Interval:
        """The interval around the bounds; that of the value where everything is known."""
        if self.bounds is None:
            return self.interval(level)
        lower, upper = self.bounds
        return around_bounds(lower.interval(level), upper.interval(level))

    def p_value(self) -> float | None:
        """Two-sided p of "the value is zero": by sign-flips for paired differences, else by t."""
        if self.kind == "difference":
            return paired_p(self.totals, self.counts)
        if self.kind == "contrast":
            return _contrast_p(self)
        return zero_p_value(self.interval())

    def minus(self, other: Quantity) -> Quantity:
        """The difference from a quantity of the same questions, paired by question."""
        width, own, others = self.sums.shape[1], self.of, other.of

        def difference(totals: Array) -> Array:
            return np.asarray(own(totals[..., :width]) - others(totals[..., width:]))

        bounds = None
        if self.bounds is not None or other.bounds is not None:
            (low, high), (least, most) = self.bounds or (self, self), other.bounds or (other, other)
            bounds = (low.minus(most), high.minus(least))
        return Quantity(
            sums=np.concatenate([self.sums, other.sums], axis=1),
            of=difference,
            n=self.n + other.n,
            kind="contrast",
            parts=(self, other),
            bounds=bounds,
        )

    def influence(self) -> Array:
        """How much each question moves the value; (questions,), zero where it takes no part."""
        if self.parts is not None:
            return self.parts[0].influence() - self.parts[1].influence()
        if self.at is not None:
            return _root_influence(self) if self.kind == "root" else self.sums[:, 0]
        if self.is_linear_in_sums:
            return np.asarray((self.totals - self.value * self.counts) / self.counts.sum())
        present = np.any(self.sums != 0, axis=1)
        totals = self.sums.sum(axis=0)
        centred = np.where(present[:, None], self.sums - totals / max(1, present.sum()), 0.0)
        return np.asarray(centred @ numeric_gradient(self.of, totals))

    def resampled(self, rows: Codes) -> Quantity:
        """The quantity of these questions, by index, repetitions included.

        A value that is known by its influences moves by those of the questions drawn.
        """
        sides = None if self.bounds is None else tuple(b.resampled(rows) for b in self.bounds)
        parts = None if self.parts is None else tuple(p.resampled(rows) for p in self.parts)
        share = float(len(rows)) / max(1, len(self.sums))
        sums, at = self.sums[rows], self.at
        if at is not None and len(rows):
            there = sums[:, -1] > 0
            moved = sums[:, 0] / share
            at += float(moved.sum())
            centred = np.where(there, moved - moved.sum() / max(1, there.sum()), 0.0)
            sums = np.column_stack([centred, sums[:, 1:]])
        return replace(self, sums=sums, at=at, n=round(self.n * share), bounds=sides, parts=parts)  # type: ignore[arg-type]


def take_quotient(totals: Array) -> Array:
    """Sum over count."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(totals[..., 0] / totals[..., -1])


def take_gap(totals: Array) -> Array:
    """Mean of the first column minus mean of the second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((totals[..., 0] - totals[..., 1]) / totals[..., -1])


def take_linear(value: float) -> Statistic:
    """The value, moved by the sum of influences."""
    return lambda totals: np.asarray(value + totals[..., 0])


def _root_influence(quantity: Quantity) -> Array:
    root = quantity.value
    return quantity.sums[:, 0] / (2 * root) if root > 0 else np.zeros(len(quantity.sums))


def _by_proportion(quantity: Quantity, level: float) -> Interval:
    return rate(quantity.totals, quantity.counts, pooled_design_effect=quantity.pooled, level=level)


def _by_gap(quantity: Quantity, level: float) -> Interval:
    confidence, correct, counts = (quantity.sums[:, k] for k in range(3))
    return over_confidence(
        confidence, correct, counts, pooled_design_effect=quantity.pooled, level=level
    )


def _by_influence(quantity: Quantity, level: float) -> Interval:
    assert quantity.at is not None
    present = quantity.counts > 0
    found = from_influence(quantity.at, quantity.sums[present, 0], level=level)
    if quantity.kind == "inside_unit":
        return inside_unit(found, level=level)
    if quantity.kind == "root":
        value, low, high = (None if x is None else max(0.0, x) ** 0.5 for x in found[:3])
        return found._replace(value=value, low=low, high=high, se=None)
    return found


def _contrast(quantity: Quantity, level: float) -> Interval:
    """Two quantities over the same questions: clustered t, excluding 0 only where sign-flips do."""
    assert quantity.parts is not None
    first, second = quantity.parts
    if _are_pairs(first, second):
        limits = (first.limits[0] - second.limits[1], first.limits[1] - second.limits[0])
        differences = first.totals - second.totals
        return paired_difference(differences, first.counts, level=level, limits=limits)
    value, influence = quantity.value, quantity.influence()
    present = np.any(quantity.sums != 0, axis=1)
    num, plain = int(present.sum()), from_influence(value, influence[present], level=level)
    if not np.isfinite(value) or num < 2:
        return plain
    moves = _moves(quantity)[present]
    se = clustered_se(influence[present])
    if _have_unit(first, second):
        se = max(se, floor_se(moves * num, np.ones(num)))
    elif plain.low is None:
        return plain
    half = quantile_t(level, num - 1) * se
    found = Interval(value, value - half, value + half, se, num, method="clustered t")
    return touch_zero(found, moves, level)


def _contrast_p(quantity: Quantity) -> float | None:
    """Sign-flips of what each question adds to the difference."""
    assert quantity.parts is not None
    first, second = quantity.parts
    if _are_pairs(first, second):
        return paired_p(first.totals - second.totals, first.counts)
    present = np.any(quantity.sums != 0, axis=1)
    if not np.isfinite(quantity.value) or int(present.sum()) < 2:
        return None
    return sign_flip_p(_moves(quantity)[present])


def _are_pairs(first: Quantity, second: Quantity) -> bool:
    """Whether both average values in a bounded range over equally many rows of each question."""
    return (
        first.is_linear_in_sums
        and second.is_linear_in_sums
        and _have_unit(first, second)
        and np.array_equal(first.counts, second.counts)
    )


def _have_unit(first: Quantity, second: Quantity) -> bool:
    """Whether a question that differs by 1 is a yardstick for both: shares and changes."""
    is_bounded = bool(np.isfinite([*first.limits, *second.limits]).all())
    return is_bounded or first.kind == second.kind == "difference"


def _moves(quantity: Quantity) -> Array:
    """What each question adds to the difference; (questions,), summing to the value.

    Where counts differ, each side is taken from the common mean, so that under the null the sign
    of what a question adds is free.
    """
    assert quantity.parts is not None
    first, second = quantity.parts
    if not (first.is_linear_in_sums and second.is_linear_in_sums):
        present = np.any(quantity.sums != 0, axis=1)
        return np.where(present, quantity.influence() + quantity.value / max(1, present.sum()), 0)
    sizes = first.counts.sum(), second.counts.sum()
    common = (first.totals.sum() + second.totals.sum()) / sum(sizes)
    parts = [
        (side.totals - common * side.counts) / size
        for side, size in zip((first, second), sizes, strict=True)
    ]
    return np.asarray(parts[0] - parts[1])


INTERVALS: Mapping[str, Callable[[Quantity, float], Interval]] = MappingProxyType(
    {
        "proportion": _by_proportion,
        "mean": lambda q, level: ratio(q.totals, q.counts, level=level),
        "difference": lambda q, level: paired_difference(
            q.totals, q.counts, level=level, limits=q.limits
        ),
        "gap": _by_gap,
        "contrast": _contrast,
        "yule_q": lambda q, level: yules_q(q.sums, level=level),
        "phi": lambda q, level: phi(q.sums, level=level),
        "smooth": lambda q, level: delta(q.sums, q.of, level=level),
        "linear": _by_influence,
        "inside_unit": _by_influence,
        "root": _by_influence,
    }
)
"""How each kind makes its interval."""
