"""The power of hypotheses on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from debate.analysis.text import clean, count, number
from debate.wiring.describe import describe_duration
from debate.wiring.power import HypothesisPower, PowerReport

NOTE = (
    'n: least number of questions with which the share of simulated runs that end "supported" '
    "reaches the target, between the numbers simulated by interpolation. In sign: the same for "
    '"supported" or "supported in sign". Range: n if the truth were what in the pilot\'s 95 % '
    "interval is most, and least, in favour of the claim. ± is one Monte-Carlo error."
)


def present_power(found: PowerReport, console: Console) -> None:
    """Print what each hypothesis needs, its price, and its shares by number of questions."""
    seeds = f" × {found.num_seeds} seeds" if found.num_seeds > 1 else ""
    console.print(
        f"{found.draws} runs simulated for each number of questions, from {found.num_pilot:,} "
        f"questions{seeds} of the pilot",
        highlight=False,
    )
    console.print(_summary(found))
    console.print(Text(NOTE, style="dim"))
    if any(each.price for each in found.hypotheses):
        console.print(_prices(found))
    for each in found.hypotheses:
        for line in _remarks(each):
            console.print(Text(f"{clean(each.name)}: {clean(line)}"))
    for sentence in found.caveats:
        console.print(Text(f"• {clean(sentence)}"))


def _summary(found: PowerReport) -> Table:
    columns = [
        "hypothesis", "pilot", f"with {found.num_task:,}", f"n for {found.target:.0%}", "range",
        "in sign",
    ]  # fmt: skip
    table = Table(title="Questions that the hypotheses need")
    for column in columns:
        table.add_column(column, overflow="fold")
    for each in found.hypotheses:
        entries = _numbers(each) if each.points else ["–"] * 5
        table.add_row(*(Text(clean(entry)) for entry in (each.name, *entries)))
    return table


def _numbers(each: HypothesisPower) -> list[str]:
    assert each.needed is not None
    best, worst = (_questions(each, n) for n in (each.needed.at_best, each.needed.at_worst))
    known = each.low is not None
    return [
        f"{number(each.value)} [{number(each.low)}, {number(each.high)}]",
        f"{each.at_task.power:.0%} ± {each.at_task.error:.0%}" if each.at_task else "–",
        _questions(each, each.needed.supported),
        f"{best} … {worst}" if known else "–",
        _questions(each, each.needed.in_sign),
    ]


def _questions(each: HypothesisPower, num: int | None) -> str:
    """A number needed; the first one simulated also stands for all below it."""
    if num is None:
        return f"> {each.points[-1].num_questions:,}"
    return f"≤ {num:,}" if num == each.points[0].num_questions else f"{num:,}"


def _prices(found: PowerReport) -> Table:
    """What n questions take in all conditions."""
    title = "What they take, in all conditions"
    table = Table("hypothesis", "n", "calls", "tokens", "cost", "time", title=title)
    for each in found.hypotheses:
        if each.price is None or each.needed is None:
            continue
        price = each.price
        entries = [
            each.name,
            _questions(each, each.needed.supported),
            count(price.turns),
            count(price.prompt_tokens + price.generated_tokens),
            number(price.cost, 2),
            "–" if price.time_s is None else describe_duration(price.time_s),
        ]
        table.add_row(*(Text(clean(entry)) for entry in entries))
    return table


def _remarks(each: HypothesisPower) -> list[str]:
    """Its curve, what seeds would do, and what tempers it."""
    told = [each.reason] if each.reason else []
    if each.points:
        curve = ", ".join(
            f"{p.num_questions:,}: {p.power:.0%} ± {p.error:.0%}" for p in each.points
        )
        told.append(f"supported with {curve}")
    if each.seed_share is not None:
        told.append(
            f"{each.seed_share:.0%} of one debate's variance is between seeds of a question"
        )
    if each.by_seeds is not None:
        needs = ", ".join(
            f"{seeds} seed{'s' * (seeds > 1)}: {num:,} questions ({num * seeds:,} debates)"
            for seeds, num in each.by_seeds.items()
        )
        told.append(f"n with {needs}, in each condition")
    return told
