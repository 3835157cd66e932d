"""What only the whole configuration shows to be wrong, each with the place to mend."""

from __future__ import annotations

from collections.abc import Iterator

from debate.agents.probes import shortcoming
from debate.config.agents import AgentSpec
from debate.config.decision import needs
from debate.config.document import KeyPath
from debate.config.run import CellSpec, RunSpec
from debate.errors import ConfigError, suggestion
from debate.orchestrator.debate import Cell
from debate.orchestrator.protocols import find_protocol
from debate.topologies import check
from debate.types import AgentId
from debate.wiring.treatments import treatments

Problems = Iterator[tuple[KeyPath, str]]


def seat_problems(spec: RunSpec, agents: tuple[AgentSpec, ...]) -> Problems:
    """Unknown models, seats of the same name, cells that name nobody."""
    seen: set[AgentId] = set()
    for index, agent in enumerate(spec.agents):
        if agent.model not in spec.models:
            hint = suggestion(agent.model, spec.models)
            yield ("agents", index, "model"), f'model "{agent.model}" is not in models; {hint}'
        names = [a.id for a in agents if agent.id in (a.id, a.id.rpartition("-")[0])]
        if agent.id in seen:
            yield ("agents", index), f'a seat is already called "{agent.id}"; give this one an `id`'
        seen |= {agent.id, *names}
    for name, cell in spec.cells.items():
        known = {a.id for a in agents} | {a.group for a in agents if a.group}
        for index, member in enumerate(cell.agents or ()):
            if member not in known:
                where = ("cells", name, "agents", index)
                yield where, f'no agent is called "{member}"; {suggestion(member, known)}'


def cell_problems(spec: RunSpec, agents: tuple[AgentSpec, ...]) -> Problems:
    """Protocols that do not exist, graphs that do not fit, decisions without their inputs."""
    for name, treatment in treatments(spec, agents).items():
        cell = spec.cells.get(name)

        def at(field: str, cell: CellSpec | None = cell, name: str = name) -> KeyPath:
            own = cell is not None and getattr(cell, field) is not None
            return ("cells", name, field) if own else (field,)

        try:
            find_protocol(treatment.protocol.name)
        except ConfigError as error:
            yield at("protocol"), str(error)
        if not any(agent.role == "debater" for agent in treatment.members):
            yield at("agents"), "nobody debates; a run needs at least one agent of role debater"
        found = check(
            treatment.topology,
            treatment.seats,
            protocol=treatment.protocol.name,
            rounds=treatment.rounds,
            needs_judges="judges" in needs(treatment.decision),
        )
        yield from ((at("topology") + problem.path, problem.message) for problem in found)
        if "belief" in needs(treatment.decision) and not _probed(spec, "belief"):
            rule = treatment.decision.name
            yield at("decision"), f"{rule} reads beliefs; write `probes: [belief]`"


def _probed(spec: RunSpec, name: str) -> bool:
    return any(probe.name == name for probe in spec.probes)


def shortcomings(spec: RunSpec, cell: Cell) -> Problems:
    """What the config asks of engines and prompt sets that they cannot do."""
    index = {agent.id: number for number, agent in enumerate(spec.agents)}
    for agent in cell.agents.values():
        stem = agent.id if agent.id in index else agent.id.rpartition("-")[0]
        for number, probe in enumerate(spec.probes):
            lack = shortcoming(probe, agent)
            if lack:
                where = spec.agents[index[stem]].id
                yield (
                    ("probes", number),
                    f'agent "{where}" cannot be probed by {probe.name}: {lack}',
                )
    if "confidence" in needs(cell.decision) and not _has_confidence(spec, cell):
        yield (
            ("decision",),
            f"{cell.decision.name} weighs confidences and these agents give none; write "
            "`show_confidence: true` under `protocol`, a probe, or use an engine with "
            "log-probabilities",
        )


def _has_confidence(spec: RunSpec, cell: Cell) -> bool:
    voters = [agent for agent in cell.agents.values() if agent.votes]
    stated = cell.spec.show_confidence or bool(spec.probes)
    return stated or all(agent.capabilities.logprobs for agent in voters)
