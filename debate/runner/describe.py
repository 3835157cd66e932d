"""Plans on the terminal, with their agents, edges, calls, prompts and hardware."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from debate.agents.tool_use import explain_missing_tools
from debate.cluster.inquiry import ClusterState, describe_state
from debate.cluster.launch import select_local_models
from debate.cluster.packing import RoomPlan, describe_slots, plan_room
from debate.cluster.resources import (
    Node,
    describe_shared_engines,
    is_elsewhere,
    list_resource_requests,
    plan_engines,
    summarize_resources,
)
from debate.config.models import ModelSpec, OpenaiModel, OracleModel
from debate.config.sweep import FACTORS
from debate.engines.model_files import describe_missing, find_missing, list_model_files
from debate.engines.registry import explain_missing
from debate.orchestrator.condition import Condition
from debate.runner.describe_power import print_hypotheses
from debate.runner.human_seats import describe_people
from debate.runner.plan import Plan
from debate.runner.preview import (
    describe_detectable,
    describe_model,
    describe_size,
    find_ties,
    find_unsure_arms,
    print_first_prompt,
    print_prompts,
    print_question,
)
from debate.tasks.options import describe_same_target
from debate.terminal import print_whole
from debate.text import clean, count_noun, join_names
from debate.topologies import draw_text


def print_plan(
    plan: Plan,
    console: Console,
    asked: ClusterState | str | None = None,
    *,
    prompts: bool = False,
    everything: bool = False,
) -> None:
    """Print what a run would do: size, price and warnings, models, a question, a prompt, arms.

    `asked` is the state of the cluster that the plan names, or why it could not be asked. prompts:
    every prompt whole, of all cells. everything: also agents, devices, further prompts and edges.
    """
    nodes = asked.nodes if isinstance(asked, ClusterState) else None
    room = plan_room(plan.models, plan.spec.cluster, nodes)
    print_outline(plan, console, room)
    _print_expectations(plan, console)
    _print_room(plan, room, asked, console)
    print_hypotheses(plan, console)
    _print_warnings(plan, console)
    for line in describe_anchors(plan):
        console.print(line, highlight=False, markup=False)
    for name, spec in plan.models.items():
        console.print(describe_model(name, spec), highlight=False, markup=False)
    for line in list_addresses(plan.models):
        console.print(line, highlight=False, markup=False)
    _print_devices(plan, nodes, console, everything=everything)
    print_question(plan, console)
    if prompts or everything:
        print_prompts(plan, console, whole=prompts)
    else:
        print_first_prompt(plan, console)
    _print_edges(plan, console, drawn=everything)
    print_whole(_make_cell_table(plan), console)
    if not everything:
        told = "--all also shows agents, models, further prompts, and who hears whom"
        console.print(told, highlight=False)
    console.print("the configuration is valid", style="green")


def _print_warnings(plan: Plan, console: Console) -> None:
    """Print what may spoil the run: targets in one place, ties, and what is missing here."""
    warn_of_targets(plan, console)
    local = select_local_models(plan.models, plan.spec.cluster)
    missing = find_missing(place for spec in local.values() for place in list_model_files(spec))
    tools = explain_missing_tools(plan.seated_agents)
    lacking = filter(None, (explain_missing(local), tools, *describe_missing(missing, local)))
    warned = (f"warning: {clean(each)}" for each in lacking)
    for told in (*find_ties(plan), *find_unsure_arms(plan), *warned):
        console.print(told, style="yellow", markup=False, highlight=False)


def describe_anchors(plan: Plan) -> list[str]:
    """Describe the seats that know the right answers, and those that are past versions, by line."""
    seats = {agent.id: agent for cell in plan.cells for agent in cell.agents.values()}
    knowing = [name for name, seat in seats.items() if seat.capabilities.knows_truth]
    stating = [name for name in knowing if _states_answers(plan, seats[name].spec.model)]
    lines = []
    if knowing:
        told = (
            f"note: {clean(join_names(knowing))} know{'s' * (len(knowing) == 1)} the right answers"
        )
        told += "; no prompt of others holds any, but for what they say: whether an answer is right"
        if stating:
            told += f", and of {clean(join_names(stating))} what it should be"
        lines.append(told)
    for name, seat in seats.items():
        if seat.spec.past_of is not None:
            lines.append(f"{clean(name)} is a past version of {clean(seat.spec.past_of)}")
    return lines


def _states_answers(plan: Plan, model: str) -> bool:
    spec = plan.spec.models[model]
    return isinstance(spec, OracleModel) and spec.states_answer


def _print_expectations(plan: Plan, console: Console) -> None:
    """Print the kinds of questions, the tokens and the price, and what could be seen."""
    kinds = Counter(question.category or question.kind for question in plan.questions)
    listed = ", ".join(f"{num:,} {kind}" for kind, num in kinds.most_common(8))
    for line in (f"questions: {clean(listed)}", *describe_size(plan), describe_detectable(plan)):
        console.print(line, highlight=False, markup=False)


def list_addresses(models: Mapping[str, ModelSpec]) -> list[str]:
    """List the hosts that models talk to, and the environment variables that go to each.

    The values of the variables are not read.
    """
    lines = []
    for name, spec in models.items():
        if not isinstance(spec, OpenaiModel):
            continue
        host = _find_host(spec.url)
        lines.append(f"model {clean(name)} talks to {host}")
        for path, variable in spec.list_variables():
            goal = "its proxy" if path == ("proxy",) else host
            told = f"sends ${variable} to {goal} ({clean('.'.join(path))})"
            lines.append(f"model {clean(name)} {told}")
    return lines


def _find_host(url: str) -> str:
    """Return host and port of a URL, without what else stands in it."""
    try:
        return clean(urlsplit(url.strip()).netloc.rpartition("@")[2]) or "no host"
    except ValueError:
        return "no host"


def warn_of_targets(plan: Plan, console: Console) -> None:
    """Print a warning where the place of an option tells that it is right."""
    if told := describe_same_target(plan.questions):
        console.print(f"warning: {told}", style="yellow", markup=False, highlight=False)


def print_outline(plan: Plan, console: Console, room: RoomPlan | None = None) -> None:
    """Print the size of the run in a line, and the models that will share engines and devices.

    Without the room, these are told of this machine only.
    """
    seeds = f" × {len(plan.spec.seeds)} seeds" if len(plan.spec.seeds) > 1 else ""
    shared = f" ({plan.num_shared_calls:,} more are shared)" if plan.num_shared_calls else ""
    console.print(
        f"{count_noun(plan.num_debates, 'debate')} ({count_noun(len(plan.questions), 'question')}"
        f" × {count_noun(len(plan.cells), 'arm')}{seeds}), at most "
        f"{count_noun(plan.max_total_calls, 'model call')}{shared}"
        f"{'; turns whose prompts turn out alike share a call, too' if shared else ''}",
        highlight=False,
    )
    specs = plan.models
    for line in (*describe_people(plan), *describe_shared_engines(plan_engines(specs))):
        console.print(line, highlight=False, markup=False)
    if room is None and not is_elsewhere(plan.spec.cluster):
        room = plan_room(specs, plan.spec.cluster)
    for line in describe_slots(room.slots or ()) if room and not room.shortage else ():
        console.print(line, highlight=False, markup=False)
    if plan.spec.cluster.orchestrators > 1:
        console.print(
            f"{plan.spec.cluster.orchestrators} orchestrators, a share of the questions each",
            highlight=False,
        )


def _print_room(
    plan: Plan, room: RoomPlan, asked: ClusterState | str | None, console: Console
) -> None:
    """Print what the cluster has, and whether the run has room there; or here without a cluster."""
    if isinstance(asked, ClusterState):
        told = f"the Ray cluster at {describe_state(asked)}"
        console.print(clean(told), highlight=False, markup=False, soft_wrap=True)
    elif asked:
        told = f"the cluster ({plan.spec.cluster.address or 'RAY_ADDRESS'}) could not be asked: "
        told += f"{asked}. Whether it has room is unknown until the run"
        console.print(clean(told), style="yellow", highlight=False, markup=False, soft_wrap=True)
    if room.shortage:
        told = f"this run cannot start {'there' if asked else 'here'}: {room.shortage}"
        console.print(clean(told), style="yellow", highlight=False, markup=False, soft_wrap=True)
    elif isinstance(asked, ClusterState):
        console.print(_describe_wait(plan, asked), highlight=False, markup=False, soft_wrap=True)


def _describe_wait(plan: Plan, asked: ClusterState) -> str:
    """Say that the run can start, and for what it may have to wait."""
    cluster = plan.spec.cluster
    if cluster.autoscaling:
        return "this run can start there, and waits for the nodes that it lacks (autoscaling)"
    gpus = sum(each.gpus for each in list_resource_requests(plan.models))
    if gpus <= asked.free_gpus:
        return "this run can start there"
    wait = f"waits up to {cluster.placement_timeout_s:g} s for GPUs that others use"
    return f"this run can start there; it {wait}"


def print_probe_calls(plan: Plan, console: Console) -> None:
    """Print how many calls `debate probe` makes at most once the run is over."""
    console.print(
        f"`debate probe` afterwards: at most {plan.max_further_calls:,} further scoring calls",
        highlight=False,
        markup=False,
    )


def _make_cell_table(plan: Plan) -> Table:
    """The cells side by side: by which levels they differ, and how many calls each makes alone."""
    cells = plan.spec.cells
    factors = [f for f in FACTORS if any(f in cells[cell.name].factors for cell in plan.cells)]
    shown = factors if factors else ["members"]
    table = Table("arm", *shown, "calls at most")
    for cell in plan.cells:
        levels = cells[cell.name].factors
        values = [levels.get(f, "–") for f in factors] or [", ".join(cell.agents)]
        table.add_row(Text(cell.name), *map(Text, values), f"{plan.count_max_calls(cell):,}")
    return table


def _make_agent_table(plan: Plan) -> Table:
    table = Table("agent", "role", "model", "engine", "prompts", "sampling", title="Agents")
    for agent in plan.agents:
        model = plan.spec.models[agent.model]
        temperature = agent.sampling.temperature
        told = "the engine's own" if temperature is None else f"T={temperature:g}"
        sampling = "greedy" if temperature == 0 else told
        table.add_row(agent.id, agent.role, agent.model, model.engine, agent.prompts, sampling)
    return table


def _print_devices(
    plan: Plan, nodes: Sequence[Node] | None, console: Console, *, everything: bool
) -> None:
    """Print the devices that models want against those there; everything: agents and models, too.

    `nodes` are those of a cluster that was asked.
    """
    there = summarize_resources(plan.models, plan.spec.cluster)
    total_gpus = there.total_gpus if nodes is None else sum(node.gpus for node in nodes)
    told = "unknown until the run" if total_gpus is None else f"{total_gpus:g}"
    if everything:
        print_whole(_make_agent_table(plan), console)
        print_whole(_make_model_table(plan), console)
    if everything or there.requested_gpus:
        console.print(f"GPUs wanted: {there.requested_gpus:g}; there: {told}", highlight=False)


def _make_model_table(plan: Plan) -> Table:
    """The devices that the models want of the machine or cluster."""
    specs = plan.models
    table = Table("model", "seats", "host", "replicas", "GPUs each", "CPUs each", title="Models")
    for name, spec in specs.items():
        hosted = spec.host == "actor"
        gpus, cpus = (f"{spec.gpus:g}", f"{spec.cpus:g}") if hosted else ("–", "–")
        seats = str(plan.count_seats(name))
        table.add_row(name, seats, spec.host, str(spec.replicas), gpus, cpus)
    return table


def _print_edges(plan: Plan, console: Console, *, drawn: bool) -> None:
    """Each cell's protocol and edges; cells that are alike in these stand together.

    drawn: the edges one by one.
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for cell in plan.cells:
        key = (_describe_protocol(cell), _draw_edges(cell, plan))
        alike.setdefault(key, []).append(cell.name)
    for (protocol, edges), names in alike.items():
        told = f"arm{'s' if len(names) > 1 else ''} {', '.join(names)}"
        if not drawn:
            heads, carried = edges.partition("\n")[0].partition(" (")[0], _list_carried(edges)
            edges = f"{heads}; {carried}" if carried else heads
            console.print(f"{told}: {protocol}; {edges}", highlight=False, markup=False)
            continue
        console.rule(Text(told))
        console.print(protocol, highlight=False, markup=False)
        console.print(edges, highlight=False, markup=False)


def _describe_protocol(cell: Condition) -> str:
    noise = ", noise in place of all that is heard" if cell.spec.view.noise else ""
    rounds = count_noun(cell.rounds, "round")
    return f"{cell.spec.name}, {cell.spec.speaking}, {rounds}, {cell.decision.name}{noise}"


def _list_carried(edges: str) -> str:
    """Return what edges carry that do not carry all, from a drawing of them."""
    found = dict.fromkeys(re.findall(r"carries [a-z_]+(?: \+ [a-z_]+)*", " ".join(edges.split())))
    return ", ".join(found)


def _draw_edges(cell: Condition, plan: Plan) -> str:
    changing = "round 1; the topology changes by round\n" if cell.schedule.changes else ""
    topology = cell.schedule.at(1, seed=plan.spec.seeds[0])
    return f"{changing}{draw_text(topology)}"
