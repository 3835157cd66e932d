"""The people who take part in a run: how they can be seated, and how often they are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from debate.config.document import Problem
from debate.config.models import HumanModel, ModelSpec
from debate.config.run import RunSpec
from debate.orchestrator.condition import Condition
from debate.runner.offline import collect_calls
from debate.text import clean, count_noun, join_names

if TYPE_CHECKING:
    from debate.runner.plan import Plan


def select_people(models: Mapping[str, ModelSpec]) -> dict[str, HumanModel]:
    """Select the models that are people."""
    return {name: spec for name, spec in models.items() if isinstance(spec, HumanModel)}


def find_people_problems(spec: RunSpec, cells: Sequence[Condition]) -> Iterator[Problem]:
    """Yield what keeps the people of these cells from being asked: one place for two of them."""
    seated = {seat.spec.model for cell in cells for seat in cell.agents.values()}
    people = select_people({n: model for n, model in spec.models.items() if n in seated})
    if people and spec.cluster.orchestrators > 1:
        what = "a person is asked by one process; write `orchestrators: 1`"
        yield Problem(("cluster", "orchestrators"), what)
    yield from _find_shared_places(people)


def _find_shared_places(people: Mapping[str, HumanModel]) -> Iterator[Problem]:
    taken: dict[object, str] = {}
    for name, person in people.items():
        if person.via == "web" and person.port == 0:
            continue
        place = "terminal" if person.via == "terminal" else (person.address, person.port)
        other = taken.setdefault(place, name)
        if other == name:
            continue
        where = "the terminal" if place == "terminal" else f"port {person.port}"
        way = "`via: web`" if place == "terminal" else "a `port` of their own"
        what = (
            f'model "{other}" is asked at {where} already; agents of one person name one model '
            f"(`model: {other}`), and another person needs {way}"
        )
        yield Problem(("models", name), what)


def describe_people(plan: Plan) -> list[str]:
    """Return a line for each person: as whom, where and for how many turns they are asked at most.

    A further line for each agent of theirs whose prompts show worked examples.
    """
    lines = []
    for name, person in select_people(plan.models).items():
        seats = {
            agent.id: agent
            for cell in plan.cells
            for agent in cell.agents.values()
            if agent.spec.model == name
        }
        asked = count_noun(count_person_turns(plan, name), "turn")
        where = "in the terminal" if person.via == "terminal" else "on a page"
        told = f"a person is asked {where} for at most {asked}, as {join_names([*seats])}"
        lines.append(clean(told))
        lines += [
            f"the prompts of {clean(seat.id)} ({clean(seat.spec.prompts)}) show worked examples, "
            "which a person may take for part of the debate; `prompts: chat_zero` has none"
            for seat in seats.values()
            if seat.prompts.spec.examples
        ]
    return lines


def count_person_turns(plan: Plan, model: str) -> int:
    """Count the turns and probes that a person is asked for at most; alike ones of arms once."""
    question = plan.questions[0]
    by_seed = [
        frozenset().union(
            *(collect_calls(cell, question, seed, model=model) for cell in plan.cells)
        )
        for seed in plan.distinct_seeds
    ]
    repeats = len(plan.spec.seeds) // len(by_seed)
    return len(plan.questions) * repeats * sum(map(len, by_seed))
