"""What a study can find, printed: the power of its hypotheses, questions needed, their price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from debate.runner.plan import Plan
from debate.terminal import print_whole
from debate.text import clean, format_count, format_decimal, format_duration, format_percent

if TYPE_CHECKING:
    from debate.analysis.power import SimulatedPower
    from debate.runner.estimate_power import HypothesisPower, PowerReport

POWER_NOTE = (
    'n: least number of questions with which the share of simulated runs that end "supported" '
    "reaches the target, between the numbers simulated by interpolation. In sign: the same for "
    '"supported" or "supported in sign". Range: n if the truth were what in the pilot\'s 95 % '
    "interval is most, and least, in favour of the claim. ± is one Monte-Carlo error."
)


def print_hypotheses(plan: Plan, console: Console) -> None:
    """For each hypothesis, the least questions that could support it, beside those of the task."""
    from debate.analysis.claims import plan_questions

    claims, num = plan.spec.hypotheses, len(plan.questions)
    least = plan_questions(claims, several_pairs=_find_hypotheses_of_several(plan))
    open_ones = [name for name in claims if least.get(name) is None]
    for name in claims:
        if (needed := least.get(name)) is not None:
            told, style = _describe_least(needed, num)
            console.print(f"hypothesis {name}: {told}", style=style, highlight=False, markup=False)
    if open_ones:
        several = len(open_ones) > 1
        lead = f"{'hypotheses' if several else 'hypothesis'} {', '.join(open_ones)}"
        told = f"how many questions {'each' if several else 'it'} takes depends on the variance"
        told += f" (debate power CONFIG --pilot RUN); the task has {num:,}"
        console.print(f"{lead}: {told}", highlight=False, markup=False)


def find_unsupported_claims(plan: Plan) -> list[str]:
    """Return a warning for each hypothesis that the task has too few questions to support."""
    from debate.analysis.claims import plan_questions

    num, several = len(plan.questions), _find_hypotheses_of_several(plan)
    least = plan_questions(plan.spec.hypotheses, several_pairs=several)
    return [
        f"hypothesis {name}: {_describe_least(needed, num)[0]}"
        for name, needed in least.items()
        if needed is not None and needed > num
    ]


def _describe_least(least: int, num: int) -> tuple[str, str]:
    """The sentence about one hypothesis, and its style."""
    told = f"can be supported from {least:,} questions on; the task has {num:,}"
    if num >= least:
        return told, ""
    return f"warning: {told}, so it cannot be", "yellow"


def _find_hypotheses_of_several(plan: Plan) -> set[str]:
    """The hypotheses of which one question holds several pairs: of agents, or of seeds."""
    from debate.analysis.design import read_design
    from debate.analysis.measures import OF_VOTE

    cells = {cell.name: cell for cell in plan.cells}
    authors = read_design(plan.spec.model_dump(mode="json"), cells).authors
    found = set()
    for name, claim in plan.spec.hypotheses.items():
        cell = cells.get(claim.cell or "")
        is_one = claim.estimate in OF_VOTE or claim.subject is not None or claim.cell in authors
        members = [] if cell is None else [cell.agents[id].spec.role for id in cell.speakers]
        is_one = is_one or sum(role != "judge" for role in members) == 1
        if len(plan.spec.seeds) > 1 or not is_one:
            found.add(name)
    return found


def print_power(found: PowerReport, console: Console) -> None:
    """Print what each hypothesis needs, its price, and its shares by number of questions."""
    seeds = f" × {found.num_seeds} seeds" if found.num_seeds > 1 else ""
    console.print(
        f"{found.draws} runs simulated for each number of questions, from {found.num_pilot:,} "
        f"questions{seeds} of the pilot",
        highlight=False,
    )
    print_whole(_make_power_table(found), console)
    console.print(Text(POWER_NOTE, style="dim"))
    if any(each.price for each in found.hypotheses):
        print_whole(_make_price_table(found), console)
    for each in found.hypotheses:
        for line in _list_remarks(each):
            console.print(Text(f"{clean(each.name)}: {clean(line)}"))
    for sentence in found.caveats:
        console.print(Text(f"• {clean(sentence)}"))


def _make_power_table(found: PowerReport) -> Table:
    needed = (f"with {found.num_task:,}", f"n for {found.target:.0%}")
    table = Table(title="Questions that the hypotheses need")
    for column in ("hypothesis", "pilot", *needed, "range", "in sign"):
        table.add_column(column, overflow="fold")
    for each in found.hypotheses:
        entries = _format_power(each) if each.points else ["–"] * 5
        table.add_row(*(Text(clean(entry)) for entry in (each.name, *entries)))
    return table


def _format_chance(point: SimulatedPower) -> str:
    return f"{format_percent(point.power)} ± {format_percent(point.error)}"


def _format_power(each: HypothesisPower) -> list[str]:
    assert each.needed is not None
    best, worst = (_format_needed(each, n) for n in (each.needed.at_best, each.needed.at_worst))
    known = each.low is not None
    return [
        f"{format_decimal(each.value)} [{format_decimal(each.low)}, {format_decimal(each.high)}]",
        _format_chance(each.at_task) if each.at_task else "–",
        _format_needed(each, each.needed.supported),
        f"{best} … {worst}" if known else "–",
        _format_needed(each, each.needed.in_sign),
    ]


def _format_needed(each: HypothesisPower, num: int | None) -> str:
    """A number needed; the first one simulated also stands for all below it."""
    if num is None:
        return f"> {each.points[-1].num_questions:,}"
    return f"≤ {num:,}" if num == each.points[0].num_questions else f"{num:,}"


def _make_price_table(found: PowerReport) -> Table:
    """Calls, tokens, cost and time of n questions in all conditions."""
    title = "What they take, in all conditions"
    table = Table("hypothesis", "n", "calls", "tokens", "cost", "time", title=title)
    for each in found.hypotheses:
        if each.price is None or each.needed is None:
            continue
        price = each.price
        entries = [
            each.name,
            _format_needed(each, each.needed.supported),
            format_count(price.turns),
            format_count(price.prompt_tokens + price.generated_tokens),
            format_decimal(price.cost, 2),
            "–" if price.time_s is None else format_duration(price.time_s),
        ]
        table.add_row(*(Text(clean(entry)) for entry in entries))
    return table


def _list_remarks(each: HypothesisPower) -> list[str]:
    """Its curve, what seeds would do, and what tempers it."""
    told = [each.reason] if each.reason else []
    if each.points:
        curve = ", ".join(
            f"{point.num_questions:,}: {_format_chance(point)}" for point in each.points
        )
        told.append(f"supported with {curve}")
    if each.seed_share is not None:
        share = format_percent(each.seed_share)
        told.append(f"{share} of one debate's variance is between seeds of a question")
    if each.by_seeds is not None:
        needs = ", ".join(
            f"{seeds} seed{'s' * (seeds > 1)}: {num:,} questions ({num * seeds:,} debates)"
            for seeds, num in each.by_seeds.items()
        )
        told.append(f"n with {needs}, in each condition")
    return told
