"""A run's configuration made concrete: everything checked, nothing started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from debate.agents.probes import shortcoming
from debate.agents.prompt_sets import PromptSet, load_prompt_set
from debate.config.agents import AgentSpec
from debate.config.document import Problem
from debate.config.models import ModelSpec
from debate.config.resolve import Loaded
from debate.config.run import RunSpec
from debate.config.seating import seats
from debate.errors import ConfigError, InputError
from debate.orchestrator.cell import Cell
from debate.orchestrator.further import BELIEF
from debate.tasks import closed_candidates, load_questions
from debate.types import Question
from debate.wiring.cells import make_cell
from debate.wiring.checks import (
    cell_problems,
    hypothesis_problems,
    seat_problems,
    shortcomings,
    slot_problems,
)
from debate.wiring.counting import Names, named_calls, named_contexts, num_distinct
from debate.wiring.treatments import treatments


class Work(NamedTuple):
    """One question to be debated in all cells, with one seed."""

    question: Question
    seed: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do: its cells, its questions, and the calls that it can make at most."""

    spec: RunSpec
    agents: tuple[AgentSpec, ...]
    cells: tuple[Cell, ...]
    questions: Sequence[Question]
    piloted: tuple[Question, ...] | None = None

    @property
    def num_debates(self) -> int:
        """Debates in all: cells × questions × seeds."""
        return len(self.cells) * len(self.questions) * len(self.spec.seeds)

    @property
    def models(self) -> dict[str, ModelSpec]:
        """The models that take part, by name."""
        used = {agent.spec.model for cell in self.cells for agent in cell.agents.values()}
        return {name: spec for name, spec in self.spec.models.items() if name in used}

    def num_seats(self, model: str) -> int:
        """How many seats share a model."""
        return sum(agent.model == model for agent in self.agents)

    @property
    def work(self) -> Iterator[Work]:
        """What is to be debated now, in order: every question with every seed, or the pilot's."""
        if self.piloted is not None:
            return (Work(question, self.spec.seeds[0]) for question in self.piloted)
        return (Work(question, seed) for seed in self.spec.seeds for question in self.questions)

    @property
    def num_work(self) -> int:
        """How many of those there are."""
        if self.piloted is not None:
            return len(self.piloted)
        return len(self.spec.seeds) * len(self.questions)

    @property
    def is_pilot(self) -> bool:
        """Whether only a few questions are to be debated now."""
        return self.piloted is not None

    def pilot(self, num: int) -> Plan:
        """The same run, to be begun with `num` of its questions, evenly spread, and one seed."""
        step = max(1.0, len(self.questions) / num)
        chosen = [self.questions[int(n * step)] for n in range(min(num, len(self.questions)))]
        return replace(self, piloted=tuple(chosen))

    def max_calls(self, cell: Cell) -> int:
        """An upper bound of the cell's model calls, all debates going their full length."""
        return len(self.questions) * sum(len(calls[cell.name]) for calls in self._calls)

    @property
    def max_total_calls(self) -> int:
        """An upper bound of the run's model calls; what cells ask alike counts once."""
        return len(self.questions) * sum(num_distinct(calls.values()) for calls in self._calls)

    @property
    def num_shared_calls(self) -> int:
        """Calls that are made once and serve several cells, beyond the first one each."""
        return sum(map(self.max_calls, self.cells)) - self.max_total_calls

    @cached_property
    def max_further_calls(self) -> int:
        """An upper bound of the calls of `debate probe` once the run is over.

        Raises ConfigError where an agent cannot be probed.
        """
        for cell in self.cells:
            for agent in map(cell.agents.__getitem__, cell.speakers):
                lack = None if agent.spec.confederate else shortcoming(BELIEF, agent)
                if lack:
                    raise ConfigError(f'agent "{agent.id}" cannot be probed: {lack}')
        scored = any(probe.name == BELIEF.name for probe in self.spec.probes)
        is_whole = scored and len(self.cells) == 1
        num = sum(not (scored and closed_candidates(q)) for q in self.questions)
        contexts = [
            frozenset().union(*(named_contexts(c, self.questions[0], seed) for c in self.cells))
            for seed in self._distinct_seeds
        ]
        repeats = len(self.spec.seeds) // len(contexts)
        return 0 if is_whole else num * repeats * sum(map(len, contexts))

    @property
    def _distinct_seeds(self) -> Sequence[int]:
        """Seeds that may differ in their graphs; the first stands for all where graphs stay."""
        changes = any(cell.schedule.changes for cell in self.cells)
        return self.spec.seeds if changes else self.spec.seeds[:1]

    @cached_property
    def _calls(self) -> Sequence[Mapping[str, Names]]:
        """For each seed, the calls of every cell on one question. Graphs may differ by seed."""
        seeds, first = self._distinct_seeds, self.questions[0]
        found = [{c.name: named_calls(c, first, seed) for c in self.cells} for seed in seeds]
        return found * (len(self.spec.seeds) // len(seeds))


def make_plan(loaded: Loaded) -> Plan:
    """The plan of a loaded configuration. Raises ConfigError that names every problem."""
    spec, agents = loaded.spec, seats(loaded.spec)
    if problems := list(seat_problems(spec, agents)):
        raise loaded.error(problems)
    if problems := [*cell_problems(spec, agents), *slot_problems(spec), *hypothesis_problems(spec)]:
        raise loaded.error(problems)
    sets = _prompt_sets(loaded)
    cells = tuple(
        make_cell(spec, name, treatment, sets)
        for name, treatment in treatments(spec, agents).items()
    )
    if problems := [problem for cell in cells for problem in shortcomings(spec, cell)]:
        raise loaded.error(problems)
    return Plan(spec=spec, agents=agents, cells=cells, questions=_questions(loaded))


def _questions(loaded: Loaded) -> Sequence[Question]:
    try:
        questions = load_questions(loaded.spec.task)
    except InputError as error:
        raise ConfigError(f"{loaded.document.place(('task',))}: {error}") from None
    if not questions:
        raise loaded.error([Problem(("task",), "no question is left to ask; loosen `filter`")])
    return questions


def _prompt_sets(loaded: Loaded) -> dict[str, PromptSet]:
    sets, problems = {}, []
    for index, agent in enumerate(loaded.spec.agents):
        try:
            sets[agent.prompts] = load_prompt_set(agent.prompts)
        except ConfigError as error:
            problems.append(Problem(("agents", index, "prompts"), str(error)))
    if problems:
        raise loaded.error(problems)
    return sets
