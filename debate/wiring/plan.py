"""A run's configuration made concrete: everything checked, nothing started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from debate.agents.agent import Agent
from debate.agents.probes import num_calls
from debate.agents.prompt_sets import PromptSet, load_prompt_set
from debate.config.agents import AgentSpec
from debate.config.resolve import Loaded, seats
from debate.config.run import RunSpec
from debate.engines.registry import capabilities, identity
from debate.errors import ConfigError, InputError
from debate.orchestrator.debate import Cell
from debate.orchestrator.protocols import find_protocol
from debate.tasks import correct, load_questions, normalise
from debate.topologies import authors, build, heard_critics
from debate.types import Question
from debate.wiring.checks import cell_problems, seat_problems, shortcomings
from debate.wiring.treatments import Treatment, treatments


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do: its cells, its questions, and the calls that it can make at most."""

    spec: RunSpec
    agents: tuple[AgentSpec, ...]
    cells: tuple[Cell, ...]
    questions: tuple[Question, ...]

    @property
    def num_debates(self) -> int:
        """Debates in all: cells × questions × seeds."""
        return len(self.cells) * len(self.questions) * len(self.spec.seeds)

    @property
    def models(self) -> dict[str, int]:
        """The models that take part, and how many seats each has."""
        used = {agent.spec.model for cell in self.cells for agent in cell.agents.values()}
        return {
            name: sum(agent.model == name for agent in self.agents)
            for name in self.spec.models
            if name in used
        }

    def max_calls(self, cell: Cell) -> int:
        """An upper bound of the cell's model calls, all debates going their full length."""
        return len(self.questions) * sum(calls_per_debate(cell, s) for s in self.spec.seeds)

    @property
    def max_total_calls(self) -> int:
        """An upper bound of the run's model calls; openings alike in several cells count once."""
        openings = [
            {(agent.id, agent.spec.model) for agent in cell.agents.values() if agent.answers_first}
            for cell in self.cells
        ]
        shared = sum(map(len, openings)) - len(set().union(*openings))
        debates = len(self.questions) * len(self.spec.seeds)
        return sum(map(self.max_calls, self.cells)) - shared * debates


def calls_per_debate(cell: Cell, seed: int) -> int:
    """The most model calls that one debate of the cell can make with this seed."""
    answers = {agent: 1 for agent in cell.agents if cell.agents[agent].answers_first}
    judges = [agent.id for agent in cell.agents.values() if agent.spec.role == "judge"]
    critiques = 0
    for round in range(cell.rounds + 1):
        topology = cell.schedule.at(max(round, 1), seed=seed)
        for agent in answers if round else ():
            heard = heard_critics(topology, agent)
            most = min(len(heard), cell.spec.view.max_critics or len(heard))
            answers[agent] += bool(heard) or cell.spec.name not in ("exchange", "critique")
            if cell.spec.name == "critique":
                critiques += min(most, sum(cell.agents[u].spec.role != "judge" for u in heard))
        for judge in judges:
            answers[judge] = answers.get(judge, 0) + bool(authors(topology, judge))
    probes = sum(
        count * num_calls(probe, cell.agents[agent])
        for agent, count in answers.items()
        for probe in cell.probes
    )
    return sum(answers.values()) + critiques + probes


def make_plan(loaded: Loaded) -> Plan:
    """The plan of a loaded configuration. Raises ConfigError that names every problem."""
    spec, agents = loaded.spec, seats(loaded.spec)
    if problems := list(seat_problems(spec, agents)):
        raise loaded.error(problems)
    if problems := list(cell_problems(spec, agents)):
        raise loaded.error(problems)
    sets = _prompt_sets(loaded)
    cells = tuple(
        _cell(spec, sets, name, treatment) for name, treatment in treatments(spec, agents).items()
    )
    if problems := [problem for cell in cells for problem in shortcomings(spec, cell)]:
        raise loaded.error(problems)
    return Plan(spec=spec, agents=agents, cells=cells, questions=_questions(loaded))


def _questions(loaded: Loaded) -> tuple[Question, ...]:
    try:
        questions = tuple(load_questions(loaded.spec.task))
    except InputError as error:
        raise ConfigError(f"{loaded.document.place(('task',))}: {error}") from None
    if not questions:
        raise loaded.error([(("task",), "no question is left to ask; loosen `filter`")])
    return questions


def _prompt_sets(loaded: Loaded) -> dict[str, PromptSet]:
    sets, problems = {}, []
    for index, agent in enumerate(loaded.spec.agents):
        try:
            sets[agent.prompts] = load_prompt_set(agent.prompts)
        except ConfigError as error:
            problems.append((("agents", index, "prompts"), str(error)))
    if problems:
        raise loaded.error(problems)
    return sets


def _cell(spec: RunSpec, sets: Mapping[str, PromptSet], name: str, treatment: Treatment) -> Cell:
    """The treatment with its prompts, its protocol and its graphs."""
    agents = {
        seat.id: Agent(
            spec=seat,
            prompts=sets[seat.prompts],
            protocol=treatment.protocol,
            identity=identity(spec.models[seat.model]),
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
