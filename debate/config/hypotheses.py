"""What an experiment claims before it runs: one estimate, its direction, and what would matter."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from debate.config.agents import Name
from debate.config.base import Spec

EstimateName = Annotated[str, Field(pattern=r"^[A-Za-z]\w*(\.\w+)*$", max_length=96)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class HypothesisSpec(Spec):
    """One claim that may come out false.

    The file's hypotheses are one family: their tests are corrected together.
    """

    statement: Annotated[str, Field(min_length=1)]
    """The claim, in a sentence."""
    estimate: EstimateName
    """The estimate that decides, by its name in `debate analyze --json`."""
    direction: Literal["above", "below", "equal"]
    """On which side of `reference` the estimate lies if the claim is right; `equal`: within
    `smallest` of it."""
    smallest: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Smallest effect of interest, in the estimate's unit: anything nearer to `reference` is
    equivalent to nothing."""
    cell: Name | None = None
    """The arm that the claim is about; unset, the estimate is one of the whole experiment."""
    control: Name | None = None
    """An arm whose same estimate is taken off, question by question."""
    round: Annotated[int, Field(ge=0, strict=True)] | None = None
    """After which round; by default over all rounds, or after the last one where it is by round
    (how a team errs together: at the openings)."""
    subject: str | None = None
    """What the estimate is about inside the arm: an agent, a pair, a rule."""
    reference: Finite = 0.0
    """The value that the estimate would have if there were nothing to find."""
    source: str = ""
    """Where the claim was made."""

    @model_validator(mode="after")
    def _two_arms(self) -> HypothesisSpec:
        if self.control is not None and self.cell is None:
            raise ValueError("a `control` is taken off a `cell`; name that one too")
        if self.control is not None and self.control == self.cell:
            raise ValueError(f'"{self.control}" is its own `control`; name another arm')
        return self
