"""What a measure is: one entry of the registry, from which tables, tests and pages derive."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from debate.analysis.quantity import Kind


class Bounds(NamedTuple):
    """What is averaged where whatever is not known is as low, and as high, as it can be."""

    lower: pl.Expr
    upper: pl.Expr


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure:
    """A number that an analysis may print, told once.

    name: in JSON, frames and hypotheses. words: where people read it. formula: what is computed
    from what, in a line. source: where it is from. unit: probability, logit, nat, votes, tokens or
    none. kind: how its interval is made. is_signed: it may lie on either side of zero.
    of_confidence: it depends on which estimator of confidence is analysed. limits: where it can
    lie. lacking: what is missing where there is nothing to compute it from, as a clause.
    value: of measures that are means over turns, what is averaged; null where a turn takes no part.
    bounds: what is averaged where parts of it are not known; with `bounds` and no `value`, nothing
    but the bounds can be told. caveats: what a reader must know wherever the number stands.
    """

    name: str
    words: str
    formula: str
    source: str = ""
    unit: str = "probability"
    kind: Kind = "smooth"
    is_signed: bool = False
    of_confidence: bool = False
    limits: tuple[float, float] = (-math.inf, math.inf)
    lacking: str = "turns that completed"
    method: str = ""
    value: pl.Expr | None = None
    bounds: Bounds | None = None
    caveats: tuple[str, ...] = ()

    @property
    def is_proportion(self) -> bool:
        """Whether it is a share of counted things."""
        return self.kind == "proportion"
