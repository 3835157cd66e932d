"""The flow between right, wrong and silent, round by round."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import altair as alt
import polars as pl

from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    arrange_panels,
    layer_marks,
    make_figure,
    make_missing_figure,
    to_values,
)
from debate.report.theme import BLUE, GREEN, GREY, INK, ORANGE, PAPER, VERMILLION
from debate.text import format_percent

NAME, TITLE = "flow", "Who turned right, who turned wrong"
CAPTION = (
    "Each column is a round; the height of a block is the share of agents in that state, in "
    "the order right, wrong, abstained, cut off, failed from the top. Agents of debates that "
    "ended stay in their last state."
)
STATES = {
    "correct": "right",
    "wrong": "wrong",
    "abstained": "abstained",
    "cut": "cut off",
    "failed": "failed",
}
STATE_COLORS = {
    "right": GREEN,
    "wrong": VERMILLION,
    "abstained": GREY,
    "cut off": BLUE,
    "failed": INK,
}
UNCHANGED = "unchanged, or to no answer"
CHANGE_COLORS = {
    "turned right": GREEN,
    "turned wrong": VERMILLION,
    "to another error": ORANGE,
    UNCHANGED: GREY,
}
MAX_ROUNDS, NUM_STEPS = 8, 16
"""Rounds that are drawn, and steps of the outline of one ribbon."""
HALF_BLOCK, GAP = 0.055, 0.02
"""Half of a block's width, in rounds, and the gap between two blocks, as a share."""
TOP = 1 + (len(STATE_COLORS) - 1) * GAP
WIDTH, LABEL_WIDTH = 310, 84
"""In pixels: from the first column to the last, and of a label beside one of these."""


def draw_flow(report: ReportData) -> Figure:
    """Draw an alluvial diagram for each arm: blocks are outcomes, ribbons what became of them."""
    table = report.analysis.tables["flow"]
    if table.is_empty():
        note = "There is one round only, so nobody could change an answer."
        return make_missing_figure(NAME, TITLE, note)
    data = _name_changes(table.filter(pl.col("cell").is_in(report.drawn_cells)))
    arms = [cell for cell in report.drawn_cells if cell in data["cell"].unique()]
    panels = [_draw_arm(report, cell, data.filter(pl.col("cell") == cell)) for cell in arms]
    is_cut = len(report.rounds) > MAX_ROUNDS
    cut = f"Rounds 0 to {MAX_ROUNDS - 1} are drawn." if is_cut else ""
    chart = arrange_panels(panels, 2)
    return make_figure(NAME, TITLE, chart, data, CAPTION, cut, report.drawn_note)


def _name_changes(table: pl.DataFrame) -> pl.DataFrame:
    """The table in the words of the picture, with `change`; same answers and others together."""
    source, destination = pl.col("source"), pl.col("destination")
    stays = source == destination
    is_other_error = stays & (source == "wrong") & ~pl.col("same_answer")
    change = (
        pl.when(~stays & (destination == "correct"))
        .then(pl.lit("turned right"))
        .when(~stays & (destination == "wrong"))
        .then(pl.lit("turned wrong"))
        .when(is_other_error)
        .then(pl.lit("to another error"))
        .otherwise(pl.lit(UNCHANGED))
    )
    words = {
        "source": source.replace_strict(STATES, return_dtype=pl.String),
        "destination": destination.replace_strict(STATES, return_dtype=pl.String),
    }
    by = ["cell", "round", "source", "destination", "change"]
    grouped = table.with_columns(change=change).with_columns(**words).group_by(by)
    total = pl.col("count").sum().over("cell", "round")
    return grouped.agg(pl.col("count").sum()).with_columns(share=pl.col("count") / total).sort(by)


def _draw_arm(report: ReportData, cell: str, rows: pl.DataFrame) -> Any:
    rounds = [r for r in sorted(rows["round"].unique()) if r < MAX_ROUNDS]
    columns = [_stack_blocks(rows, rounds[0], "source")]
    columns += [_stack_blocks(rows, r, "destination") for r in rounds]
    blocks = [
        {"round": k, "state": state, **block}
        for k, column in enumerate(columns)
        for state, block in column.items()
    ]
    ribbons = [
        point
        for k, r in enumerate(rounds)
        for point in _trace_ribbons(rows.filter(pl.col("round") == r), k, *columns[k : k + 2])
    ]
    marked = list(range(len(columns)))
    axis = alt.Axis(values=marked, format="d", grid=False, domain=False, ticks=False)
    beside = LABEL_WIDTH / WIDTH * (len(columns) - 1)
    x_scale = alt.Scale(domain=[-beside, len(columns) - 1 + beside], nice=False)
    x = alt.X("x:Q", title="round", axis=axis, scale=x_scale)
    y = alt.Scale(domain=[0, TOP], nice=False)
    layers = (_draw_ribbons(ribbons, x, y), _draw_blocks(blocks, x, y), *_draw_labels(blocks, x, y))
    return layer_marks(
        layers, width=WIDTH + 2 * LABEL_WIDTH, height=210, title=report.label_arm(cell)
    )


def _stack_blocks(rows: pl.DataFrame, round_: int, side: str) -> dict[str, dict[str, float]]:
    """The top, bottom and share of each state's block in one round, from the top down."""
    at = rows.filter(pl.col("round") == round_)
    shares = dict(at.group_by(side).agg(pl.col("share").sum()).iter_rows())
    blocks, top = {}, TOP
    for state in STATE_COLORS:
        if share := shares.get(state, 0.0):
            blocks[state] = {"top": top, "bottom": top - share, "share": share}
            top -= share + GAP
    return blocks


def _trace_ribbons(
    rows: pl.DataFrame,
    position: int,
    before: dict[str, dict[str, float]],
    after: dict[str, dict[str, float]],
) -> Iterator[dict[str, Any]]:
    """The outlines of one round's ribbons, stacked in each block in the order of the other."""
    order = list(STATE_COLORS)
    streams = sorted(
        rows.iter_rows(named=True),
        key=lambda s: (order.index(s["source"]), order.index(s["destination"]), s["change"]),
    )
    leaving = {state: block["top"] for state, block in before.items()}
    arriving = {state: block["top"] for state, block in after.items()}
    total = {s: sum(r["share"] for r in streams if r["source"] == s) for s in leaving}
    for stream in streams:
        source, destination, share = stream["source"], stream["destination"], stream["share"]
        out = share * before[source]["share"] / total[source] if source in before else 0.0
        start, end = leaving.get(source, 0.0), arriving[destination]
        leaving[source], arriving[destination] = start - out, end - share
        name = f"{position} {source} {destination} {stream['change']}"
        for point in _trace_outline(position, (start, end), (start - out, end - share)):
            yield {"ribbon": name, "change": stream["change"], **point}


def _trace_outline(
    position: int, top: tuple[float, float], bottom: tuple[float, float]
) -> Iterator[dict[str, float]]:
    """The points of an outline from one column to the next; ends of its upper and lower edge."""
    left, right = position + HALF_BLOCK, position + 1 - HALF_BLOCK
    for step in range(NUM_STEPS + 1):
        t = step / NUM_STEPS
        eased = (1 - math.cos(math.pi * t)) / 2
        yield {
            "x": round(left + t * (right - left), 4),
            "high": round(top[0] + eased * (top[1] - top[0]), 4),
            "low": round(bottom[0] + eased * (bottom[1] - bottom[0]), 4),
        }


def _draw_ribbons(points: list[dict[str, Any]], x: Any, y: Any) -> Any:
    scale = alt.Scale(domain=list(CHANGE_COLORS), range=list(CHANGE_COLORS.values()))
    legend = alt.Legend(orient="top", symbolOpacity=0.8)
    areas = alt.Chart(to_values(points)).mark_area(line=False)
    return areas.encode(
        x=x,
        y=alt.Y("high:Q", scale=y, axis=None),
        y2=alt.Y2("low:Q"),
        color=alt.Color("change:N", title=None, legend=legend, scale=scale),
        detail=alt.Detail("ribbon:N"),
        opacity=alt.condition(alt.datum.change == UNCHANGED, alt.value(0.28), alt.value(0.75)),
    )


def _draw_blocks(blocks: list[dict[str, Any]], x: Any, y: Any) -> Any:
    rows = [
        {
            **block,
            "x": block["round"] - HALF_BLOCK,
            "x2": block["round"] + HALF_BLOCK,
            "color": STATE_COLORS[block["state"]],
        }
        for block in blocks
    ]
    return (
        alt.Chart(to_values(rows))
        .mark_rect(opacity=1)
        .encode(
            x=x,
            x2=alt.X2("x2:Q"),
            y=alt.Y("bottom:Q", scale=y, axis=None),
            y2=alt.Y2("top:Q"),
            color=alt.Color("color:N", scale=None),
        )
    )


def _draw_labels(blocks: list[dict[str, Any]], x: Any, y: Any) -> Iterator[Any]:
    """Names and shares beside the outer columns, and shares on paper between the others."""
    last = max(block["round"] for block in blocks)
    rows = [
        {
            "x": block["round"],
            "y": (block["top"] + block["bottom"]) / 2,
            "text": (f"{block['state']} " if block["round"] in (0, last) else "")
            + format_percent(block["share"]),
        }
        for block in blocks
        if block["share"] >= 0.045
    ]
    half = HALF_BLOCK * WIDTH / max(1, last)
    first_left = {"align": "right", "dx": -half - 4}
    beside = {"align": "left", "dx": half + 4}
    for chosen, place in (
        ([row for row in rows if row["x"] == 0], first_left),
        ([row for row in rows if row["x"] > 0], beside),
    ):
        at = alt.Chart(to_values(chosen)).encode(
            x=x, y=alt.Y("y:Q", scale=y, axis=None), text=alt.Text("text:N")
        )
        halo = {"stroke": PAPER, "strokeWidth": 7, "color": PAPER}
        yield at.mark_text(**place, **halo, fontSize=10.5)
        yield at.mark_text(**place, fontSize=10.5, color=INK)
