"""A run with its sweep and its arms written out: every cell complete, every seat named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from debate.config.agents import AgentSpec
from debate.config.arms import ALONE, Treated, treated
from debate.config.cross import CrossProblem, Written, swept_cells
from debate.config.decision import DecisionSpec, needs
from debate.config.document import KeyPath, Problem
from debate.config.models import ModelSpec
from debate.config.run import CellSpec, RunSpec
from debate.config.seating import seated, seats
from debate.errors import InputError, suggestion

MAIN = "main"
OWN = ("topology", "protocol", "rounds", "decision")
"""What a cell may say itself, and takes from the run where it does not."""


@dataclass(frozen=True, kw_only=True)
class Expanded:
    """The run written out, where each cell's parts come from, and what is wrong, if anything."""

    spec: RunSpec
    origins: Mapping[KeyPath, KeyPath] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(kw_only=True)
class _Table:
    """Who sits where, as arms bring further seats and models."""

    seats: dict[str, AgentSpec]
    models: dict[str, ModelSpec]

    def add(self, found: Treated) -> None:
        """Take in what an arm needs. Raises InputError where a name is taken by something else."""
        for seat in found.members:
            if self.seats.setdefault(seat.id, seat) != seat:
                raise InputError(f'the arm needs a seat called "{seat.id}"; call yours otherwise')
        for name, model in found.models.items():
            if self.models.setdefault(name, model) != model:
                raise InputError(f'the arm needs a model called "{name}"; call yours otherwise')


def expand(spec: RunSpec) -> Expanded:
    """The run with complete cells instead of its sweep. What is expanded already stays as it is."""
    try:
        swept = swept_cells(spec)
    except CrossProblem as problem:
        return Expanded(spec=spec, problems=(Problem(problem.path, str(problem)),))
    written = {
        name: Written(cell=cell, places=_own(name, cell)) for name, cell in spec.cells.items()
    }
    problems: list[Problem] = [Problem(("cells", n), _twice(n)) for n in written if n in swept]
    cells = {**written, **swept} or {MAIN: Written(cell=CellSpec(), places={})}
    table = _Table(seats={seat.id: seat for seat in seats(spec)}, models=dict(spec.models))
    complete, origins = {}, dict[KeyPath, KeyPath]()
    for name, each in cells.items():
        origins |= _origins(name, each, is_swept=name not in written)
        if strangers := list(_strangers(name, each.cell, seats(spec))):
            problems += strangers
            continue
        try:
            complete[name] = _complete(spec, each.cell, table)
        except InputError as error:
            problems.append(Problem(each.places.get("arm", ("cells", name)), str(error)))
    change: dict[str, Any] = {"cells": complete, "sweep": None, "models": table.models}
    change["agents"] = (*spec.agents, *_further(spec, table))
    grown = spec.model_copy(update=change)
    return Expanded(spec=grown, origins=origins, problems=tuple(problems))


def _strangers(name: str, cell: CellSpec, known: tuple[AgentSpec, ...]) -> Iterator[Problem]:
    """Names in the cell that no seat answers to."""
    names = {seat.id for seat in known} | {seat.group for seat in known if seat.group}
    for index, member in enumerate(cell.agents or ()):
        if member not in names:
            place = ("cells", name, "agents", index)
            yield Problem(place, f'no agent is called "{member}"; {suggestion(member, names)}')


def _own(name: str, cell: CellSpec) -> dict[str, KeyPath]:
    return {field: ("cells", name, field) for field in cell.model_fields_set}


def _twice(name: str) -> str:
    return f'the sweep makes a cell called "{name}" too; call this one otherwise'


def _further(spec: RunSpec, table: _Table) -> Iterator[AgentSpec]:
    """The seats that arms have brought."""
    there = {seat.id for seat in seats(spec)}
    return (seat for name, seat in table.seats.items() if name not in there)


def _origins(name: str, cell: Written, *, is_swept: bool) -> Iterator[tuple[KeyPath, KeyPath]]:
    """Where each part of a complete cell was written: in the cell, in the sweep, or in the run."""
    last = list(cell.places.values())
    yield ("cells", name), last[-1] if is_swept and last else ("cells", name)
    for part in ("agents", *OWN):
        arm = cell.places.get("arm") if part == "agents" else None
        yield ("cells", name, part), cell.places.get(part) or arm or (part,)


def _complete(spec: RunSpec, cell: CellSpec, table: _Table) -> CellSpec:
    """The cell with all that it takes from the run, and its arm carried out."""
    said: dict[str, Any] = {
        name: getattr(spec if getattr(cell, name) is None else cell, name) for name in OWN
    }
    own = seats(spec)
    team = own if cell.agents is None else seated(own, cell.agents)
    if cell.arm is None:
        return cell.model_copy(update={**said, "agents": tuple(seat.id for seat in team)})
    found = treated(
        cell.arm,
        team,
        author=cell.author,
        topology=said["topology"],
        protocol=said["protocol"],
        rounds=said["rounds"],
    )
    table.add(found)
    if cell.arm in ALONE and "judges" in needs(said["decision"]):
        said["decision"] = DecisionSpec()
    change = {name: getattr(found, name) for name in ("topology", "protocol", "rounds")}
    members = tuple(seat.id for seat in found.members)
    told = {"agents": members, "author": found.author.id}
    return cell.model_copy(update={**said, **change, **told})
