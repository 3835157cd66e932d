"""A sweep's combinations, and the cells that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from debate.config.arms import ALONE, matters
from debate.config.document import KeyPath
from debate.config.run import CellSpec, RunSpec
from debate.config.sweep import FACTORS, Factor, Levels, SweepSpec

LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a factor: its name, what it says, and where that is written."""

    name: str
    value: Any
    path: KeyPath


Combination = Mapping[Factor, Level]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A cell with the places of what it says: field of the cell to path in the file."""

    cell: CellSpec
    places: Mapping[str, KeyPath]


class CrossProblem(ValueError):
    """A combination that makes no cell; `path` is where to mend it."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.path = path


def combinations(sweep: SweepSpec) -> Iterator[Combination]:
    """Every combination of the sweep: crossed or zipped, less the excluded, then the included."""
    for crossed in _crossed(sweep):
        if not any(_excluded(crossed, entry) for entry in sweep.exclude):
            yield crossed
    for index, added in enumerate(sweep.include):
        at: KeyPath = ("sweep", "include", index)
        yield {factor: _levels(added, factor, at)[0] for factor in added.factors}


def _crossed(sweep: SweepSpec) -> Iterator[Combination]:
    """The product over the factors, those that are zipped moving as one."""
    if not sweep.factors:
        return
    together = {factor: group for group in sweep.zip for factor in group}
    axes: dict[tuple[Factor, ...], list[tuple[Level, ...]]] = {}
    for factor in sweep.factors:
        group = together.get(factor, (factor,))
        columns = [_levels(sweep, each, ("sweep",)) for each in group]
        axes[group] = list(zip(*columns, strict=True))
    for point in product(*axes.values()):
        pairs = zip(axes, point, strict=True)
        found = {
            f: level for group, levels in pairs for f, level in zip(group, levels, strict=True)
        }
        yield {factor: found[factor] for factor in FACTORS if factor in found}


def _levels(source: Levels, factor: Factor, at: KeyPath) -> list[Level]:
    items = source.levels(factor).items()
    return [Level(name, value, (*at, factor, name)) for name, value in items]


def _excluded(combination: Combination, entry: Mapping[Factor, tuple[str, ...]]) -> bool:
    """Whether the combination has one of the named levels of every factor named."""
    return all(f in combination and combination[f].name in names for f, names in entry.items())


def swept_cells(spec: RunSpec) -> dict[str, Written]:
    """The cells of the run's sweep by name. Combinations that an arm makes alike are one cell.

    Raises CrossProblem for names that are too long or that two different cells share.
    """
    cells: dict[str, Written] = {}
    for combination in combinations(spec.sweep) if spec.sweep else ():
        kept = _that_matter(combination)
        last = list(combination.values())[-1].path
        name = "-".join(level.name for level in kept.values())
        if len(name) > LONGEST_NAME:
            raise CrossProblem(
                last, f'the cell "{name}" has more than {LONGEST_NAME} letters; give its levels '
                "shorter names, as in `{NAME: LEVEL}`",
            )  # fmt: skip
        made = _cell(spec, kept)
        if name in cells and cells[name].cell != made.cell:
            raise CrossProblem(last, f'two cells would be called "{name}"; name their levels')
        cells.setdefault(name, made)
    return cells


def _that_matter(combination: Combination) -> dict[Factor, Level]:
    """The levels that make a difference to the combination's arm.

    An arm of one member is told from others by its author, not by the team that it leaves out.
    """
    arm = combination["arm"].value if "arm" in combination else None
    kept = {f: level for f, level in combination.items() if matters(f, arm)}
    if arm in ALONE and "team" in kept:
        team = kept.pop("team")
        kept.setdefault("author", Level(str(team.value[0]), team.value[0], team.path))
    return {factor: kept[factor] for factor in FACTORS if factor in kept}


def _cell(spec: RunSpec, levels: Combination) -> Written:
    said: dict[str, Any] = {"factors": {factor: level.name for factor, level in levels.items()}}
    places: dict[str, KeyPath] = {}
    protocol = spec.protocol
    for factor, level in levels.items():
        field = {"team": "agents"}.get(factor, factor)
        if factor in ("protocol", "anonymous", "show_confidence"):
            change: dict[str, Any] = {} if factor == "protocol" else {factor: level.value}
            base = level.value if factor == "protocol" else protocol
            protocol, field = base.model_copy(update=change), "protocol"
            said["protocol"] = protocol
        else:
            said[field] = level.value
        places[field] = level.path
    return Written(cell=CellSpec(**said), places=places)
