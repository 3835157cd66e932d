"""What only the whole configuration shows to be wrong, each with the place to mend."""

from __future__ import annotations

from collections.abc import Iterator

from debate.agents.probes import shortcoming
from debate.cluster.sharing import crowds
from debate.config.agents import AgentSpec
from debate.config.decision import needs
from debate.config.document import KeyPath
from debate.config.protocol import JudgingSpec
from debate.config.run import CellSpec, RunSpec
from debate.errors import ConfigError, suggestion
from debate.orchestrator.debate import Cell
from debate.orchestrator.protocols import find_protocol
from debate.topologies import check
from debate.types import AgentId
from debate.wiring.treatments import Treatment, treatments

Problems = Iterator[tuple[KeyPath, str]]


def seat_problems(spec: RunSpec, agents: tuple[AgentSpec, ...]) -> Problems:
    """Unknown models, seats of the same name."""
    seen: set[AgentId] = set()
    for index, agent in enumerate(spec.agents):
        if agent.model not in spec.models:
            hint = suggestion(agent.model, spec.models)
            yield ("agents", index, "model"), f'model "{agent.model}" is not in models; {hint}'
        names = [a.id for a in agents if agent.id in (a.id, a.id.rpartition("-")[0])]
        if agent.id in seen:
            yield ("agents", index), f'a seat is already called "{agent.id}"; give this one an `id`'
        seen |= {agent.id, *names}


def slot_problems(spec: RunSpec) -> Problems:
    """Models that would take turns with themselves."""
    count = spec.cluster.slots.count
    for model, problem in crowds(spec.models, count) if count else ():
        yield ("models", model, "replicas"), problem


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
        judging = judging_problems(treatment)
        yield from ((at(field) + path, message) for field, path, message in judging)
        if "belief" in needs(treatment.decision) and not _probed(spec, "belief"):
            rule = treatment.decision.name
            yield at("decision"), f"{rule} reads beliefs; write `probes: [belief]`"


def hypothesis_problems(spec: RunSpec) -> Problems:
    """Hypotheses about estimates that nobody makes, or about arms that are not there."""
    from debate.analysis.catalogue import CONTRASTED, ESTIMATES

    for name, hypothesis in spec.hypotheses.items():
        place: KeyPath = ("hypotheses", name)
        if hypothesis.estimate not in ESTIMATES:
            hint = suggestion(hypothesis.estimate, ESTIMATES)
            yield (*place, "estimate"), f'"{hypothesis.estimate}" is no estimate; {hint}'
        elif hypothesis.control is not None and hypothesis.estimate not in CONTRASTED:
            message = f"{hypothesis.estimate} has no contrast between arms; leave out `control`"
            yield (*place, "control"), message
        for field in ("cell", "control"):
            cell = getattr(hypothesis, field)
            if cell is not None and spec.cells and cell not in spec.cells:
                hint = suggestion(cell, spec.cells)
                yield (*place, field), f'no cell is called "{cell}"; {hint}'


def judging_problems(treatment: Treatment) -> Iterator[tuple[str, KeyPath, str]]:
    """What does not fit together where critics judge openings in private, or do not."""
    spec = treatment.protocol
    if spec.name != "cross_critique":
        if spec.judging != JudgingSpec():
            message = f"`judging` belongs to cross_critique, not to {spec.name}; leave it out"
            yield "protocol", ("judging",), message
        return
    if treatment.rounds != 1:
        message = "cross_critique judges each opening once; write `rounds: 1`"
        yield "rounds", (), message
    if spec.judging.labels == "swapped" and spec.anonymous:
        message = "labels can be swapped only where authors are named; write `anonymous: false`"
        yield "protocol", ("judging", "labels"), message
    num = sum(agent.role in ("debater", "tool") for agent in treatment.members) - 2
    if spec.judging.alternatives == "others" and spec.judging.k > num:
        message = (
            f"k is {spec.judging.k}, and besides critic and author {max(0, num)} others answer; "
            f"write `k: {max(1, num)}` or add agents"
        )
        yield "protocol", ("judging", "k"), message


def _probed(spec: RunSpec, name: str) -> bool:
    return any(probe.name == name for probe in spec.probes)


def shortcomings(spec: RunSpec, cell: Cell) -> Problems:
    """What the config asks of engines and prompt sets that they cannot do."""
    index = {agent.id: number for number, agent in enumerate(spec.agents)}
    for agent in cell.agents.values():
        stem = agent.id if agent.id in index else agent.id.rpartition("-")[0]
        for number, probe in enumerate(spec.probes if not agent.spec.confederate else ()):
            lack = shortcoming(probe, agent)
            if lack:
                where = spec.agents[index[stem]].id
                yield (
                    ("probes", number),
                    f'agent "{where}" cannot be probed by {probe.name}: {lack}',
                )
    yield from _cannot_compare(spec, cell)
    if "confidence" in needs(cell.decision) and not _has_confidence(spec, cell):
        yield (
            ("decision",),
            f"{cell.decision.name} weighs confidences and these agents give none; write "
            "`show_confidence: true` under `protocol`, a probe, or use an engine with "
            "log-probabilities",
        )


def _cannot_compare(spec: RunSpec, cell: Cell) -> Problems:
    """Prompt sets that do not show the alternatives that a judgement is to be made among."""
    if cell.spec.judging.alternatives is None:
        return
    for agent in cell.agents.values():
        if not agent.prompts.shows("critique", "alternatives"):
            where = f'cell "{cell.name}": the prompt set {agent.spec.prompts} of {agent.id}'
            message = f"{where} shows no `alternatives` in critique.j2"
            own = cell.name in spec.cells and spec.cells[cell.name].protocol is not None
            yield (("cells", cell.name, "protocol") if own else ("protocol",)), message


def _has_confidence(spec: RunSpec, cell: Cell) -> bool:
    voters = [agent for agent in cell.agents.values() if agent.votes]
    stated = cell.spec.show_confidence or bool(spec.probes)
    return stated or all(agent.capabilities.logprobs for agent in voters)
