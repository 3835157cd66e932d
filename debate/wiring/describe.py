"""A plan on the terminal: who, along which edges, how many calls, on which hardware."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from debate.analysis.text import clean
from debate.cluster.engines import shared_engines, shared_in_words
from debate.cluster.resources import resources, wanted
from debate.cluster.sharing import can_start_here, in_words, offline_plans
from debate.config.sweep import FACTORS
from debate.orchestrator.cell import Cell
from debate.topologies import draw_text
from debate.wiring.plan import Plan

if TYPE_CHECKING:
    from debate.analysis.intervals import Interval
    from debate.wiring.forecast import Forecast


def print_plan(plan: Plan, console: Console) -> None:
    """Agents, models against hardware, each cell's edges, and the number of debates and calls."""
    console.print(_agents(plan))
    console.print(_models(plan))
    _print_cells(plan, console)
    console.print(_cells(plan))
    print_outline(plan, console)
    print_hypotheses(plan, console)
    kinds = Counter(question.category or question.kind for question in plan.questions)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(8))
    console.print(f"questions: {clean(listed)}", highlight=False, markup=False)
    console.print("[green]the configuration is valid[/green]")


def print_outline(plan: Plan, console: Console) -> None:
    """The size of the run in a line, and the models that will share engines and places."""
    seeds = f" × {len(plan.spec.seeds)} seeds" if len(plan.spec.seeds) > 1 else ""
    shared = f" ({plan.num_shared_calls:,} more are shared)" if plan.num_shared_calls else ""
    console.print(
        f"{plan.num_debates:,} debates ({len(plan.questions):,} questions × "
        f"{len(plan.cells)} cells{seeds}), at most {plan.max_total_calls:,} model calls{shared}",
        highlight=False,
    )
    specs = plan.models
    for line in shared_in_words(shared_engines(specs)):
        console.print(line, highlight=False, markup=False)
    for line in in_words(offline_plans(specs, plan.spec.cluster) if wanted(specs) else ()):
        console.print(line, highlight=False, markup=False)
    if plan.spec.cluster.orchestrators > 1:
        console.print(
            f"{plan.spec.cluster.orchestrators} orchestrators, a share of the questions each",
            highlight=False,
        )


def print_further(plan: Plan, console: Console) -> None:
    """What `debate probe` asks at most once the run is over."""
    console.print(
        f"`debate probe` afterwards: at most {plan.max_further_calls:,} further scoring calls",
        highlight=False,
        markup=False,
    )


def print_hypotheses(plan: Plan, console: Console) -> None:
    """For each hypothesis, the least questions that could support it, beside those of the task."""
    from debate.analysis.hypotheses import plan_questions

    claims, num = plan.spec.hypotheses, len(plan.questions)
    least = plan_questions(claims, several_pairs=_hypotheses_of_several(plan))
    for name in claims:
        told, style = _say_least(least.get(name), num)
        console.print(f"hypothesis {name}: {told}", style=style, highlight=False, markup=False)
    if len(least) < len(claims):
        console.print(
            "where it depends on the variance: debate power CONFIG --pilot RUN",
            highlight=False, markup=False,
        )  # fmt: skip


def _say_least(least: int | None, num: int) -> tuple[str, str]:
    """What is said of one hypothesis, and in which style."""
    if least is None:
        return f"how many questions it takes depends on the variance; the task has {num:,}", ""
    told = f"can be supported from {least:,} questions on; the task has {num:,}"
    if num >= least:
        return told, ""
    return f"warning: {told}, so it cannot be", "yellow"


def _hypotheses_of_several(plan: Plan) -> set[str]:
    """The hypotheses of which one question holds several pairs: of agents, or of seeds."""
    from debate.analysis.design import design_of
    from debate.analysis.measures import OF_VOTE

    cells = {cell.name: cell for cell in plan.cells}
    authors = design_of(plan.spec.model_dump(mode="json"), cells).authors
    found = set()
    for name, claim in plan.spec.hypotheses.items():
        cell = cells.get(claim.cell or "")
        is_one = claim.estimate in OF_VOTE or claim.subject is not None or claim.cell in authors
        members = [] if cell is None else [cell.agents[id].spec.role for id in cell.speakers]
        is_one = is_one or sum(role != "judge" for role in members) == 1
        if len(plan.spec.seeds) > 1 or not is_one:
            found.add(name)
    return found


def print_forecast(found: Forecast, console: Console) -> None:
    """What the whole run will take, by what is in its directory."""
    share = f"{found.num_items:,} of {found.num_all:,} questions × seeds"
    console.print(f"by the {share} that are through, the whole run takes", highlight=False)
    lines = {
        "turns made": _quantity(found.turns),
        "prompt tokens": _quantity(found.prompt_tokens),
        "generated tokens": _quantity(found.generated_tokens),
        "cost": _quantity(found.cost, decimals=4) if found.cost else None,
        "still to make": f"{max(0, round((found.turns.value or 0) - found.num_turns)):,} turns",
        "time left": _time_left(found.left_s),
    }
    table = Table(show_header=False, box=None)
    for name, value in lines.items():
        if value is not None:
            table.add_row(name, value)
    console.print(table)


def _quantity(interval: Interval, *, decimals: int = 0) -> str:
    if interval.value is None:
        return "–"
    text = f"{interval.value:,.{decimals}f}"
    if interval.low is None or interval.high is None:
        return text
    return f"{text} [{interval.low:,.{decimals}f}, {interval.high:,.{decimals}f}]"


def _time_left(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return (
        f"about {describe_duration(seconds)} at the pace so far (faster once every batch is full)"
    )


def describe_duration(seconds: float) -> str:
    """A duration in words.

    >>> describe_duration(3723)
    '1 h 2 min'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _cells(plan: Plan) -> Table:
    """The cells side by side: by which levels they differ, and how many calls each makes alone."""
    cells = plan.spec.cells
    factors = [f for f in FACTORS if any(f in cells[cell.name].factors for cell in plan.cells)]
    shown = factors if factors else ["members"]
    table = Table("cell", *shown, "calls at most", title="Cells")
    for cell in plan.cells:
        levels = cells[cell.name].factors
        values = [levels.get(f, "–") for f in factors] or [", ".join(cell.agents)]
        table.add_row(Text(cell.name), *map(Text, values), f"{plan.max_calls(cell):,}")
    return table


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
    specs = plan.models
    there = resources(specs, plan.spec.cluster)
    table = Table("model", "seats", "host", "replicas", "GPUs each", "CPUs each", title="Models")
    for name, spec in specs.items():
        hosted = spec.host == "actor"
        gpus, cpus = (f"{spec.gpus:g}", f"{spec.cpus:g}") if hosted else ("–", "–")
        table.add_row(name, str(plan.num_seats(name)), spec.host, str(spec.replicas), gpus, cpus)
    gpus_there = "unknown until the run" if there.gpus_there is None else f"{there.gpus_there:g}"
    table.caption = f"GPUs wanted: {there.gpus_wanted:g}; there: {gpus_there}"
    if can_start_here(specs, plan.spec.cluster) is False:
        table.caption += " – too few: this run cannot start here"
    return table


def _print_cells(plan: Plan, console: Console) -> None:
    """How each cell runs and along which edges; those that do alike in this are told together."""
    alike: dict[tuple[str, str], list[str]] = {}
    for cell in plan.cells:
        alike.setdefault((_manner(cell), _edges(cell, plan)), []).append(cell.name)
    for (manner, edges), names in alike.items():
        console.rule(Text(f"cell{'s' if len(names) > 1 else ''} {', '.join(names)}"))
        console.print(manner, highlight=False, markup=False)
        console.print(edges, highlight=False, markup=False)


def _manner(cell: Cell) -> str:
    noise = ", noise in place of all that is heard" if cell.spec.view.noise else ""
    return (
        f"{cell.spec.name}, {cell.spec.speaking}, {cell.rounds} rounds, {cell.decision.name}{noise}"
    )


def _edges(cell: Cell, plan: Plan) -> str:
    changing = " (round 1; it changes by round)" if cell.schedule.changes else ""
    topology = cell.schedule.at(1, seed=plan.spec.seeds[0])
    return f"edges{changing}:\n{draw_text(topology)}"
