"""Teams side by side: how they err together, what they decide, and dose and response."""

from __future__ import annotations

from typing import Any

import polars as pl

from debate.analysis.registry import is_signed, words
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, estimated, interval, table
from debate.analysis.text import number, short

CORRECTED = 0.05


def teams(analysis: Analysis) -> Table:
    """A column for each team in which agents hear one another, a line for each measure."""
    rows = analysis.tables["teams"]
    cells = list(dict.fromkeys(rows["cell"]))
    kinds = {row["cell"]: row["team"] for row in rows.iter_rows(named=True)}
    by_place = {(row["measure"], row["cell"]): row for row in rows.iter_rows(named=True)}
    lines = [
        [Entry(words(name)), *(_value(by_place[name, cell]) for cell in cells)]
        for name in dict.fromkeys(rows["measure"])
    ]
    models = [[Entry("models"), *(Entry(kinds[cell]) for cell in cells)]] if lines else []
    return table("Teams side by side", ["", *map(analysis.labels.arm, cells)], models + lines,
                 note=" ".join(_matches(rows)))  # fmt: skip


def contrasts(analysis: Analysis) -> Table:
    """The same measures, each team's minus the reference's, paired by question."""
    rows = analysis.tables["teams"].filter(pl.col("against").is_not_null())
    cells = list(dict.fromkeys(rows["cell"]))
    by_place = {(row["measure"], row["cell"]): row for row in rows.iter_rows(named=True)}
    lines = [
        [Entry(words(name)), *(_difference(by_place.get((name, cell))) for cell in cells)]
        for name in dict.fromkeys(rows["measure"])
    ]
    against = short(next(iter(rows["against"]), ""), 40)
    note = "Paired by question; * Holm-corrected p below .05, each line a family of its own."
    return table(f"Teams minus {against}", ["", *map(analysis.labels.arm, cells)], lines, note=note)


def doses(analysis: Analysis) -> Table:
    """Slope and zero crossing of every gain against the error correlation at the openings."""
    rows = []
    told = analysis.estimates if analysis.tables["dose"]["cell"].n_unique() > 1 else ()
    for e in told:
        if e.name.startswith("dose_response."):
            _, response, part = e.name.split(".")
            lacking = [f"needs {e.missing}"] if e.missing else []
            about = [Entry(words(response)), Entry(part), Entry("; ".join((*e.caveats, *lacking)))]
            rows.append([*about, estimated(e)])
    columns = ["gain", "of the line", "notes", "value"]
    title = "Gain of debate against error correlation at the openings"
    return table(title, columns, rows, names=3)


def _value(row: dict[str, Any]) -> Entry:
    signed = is_signed(row["measure"])
    return interval(row["value"], row["low"], row["high"], signed=signed)


def _difference(row: dict[str, Any] | None) -> Entry:
    if row is None or row["difference"] is None:
        return Entry("–")
    ends = row["difference_low"], row["difference_high"]
    found = interval(row["difference"], *ends, signed=True)
    is_certain = row["p_holm"] is not None and row["p_holm"] < CORRECTED
    return found._replace(text=f"{found.text}{'*' * is_certain}")


def _matches(rows: pl.DataFrame) -> list[str]:
    """What each comparison at equal tokens rests on, or lacks."""
    matched = rows.filter(pl.col("measure").is_in(["self_consistency", "best_single"]))
    return [_match(row) for row in matched.iter_rows(named=True)]


def _match(row: dict[str, Any]) -> str:
    what = f"{short(row['cell'], 40)}, {words(row['measure'])}:"
    if row["matched_arm"] is None:
        return f"{what} needs {row['missing']}."
    taken = f"{row['matched_samples']} samples of {short(row['matched_arm'], 40)}"
    share = row["matched_tokens"]
    tokens = "tokens are not told" if share is None else f"{number(100 * share, 0)} % of its tokens"
    return f"{what} {taken}, {tokens}."
