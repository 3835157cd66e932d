"""From a treatment to the cell that debates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from debate.agents.agent import Agent
from debate.agents.prompt_sets import PromptSet
from debate.config.models import ModelSpec
from debate.config.run import RunSpec
from debate.engines.registry import capabilities, identity
from debate.orchestrator.cell import Cell
from debate.orchestrator.protocols import find_protocol
from debate.tasks import correct, normalise
from debate.topologies import build
from debate.wiring.treatments import Treatment


def make_cell(
    spec: RunSpec,
    name: str,
    treatment: Treatment,
    prompt_sets: Mapping[str, PromptSet],
    *,
    identify: Callable[[ModelSpec], str] = identity,
) -> Cell:
    """The treatment with its prompts, its protocol and its graphs.

    `identify` says what tells a model's weights from others'. Raises ConfigError where the protocol
    or the topology is not to be had.
    """
    agents = {
        seat.id: Agent(
            spec=seat,
            prompts=prompt_sets[seat.prompts],
            protocol=treatment.protocol,
            identity=identify(spec.models[seat.model]),
            capabilities=capabilities(spec.models[seat.model]),
        )
        for seat in treatment.members
    }
    return Cell(
        name=name,
        agents=agents,
        schedule=build(treatment.topology, treatment.seats),
        protocol=find_protocol(treatment.protocol.name),
        spec=treatment.protocol,
        rounds=treatment.rounds,
        decision=treatment.decision,
        probes=spec.probes,
        score=partial(correct, scoring=spec.task.scoring),
        normalise=normalise,
        keep_prompts=spec.log.prompts,
    )
