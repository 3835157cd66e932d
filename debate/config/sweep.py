"""Factors and how they cross: many cells from a few lines.

    sweep:
      team: {alike: [adder, twin], mixed: [adder, multiplier]}
      topology: [ring, complete]
      rounds: [1, 3]
      exclude: [{team: alike, topology: ring}]

Every combination becomes a cell, called by the names of its levels: `mixed-ring-r3`. A level is a
plain word or number that names itself, or is given a name: `{NAME: LEVEL}`. What a combination
does not say is the run's own. Seeds cross with everything under `seeds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, StrictBool, field_validator, model_validator

from debate.config.agents import Name
from debate.config.base import Spec
from debate.config.decision import DecisionSpec
from debate.config.protocol import ProtocolSpec
from debate.config.topology import TopologySpec
from debate.errors import suggestion

Rounds = Annotated[int, Field(ge=0, le=1000, strict=True)]
ArmName = Literal[
    "single",
    "self",
    "repeat",
    "restate",
    "noise",
    "sibling",
    "peer",
    "scripted",
    "scripted_right",
]
Factor = Literal[
    "arm",
    "author",
    "team",
    "topology",
    "protocol",
    "rounds",
    "anonymous",
    "show_confidence",
    "decision",
]
FACTORS: Final[tuple[Factor, ...]] = get_args(Factor)
"""In the order in which they stand in a cell's name."""


class Levels(Spec):
    """Levels of factors by their names; lists of plain levels have been given names before."""

    arm: dict[Name, ArmName] = {}
    """What the author sees before it answers again: a treatment of its own, on any topology."""
    author: dict[Name, Name] = {}
    """Whose answers an arm is about; by default the first debater of the team."""
    team: dict[Name, tuple[Name, ...]] = {}
    """The seats that take part."""
    topology: dict[Name, TopologySpec] = {}
    """Who critiques whom."""
    protocol: dict[Name, ProtocolSpec] = {}
    """What travels on the edges."""
    rounds: dict[Name, Rounds] = {}
    """Rounds after the opening."""
    anonymous: dict[Name, StrictBool] = {}
    """Whether speakers are numbered instead of named."""
    show_confidence: dict[Name, StrictBool] = {}
    """Whether a stated confidence is asked for and shown."""
    decision: dict[Name, DecisionSpec] = {}
    """How the team's answer is found."""

    @field_validator("team", mode="before")
    @classmethod
    def _of_one(cls, team: Any) -> Any:
        if not isinstance(team, Mapping):
            return team
        return {name: [who] if isinstance(who, str) else who for name, who in team.items()}

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The factors that have levels here, in their order."""
        return tuple(factor for factor in FACTORS if getattr(self, factor))

    def levels(self, factor: Factor) -> Mapping[str, Any]:
        """The levels of one factor by name."""
        found: Mapping[str, Any] = getattr(self, factor)
        return found


class SweepSpec(Levels):
    """Factors, and how they cross."""

    zip: tuple[tuple[Factor, ...], ...] = ()
    """Factors that go together level by level instead of crossing: a list, or several lists."""
    exclude: tuple[dict[Factor, tuple[str, ...]], ...] = ()
    """Combinations to leave out: whatever has, of each factor named, one of the levels named."""
    include: tuple[Levels, ...] = ()
    """Combinations to add, one level for each factor named; the rest is the run's."""

    @field_validator("zip", mode="before")
    @classmethod
    def _one_group(cls, zip: Any) -> Any:
        flat = isinstance(zip, list | tuple) and all(isinstance(each, str) for each in zip)
        return [zip] if flat and zip else zip

    @model_validator(mode="after")
    def _crosses(self) -> SweepSpec:
        if not self.factors and not self.include:
            raise ValueError(f"name at least one factor: {', '.join(FACTORS)}")
        together = [factor for group in self.zip for factor in group]
        for factor in together:
            if factor not in self.factors:
                raise ValueError(f"`zip` names {factor}, which has no levels here")
            if together.count(factor) > 1:
                raise ValueError(f"`zip` names {factor} twice; a factor goes one way")
        for group in self.zip:
            sizes = {factor: len(self.levels(factor)) for factor in group}
            if len(set(sizes.values())) > 1:
                counts = ", ".join(f"{factor} {size}" for factor, size in sizes.items())
                raise ValueError(f"`zip` needs equally many levels of each factor; here {counts}")
        return self

    @model_validator(mode="after")
    def _excludes_levels(self) -> SweepSpec:
        for excluded in self.exclude:
            for factor, names in excluded.items():
                levels = self.levels(factor)
                unknown = next((name for name in names if name not in levels), None)
                if unknown is not None:
                    hint = suggestion(unknown, levels)
                    raise ValueError(f'`exclude` names the {factor} "{unknown}"; {hint}')
        return self

    @field_validator("include")
    @classmethod
    def _single(cls, include: tuple[Levels, ...]) -> tuple[Levels, ...]:
        for added in include:
            several = [factor for factor in added.factors if len(added.levels(factor)) > 1]
            if several or not added.factors:
                what = f"several levels of {several[0]}" if several else "no factor"
                raise ValueError(f"each combination to include has one level a factor, not {what}")
        return include
