"""Tables as text: what a terminal prints and a page lays out is the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.copying import AT_THE_ANSWER, COPIED_SHARE_SHOWN
from debate.analysis.design import IS_CONTROL
from debate.analysis.registry import MEASURES, get_words, is_signed
from debate.analysis.schema import Estimate
from debate.analysis.summary import Analysis
from debate.text import format_count, format_decimal, format_percent

MOST_ROWS = 200


class Place(NamedTuple):
    """One turn of one agent, at which a transcript is to be opened."""

    cell: str
    question: str
    seed: int
    agent: str
    round: int


class Entry(NamedTuple):
    """One field of a table: what it says, what stands below it, and the turn that it leads to.

    ends, bounds: the interval and the bounds of a number, which stand below it, whole; rest: what
    else does, all of it where nothing is an interval.
    """

    text: str
    under: str = ""
    place: Place | None = None
    ends: tuple[float, float] | None = None
    bounds: tuple[float | None, float | None] | None = None

    @property
    def rest(self) -> str:
        """What stands below the number beside its interval and bounds."""
        is_plain = self.ends is None and self.bounds is None
        return self.under if is_plain else self.under.partition(", ")[2]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its columns; the first `num_names` of them hold names, the others numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    num_names: int = 1
    note: str = ""


DASH = Entry("–")
"""A field without a value."""
TableMaker = Callable[[Analysis], Table]


def build_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    names: int = 1,
    note: str = "",
    telling: Collection[str] = (),
) -> Table:
    """A table of the first 200 rows; the note tells how many there are.

    rows: a field that is no `Entry` is shown as `str` writes it. Columns that hold nothing but
    dashes are left out, and the note names them; but those of names, and those called `telling`,
    in which a dash says something. Where none is left, neither is a row.
    """
    is_cut = len(rows) > MOST_ROWS
    cut = f" The first {MOST_ROWS} of {format_count(len(rows))} rows." if is_cut else ""
    made = [tuple(map(_make_entry, row)) for row in rows[:MOST_ROWS]]
    absent = {
        k
        for k, column in enumerate(columns)
        if k >= names and made and column not in telling and all(row[k] == DASH for row in made)
    }
    if len(absent) == len(columns) - names > 0:
        made = []
    left_out = name_left_out([columns[k] for k in sorted(absent)])
    return Table(
        title=title,
        columns=tuple(column for k, column in enumerate(columns) if k not in absent),
        rows=tuple(tuple(e for k, e in enumerate(row) if k not in absent) for row in made),
        num_names=names,
        note=" ".join(filter(None, (note + cut, left_out))).strip(),
    )


def name_left_out(names: Sequence[str]) -> str:
    """A sentence on the columns or lines of a table that hold no value; empty where none is."""
    return f"No value, so left out: {'; '.join(names)}." if names else ""


def _make_entry(field: object) -> Entry:
    return field if isinstance(field, Entry) else Entry(str(field))


def group_estimates(
    analysis: Analysis, names: Sequence[str]
) -> dict[tuple[str, str], dict[str, Estimate]]:
    """The estimates of these names by cell and subject, each with its estimates by name."""
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for e in analysis.select(*names):
        found.setdefault((e.cell or "", e.subject or ""), {})[e.name] = e
    return dict(sorted(found.items()))


def show_estimate(estimate: Estimate | None) -> Entry:
    """An estimate with its interval; a dash where it is not known, a star where it lacks a control.

    One that is known in bounds only is shown by them.

    >>> show_estimate(Estimate(name="eai", value=0.1, low=0.05, high=0.15)).text
    '+0.100'
    """
    if estimate is None:
        return Entry("–")
    signed = is_signed(estimate.name)
    found = show_interval(estimate.value, estimate.low, estimate.high, signed=signed)
    if estimate.bound_low is not None:
        found = add_bounds(found, estimate.bound_low, estimate.bound_high, signed=signed)
    is_starred = is_lacking(estimate) and estimate.is_known
    return found._replace(text=f"{found.text}*") if is_starred else found


def add_bounds(found: Entry, low: float | None, high: float | None, *, signed: bool) -> Entry:
    """A number with its bounds below it; where it is a dash, the bounds in its place.

    >>> add_bounds(Entry("–"), -0.1, 0.2, signed=True)[:2]
    ('−0.100 to +0.200', 'bounds')
    """
    told, bounds = format_ends(low, high, signed=signed), (low, high)
    if found.text == "–":
        return found._replace(text=told, under="bounds", bounds=bounds)
    under = f"{found.under}; bounds {told}".removeprefix("; ")
    return found._replace(under=under, bounds=bounds)


def is_lacking(estimate: Estimate) -> bool:
    """Whether something is missing that would make the estimate what its name says."""
    return estimate.missing not in (None, IS_CONTROL)


def show_interval(
    value: float | None, low: float | None, high: float | None, *, signed: bool = False
) -> Entry:
    """A number with its interval below it."""
    text = format_decimal(value, signed=signed)
    if value is None or low is None or high is None:
        return Entry(text)
    return Entry(text, format_ends(low, high, signed=signed), ends=(low, high))


def format_ends(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """Two ends as text: "0.100 to 0.200"."""
    return f"{format_decimal(low, signed=signed)} to {format_decimal(high, signed=signed)}"


def format_p_value(value: float | None) -> str:
    """A p-value to three digits.

    >>> format_p_value(0.0001), format_p_value(None)
    ('<.001', '–')
    """
    return "<.001" if value is not None and value < 0.001 else format_decimal(value)


def sort_by_cell(analysis: Analysis, frame: pl.DataFrame) -> pl.DataFrame:
    """A frame's rows with its cells in the order of the analysis."""
    order = {cell: position for position, cell in enumerate(analysis.cells)}
    place = pl.col("cell").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    return frame.sort(place, maintain_order=True)


def write_confidence_note(analysis: Analysis, names: Sequence[str]) -> str:
    """The sentence that names the estimator, where a measure among these depends on it."""
    if analysis.confidence is None or not any(MEASURES[n].of_confidence for n in names):
        return ""
    return f"Confidence: {analysis.confidence}{write_copied_note(analysis)}."


def write_copied_note(analysis: Analysis) -> str:
    """A clause beside the estimator, where answers stand in the working before they are given."""
    if analysis.confidence not in AT_THE_ANSWER:
        return ""
    found = [e for e in analysis.select("copied_rate") if e.subject is None and e.value is not None]
    most = max(found, key=lambda e: e.value or 0.0, default=None)
    if most is None or (most.value or 0.0) <= COPIED_SHARE_SHOWN:
        return ""
    return (
        f" (up to {format_percent(most.value or 0)} of answers stand in the working before them, "
        f"arm {most.cell}, round {most.round}: there it measures copying; see the caveats)"
    )


def tabulate_by_round(
    analysis: Analysis, title: str, names: Sequence[str], *, note: str = ""
) -> Table:
    """A row for each condition and round, a column for each estimate of a whole condition."""
    found = {
        (e.cell, e.round, e.name): e
        for e in analysis.select(*names)
        if e.subject is None and e.round is not None
    }
    shown = [n for n in names if any(_is_known(e) for key, e in found.items() if key[2] == n)]
    rounds = sorted({key[1] for key in found if key[1] is not None})
    rows = [
        [
            analysis.labels.arm(cell),
            str(round_),
            *(show_estimate(found.get((cell, round_, name))) for name in shown),
        ]
        for cell in analysis.cells
        for round_ in rounds
        if any(_is_known(found.get((cell, round_, name))) for name in shown)
    ]
    starred = " * something is missing, told under the caveats." if _has_star(rows) else ""
    columns = ["arm", "round", *map(get_words, shown)]
    told = " ".join(filter(None, (write_confidence_note(analysis, shown), note + starred)))
    return build_table(title, columns, rows, names=2, note=told.strip())


def tabulate_by_cell(
    analysis: Analysis,
    title: str,
    names: Sequence[str],
    *,
    more: Mapping[str, Callable[[str], str]] | None = None,
    note: str = "",
) -> Table:
    """A row for each condition with a known estimate, a column for each estimate over its rounds.

    more: further columns by their heading, from a condition to what stands there.
    """
    find: Callable[..., Any] = analysis.find
    further = more or {}
    rows = [
        [
            analysis.labels.arm(cell),
            *(show_estimate(find(name, cell=cell)) for name in names),
            *(tell(cell) for tell in further.values()),
        ]
        for cell in analysis.cells
        if any(_is_known(find(name, cell=cell)) for name in names)
    ]
    return build_table(title, ["arm", *map(get_words, names), *further], rows, note=note)


def _is_known(estimate: Estimate | None) -> bool:
    return estimate is not None and (estimate.is_known or estimate.bound_low is not None)


def _has_star(rows: Sequence[Sequence[object]]) -> bool:
    return any(_make_entry(field).text.endswith("*") for row in rows for field in row)
