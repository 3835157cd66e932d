"""A run with its sweep and its arms written out: every cell complete, every agent named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from debate.config.agents import AgentSpec
from debate.config.arms import ARMS, SOLO_ARMS, Arm, build_arm
from debate.config.document import KeyPath, Problem
from debate.config.models import ModelSpec
from debate.config.protocol import DecisionSpec, get_requirements
from debate.config.run import CellSpec, RunSpec, expand_agents
from debate.config.sweep import FACTORS, Factor, FactorLevels, SweepSpec, has_effect
from debate.errors import InputError, suggest

MAIN_CELL = "main"
MAX_NAME_LENGTH = 64
INHERITED_FIELDS = ("topology", "protocol", "rounds", "decision")
"""The fields that a cell takes from the run where it does not say them itself."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a factor: its name, its value, and where that is written."""

    name: str
    value: Any
    path: KeyPath


Combination = Mapping[Factor, Level]


@dataclass(frozen=True, kw_only=True)
class LocatedCell:
    """A cell and where what it says is written: from its fields to paths in the document."""

    cell: CellSpec
    paths: Mapping[str, KeyPath]


class SweepError(ValueError):
    """A combination makes no cell; `path` leads to the level that is to be changed."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, kw_only=True)
class ExpandedRun:
    """The run written out, where each part of its cells comes from, and what is wrong."""

    spec: RunSpec
    origins: Mapping[KeyPath, KeyPath] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(kw_only=True)
class _Members:
    """The run's agents and models by name, to which arms add their own."""

    agents: dict[str, AgentSpec]
    models: dict[str, ModelSpec]

    def add(self, arm: Arm) -> None:
        """Add what an arm brings. Raises InputError where something else has one of its names."""
        for agent in arm.members:
            if self.agents.setdefault(agent.id, agent) != agent:
                raise InputError(f'the arm needs a seat called "{agent.id}"; call yours otherwise')
        for name, model in arm.models.items():
            if self.models.setdefault(name, model) != model:
                raise InputError(f'the arm needs a model called "{name}"; call yours otherwise')


def expand_cells(spec: RunSpec, *, is_recorded: bool = False) -> ExpandedRun:
    """Replace the run's sweep by complete cells. What is expanded already stays as it is.

    Of a recorded run no custom arm is built: its cells hold what came of it.
    """
    try:
        swept = make_swept_cells(spec)
    except SweepError as problem:
        return ExpandedRun(spec=spec, problems=(Problem(problem.path, str(problem)),))
    written = {name: _locate_fields(name, cell) for name, cell in spec.cells.items()}
    problems = [_describe_duplicate(name) for name in written if name in swept]
    cells = {**written, **swept} or {MAIN_CELL: LocatedCell(cell=CellSpec(), paths={})}
    own = expand_agents(spec)
    members = _Members(agents={agent.id: agent for agent in own}, models=dict(spec.models))
    complete, origins = {}, dict[KeyPath, KeyPath]()
    for name, each in cells.items():
        origins |= _find_origins(name, each, is_swept=name not in written)
        if unknown := list(_find_unknown_agents(name, each.cell, own)):
            problems += unknown
            continue
        try:
            is_built = is_recorded and each.cell.arm is not None and each.cell.arm not in ARMS
            arm = None if is_built else each.cell.arm
            complete[name] = _complete_cell(spec, each.cell, members, arm=arm)
        except InputError as error:
            problems.append(Problem(each.paths.get("arm", ("cells", name)), str(error)))
    change: dict[str, Any] = {"cells": complete, "sweep": None, "models": members.models}
    ids = {agent.id for agent in own}
    added = [agent for name, agent in members.agents.items() if name not in ids]
    change["agents"] = (*spec.agents, *added)
    expanded = spec.model_copy(update=change)
    return ExpandedRun(spec=expanded, origins=origins, problems=tuple(problems))


def _find_unknown_agents(
    name: str, cell: CellSpec, known: tuple[AgentSpec, ...]
) -> Iterator[Problem]:
    """Find names in the cell that are no agent's and no group's."""
    names = {agent.id for agent in known} | {agent.group for agent in known if agent.group}
    for index, member in enumerate(cell.agents or ()):
        if member not in names:
            path = ("cells", name, "agents", index)
            yield Problem(path, f'no agent is called "{member}"; {suggest(member, names)}')


def _locate_fields(name: str, cell: CellSpec) -> LocatedCell:
    paths = {field: ("cells", name, field) for field in cell.model_fields_set}
    return LocatedCell(cell=cell, paths=paths)


def _describe_duplicate(name: str) -> Problem:
    message = f'the sweep makes a cell called "{name}" too; call this one otherwise'
    return Problem(("cells", name), message)


def _find_origins(
    name: str, cell: LocatedCell, *, is_swept: bool
) -> Iterator[tuple[KeyPath, KeyPath]]:
    """Find where each part of a complete cell was written: in the cell, the sweep, or the run."""
    last = list(cell.paths.values())
    yield ("cells", name), last[-1] if is_swept and last else ("cells", name)
    for part in ("agents", *INHERITED_FIELDS):
        arm = cell.paths.get("arm") if part == "agents" else None
        yield ("cells", name, part), cell.paths.get(part) or arm or (part,)


def _complete_cell(
    spec: RunSpec, cell: CellSpec, members: _Members, *, arm: str | None
) -> CellSpec:
    """Add to the cell what it takes from the run, and what its arm stands for, if it has one."""
    fields: dict[str, Any] = {
        name: getattr(spec if getattr(cell, name) is None else cell, name)
        for name in INHERITED_FIELDS
    }
    own = expand_agents(spec)
    team = own if cell.agents is None else _select_agents(own, cell.agents)
    if arm is None:
        return cell.model_copy(update={**fields, "agents": tuple(agent.id for agent in team)})
    built = build_arm(
        arm,
        team,
        author=cell.author,
        topology=fields["topology"],
        protocol=fields["protocol"],
        rounds=fields["rounds"],
    )
    members.add(built)
    if arm in SOLO_ARMS and "judges" in get_requirements(fields["decision"]):
        fields["decision"] = DecisionSpec()
    fields |= {name: getattr(built, name) for name in ("topology", "protocol", "rounds")}
    fields |= {"agents": tuple(agent.id for agent in built.members), "author": built.author.id}
    return cell.model_copy(update=fields)


def _select_agents(agents: Sequence[AgentSpec], names: Iterable[str]) -> tuple[AgentSpec, ...]:
    """Return the agents that are named, by id or else by group, in the order of the names."""
    by_id = {agent.id: agent for agent in agents}
    found: dict[str, AgentSpec] = {}
    for name in names:
        meant = [by_id[name]] if name in by_id else [a for a in agents if a.group == name]
        found |= {agent.id: agent for agent in meant}
    return tuple(found.values())


def make_swept_cells(spec: RunSpec) -> dict[str, LocatedCell]:
    """Make the cells of the run's sweep by name; combinations that an arm makes alike are one.

    Raises SweepError for names that are too long or that two different cells share.
    """
    cells: dict[str, LocatedCell] = {}
    for combination in iterate_combinations(spec.sweep) if spec.sweep else ():
        kept = _drop_without_effect(combination)
        last = list(combination.values())[-1].path
        name = "-".join(level.name for level in kept.values())
        if len(name) > MAX_NAME_LENGTH:
            raise SweepError(
                last,
                f'the cell "{name}" has more than {MAX_NAME_LENGTH} letters; '
                "give its levels shorter names, as in `{NAME: LEVEL}`",
            )
        made = _make_cell(spec, kept)
        if name in cells and cells[name].cell != made.cell:
            raise SweepError(last, f'two cells would be called "{name}"; name their levels')
        cells.setdefault(name, made)
    return cells


def iterate_combinations(sweep: SweepSpec) -> Iterator[Combination]:
    """Iterate over the combinations: crossed or zipped, less the excluded, then the included."""
    for crossed in _cross_factors(sweep):
        if not any(_is_excluded(crossed, entry) for entry in sweep.exclude):
            yield crossed
    for index, added in enumerate(sweep.include):
        at: KeyPath = ("sweep", "include", index)
        yield {factor: _list_levels(added, factor, at)[0] for factor in added.factors}


def _cross_factors(sweep: SweepSpec) -> Iterator[Combination]:
    """Iterate over the product of the factors, those that are zipped moving as one."""
    if not sweep.factors:
        return
    together = {factor: group for group in sweep.zip for factor in group}
    axes: dict[tuple[Factor, ...], list[tuple[Level, ...]]] = {}
    for factor in sweep.factors:
        group = together.get(factor, (factor,))
        columns = [_list_levels(sweep, each, ("sweep",)) for each in group]
        axes[group] = list(zip(*columns, strict=True))
    for point in product(*axes.values()):
        pairs = zip(axes, point, strict=True)
        found = {
            f: level for group, levels in pairs for f, level in zip(group, levels, strict=True)
        }
        yield {factor: found[factor] for factor in FACTORS if factor in found}


def _list_levels(source: FactorLevels, factor: Factor, at: KeyPath) -> list[Level]:
    items = source.levels(factor).items()
    return [Level(name, value, (*at, factor, name)) for name, value in items]


def _is_excluded(combination: Combination, entry: Mapping[Factor, tuple[str, ...]]) -> bool:
    """Whether the combination has one of the named levels of every factor named."""
    return all(f in combination and combination[f].name in names for f, names in entry.items())


def _drop_without_effect(combination: Combination) -> dict[Factor, Level]:
    """Keep the levels that make a difference to the combination's arm.

    An arm of one member is told from others by its author, not by the team that it leaves out.
    """
    arm = combination["arm"].value if "arm" in combination else None
    kept = {f: level for f, level in combination.items() if has_effect(f, arm)}
    if arm in SOLO_ARMS and "team" in kept:
        team = kept.pop("team")
        kept.setdefault("author", Level(str(team.value[0]), team.value[0], team.path))
    return {factor: kept[factor] for factor in FACTORS if factor in kept}


def _make_cell(spec: RunSpec, levels: Combination) -> LocatedCell:
    fields: dict[str, Any] = {"factors": {factor: level.name for factor, level in levels.items()}}
    paths: dict[str, KeyPath] = {}
    protocol = spec.protocol
    for factor, level in levels.items():
        field = {"team": "agents"}.get(factor, factor)
        if factor in ("protocol", "anonymous", "show_confidence", "read"):
            change: dict[str, Any] = {} if factor == "protocol" else {factor: level.value}
            base = level.value if factor == "protocol" else protocol
            protocol, field = base.model_copy(update=change), "protocol"
            fields["protocol"] = protocol
        else:
            fields[field] = level.value
        paths[field] = level.path
    return LocatedCell(cell=CellSpec(**fields), paths=paths)
