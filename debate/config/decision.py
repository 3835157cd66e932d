"""How a team's answer follows from what its members said."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from debate.config.base import NamedSpec

DecisionName = Literal[
    "majority",
    "super_majority",
    "unanimity",
    "confidence_weighted",
    "log_opinion_pool",
    "linear_pool",
    "ranked",
    "approval",
    "judge_majority",
    "judge_scores",
    "last_speaker",
]
Need = Literal["judges", "belief", "confidence"]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]

_BELONGS = {
    "threshold": ("super_majority", "approval"),
    "weights": ("log_opinion_pool", "linear_pool"),
    "rule": ("ranked",),
    "score": ("judge_scores",),
}
"""Fields that only some decisions have."""

_NEEDS: dict[str, frozenset[Need]] = {
    "confidence_weighted": frozenset({"confidence"}),
    "log_opinion_pool": frozenset({"belief"}),
    "linear_pool": frozenset({"belief"}),
    "ranked": frozenset({"belief"}),
    "approval": frozenset({"belief"}),
    "judge_majority": frozenset({"judges"}),
    "judge_scores": frozenset({"judges"}),
}


class DecisionSpec(NamedSpec):
    """How the team's answer is found. A bare name stands for `{name: NAME}`."""

    name: DecisionName = "majority"
    """The rule."""
    ties: Literal["abstain", "first", "confidence", "random"] = "abstain"
    """What a tie becomes: no answer, the first seat's, the most confident, or a seeded draw."""
    confidence: str | None = None
    """The confidence estimator to read, such as `answer_token`; by default each turn's first."""
    threshold: Share | None = None
    """`super_majority`: the share of votes needed, by default 2/3. `approval`: the belief from
    which on a candidate is approved of, by default 1/4."""
    weights: dict[str, Weight] | None = None
    """`log_opinion_pool`, `linear_pool`: relative weight by agent, 1 for those not named; scaled
    to sum to 1 over those who vote."""
    rule: Literal["borda", "instant_runoff", "copeland"] | None = None
    """`ranked`: how rankings are counted, by default `borda`."""
    score: Literal["accepts", "confidence"] | None = None
    """`judge_scores`: by the verdict, 1 or 0 (the default), or by the judge's confidence that the
    answer is right."""

    @model_validator(mode="after")
    def _fields_fit(self) -> DecisionSpec:
        for field, names in _BELONGS.items():
            if getattr(self, field) is not None and self.name not in names:
                raise ValueError(f"`{field}` belongs to {' and '.join(names)}, not to {self.name}")
        if self.name == "super_majority" and self.threshold is not None and self.threshold <= 0.5:
            raise ValueError(
                f"a super-majority needs a threshold above 0.5, not {self.threshold}; "
                "`majority` takes the most frequent answer"
            )
        return self

    @property
    def share_needed(self) -> float:
        """The share of the completed ballots below which the winner does not stand."""
        if self.name == "unanimity":
            return 1.0
        return (self.threshold or 2 / 3) if self.name == "super_majority" else 0.0


def needs(spec: DecisionSpec) -> frozenset[Need]:
    """What a run must have for the decision to be made.

    >>> sorted(needs(DecisionSpec(name="log_opinion_pool", ties="confidence")))
    ['belief', 'confidence']
    """
    asks = spec.ties == "confidence" or spec.score == "confidence"
    return _NEEDS.get(spec.name, frozenset()) | (frozenset({"confidence"}) if asks else frozenset())
