"""The results as a table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table

from debate.bench.measure import TITLES, Measure, Result, Skipped


def table(results: Sequence[Result], *, load: float | None = None, cpus: int = 1) -> Table:
    """One row a result, by part; `load` is how many processes wanted to run beforehand."""
    made = Table(title="debate bench", title_justify="left", caption=_caption(load, cpus))
    made.add_column("measured")
    made.add_column("value", justify="right")
    made.add_column("compared with", justify="right")
    made.add_column("ratio", justify="right")
    made.add_column("note")
    for part, own in groupby(results, key=lambda each: each.part):
        made.add_row(f"[b]({part}) {TITLES[part]}[/b]", "", "", "", "")
        for each in own:
            made.add_row(*_cells(each))
        made.add_section()
    return made


def _caption(load: float | None, cpus: int) -> str | None:
    """A warning where others were at work, which stretches every time but CPU time."""
    if load is None or load < cpus / 2:
        return None
    return (
        f"{load:.1f} processes wanted to run on {cpus} CPUs before this began: "
        "seconds and rates are worse than they need be, CPU time is less so"
    )


def _cells(result: Result) -> tuple[str, ...]:
    if isinstance(result, Skipped):
        return (result.what, "not made", "", "", result.reason)
    return (result.what, *_numbers(result), result.note)


def _numbers(measure: Measure) -> tuple[str, str, str]:
    value = f"{shown(measure.value)} {measure.unit}"
    if measure.against is None or measure.ratio is None:
        return value, "", ""
    return value, f"{measure.against_what} {shown(measure.against)}", f"{measure.ratio:.2f}"


def shown(value: float) -> str:
    """A number with three digits, or all of its whole ones.

    >>> shown(12345.6), shown(1.2345), shown(0.00123)
    ('12,346', '1.23', '0.00123')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
