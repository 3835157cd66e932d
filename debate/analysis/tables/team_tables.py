"""Tables of teams: one beside its members, several beside one another, and the gain by distance."""

from __future__ import annotations

from typing import Any

import polars as pl

from debate.analysis.registry import get_words, is_signed
from debate.analysis.summary import Analysis
from debate.analysis.tables import (
    DASH,
    Entry,
    Table,
    build_table,
    name_left_out,
    show_estimate,
    show_interval,
    sort_by_cell,
)
from debate.text import (
    format_count,
    format_decimal,
    format_percent,
    join_names,
    shorten,
    split_names,
)

TEAM_COLUMNS = split_names(
    "mean_member best_member oracle vote_0 vote_T kappa_p error_correlation effective_votes"
)

CORRECTED = 0.05


def tabulate_team(analysis: Analysis) -> Table:
    """Members alone and together: accuracies, correlation, effective votes."""
    rows = [
        [
            analysis.labels.arm(row["cell"]),
            row["team"],
            *(format_decimal(row[name]) for name in TEAM_COLUMNS),
        ]
        for row in sort_by_cell(analysis, analysis.tables["team"]).iter_rows(named=True)
    ]
    note = "Correlations and effective votes are of the openings, before anybody heard anyone."
    return build_table(
        "The team", ["arm", "team", *map(get_words, TEAM_COLUMNS)], rows, names=2, note=note
    )


def tabulate_teams(analysis: Analysis) -> Table:
    """A column for each team in which agents hear one another, a line for each measure."""
    rows = analysis.tables["teams"]
    cells = list(dict.fromkeys(rows["cell"]))
    kinds = {row["cell"]: row["team"] for row in rows.iter_rows(named=True)}
    by_place = {(row["measure"], row["cell"]): row for row in rows.iter_rows(named=True)}
    lines = [
        [get_words(name), *(_show_value(by_place[name, cell]) for cell in cells)]
        for name in dict.fromkeys(rows["measure"])
    ]
    models = [["models", *(kinds[cell] for cell in cells)]] if lines else []
    known = [line for line in lines if any(entry != DASH for entry in line[1:])]
    left_out = name_left_out([str(line[0]) for line in lines if line not in known])
    return build_table(
        "Teams side by side",
        ["", *map(analysis.labels.arm, cells)],
        models + known,
        note=" ".join(filter(None, (*_describe_matches(rows), left_out))),
    )


def tabulate_team_contrasts(analysis: Analysis) -> Table:
    """The same measures, each team's minus the reference's, paired by question."""
    rows = analysis.tables["teams"].filter(pl.col("against").is_not_null())
    cells = list(dict.fromkeys(rows["cell"]))
    by_place = {(row["measure"], row["cell"]): row for row in rows.iter_rows(named=True)}
    lines = [
        [get_words(name), *(_show_difference(by_place.get((name, cell))) for cell in cells)]
        for name in dict.fromkeys(rows["measure"])
    ]
    against = shorten(next(iter(rows["against"]), ""), 40)
    note = "Paired by question; * Holm-corrected p below .05, each line a family of its own."
    return build_table(
        f"Teams minus {against}", ["", *map(analysis.labels.arm, cells)], lines, note=note
    )


def tabulate_minorities(analysis: Analysis) -> Table:
    """Who was right against the majority of the openings, and how often that won."""
    rows = [
        [
            analysis.labels.arm(row["cell"]),
            analysis.labels.agent(row["cell"], row["agent"]),
            format_count(row["debates"]),
            format_count(row["won"]),
            shorten(row["example"], 40),
        ]
        for row in sort_by_cell(analysis, analysis.tables["minorities"]).iter_rows(named=True)
    ]
    note = (
        "Debates in which the answer that most members opened with is wrong and this member "
        "opened with a right one; won: the team's own rule decides for a right answer at the end."
    )
    columns = ["arm", "agent", "debates", "won", "for example"]
    return build_table("Right against the majority", columns, rows, names=2, note=note)


def tabulate_dose_response(analysis: Analysis) -> Table:
    """Slope and zero crossing of every gain against the error correlation at the openings."""
    rows = []
    told = analysis.estimates if analysis.tables["dose"]["cell"].n_unique() > 1 else ()
    for e in told:
        if e.name.startswith("dose_response."):
            _, response, part = e.name.split(".")
            lacking = [f"needs {e.missing}"] if e.missing else []
            notes = "; ".join((*e.caveats, *lacking))
            rows.append([get_words(response), part, notes, show_estimate(e)])
    columns = ["gain", "of the line", "notes", "value"]
    title = "Gain of debate against error correlation at the openings"
    return build_table(title, columns, rows, names=3, telling=("value",))


def _show_value(row: dict[str, Any]) -> Entry:
    signed = is_signed(row["measure"])
    return show_interval(row["value"], row["low"], row["high"], signed=signed)


def _show_difference(row: dict[str, Any] | None) -> Entry:
    if row is None or row["difference"] is None:
        return Entry("–")
    ends = row["difference_low"], row["difference_high"]
    found = show_interval(row["difference"], *ends, signed=True)
    is_certain = row["p_holm"] is not None and row["p_holm"] < CORRECTED
    return found._replace(text=f"{found.text}{'*' * is_certain}")


def _describe_matches(rows: pl.DataFrame) -> list[str]:
    """A sentence for each comparison at equal tokens: its samples, or what it lacks.

    What holds of several teams is said once.
    """
    matched = rows.filter(pl.col("measure").is_in(["self_consistency", "best_single"]))
    cells: dict[tuple[str, str], list[str]] = {}
    for row in matched.iter_rows(named=True):
        told = _describe_match(row)
        cells.setdefault((get_words(row["measure"]), told), []).append(shorten(row["cell"], 40))
    measures: dict[tuple[str, ...], list[str]] = {}
    for (measure, told), names in cells.items():
        measures.setdefault((told, *names), []).append(measure)
    return [
        f"{join_names(names)}, {join_names(listed)}: {told}."
        for (told, *names), listed in measures.items()
    ]


def _describe_match(row: dict[str, Any]) -> str:
    if row["matched_arm"] is None:
        return f"needs {row['missing']}"
    taken = f"{row['matched_samples']} samples of {shorten(row['matched_arm'], 40)}"
    share = row["matched_tokens"]
    if share is None:
        return f"{taken}, tokens are not told"
    return f"{taken}, {format_percent(share, blank=' ')} of its tokens"
