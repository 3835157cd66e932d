"""Factors and how they cross: many cells from a few lines.

    sweep:
      team: {alike: [adder, twin], mixed: [adder, multiplier]}
      topology: [ring, complete]
      rounds: [1, 3]
      exclude: [{team: alike, topology: ring}]

Every combination becomes a cell, called by the names of its levels: `mixed-ring-r3`. A level is a
plain word or number that names itself, or is given a name: `{NAME: LEVEL}`. What a combination
does not say is the run's own. Seeds cross with everything under `seeds`.

Levels are given their names before validation, while the document still holds them as written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from pydantic import StrictBool, field_validator, model_validator

from debate.config.arms import ArmName
from debate.config.document import ConfigDocument, KeyPath
from debate.config.protocol import DecisionSpec, ProtocolSpec, Reading
from debate.config.spec import Name, Rounds, Spec
from debate.config.topology import TopologySpec
from debate.errors import ConfigError, suggest

Factor = Literal[
    "arm",
    "author",
    "team",
    "topology",
    "protocol",
    "rounds",
    "anonymous",
    "show_confidence",
    "read",
    "decision",
]
FACTORS: Final[tuple[Factor, ...]] = get_args(Factor)
"""All factors, in the order in which their levels stand in a cell's name."""


_WITHOUT_EFFECT: Final[Mapping[str, frozenset[Factor]]] = MappingProxyType(
    {
        "single": frozenset({"topology", "protocol", "rounds", "anonymous"}),
        "self": frozenset({"topology", "anonymous"}),
        "repeat": frozenset({"topology", "protocol", "anonymous"}),
        "restate": frozenset({"topology", "protocol", "anonymous"}),
    }
)
"""The factors that make no difference to an arm; to the arms not named here, every factor does."""


_LEVEL_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_SWITCH_NAMES = {
    "anonymous": {True: "anonymous", False: "named"},
    "show_confidence": {True: "confidence", False: "noconfidence"},
}
"""The names of the two levels of a switch."""


class FactorLevels(Spec):
    """Levels of factors, by name."""

    code_fields = {"arm": "arms"}

    arm: dict[Name, ArmName] = {}
    """What the author is shown before it answers again."""
    author: dict[Name, Name] = {}
    """The agent that an arm is about; by default the first debater of the team."""
    team: dict[Name, tuple[Name, ...]] = {}
    """The agents of the team, by id or group; by default all."""
    topology: dict[Name, TopologySpec] = {}
    """Who critiques whom."""
    protocol: dict[Name, ProtocolSpec] = {}
    """How debates go: a protocol's name, or one written out."""
    rounds: dict[Name, Rounds] = {}
    """Rounds after the opening."""
    anonymous: dict[Name, StrictBool] = {}
    """Whether speakers are numbered instead of named."""
    show_confidence: dict[Name, StrictBool] = {}
    """Whether a stated confidence is asked for and shown."""
    read: dict[Name, Reading] = {}
    """How answers are had from replies."""
    decision: dict[Name, DecisionSpec] = {}
    """How the team's answer is found."""

    @field_validator("team", mode="before")
    @classmethod
    def _expand_single_agents(cls, team: Any) -> Any:
        if not isinstance(team, Mapping):
            return team
        return {name: [who] if isinstance(who, str) else who for name, who in team.items()}

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The factors that have levels here, in their order."""
        return tuple(factor for factor in FACTORS if getattr(self, factor))

    def levels(self, factor: Factor) -> Mapping[str, Any]:
        """Return the levels of one factor by name."""
        found: Mapping[str, Any] = getattr(self, factor)
        return found


class SweepSpec(FactorLevels):
    """Factors, and how they cross."""

    zip: tuple[tuple[Factor, ...], ...] = ()
    """Factors that go together level by level instead of crossing: a list, or several lists."""
    exclude: tuple[dict[Factor, tuple[str, ...]], ...] = ()
    """Combinations to leave out: those that have, of each factor named, one of the levels named."""
    include: tuple[FactorLevels, ...] = ()
    """Combinations to add, one level for each factor named; the rest is the run's."""

    @field_validator("zip", mode="before")
    @classmethod
    def _expand_single_group(cls, zip: Any) -> Any:
        flat = isinstance(zip, list | tuple) and all(isinstance(each, str) for each in zip)
        return [zip] if flat and zip else zip

    @model_validator(mode="after")
    def _check_factors(self) -> SweepSpec:
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
    def _check_exclude(self) -> SweepSpec:
        for excluded in self.exclude:
            for factor, names in excluded.items():
                levels = self.levels(factor)
                unknown = next((name for name in names if name not in levels), None)
                if unknown is not None:
                    hint = suggest(unknown, levels)
                    raise ValueError(f'`exclude` names the {factor} "{unknown}"; {hint}')
        return self

    @field_validator("include")
    @classmethod
    def _check_include(cls, include: tuple[FactorLevels, ...]) -> tuple[FactorLevels, ...]:
        for added in include:
            several = [factor for factor in added.factors if len(added.levels(factor)) > 1]
            if several or not added.factors:
                what = f"several levels of {several[0]}" if several else "no factor"
                raise ValueError(f"each combination to include has one level a factor, not {what}")
        return include


def has_effect(factor: Factor, arm: str | None) -> bool:
    """Whether a factor's levels make a difference to an arm.

    >>> has_effect("rounds", "single"), has_effect("rounds", "repeat"), has_effect("rounds", None)
    (False, True, True)
    """
    return arm is None or factor not in _WITHOUT_EFFECT.get(arm, frozenset())


def name_levels(document: ConfigDocument, at: KeyPath) -> ConfigDocument:
    """Put every level of the sweep at `at` under a name.

    Lists become mappings, and `exclude` and `include` refer to levels by name. What is not shaped
    like levels stays as it is, to be found by validation. Raises ConfigError for a level that needs
    a name and has none.
    """
    for factor in FACTORS:
        document = _name_factor(document, (*at, factor), factor)
    levels = document.at(at).value
    for index, added in enumerate(_list_entries(levels, "include")):
        for factor in _list_factors(added):
            path = (*at, "include", index, factor)
            document = _name_included(document, path, factor, levels.get(factor))
    for index, excluded in enumerate(_list_entries(levels, "exclude")):
        for factor in _list_factors(excluded):
            path = (*at, "exclude", index, factor)
            document = _name_excluded(document, path, factor)
    return document


def make_level_name(factor: str, value: Any) -> str | None:
    """Make the name of a level that names itself; None for one that must be given a name.

    >>> make_level_name("rounds", 3), make_level_name("topology", "my/a.yaml")
    ('r3', 'a')
    """
    if isinstance(value, bool):
        return _SWITCH_NAMES.get(factor, {}).get(value, str(value).lower())
    if isinstance(value, int | float):
        return f"r{value}" if factor == "rounds" else str(value)
    if isinstance(value, list) and factor == "team":
        value = "_".join(map(str, value))
    if not isinstance(value, str):
        return None
    if value.endswith((".yaml", ".yml")):
        value = Path(value).stem
    elif factor in ("arm", "protocol", "decision"):
        value = value.rpartition(".")[2]
    return value if _LEVEL_NAME.match(value) else None


def _name_factor(document: ConfigDocument, at: KeyPath, factor: Factor) -> ConfigDocument:
    levels = document.at(at[:-1]).value
    if not isinstance(levels, dict) or factor not in levels:
        return document
    branch = document.at(at)
    if isinstance(branch.value, dict):
        return document
    listed = branch.value if isinstance(branch.value, list) else [branch.value]
    named = branch.with_value({})
    for index in range(len(listed)):
        level = branch.at((index,)) if isinstance(branch.value, list) else branch
        name = _require_name(level, factor)
        if name in named.value:
            raise ConfigError(f'{level.locate(())}: the {factor} "{name}" is written twice')
        named = named.replace_at((name,), level)
    return document.replace_at(at, named)


def _require_name(level: ConfigDocument, factor: str) -> str:
    name = make_level_name(factor, level.value)
    if name is None:
        raise ConfigError(
            f"{level.locate(())}: this {factor} needs a name for its cells; "
            f"write `{factor}: {{NAME: …}}`"
        )
    return name


def _name_included(
    document: ConfigDocument, at: KeyPath, factor: Factor, known: Any
) -> ConfigDocument:
    """Name one level of a combination to include: a known level by its name, or one written out."""
    branch = document.at(at)
    name = make_level_name(factor, branch.value)
    one = branch.with_value({})
    if isinstance(known, dict) and name is not None and name in known:
        return document.replace_at(at, one.replace_at((name,), document.at((at[0], factor, name))))
    if isinstance(branch.value, list) and factor == "team":
        return document.replace_at(at, one.replace_at((_require_name(branch, factor),), branch))
    return _name_factor(document, at, factor)


def _name_excluded(document: ConfigDocument, at: KeyPath, factor: Factor) -> ConfigDocument:
    """Turn the levels of a combination to exclude into a list of names."""
    branch = document.at(at)
    listed = branch.value if isinstance(branch.value, list) else [branch.value]
    names = [make_level_name(factor, value) or str(value) for value in listed]
    return document.replace_at(at, branch.with_value(names))


def _list_entries(levels: Any, field: str) -> list[Any]:
    found = levels.get(field) if isinstance(levels, dict) else None
    return found if isinstance(found, list) else []


def _list_factors(entry: Any) -> list[Factor]:
    return [factor for factor in FACTORS if isinstance(entry, dict) and factor in entry]
