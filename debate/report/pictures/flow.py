"""The flow between right, wrong and silent, round by round."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import altair as alt
import polars as pl

from debate.report.figure import Figure, absent, drawn, grid, some
from debate.report.material import Material
from debate.report.theme import GREEN, GREY, INK, MUTED, ORANGE, PAPER, PURPLE, VERMILLION

NAME, TITLE = "flow", "Who turned right, who turned wrong"
STATES = {
    "correct": "right",
    "wrong": "wrong",
    "abstained": "abstained",
    "cut": "cut off",
    "failed": "failed",
}
NODES = {"right": GREEN, "wrong": VERMILLION, "abstained": GREY, "cut off": PURPLE, "failed": INK}
CHANGES = {
    "turned right": GREEN,
    "turned wrong": VERMILLION,
    "to another error": ORANGE,
    "unchanged, or to no answer": GREY,
}
MOST_ROUNDS, HALF_NODE, NUM_STEPS, GAP = 8, 0.055, 16, 0.02
TOP = 1 + (len(NODES) - 1) * GAP
Row = dict[str, Any]


def flow(material: Material) -> Figure:
    """An alluvial drawing for each arm: nodes are outcomes, ribbons are what became of them."""
    table = material.analysis.tables["flow"]
    if table.is_empty():
        return absent(NAME, TITLE, "There is one round only, so nobody could change an answer.")
    data = _named(table.filter(pl.col("cell").is_in(material.drawn_cells)))
    arms = [cell for cell in material.drawn_cells if cell in data["cell"].unique()]
    panels = [_panel(material, cell, data.filter(pl.col("cell") == cell)) for cell in arms]
    cut = "" if len(material.rounds) <= MOST_ROUNDS else f"Rounds 0 to {MOST_ROUNDS - 1} are drawn."
    return drawn(
        NAME, TITLE, grid(panels, 2), data,
        "Each column is a round; the height of a block is the share of agents in that state, in "
        "the order right, wrong, abstained, cut off, failed from the top. Agents of debates that "
        "ended stay in their last state.",
        cut, material.left_out(),
    )  # fmt: skip


def _named(table: pl.DataFrame) -> pl.DataFrame:
    """The table in the words of the picture, with `change`; same answers and others together."""
    stays = pl.col("source") == pl.col("destination")
    change = (
        pl.when(~stays & (pl.col("destination") == "correct")).then(pl.lit("turned right"))
        .when(~stays & (pl.col("destination") == "wrong")).then(pl.lit("turned wrong"))
        .when(stays & (pl.col("source") == "wrong") & ~pl.col("same_answer"))
        .then(pl.lit("to another error"))
        .otherwise(pl.lit("unchanged, or to no answer"))
    )  # fmt: skip
    words = {
        name: pl.col(name).replace_strict(STATES, return_dtype=pl.String)
        for name in ("source", "destination")
    }
    by = ["cell", "round", "source", "destination", "change"]
    grouped = table.with_columns(change=change).with_columns(**words).group_by(by)
    total = pl.col("count").sum().over("cell", "round")
    return grouped.agg(pl.col("count").sum()).with_columns(share=pl.col("count") / total).sort(by)


def _panel(material: Material, cell: str, rows: pl.DataFrame) -> Any:
    rounds = [r for r in sorted(rows["round"].unique()) if r < MOST_ROUNDS]
    blocks = [_nodes(rows, rounds[0], "source"), *(_nodes(rows, r, "destination") for r in rounds)]
    nodes = [
        {"round": k, "state": s, **place} for k, b in enumerate(blocks) for s, place in b.items()
    ]
    ribbons = [
        point
        for k, r in enumerate(rounds)
        for point in _ribbons(rows.filter(pl.col("round") == r), k, blocks[k], blocks[k + 1])
    ]  # fmt: skip
    marked = list(range(len(blocks)))
    axis = alt.Axis(values=marked, format="d", grid=False, domain=False, ticks=False)
    x_scale = alt.Scale(domain=[-0.12, len(blocks) - 0.88], nice=False)
    x = alt.X("x:Q", title="round", axis=axis, scale=x_scale)
    y = alt.Scale(domain=[0, TOP], nice=False)
    layers = (_streams(ribbons, x, y), _blocks(nodes, x, y), *_labels(nodes, x, y))
    return alt.layer(*layers).properties(width=390, height=210, title=material.arm(cell))


def _nodes(rows: pl.DataFrame, round_: int, side: str) -> dict[str, Row]:
    """Where each state's block stands in one round, from the top down; heights are shares."""
    at = rows.filter(pl.col("round") == round_)
    shares = dict(at.group_by(side).agg(pl.col("share").sum()).iter_rows())
    places, top = {}, TOP
    for state in NODES:
        if share := shares.get(state, 0.0):
            places[state] = {"top": top, "bottom": top - share, "share": share}
            top -= share + GAP
    return places


def _ribbons(
    rows: pl.DataFrame, position: int, before: dict[str, Row], after: dict[str, Row]
) -> Iterator[Row]:
    """The outlines of one round's ribbons, stacked in each block in the order of the other."""
    order = list(NODES)
    streams = sorted(
        rows.iter_rows(named=True),
        key=lambda s: (order.index(s["source"]), order.index(s["destination"]), s["change"]),
    )
    leaving = {state: place["top"] for state, place in before.items()}
    arriving = {state: place["top"] for state, place in after.items()}
    total = {s: sum(r["share"] for r in streams if r["source"] == s) for s in leaving}
    for stream in streams:
        source, destination, share = stream["source"], stream["destination"], stream["share"]
        out = share * before[source]["share"] / total[source] if source in before else 0.0
        start, end = leaving.get(source, 0.0), arriving[destination]
        leaving[source], arriving[destination] = start - out, end - share
        name = f"{position} {source} {destination} {stream['change']}"
        low = (start - out, end - share)
        yield from _sweep(position, (start, end), low, name, stream["change"])


def _sweep(
    position: int, top: tuple[float, float], bottom: tuple[float, float], name: str, change: str
) -> Iterator[Row]:
    left, right = position + HALF_NODE, position + 1 - HALF_NODE
    for step in range(NUM_STEPS + 1):
        t = step / NUM_STEPS
        eased = (1 - math.cos(math.pi * t)) / 2
        yield {
            "ribbon": name,
            "change": change,
            "x": round(left + t * (right - left), 4),
            "high": round(top[0] + eased * (top[1] - top[0]), 4),
            "low": round(bottom[0] + eased * (bottom[1] - bottom[0]), 4),
        }


def _streams(points: list[Row], x: Any, y: Any) -> Any:
    color = alt.Color(
        "change:N", title=None, legend=alt.Legend(orient="top", symbolOpacity=0.8),
        scale=alt.Scale(domain=list(CHANGES), range=list(CHANGES.values())),
    )  # fmt: skip
    opacity = alt.condition(
        alt.datum.change == "unchanged, or to no answer", alt.value(0.28), alt.value(0.75)
    )
    return alt.Chart(alt.Data(values=points)).mark_area(line=False).encode(
        x=x, y=alt.Y("high:Q", scale=y, axis=None), y2="low:Q", color=color, detail="ribbon:N",
        opacity=opacity,
    )  # fmt: skip


def _blocks(nodes: list[Row], x: Any, y: Any) -> Any:
    rows = [
        {**n, "x": n["round"] - HALF_NODE, "x2": n["round"] + HALF_NODE, "color": NODES[n["state"]]}
        for n in nodes
    ]
    return alt.Chart(alt.Data(values=rows)).mark_rect(opacity=1).encode(
        x=x, x2="x2:Q", y=alt.Y("bottom:Q", scale=y, axis=None), y2="top:Q",
        color=alt.Color("color:N", scale=None),
    )  # fmt: skip


def _labels(nodes: list[Row], x: Any, y: Any) -> Iterator[Any]:
    """Shares beside the blocks that are high enough, names in the first and the last round."""
    last = max(n["round"] for n in nodes)
    named = set(some(range(last + 1), 2))
    rows = [
        {
            "x": n["round"],
            "y": (n["top"] + n["bottom"]) / 2,
            "text": (f"{n['state']} " if n["round"] in named else "") + f"{n['share']:.0%}",
            "side": "right" if n["round"] == last else "left",
        }
        for n in nodes
        if n["share"] >= 0.045
    ]  # fmt: skip
    for side, align, shift in (("left", "left", 9), ("right", "right", -9)):
        at = alt.Chart(alt.Data(values=[r for r in rows if r["side"] == side])).encode(
            x=x, y=alt.Y("y:Q", scale=y, axis=None), text="text:N"
        )
        yield at.mark_text(align=align, dx=shift, fontSize=10.5, stroke=PAPER, strokeWidth=3,
                           strokeOpacity=0.8, color=MUTED)  # fmt: skip
        yield at.mark_text(align=align, dx=shift, fontSize=10.5, color=INK)
