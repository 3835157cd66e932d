"""A run's cells from its manifest alone, as far as they can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from debate.agents.prompt_sets import load_prompt_set
from debate.config.models import ModelSpec
from debate.config.run import RunSpec
from debate.config.seating import seats
from debate.engines.registry import identity
from debate.errors import ConfigError, DebateError
from debate.log.manifest import Manifest
from debate.orchestrator.cell import Cell
from debate.orchestrator.protocols import PROTOCOLS
from debate.wiring.cells import make_cell
from debate.wiring.treatments import Treatment, treatments

UNKNOWN = "unknown"
"""Stands for what tells a model's weights from others', where they cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """The cells that can be debated again, the names of all, and why some cannot be."""

    spec: RunSpec
    cells: Mapping[str, Cell]
    known: frozenset[str]
    unchecked: tuple[str, ...]

    def against(self, manifest: Manifest) -> Iterator[str]:
        """Where the manifest contradicts its own spec."""
        wanted = {seat.id for seat in seats(self.spec)}
        if manifest.agents and set(manifest.agents) != wanted:
            yield f"agents are {sorted(manifest.agents)}, but the spec seats {sorted(wanted)}"
        if manifest.seeds and tuple(manifest.seeds) != self.spec.seeds:
            yield f"seeds are {list(manifest.seeds)}, but the spec says {list(self.spec.seeds)}"


def rebuild(spec: Mapping[str, Any], *, custom_code: bool = False) -> Rebuilt:
    """The cells of a resolved spec. Raises ConfigError where it is no run's."""
    try:
        run = RunSpec.model_validate(dict(spec))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise ConfigError(f"the manifest's spec is no run's configuration ({place})") from None
    cells, unchecked = {}, []
    known = treatments(run, seats(run))
    for name, treatment in known.items():
        try:
            cells[name] = _cell(run, name, treatment, custom_code=custom_code)
        except DebateError as error:
            unchecked.append(f'cell "{name}" was not debated again: {error}')
    return Rebuilt(
        spec=run, cells=cells, known=frozenset(known), unchecked=tuple(dict.fromkeys(unchecked))
    )


def _cell(run: RunSpec, name: str, treatment: Treatment, *, custom_code: bool) -> Cell:
    """The cell. Raises DebateError where it cannot be told, or is custom code that may not run."""
    protocol = treatment.protocol.name
    if protocol not in PROTOCOLS and not custom_code:
        raise ConfigError(f"its protocol {protocol} is custom code, which is not run unasked")
    for seat in treatment.members:
        if seat.model not in run.models:
            raise ConfigError(f'agent {seat.id} has the model "{seat.model}", which the spec lacks')
    sets = {member.prompts: load_prompt_set(member.prompts) for member in treatment.members}
    return make_cell(run, name, treatment, sets, identify=_identity)


def _identity(model: ModelSpec) -> str:
    """What tells the model's weights from others'; weights that are not here are unknown."""
    try:
        return identity(model)
    except OSError:
        return UNKNOWN
