"""Measures and their values: a number as a function of per-question sums.

`Measure` is one entry of the registry, from which tables, tests and pages derive. `Quantity` is its
value for some rows: its interval, its test, its contrast with another. Two quantities of the same
questions share the rows of their sums, so their difference is paired and clustered without anything
being matched by hand. A "question" is whatever intervals cluster by: the question, or the unit
above it that the data name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from debate.analysis.intervals import (
    LEVEL,
    Array,
    Codes,
    Interval,
    apply_delta_method,
    compute_clustered_se,
    compute_gradient,
    compute_rate,
    compute_ratio,
    divide,
    from_influence,
    get_t_quantile,
    join_bounds,
    map_inside_unit,
)
from debate.analysis.paired import (
    compute_floor_se,
    compute_over_confidence,
    compute_paired_difference,
    compute_paired_p,
    compute_phi_interval,
    compute_sign_flip_p,
    compute_yules_q,
    compute_zero_p,
    extend_to_zero,
)

UNIT = (0.0, 1.0)
SIGNED_UNIT = (-1.0, 1.0)
Statistic = Callable[[Array], Array]
IntervalKind = Literal[
    "proportion",
    "mean",
    "difference",
    "gap",
    "contrast",
    "yule_q",
    "phi",
    "smooth",
    "linear",
    "inside_unit",
    "root",
]
"""How the interval is made. proportion: Wilson at the clustered effective size. mean: clustered t.
difference: of paired states, Tango or clustered t with its floor. gap: of a mean and a
proportion, MOVER. contrast: of two quantities over the same questions. yule_q, phi: by the log odds
ratio. smooth: delta method. linear: from the influence of each question; inside_unit: the same on
the scale of the logit; root: the same of the square."""


class Unavailable(NamedTuple):
    """The reason why a number cannot be had: what is missing, as a clause."""

    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantity:
    """A number over questions.

    sums: (questions, k), a row of zeros for a question that takes no part. of: maps (..., k)
    totals to (...) values, smooth at the totals. n: observations. limits: where the value can lie.
    pooled: design effect of the same proportion over the run's conditions, where this one shows
    hardly any variation of its own. bounds: the same number where whatever is not known is as low,
    and as high, as it can be; None where everything is known. parts: of a contrast, its two sides.
    at: the value, where `sums` holds each question's influence on it and its count. lacking: of one
    without observations, what there would have to be, where that is not what the measure says.
    """

    sums: Array
    of: Statistic
    n: int
    kind: IntervalKind
    limits: tuple[float, float] = (-np.inf, np.inf)
    pooled: float | None = None
    bounds: tuple[Quantity, Quantity] | None = None
    parts: tuple[Quantity, Quantity] | None = None
    at: float | None = None
    lacking: str = ""

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
        """The averaged values, summed by question; (questions,)."""
        return self.sums[:, 0] - self.sums[:, 1] if self.kind == "gap" else self.sums[:, 0]

    @property
    def counts(self) -> Array:
        """The number of observations of each question; (questions,)."""
        return self.sums[:, -1]

    def interval(self, level: float = LEVEL) -> Interval:
        """The interval at this level, by question; its `reason` says why there is none."""
        return INTERVALS[self.kind](self, level).within(*self.limits)

    def bounded(self, level: float = LEVEL) -> Interval:
        """The interval around the bounds; that of the value where everything is known."""
        if self.bounds is None:
            return self.interval(level)
        lower, upper = self.bounds
        return join_bounds(lower.interval(level), upper.interval(level))

    def p_value(self) -> float | None:
        """Two-sided p of "the value is zero": by sign-flips for paired differences, else by t."""
        if self.kind == "difference":
            return compute_paired_p(self.totals, self.counts)
        if self.kind == "contrast":
            return _compute_contrast_p(self)
        return compute_zero_p(self.interval())

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
        """Influence of each question on the value; (questions,), zero where it takes no part."""
        if self.parts is not None:
            return self.parts[0].influence() - self.parts[1].influence()
        if self.at is not None:
            return _take_root_influence(self) if self.kind == "root" else self.sums[:, 0]
        if self.is_linear_in_sums:
            return np.asarray((self.totals - self.value * self.counts) / self.counts.sum())
        present = np.any(self.sums != 0, axis=1)
        totals = self.sums.sum(axis=0)
        centred = np.where(present[:, None], self.sums - totals / max(1, present.sum()), 0.0)
        return np.asarray(centred @ compute_gradient(self.of, totals))

    def resample(self, rows: Codes) -> Quantity:
        """The quantity of these questions, by index, repetitions included.

        A value that is known by its influences moves by those of the questions drawn.
        """
        sides = None if self.bounds is None else tuple(b.resample(rows) for b in self.bounds)
        parts = None if self.parts is None else tuple(p.resample(rows) for p in self.parts)
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
    return divide(totals[..., 0], totals[..., -1])


def take_gap(totals: Array) -> Array:
    """Mean of the first column minus mean of the second."""
    return divide(totals[..., 0] - totals[..., 1], totals[..., -1])


def take_linear(value: float) -> Statistic:
    """The value, moved by the sum of influences."""
    return lambda totals: np.asarray(value + totals[..., 0])


def _take_root_influence(quantity: Quantity) -> Array:
    root = quantity.value
    return quantity.sums[:, 0] / (2 * root) if root > 0 else np.zeros(len(quantity.sums))


def _make_proportion_interval(quantity: Quantity, level: float) -> Interval:
    return compute_rate(
        quantity.totals, quantity.counts, pooled_design_effect=quantity.pooled, level=level
    )


def _make_gap_interval(quantity: Quantity, level: float) -> Interval:
    confidence, correct, counts = (quantity.sums[:, k] for k in range(3))
    return compute_over_confidence(
        confidence, correct, counts, pooled_design_effect=quantity.pooled, level=level
    )


def _make_influence_interval(quantity: Quantity, level: float) -> Interval:
    assert quantity.at is not None
    present = quantity.counts > 0
    found = from_influence(quantity.at, quantity.sums[present, 0], level=level)
    if quantity.kind == "inside_unit":
        return map_inside_unit(found, level=level)
    if quantity.kind == "root":
        value, low, high = (None if x is None else max(0.0, x) ** 0.5 for x in found[:3])
        return found._replace(value=value, low=low, high=high, se=None)
    return found


def _make_contrast_interval(quantity: Quantity, level: float) -> Interval:
    """Two quantities over the same questions: clustered t, excluding 0 only where sign-flips do."""
    assert quantity.parts is not None
    first, second = quantity.parts
    if _are_pairs(first, second):
        limits = (first.limits[0] - second.limits[1], first.limits[1] - second.limits[0])
        differences = first.totals - second.totals
        return compute_paired_difference(differences, first.counts, level=level, limits=limits)
    value, influence = quantity.value, quantity.influence()
    present = np.any(quantity.sums != 0, axis=1)
    num, plain = int(present.sum()), from_influence(value, influence[present], level=level)
    if not np.isfinite(value) or num < 2:
        return plain
    moves = _compute_moves(quantity)[present]
    se = compute_clustered_se(influence[present])
    if _have_unit(first, second):
        se = max(se, compute_floor_se(moves * num, np.ones(num)))
    elif plain.low is None:
        return plain
    half = get_t_quantile(level, num - 1) * se
    found = Interval(value, value - half, value + half, se, num, method="clustered t")
    return extend_to_zero(found, moves, level)


def _compute_contrast_p(quantity: Quantity) -> float | None:
    """Sign-flips of what each question adds to the difference."""
    assert quantity.parts is not None
    first, second = quantity.parts
    if _are_pairs(first, second):
        return compute_paired_p(first.totals - second.totals, first.counts)
    present = np.any(quantity.sums != 0, axis=1)
    if not np.isfinite(quantity.value) or int(present.sum()) < 2:
        return None
    return compute_sign_flip_p(_compute_moves(quantity)[present])


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


def _compute_moves(quantity: Quantity) -> Array:
    """The part of each question in the difference; (questions,), summing to the value.

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
        "proportion": _make_proportion_interval,
        "mean": lambda q, level: compute_ratio(q.totals, q.counts, level=level),
        "difference": lambda q, level: compute_paired_difference(
            q.totals, q.counts, level=level, limits=q.limits
        ),
        "gap": _make_gap_interval,
        "contrast": _make_contrast_interval,
        "yule_q": lambda q, level: compute_yules_q(q.sums, level=level),
        "phi": lambda q, level: compute_phi_interval(q.sums, level=level),
        "smooth": lambda q, level: apply_delta_method(q.sums, q.of, level=level),
        "linear": _make_influence_interval,
        "inside_unit": _make_influence_interval,
        "root": _make_influence_interval,
    }
)
"""How each kind makes its interval."""


class Bounds(NamedTuple):
    """The two averages in which unknown parts are as low, and as high, as they can be."""

    lower: pl.Expr
    upper: pl.Expr


@dataclass(frozen=True, eq=False)
class Measure:
    """A number that an analysis may print, told once.

    name: in JSON, frames and hypotheses. words: where people read it. formula: what is computed
    from what, in a line. source: where it is from. unit: probability, logit, nat, votes, tokens or
    none. kind: how its interval is made. is_signed: it may lie on either side of zero.
    of_confidence: it depends on which estimator of confidence is analysed. limits: where it can
    lie. lacking: what is missing where there is nothing to compute it from, as a clause.
    value: of measures that are means over turns, what is averaged; null where a turn takes no part.
    bounds: what is averaged where parts of it are not known; with `bounds` and no `value`, nothing
    but the bounds can be told. needs: holds of at least one turn, or there is no number; without,
    turns of which nothing can be said would make one of nothing. is_optional: left out where there
    is nothing to compute it from. caveats: what a reader must know wherever the number stands.
    """

    name: str
    words: str
    formula: str
    _: KW_ONLY
    source: str = ""
    unit: str = "probability"
    kind: IntervalKind = "smooth"
    is_signed: bool = False
    of_confidence: bool = False
    limits: tuple[float, float] = (-math.inf, math.inf)
    lacking: str = "turns that completed"
    method: str = ""
    value: pl.Expr | None = None
    bounds: Bounds | None = None
    needs: pl.Expr | None = None
    is_optional: bool = False
    caveats: tuple[str, ...] = ()

    @property
    def is_proportion(self) -> bool:
        """Whether it is a share of counted things."""
        return self.kind == "proportion"


define_share = partial(Measure, kind="proportion", limits=UNIT)
"""The entry of a measure that is a share of counted things."""
