"""A plan on the terminal: who, along which edges, how many calls, on which hardware."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from debate.cluster.resources import resources
from debate.orchestrator.debate import Cell
from debate.topologies import draw_text
from debate.wiring.plan import Plan


def print_plan(plan: Plan, console: Console) -> None:
    """Agents, models against hardware, each cell's edges, and the number of debates and calls."""
    console.print(_agents(plan))
    console.print(_models(plan))
    for cell in plan.cells:
        _print_cell(cell, plan, console)
    seeds = f" × {len(plan.spec.seeds)} seeds" if len(plan.spec.seeds) > 1 else ""
    console.print(
        f"{plan.num_debates:,} debates ({len(plan.questions):,} questions × "
        f"{len(plan.cells)} cells{seeds}), at most {plan.max_total_calls:,} model calls",
        highlight=False,
    )
    kinds = Counter(question.category or question.kind for question in plan.questions)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(8))
    console.print(f"questions: {listed}", highlight=False, markup=False)
    console.print("[green]the configuration is valid[/green]")


def _agents(plan: Plan) -> Table:
    table = Table("agent", "role", "model", "engine", "prompts", "sampling", title="Agents")
    for agent in plan.agents:
        model = plan.spec.models[agent.model]
        greedy = agent.sampling.temperature == 0
        sampling = "greedy" if greedy else f"T={agent.sampling.temperature:g}"
        table.add_row(agent.id, agent.role, agent.model, model.engine, agent.prompts, sampling)
    return table


def _models(plan: Plan) -> Table:
    """What the models want of the machine or cluster, against what is there."""
    specs = {name: plan.spec.models[name] for name in plan.models}
    there = resources(specs, plan.spec.cluster)
    table = Table("model", "seats", "host", "replicas", "GPUs each", "CPUs each", title="Models")
    for name, spec in specs.items():
        hosted = spec.host == "actor"
        gpus, cpus = (f"{spec.gpus:g}", f"{spec.cpus:g}") if hosted else ("–", "–")
        table.add_row(name, str(plan.models[name]), spec.host, str(spec.replicas), gpus, cpus)
    gpus_there = "unknown until the run" if there.gpus_there is None else f"{there.gpus_there:g}"
    table.caption = f"GPUs wanted: {there.gpus_wanted:g}; there: {gpus_there}"
    if there.has_enough_gpus is False:
        table.caption += " – too few: this run cannot start here"
    return table


def _print_cell(cell: Cell, plan: Plan, console: Console) -> None:
    changing = " (round 1; it changes by round)" if cell.schedule.changes else ""
    console.rule(f"cell {cell.name}")
    console.print(
        f"{cell.spec.name}, {cell.spec.speaking}, {cell.rounds} rounds, "
        f"{cell.decision.name}; at most {plan.max_calls(cell):,} model calls",
        highlight=False,
        markup=False,
    )
    topology = cell.schedule.at(1, seed=plan.spec.seeds[0])
    console.print(f"edges{changing}:", highlight=False)
    console.print(draw_text(topology), highlight=False, markup=False)
