"""What each flip goes back to: kinds of edges, single edges, and what was heard."""

from __future__ import annotations

from typing import Any

from debate.analysis.registry import words
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, in_order, interval, table
from debate.analysis.text import count, number, short

WAYS = ("right_to_wrong", "wrong_to_right")
RELATIONS = {
    "self": "itself", "same_model": "the same model", "other_model": "another model",
    "nothing_heard": "nothing", "nobody_heard": "nobody that was heard",
}  # fmt: skip
Row = dict[str, Any]


def hazards(analysis: Analysis) -> Table:
    """P(flip) after hearing over each kind of edge."""
    by = ["cell", "relation", "kind", "critic_outcome", "surer"]
    rows = [
        [Entry(analysis.labels.arm(key["cell"])), Entry(_relation(key)), Entry(short(key["kind"])),
         Entry(short(key["critic_outcome"])), Entry(_surer(key["surer"])),
         *(_rate(found.get(way)) for way in WAYS)]
        for key, found in _by_way(analysis, "hazards", by)
    ]  # fmt: skip
    note = "Share of the turns at risk that flipped; a turn that heard several counts for each."
    columns = ["arm", "heard", "by way of", "the critic was", "and surer?", *map(words, WAYS)]
    return table("Hazard of a flip by kind of edge", columns, rows, names=5, note=note)


def edges(analysis: Analysis) -> Table:
    """P(flip) and P(adopt | the two disagree) for every edge."""
    rows = [
        [Entry(analysis.labels.arm(key["cell"])),
         Entry(f"{short(key['critic'], 30)} → {short(key['author'], 30)}"),
         *(_rate(found.get(way)) for way in (*WAYS, "adoption"))]
        for key, found in _by_way(analysis, "edges", ["cell", "critic", "author"])
    ]  # fmt: skip
    note = "u → v: v heard u. Adoption: v took u's answer over, where the two disagreed."
    columns = ["arm", "edge", *map(words, WAYS), "adoption"]
    return table("Every edge", columns, rows, names=2, note=note)


def credit(analysis: Analysis) -> Table:
    """Who held the new answer of each flip, among those that were heard."""
    rows = [
        [Entry(analysis.labels.arm(row["cell"])), Entry(words(row["flip"])), Entry(_relation(row)),
         Entry(short(row["critic_outcome"])), Entry(number(row["flips"], 1)),
         Entry(f"{row['share']:.0%}")]
        for row in in_order(analysis, analysis.tables["credit"]).iter_rows(named=True)
    ]  # fmt: skip
    note = (
        "A flip goes back to the heard turns that held its new answer, in equal shares; to nobody "
        "where no heard turn did."
    )
    columns = ["arm", "flip", "goes back to", "that was", "flips", "share"]
    return table("What flips go back to", columns, rows, names=4, note=note)


def _by_way(analysis: Analysis, name: str, by: list[str]) -> list[tuple[Row, dict[str, Row]]]:
    """The rows of a table by key and transition, arms in their order."""
    found: dict[tuple[Any, ...], dict[str, Row]] = {}
    frame = analysis.tables[name].sort(by, nulls_last=True)
    for row in in_order(analysis, frame).iter_rows(named=True):
        found.setdefault(tuple(row[name] for name in by), {})[row["transition"]] = row
    return [(dict(zip(by, key, strict=True)), ways) for key, ways in found.items()]


def _rate(row: Row | None) -> Entry:
    if row is None:
        return Entry("–")
    shown = interval(row["rate"], row["low"], row["high"])
    return Entry(shown.text, f"{shown.under}, n {count(row['n'])}".lstrip(", "))


def _relation(row: Row) -> str:
    return RELATIONS.get(row["relation"] or "", "somebody unknown")


def _surer(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"
