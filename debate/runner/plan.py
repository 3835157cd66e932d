"""A run's configuration made concrete, everything checked and nothing started; and its log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from debate.agents.agent import Agent
from debate.agents.probes import find_unsupported
from debate.agents.prompt_sets import PromptSet, load_prompt_set
from debate.agents.template_checks import require_rendering
from debate.cluster.packing import find_slot_conflicts
from debate.config.agents import AgentSpec
from debate.config.budget import find_budget_problems
from debate.config.document import KeyPath, Problem
from debate.config.expansion import INHERITED_FIELDS, expand_cells
from debate.config.loader import LoadedRun
from debate.config.models import LocalWeights, ModelSpec, OpenaiModel
from debate.config.registry import RECORDED, Kind, hash_custom_code
from debate.config.run import RunSpec, expand_agents
from debate.config.spec import iterate_code
from debate.engines.model_files import describe_architecture
from debate.engines.registry import PAGE_FIELDS, get_capabilities
from debate.errors import ConfigError, InputError, suggest
from debate.log import RunLog
from debate.orchestrator.condition import Condition
from debate.orchestrator.probing import BELIEF
from debate.runner.cells import (
    find_cell_problems,
    find_missing_capabilities,
    make_cell,
    resolve_cells,
)
from debate.runner.human_seats import find_people_problems
from debate.runner.offline import Digests, collect_calls, collect_contexts, count_distinct
from debate.tasks import list_candidates, load_questions
from debate.types import AgentId, Question

NOT_IDENTITY = (
    "output",
    "cluster",
    "budget",
    "max_debates",
    "keep_going",
    "min_completed",
    "description",
    "hypotheses",
    "log.cache",
    "agents.*.description",
    "agents.*.card",
    *(f"models.*.{field}" for field in ("host", "replicas", "gpus", "cpus", "max_in_flight")),
    *(f"models.*.{field}" for field in ("timeout_s", "max_restarts", "price", "threads")),
    *(f"models.*.{field}" for field in ("max_failures", "pause_s", "via", *PAGE_FIELDS)),
)
"""Fields that change where and how fast a run goes, not what it is."""

WITH_WEIGHTS = (LocalWeights, OpenaiModel)
"""Models that have weights, here or behind an endpoint, so that they may be versions of one."""
_DEFAULTS = ("sweep", *INHERITED_FIELDS)
"""Fields of a run that stand for its cells: a complete cell has them itself."""


class WorkItem(NamedTuple):
    """One question to be debated in all cells, with one seed."""

    question: Question
    seed: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The cells and questions of a run, and the calls that it can make at most.

    pilot_questions: the only ones to be debated now, None where all are.
    """

    spec: RunSpec
    agents: tuple[AgentSpec, ...]
    cells: tuple[Condition, ...]
    questions: Sequence[Question]
    pilot_questions: tuple[Question, ...] | None = None

    @property
    def num_debates(self) -> int:
        """Debates in all: cells × questions × seeds."""
        return len(self.cells) * len(self.questions) * len(self.spec.seeds)

    @property
    def models(self) -> dict[str, ModelSpec]:
        """The models that take part, by name."""
        used = {agent.spec.model for cell in self.cells for agent in cell.agents.values()}
        return {name: spec for name, spec in self.spec.models.items() if name in used}

    @property
    def seated_agents(self) -> list[Agent]:
        """The agents of all cells."""
        return [agent for cell in self.cells for agent in cell.agents.values()]

    def count_seats(self, model: str) -> int:
        """Count the seats that share a model."""
        return sum(agent.model == model for agent in self.agents)

    @property
    def work(self) -> Iterator[WorkItem]:
        """The items to be debated now, in order: every question with every seed, or the pilot's."""
        if self.pilot_questions is not None:
            return (WorkItem(question, self.spec.seeds[0]) for question in self.pilot_questions)
        if self.spec.budget.limits:  # whole questions first, so that a cap cuts off few of them
            pairs = ((question, seed) for question in self.questions for seed in self.spec.seeds)
            return (WorkItem(question, seed) for question, seed in pairs)
        return (WorkItem(question, seed) for seed in self.spec.seeds for question in self.questions)

    @property
    def num_work(self) -> int:
        """The number of items of `work`."""
        if self.pilot_questions is not None:
            return len(self.pilot_questions)
        return len(self.spec.seeds) * len(self.questions)

    @property
    def is_pilot(self) -> bool:
        """Whether only a few questions are to be debated now."""
        return self.pilot_questions is not None

    def pilot(self, num: int) -> Plan:
        """Return the same run, begun with `num` of its questions, evenly spread, and one seed."""
        step = max(1.0, len(self.questions) / num)
        chosen = [self.questions[int(n * step)] for n in range(min(num, len(self.questions)))]
        return replace(self, pilot_questions=tuple(chosen))

    def count_max_calls(self, cell: Condition) -> int:
        """Return an upper bound of the cell's model calls, all debates going their full length."""
        return len(self.questions) * sum(len(calls[cell.name]) for calls in self._calls)

    @property
    def max_total_calls(self) -> int:
        """An upper bound of the run's model calls; what cells ask alike counts once."""
        return len(self.questions) * sum(count_distinct(calls.values()) for calls in self._calls)

    @property
    def num_shared_calls(self) -> int:
        """Calls that are made once and serve several cells, beyond the first one each."""
        return sum(map(self.count_max_calls, self.cells)) - self.max_total_calls

    @cached_property
    def max_further_calls(self) -> int:
        """An upper bound of the calls of `debate probe` once the run is over.

        Raises ConfigError where an agent cannot be probed.
        """
        for cell in self.cells:
            for agent in map(cell.agents.__getitem__, cell.speakers):
                lack = None if agent.spec.confederate else find_unsupported(BELIEF, agent)
                if lack:
                    raise ConfigError(f'agent "{agent.id}" cannot be probed: {lack}')
        scored = any(probe.name == BELIEF.name for probe in self.spec.probes)
        is_whole = scored and len(self.cells) == 1
        num = sum(not (scored and list_candidates(q)) for q in self.questions)
        contexts = [
            frozenset().union(*(collect_contexts(c, self.questions[0], seed) for c in self.cells))
            for seed in self.distinct_seeds
        ]
        repeats = len(self.spec.seeds) // len(contexts)
        return 0 if is_whole else num * repeats * sum(map(len, contexts))

    @property
    def distinct_seeds(self) -> Sequence[int]:
        """Seeds that may differ in their graphs; the first stands for all where graphs stay."""
        changes = any(cell.schedule.changes for cell in self.cells)
        return self.spec.seeds if changes else self.spec.seeds[:1]

    @cached_property
    def _calls(self) -> Sequence[Mapping[str, Digests]]:
        """For each seed, the calls of every cell on one question. Graphs may differ by seed."""
        seeds, first = self.distinct_seeds, self.questions[0]
        found = [{c.name: collect_calls(c, first, seed) for c in self.cells} for seed in seeds]
        return found * (len(self.spec.seeds) // len(seeds))


def make_plan(loaded: LoadedRun) -> Plan:
    """Check a loaded configuration and plan it. Raises ConfigError that names every problem."""
    spec, agents = loaded.spec, expand_agents(loaded.spec)
    if problems := [*_find_agent_problems(spec, agents), *_find_past_problems(spec)]:
        raise loaded.error(problems)
    resolved = resolve_cells(spec, agents)
    problems = [*find_cell_problems(spec, resolved), *_find_slot_problems(spec)]
    if problems := [*problems, *_find_hypothesis_problems(spec)]:
        raise loaded.error(problems)
    sets = _load_prompt_sets(loaded)
    cells = tuple(make_cell(spec, name, each, sets) for name, each in resolved.items())
    if problems := [each for cell in cells for each in find_missing_capabilities(spec, cell)]:
        raise loaded.error(problems)
    problems = [*_find_budget_problems(spec, cells), *find_people_problems(spec, cells)]
    if problems:
        raise loaded.error(problems)
    return Plan(spec=spec, agents=agents, cells=cells, questions=_load_questions(loaded))


def _load_questions(loaded: LoadedRun) -> Sequence[Question]:
    try:
        questions = load_questions(loaded.spec.task)
    except InputError as error:
        raise ConfigError(f"{loaded.locate(('task',))}: {error}") from None
    if not questions:
        raise loaded.error([Problem(("task",), "no question is left to ask; loosen `filter`")])
    return questions


def _load_prompt_sets(loaded: LoadedRun) -> dict[str, PromptSet]:
    sets, problems = {}, []
    for index, agent in enumerate(loaded.spec.agents):
        if agent.prompts in sets:
            continue
        try:
            prompts = load_prompt_set(
                agent.prompts,
                custom_code=loaded.custom_code,
                import_folder=loaded.document.folder,
            )
            require_rendering(prompts)
        except ConfigError as error:
            problems.append(Problem(("agents", index, "prompts"), str(error)))
        else:
            sets[agent.prompts] = prompts
    if problems:
        raise loaded.error(problems)
    return sets


def _find_agent_problems(spec: RunSpec, agents: tuple[AgentSpec, ...]) -> Iterator[Problem]:
    """Yield unknown models, models that cannot do what is asked, seats of the same name."""
    seen: set[AgentId] = set()
    for index, agent in enumerate(spec.agents):
        if agent.model not in spec.models:
            what = f'model "{agent.model}" is not in models; {suggest(agent.model, spec.models)}'
            yield Problem(("agents", index, "model"), what)
        elif (
            agent.sampling.is_constrained and not get_capabilities(spec.models[agent.model]).guided
        ):
            engine = spec.models[agent.model].engine
            what = f"the engine {engine} cannot constrain its replies; vllm and openai can"
            yield Problem(("agents", index, "sampling"), what)
        names = [a.id for a in agents if agent.id in (a.id, a.id.rpartition("-")[0])]
        if agent.id in seen:
            what = f'a seat is already called "{agent.id}"; give this one an `id`'
            yield Problem(("agents", index), what)
        seen |= {agent.id, *names}


def _find_past_problems(spec: RunSpec) -> Iterator[Problem]:
    """Yield agents that cannot be a past version of the one that they name, and why."""
    named = {agent.id: agent for agent in spec.agents}
    for index, agent in enumerate(spec.agents):
        if agent.past_of is None or agent.model not in spec.models:
            continue
        place: KeyPath = ("agents", index, "past_of")
        present = named.get(agent.past_of)
        if present is None:
            hint = suggest(agent.past_of, [name for name in named if name != agent.id])
            yield Problem(place, f'no agent is called "{agent.past_of}"; {hint}')
        elif present.model in spec.models:
            models = spec.models[agent.model], spec.models[present.model]
            why = _explain_no_past(agent, present, *models)
            yield from (Problem(place, f"{agent.id} {why}") for why in filter(None, (why,)))


def _explain_no_past(
    agent: AgentSpec, present: AgentSpec, own: ModelSpec, other: ModelSpec
) -> str | None:
    """Say why one agent is no past version of another; None where it is, or nothing tells."""
    if agent.id == present.id:
        return "is itself; name the agent of which it is a past version"
    if present.past_of == agent.id:
        return f"and {present.id} would each be the other's past; leave out one `past_of`"
    if agent.model == present.model or own == other:
        return (
            f"has the same weights as {present.id}: another sample of it, no past version; give it "
            "an earlier `path` or `revision`, an `adapter` or another `dtype`"
        )
    is_weightless = not (isinstance(own, WITH_WEIGHTS) and isinstance(other, WITH_WEIGHTS))
    if is_weightless and own.engine != other.engine:
        return f"is engine {own.engine}, and {present.id} engine {other.engine}: no versions of one"
    kinds = describe_architecture(own), describe_architecture(other)
    if None not in kinds and kinds[0] != kinds[1]:
        return f"is of another architecture ({kinds[0]}) than {present.id} ({kinds[1]})"
    return None


def _find_slot_problems(spec: RunSpec) -> Iterator[Problem]:
    """Yield models that would take turns with themselves on a device."""
    count = spec.cluster.slots.count
    for model, problem in find_slot_conflicts(spec.models, count) if count else ():
        yield Problem(("models", model, "replicas"), problem)


def _find_budget_problems(spec: RunSpec, cells: Sequence[Condition]) -> Iterator[Problem]:
    """Yield what keeps the budget from being kept, of the models and agents that take part."""
    seats = [agent.spec for cell in cells for agent in cell.agents.values()]
    models = {seat.model: spec.models[seat.model] for seat in seats}
    present = {name for seat in seats for name in (seat.id, seat.group)}
    agents = {n: agent for n, agent in enumerate(spec.agents) if agent.id in present}
    yield from find_budget_problems(spec.budget, models, agents)


def _find_hypothesis_problems(spec: RunSpec) -> Iterator[Problem]:
    """Yield hypotheses about estimates that do not exist, or about cells that are not there."""
    from debate.analysis.hypotheses import get_estimate_name
    from debate.analysis.measures import CONTRASTED
    from debate.analysis.registry import MEASURES

    for name, hypothesis in spec.hypotheses.items():
        place: KeyPath = ("hypotheses", name)
        estimate = get_estimate_name(hypothesis)
        if estimate not in MEASURES:
            hint = suggest(hypothesis.estimate, MEASURES)
            what = f'"{hypothesis.estimate}" is no estimate; {hint}'
            yield Problem((*place, "estimate"), what)
        elif hypothesis.control is not None and estimate not in CONTRASTED:
            message = f"{hypothesis.estimate} has no contrast between arms; leave out `control`"
            yield Problem((*place, "control"), message)
        for field in ("cell", "control"):
            cell = getattr(hypothesis, field)
            if cell is not None and spec.cells and cell not in spec.cells:
                hint = suggest(cell, spec.cells)
                yield Problem((*place, field), f'no cell is called "{cell}"; {hint}')


def open_log(plan: Plan, directory: Path) -> RunLog:
    """Begin the log of the plan's run in this directory, or go on with it.

    Raises RunConflict where the directory holds another run, LogError where the disk refuses.
    """
    return RunLog.open(
        directory,
        spec=plan.spec.model_dump(mode="json"),
        questions=plan.questions,
        seeds=plan.spec.seeds,
        agents=[agent.id for agent in plan.agents],
        identity_ignores=NOT_IDENTITY,
        canonical=canonicalize,
        code=hash_custom_code(list_code(plan.spec, plan.cells)),
    )


def list_code(spec: RunSpec, cells: Iterable[Condition]) -> Iterator[tuple[Kind, str]]:
    """Yield the kind and name of all code that a run names, its prompt sets' filters included."""
    yield from ((each.kind, each.name) for each in iterate_code(spec))
    for cell in cells:
        for agent in cell.agents.values():
            yield from (("filters", name) for name in agent.prompts.spec.filters)


def canonicalize(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a recorded configuration with complete cells, and all that may grow under names.

    Cells written out and cells of a sweep are alike if they come to the same. Fields that a later
    version has added stand at their defaults. What cannot be read stays as it is.
    """
    try:
        recorded = RunSpec.model_validate(spec, context=RECORDED)
        whole = expand_cells(recorded, is_recorded=True).spec
    except ValidationError:
        return spec
    plain = whole.model_dump(mode="json", exclude=set(_DEFAULTS))
    cell_fields = {"agents", *INHERITED_FIELDS}
    return {
        **plain,
        "agents": {seat.id: seat.model_dump(mode="json") for seat in expand_agents(whole)},
        "cells": {
            name: cell.model_dump(mode="json", include=cell_fields)
            for name, cell in whole.cells.items()
        },
        "seeds": {str(seed): True for seed in whole.seeds},
    }
