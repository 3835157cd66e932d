"""The cells of a run, resolved, checked and built: from a configuration, or from a manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from pydantic import ValidationError

from debate.agents.agent import Agent
from debate.agents.final_line import find_unsupported_reading
from debate.agents.probes import find_unsupported
from debate.agents.prompt_sets import PromptSet, load_prompt_set
from debate.agents.tool_use import find_unsupported_tools
from debate.config.agents import AgentSpec
from debate.config.document import KeyPath, Problem
from debate.config.models import ModelSpec
from debate.config.protocol import (
    DecisionSpec,
    JudgingSpec,
    ProbeSpec,
    ProtocolSpec,
    get_requirements,
)
from debate.config.registry import KINDS, RECORDED, Kind, list_built_in
from debate.config.run import CellSpec, RunSpec, expand_agents
from debate.config.spec import iterate_code
from debate.config.topology import TopologySpec
from debate.engines.registry import compute_identity, get_capabilities
from debate.errors import ConfigError, DebateError
from debate.log.manifest import Manifest
from debate.orchestrator.condition import Condition, Protocol
from debate.orchestrator.protocols import find_protocol
from debate.tasks import normalise, score_answer
from debate.topologies import (
    InvalidTopologyError,
    Seat,
    TopologySchedule,
    build_schedule,
    find_problems,
)

UNKNOWN = "unknown"
"""Stands for what tells a model's weights from others', where they cannot be read."""


@dataclass(frozen=True, kw_only=True)
class ResolvedCell:
    """One cell with every field given: its own value, or that of the run."""

    members: tuple[AgentSpec, ...]
    topology: TopologySpec
    protocol: ProtocolSpec
    rounds: int
    decision: DecisionSpec

    @property
    def seats(self) -> tuple[Seat, ...]:
        """The members as topologies know them."""
        return tuple(Seat(id=a.id, role=a.role, group=a.group) for a in self.members)

    @cached_property
    def schedule(self) -> TopologySchedule:
        """The graphs by round. Raises BrokenTopology where they cannot be drawn."""
        return build_schedule(self.topology, self.seats)

    @cached_property
    def coroutine(self) -> Protocol:
        """The coroutine of the protocol. Raises ConfigError where there is none of its name."""
        return find_protocol(self.protocol.name)


def resolve_cells(spec: RunSpec, agents: tuple[AgentSpec, ...]) -> dict[str, ResolvedCell]:
    """The run's cells by name, each with its members in the order in which the cell names them."""
    return {name: _resolve(spec, agents, cell) for name, cell in spec.cells.items()}


def _resolve(spec: RunSpec, agents: tuple[AgentSpec, ...], cell: CellSpec) -> ResolvedCell:
    by_id = {agent.id: agent for agent in agents}
    named = by_id if cell.agents is None else cell.agents
    return ResolvedCell(
        members=tuple(by_id[name] for name in named),
        topology=cell.topology or spec.topology,
        protocol=cell.protocol or spec.protocol,
        rounds=spec.rounds if cell.rounds is None else cell.rounds,
        decision=cell.decision or spec.decision,
    )


def make_cell(
    spec: RunSpec,
    name: str,
    resolved: ResolvedCell,
    prompt_sets: Mapping[str, PromptSet],
    *,
    identify: Callable[[ModelSpec], str] = compute_identity,
) -> Condition:
    """Build a cell's agents, with their prompts, and take over its protocol and its graphs.

    `identify` returns what tells a model's weights from others'. Raises ConfigError where the
    protocol does not exist, TopologyError where the graphs cannot be drawn.
    """
    agents = {
        seat.id: Agent(
            spec=seat,
            prompts=prompt_sets[seat.prompts],
            protocol=resolved.protocol,
            identity=identify(spec.models[seat.model]),
            capabilities=get_capabilities(spec.models[seat.model]),
        )
        for seat in resolved.members
    }
    return Condition(
        name=name,
        agents=agents,
        schedule=resolved.schedule,
        protocol=resolved.coroutine,
        spec=resolved.protocol,
        rounds=resolved.rounds,
        decision=resolved.decision,
        probes=spec.probes,
        score=partial(score_answer, scoring=spec.task.scoring),
        normalise=normalise,
        keep_prompts=spec.log.prompts,
    )


def find_cell_problems(spec: RunSpec, cells: Mapping[str, ResolvedCell]) -> Iterator[Problem]:
    """Yield protocols that do not exist, graphs that do not fit, decisions that lack an input."""
    for name, resolved in cells.items():
        for path, message in _find_problems(resolved, spec.probes):
            yield Problem(_locate(spec, name, path), message)


def _locate(spec: RunSpec, cell: str, path: KeyPath) -> KeyPath:
    """Return the path at which a part of a cell was written: in the cell, or for all cells."""
    own = spec.cells.get(cell)
    return path if own is None or getattr(own, str(path[0])) is None else ("cells", cell, *path)


def _find_problems(resolved: ResolvedCell, probes: Sequence[ProbeSpec]) -> Iterator[Problem]:
    try:
        _ = resolved.coroutine
    except ConfigError as error:
        yield Problem(("protocol",), str(error))
    if not any(agent.role == "debater" for agent in resolved.members):
        what = "nobody debates; a run needs at least one agent of role debater"
        yield Problem(("agents",), what)
    yield from (problem.below(("topology",)) for problem in _find_topology_problems(resolved))
    yield from _find_judging_problems(resolved)
    is_probed = any(probe.name == "belief" for probe in probes)
    if "belief" in get_requirements(resolved.decision) and not is_probed:
        rule = resolved.decision.name
        yield Problem(("decision",), f"{rule} reads beliefs; write `probes: [belief]`")


def _find_topology_problems(resolved: ResolvedCell) -> list[Problem]:
    schedule = None
    with suppress(InvalidTopologyError):  # `check` names what is broken
        schedule = resolved.schedule
    return find_problems(
        resolved.topology,
        resolved.seats,
        schedule=schedule,
        protocol=resolved.protocol.name,
        rounds=resolved.rounds,
        needs_judges="judges" in get_requirements(resolved.decision),
        shows_confidence=resolved.protocol.show_confidence,
        answers_only=resolved.protocol.view.answers_only,
    )


def _find_judging_problems(resolved: ResolvedCell) -> Iterator[Problem]:
    """Yield what does not fit together where critics judge openings in private, or do not."""
    spec = resolved.protocol
    if spec.name not in ("cross_critique", "filter"):
        if spec.judging != JudgingSpec():
            message = f"`judging` belongs to cross_critique, not to {spec.name}; leave it out"
            yield Problem(("protocol", "judging"), message)
        return
    if spec.name == "cross_critique" and resolved.rounds != 1:
        message = "cross_critique judges each opening once; write `rounds: 1`"
        yield Problem(("rounds",), message)
    if spec.judging.labels != "honest" and spec.anonymous:
        message = "labels can be false only where authors are named; write `anonymous: false`"
        yield Problem(("protocol", "judging", "labels"), message)
    num = sum(agent.role in ("debater", "tool", "human") for agent in resolved.members) - 2
    if spec.judging.alternatives == "others" and spec.judging.k > num:
        message = (
            f"k is {spec.judging.k}, and besides critic and author {max(0, num)} others answer; "
            f"write `k: {max(1, num)}` or add agents"
        )
        yield Problem(("protocol", "judging", "k"), message)


def find_missing_capabilities(spec: RunSpec, cell: Condition) -> Iterator[Problem]:
    """Yield what the configuration asks of engines and prompt sets that they cannot do."""
    index = {agent.id: number for number, agent in enumerate(spec.agents)}
    for agent in cell.agents.values():
        stem = agent.id if agent.id in index else agent.id.rpartition("-")[0]
        for number, probe in enumerate(spec.probes if not agent.spec.confederate else ()):
            lack = find_unsupported(probe, agent)
            if lack:
                where = spec.agents[index[stem]].id
                what = f'agent "{where}" cannot be probed by {probe.name}: {lack}'
                yield Problem(("probes", number), what)
    yield from _find_missing_alternatives(spec, cell)
    yield from _find_unheard_verdicts(spec, cell)
    yield from _find_missing_constraints(spec, cell)
    yield from _find_missing_tools(spec, cell)
    yield from _find_missing_programs(spec, cell)
    if "confidence" in get_requirements(cell.decision) and not _has_confidence(spec, cell):
        what = (
            f"{cell.decision.name} weighs confidences and these agents give none; write "
            "`show_confidence: true` under `protocol`, a probe, or use an engine with "
            "log-probabilities"
        )
        yield Problem(("decision",), what)


def _find_missing_alternatives(spec: RunSpec, cell: Condition) -> Iterator[Problem]:
    """Yield the prompt sets that do not show the alternatives of a judgement."""
    if cell.spec.judging.alternatives is None:
        return
    for agent in cell.agents.values():
        if not agent.prompts.uses_variable("critique", "alternatives"):
            where = f'cell "{cell.name}": the prompt set {agent.spec.prompts} of {agent.id}'
            message = f"{where} shows no `alternatives` in critique.j2"
            yield Problem(_locate(spec, cell.name, ("protocol",)), message)


def _find_unheard_verdicts(spec: RunSpec, cell: Condition) -> Iterator[Problem]:
    """Yield authors whose prompts show answers alone and who are to hear mere verdicts."""
    if cell.spec.name != "critique":
        return
    topology = cell.schedule.at(1, seed=spec.seeds[0])
    for critic, author in topology.edges():
        carries = cell.agents[author].prompts.spec.carries
        if carries is None or "critique" in carries:
            continue
        agent = cell.agents[critic]
        model = spec.models[agent.spec.model]
        if agent.capabilities.knows_truth and not getattr(model, "states_answer", False):
            prompts = cell.agents[author].spec.prompts
            message = (
                f"{critic} states no answer, and the prompt set {prompts} of {author} shows "
                "nothing else; write `protocol: filter`, by which verdicts decide"
            )
            yield Problem(_locate(spec, cell.name, ("protocol",)), message)


def _find_missing_constraints(spec: RunSpec, cell: Condition) -> Iterator[Problem]:
    """Yield the agents that cannot be asked for final lines, by why."""
    agents: dict[str, list[str]] = {}
    for agent in cell.agents.values():
        if lack := find_unsupported_reading(agent):
            agents.setdefault(lack, []).append(agent.id)
    for lack, names in agents.items():
        message = f"`read: constrained` cannot be asked of {', '.join(names)}: {lack}"
        yield Problem(_locate(spec, cell.name, ("protocol", "read")), message)


def _find_missing_tools(spec: RunSpec, cell: Condition) -> Iterator[Problem]:
    """Yield the agents that cannot use the tools that they are given."""
    for number, agent in _number_agents(spec, cell):
        lack = find_unsupported_tools(agent, spec.models[agent.spec.model].engine)
        if lack:
            what = f'agent "{spec.agents[number].id}" cannot use tools: {lack}'
            yield Problem(("agents", number, "tools"), what)


def _find_missing_programs(spec: RunSpec, cell: Condition) -> Iterator[Problem]:
    """Yield what cannot be asked about programs: of prompt sets without marks, and final lines."""
    if getattr(spec.task, "kind", None) != "code":
        return
    if cell.spec.read == "constrained":
        message = "a program is no final line; leave out `read: constrained`"
        yield Problem(_locate(spec, cell.name, ("protocol", "read")), message)
    for number, agent in _number_agents(spec, cell):
        writes = spec.models[agent.spec.model].engine not in ("python", "calculator")
        if writes and "mark" not in agent.prompts.format.forms:
            message = f"the prompt set {agent.spec.prompts} asks for no programs; chat does"
            yield Problem(("agents", number, "prompts"), message)


def _number_agents(spec: RunSpec, cell: Condition) -> Iterator[tuple[int, Agent]]:
    """Yield a cell's agents with the numbers of the entries that they come from, one of each."""
    index = {agent.id: number for number, agent in enumerate(spec.agents)}
    seen = set()
    for agent in cell.agents.values():
        number = index[agent.id if agent.id in index else agent.id.rpartition("-")[0]]
        if number not in seen:
            seen.add(number)
            yield number, agent


def _has_confidence(spec: RunSpec, cell: Condition) -> bool:
    voters = [agent for agent in cell.agents.values() if agent.votes]
    stated = cell.spec.show_confidence or bool(spec.probes)
    return stated or all(agent.capabilities.logprobs for agent in voters)


@dataclass(frozen=True, kw_only=True)
class RebuiltCells:
    """The cells of a recorded run.

    cells: those that can be debated again. names: of all cells. unchecked: why the others cannot
    be, in sentences.
    """

    spec: RunSpec
    cells: Mapping[str, Condition]
    names: frozenset[str]
    unchecked: tuple[str, ...]

    def find_contradictions(self, manifest: Manifest) -> Iterator[str]:
        """Yield where the manifest contradicts its own spec."""
        wanted = {seat.id for seat in expand_agents(self.spec)}
        if manifest.agents and set(manifest.agents) != wanted:
            yield f"agents are {sorted(manifest.agents)}, but the spec seats {sorted(wanted)}"
        if manifest.seeds and tuple(manifest.seeds) != self.spec.seeds:
            yield f"seeds are {list(manifest.seeds)}, but the spec says {list(self.spec.seeds)}"


def rebuild_cells(spec: Mapping[str, Any], *, custom_code: bool = False) -> RebuiltCells:
    """Build the cells of a manifest's spec again.

    Custom code is imported only with `custom_code`. Raises ConfigError where the spec is no run's.
    """
    try:
        run = RunSpec.model_validate(dict(spec), context=RECORDED)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise ConfigError(f"the manifest's spec is no run's configuration ({place})") from None
    cells, unchecked = {}, []
    resolved = resolve_cells(run, expand_agents(run))
    for name, each in resolved.items():
        try:
            cells[name] = _rebuild(run, name, each, custom_code=custom_code)
        except DebateError as error:
            unchecked.append(f'cell "{name}" was not debated again: {error}')
    return RebuiltCells(
        spec=run, cells=cells, names=frozenset(resolved), unchecked=tuple(dict.fromkeys(unchecked))
    )


def _rebuild(run: RunSpec, name: str, resolved: ResolvedCell, *, custom_code: bool) -> Condition:
    """Raise DebateError where a part is missing, or is custom code that may not run."""
    for seat in resolved.members:
        if seat.model not in run.models:
            raise ConfigError(f'agent {seat.id} has the model "{seat.model}", which the spec lacks')
    for kind, used in () if custom_code else _list_code(run, resolved):
        if used not in list_built_in(kind):
            noun = KINDS[kind].noun
            raise ConfigError(f"its {noun} {used} is custom code, which is not run unasked")
    sets = {
        member.prompts: load_prompt_set(member.prompts, custom_code=custom_code)
        for member in resolved.members
    }
    return make_cell(run, name, resolved, sets, identify=_identify)


def _list_code(run: RunSpec, resolved: ResolvedCell) -> Iterator[tuple[Kind, str]]:
    """Yield the names of code that debates of a recorded cell run; its arm is written out."""
    models = tuple(run.models[seat.model] for seat in resolved.members)
    parts = (resolved.topology, resolved.protocol, resolved.decision, run.probes, models)
    yield from ((each.kind, each.name) for each in iterate_code(parts))


def _identify(model: ModelSpec) -> str:
    """Return what tells the model's weights from others', UNKNOWN where they are not here."""
    try:
        return compute_identity(model)
    except OSError:
        return UNKNOWN
