"""What only the whole configuration shows to be wrong, each with the place to mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from debate.agents.probes import shortcoming
from debate.cluster.sharing import crowds
from debate.config.agents import AgentSpec
from debate.config.decision import needs
from debate.config.document import KeyPath, Problem
from debate.config.protocol import JudgingSpec, ProbeSpec
from debate.config.run import RunSpec
from debate.engines.registry import capabilities
from debate.errors import ConfigError, suggestion
from debate.orchestrator.cell import Cell
from debate.orchestrator.protocols import find_protocol
from debate.topologies import check
from debate.types import AgentId
from debate.wiring.treatments import Treatment, treatments

Problems = Iterator[Problem]


def seat_problems(spec: RunSpec, agents: tuple[AgentSpec, ...]) -> Problems:
    """Unknown models, models that cannot do what is asked of them, seats of the same name."""
    seen: set[AgentId] = set()
    for index, agent in enumerate(spec.agents):
        if agent.model not in spec.models:
            hint = suggestion(agent.model, spec.models)
            what = f'model "{agent.model}" is not in models; {hint}'
            yield Problem(("agents", index, "model"), what)
        elif agent.sampling.is_constrained and not capabilities(spec.models[agent.model]).guided:
            engine = spec.models[agent.model].engine
            what = f"the engine {engine} cannot constrain its replies; vllm and openai can"
            yield Problem(("agents", index, "sampling"), what)
        names = [a.id for a in agents if agent.id in (a.id, a.id.rpartition("-")[0])]
        if agent.id in seen:
            what = f'a seat is already called "{agent.id}"; give this one an `id`'
            yield Problem(("agents", index), what)
        seen |= {agent.id, *names}


def slot_problems(spec: RunSpec) -> Problems:
    """Models that would take turns with themselves."""
    count = spec.cluster.slots.count
    for model, problem in crowds(spec.models, count) if count else ():
        yield Problem(("models", model, "replicas"), problem)


def cell_problems(spec: RunSpec, agents: tuple[AgentSpec, ...]) -> Problems:
    """Protocols that do not exist, graphs that do not fit, decisions without their inputs."""
    for name, treatment in treatments(spec, agents).items():
        for path, message in _treatment_problems(treatment, spec.probes):
            yield Problem(_written_at(spec, name, path), message)


def _written_at(spec: RunSpec, cell: str, path: KeyPath) -> KeyPath:
    """Where a part of a cell's treatment was written: in the cell itself, or for all cells."""
    own = spec.cells.get(cell)
    return path if own is None or getattr(own, str(path[0])) is None else ("cells", cell, *path)


def _treatment_problems(treatment: Treatment, probes: Sequence[ProbeSpec]) -> Problems:
    try:
        find_protocol(treatment.protocol.name)
    except ConfigError as error:
        yield Problem(("protocol",), str(error))
    if not any(agent.role == "debater" for agent in treatment.members):
        what = "nobody debates; a run needs at least one agent of role debater"
        yield Problem(("agents",), what)
    found = check(
        treatment.topology,
        treatment.seats,
        protocol=treatment.protocol.name,
        rounds=treatment.rounds,
        needs_judges="judges" in needs(treatment.decision),
    )
    yield from (problem.below(("topology",)) for problem in found)
    yield from judging_problems(treatment)
    is_probed = any(probe.name == "belief" for probe in probes)
    if "belief" in needs(treatment.decision) and not is_probed:
        rule = treatment.decision.name
        yield Problem(("decision",), f"{rule} reads beliefs; write `probes: [belief]`")


def hypothesis_problems(spec: RunSpec) -> Problems:
    """Hypotheses about estimates that nobody makes, or about arms that are not there."""
    from debate.analysis.hypotheses import RENAMED
    from debate.analysis.measures import CONTRASTED
    from debate.analysis.registry import MEASURES

    for name, hypothesis in spec.hypotheses.items():
        place: KeyPath = ("hypotheses", name)
        estimate = RENAMED.get(hypothesis.estimate, hypothesis.estimate)
        if estimate not in MEASURES:
            hint = suggestion(hypothesis.estimate, MEASURES)
            what = f'"{hypothesis.estimate}" is no estimate; {hint}'
            yield Problem((*place, "estimate"), what)
        elif hypothesis.control is not None and estimate not in CONTRASTED:
            message = f"{hypothesis.estimate} has no contrast between arms; leave out `control`"
            yield Problem((*place, "control"), message)
        for field in ("cell", "control"):
            cell = getattr(hypothesis, field)
            if cell is not None and spec.cells and cell not in spec.cells:
                hint = suggestion(cell, spec.cells)
                yield Problem((*place, field), f'no cell is called "{cell}"; {hint}')


def judging_problems(treatment: Treatment) -> Problems:
    """What does not fit together where critics judge openings in private, or do not."""
    spec = treatment.protocol
    if spec.name != "cross_critique":
        if spec.judging != JudgingSpec():
            message = f"`judging` belongs to cross_critique, not to {spec.name}; leave it out"
            yield Problem(("protocol", "judging"), message)
        return
    if treatment.rounds != 1:
        message = "cross_critique judges each opening once; write `rounds: 1`"
        yield Problem(("rounds",), message)
    if spec.judging.labels == "swapped" and spec.anonymous:
        message = "labels can be swapped only where authors are named; write `anonymous: false`"
        yield Problem(("protocol", "judging", "labels"), message)
    num = sum(agent.role in ("debater", "tool") for agent in treatment.members) - 2
    if spec.judging.alternatives == "others" and spec.judging.k > num:
        message = (
            f"k is {spec.judging.k}, and besides critic and author {max(0, num)} others answer; "
            f"write `k: {max(1, num)}` or add agents"
        )
        yield Problem(("protocol", "judging", "k"), message)


def shortcomings(spec: RunSpec, cell: Cell) -> Problems:
    """What the config asks of engines and prompt sets that they cannot do."""
    index = {agent.id: number for number, agent in enumerate(spec.agents)}
    for agent in cell.agents.values():
        stem = agent.id if agent.id in index else agent.id.rpartition("-")[0]
        for number, probe in enumerate(spec.probes if not agent.spec.confederate else ()):
            lack = shortcoming(probe, agent)
            if lack:
                where = spec.agents[index[stem]].id
                what = f'agent "{where}" cannot be probed by {probe.name}: {lack}'
                yield Problem(("probes", number), what)
    yield from _cannot_compare(spec, cell)
    if "confidence" in needs(cell.decision) and not _has_confidence(spec, cell):
        what = (
            f"{cell.decision.name} weighs confidences and these agents give none; write "
            "`show_confidence: true` under `protocol`, a probe, or use an engine with "
            "log-probabilities"
        )
        yield Problem(("decision",), what)


def _cannot_compare(spec: RunSpec, cell: Cell) -> Problems:
    """Prompt sets that do not show the alternatives that a judgement is to be made among."""
    if cell.spec.judging.alternatives is None:
        return
    for agent in cell.agents.values():
        if not agent.prompts.shows("critique", "alternatives"):
            where = f'cell "{cell.name}": the prompt set {agent.spec.prompts} of {agent.id}'
            message = f"{where} shows no `alternatives` in critique.j2"
            yield Problem(_written_at(spec, cell.name, ("protocol",)), message)


def _has_confidence(spec: RunSpec, cell: Cell) -> bool:
    voters = [agent for agent in cell.agents.values() if agent.votes]
    stated = cell.spec.show_confidence or bool(spec.probes)
    return stated or all(agent.capabilities.logprobs for agent in voters)
