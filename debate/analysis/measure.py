"""A number as a function of per-question sums: its interval, its contrast with another, its draws.

Two measures of the same questions share the rows of their sums, so their difference is paired and
clustered by question without anything being matched by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from debate.analysis.intervals import (
    Array,
    Codes,
    Interval,
    delta,
    numeric_gradient,
    rate,
)
from debate.analysis.sums import Sums

Statistic = Callable[[Array], Array]


class Lack(NamedTuple):
    """Why a number cannot be had: what is missing, as a clause."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Measure:
    """sums: (questions, k), a row of zeros for a question that takes no part; of: a smooth map
    from (..., k) totals to (...) values; n: observations; share: of is a proportion of counts.
    """

    sums: Array
    of: Statistic
    n: int
    share: bool = False

    @property
    def value(self) -> float:
        """The number itself; nan where the sums do not define it."""
        return float(self.of(self.sums.sum(axis=0)))

    def interval(self) -> Interval:
        """The t-interval clustered by question (delta method)."""
        return delta(self.sums, self.of)

    def shown(self) -> Interval:
        """The interval to print: Wilson's for a proportion, so that it stays inside [0, 1]."""
        return rate(self.sums[:, 0], self.sums[:, 1]) if self.share else self.interval()

    def minus(self, other: Measure) -> Measure:
        """The difference, paired by question."""
        width, own, others = self.sums.shape[1], self.of, other.of

        def difference(totals: Array) -> Array:
            return np.asarray(own(totals[..., :width]) - others(totals[..., width:]))

        both = np.concatenate([self.sums, other.sums], axis=1)
        return Measure(sums=both, of=difference, n=self.n + other.n)

    def influence(self) -> Array:
        """How much each question moves the value; (questions,), zero where it takes no part."""
        present = np.any(self.sums != 0, axis=1)
        totals = self.sums.sum(axis=0)
        centred = np.where(present[:, None], self.sums - totals / max(1, present.sum()), 0.0)
        return np.asarray(centred @ numeric_gradient(self.of, totals))


def quotient(totals: Array) -> Array:
    """Sum over count."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(totals[..., 0] / totals[..., 1])


def mean_measure(sums: Sums, *, share: bool = False) -> Measure | Lack:
    """The mean over observations that were summed and counted by question."""
    if not sums.n:
        return Lack("observations to average")
    table = np.stack([sums.totals, sums.counts], axis=1)
    return Measure(sums=table, of=quotient, n=sums.n, share=share)


def scattered(sums: Array, clusters: Codes, num_questions: int) -> Array:
    """Rows of the questions that occur in `clusters`, in order, put where those questions are."""
    placed = np.zeros((num_questions, sums.shape[1]))
    placed[np.unique(clusters)] = sums
    return placed
