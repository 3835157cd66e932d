"""d′ and c of critics by who wrote an answer and whose it is said to be, a row for each critic."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import altair as alt
import polars as pl

from debate.analysis.signal_detection import ANOTHERS, NOBODYS, OWN
from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    join_panels,
    layer_marks,
    make_figure,
    make_missing_figure,
    to_data,
)
from debate.report.theme import BLUE, MUTED, ORANGE

NAME, TITLE = "four-ways", "Who can tell, and who lets pass"
CAPTION = (
    "Critics judged the same answers said to be their own, another's and nobody's. d′: whether "
    "they can tell right answers from wrong ones (0 is a coin); c: how much they let pass, to the "
    "left more, right or wrong. Bars are 95 % intervals, clustered by question. A bias towards "
    "what is said to be one's own moves c from row to row and leaves d′; familiarity with what one "
    "wrote oneself sets the two colours apart."
)
PANELS = {"judging_d_prime": "d′", "judging_criterion": "criterion c (← lets more pass)"}
MAX_PICTURES = 9
WIDTH, ROW_HEIGHT = 200, 26
EVERYBODY = "all critics"


def draw_four_ways(report: ReportData) -> Figure:
    """Draw a pair of panels, d′ and c, for all critics together and for each."""
    table = report.analysis.tables.get("ownership", pl.DataFrame())
    if table.is_empty():
        note = "No answers were judged under several names; see `labels` of cross_critique."
        return make_missing_figure(NAME, TITLE, note)
    groups = table.partition_by("arm", "critic", maintain_order=True)
    drawn = groups[:MAX_PICTURES]
    ends = {measure: _find_ends(table, measure) for measure in PANELS}
    rows = [_draw_critic(report, group, ends) for group in drawn]
    cut = "" if len(drawn) == len(groups) else f"The first {len(drawn)} of {len(groups)} are drawn."
    return make_figure(NAME, TITLE, join_panels(rows, "vconcat", spacing=14), table, CAPTION, cut)


def _find_ends(table: pl.DataFrame, measure: str) -> list[float]:
    """The ends of the axis that all panels of a measure have: zero and all intervals in between."""
    names = (measure, f"{measure}_low", f"{measure}_high")
    numbers = [x for name in names for x in table[name].drop_nulls().to_list()]
    return [min(0.0, *numbers), max(0.0, *numbers)] if numbers else [-1.0, 1.0]


def _draw_critic(report: ReportData, group: pl.DataFrame, ends: Mapping[str, list[float]]) -> Any:
    first = group.row(0, named=True)
    critic = first["critic"]
    who = EVERYBODY if critic is None else report.label_agent(first["cell"], critic)
    is_one = report.analysis.tables["ownership"]["arm"].n_unique() == 1
    title = who if is_one else f"{who}, {report.label_arm(first['arm'])}"
    panels = [_draw_panel(group, measure, ends[measure]) for measure in PANELS]
    return join_panels(panels, "hconcat", spacing=24, title=title)


def _draw_panel(group: pl.DataFrame, measure: str, ends: list[float]) -> Any:
    rows = group.filter(pl.col(measure).is_not_null()).select(
        "written_by",
        "said_to_be",
        value=measure,
        low=f"{measure}_low",
        high=f"{measure}_high",
    )
    color = alt.Color(
        "written_by:N",
        title="written by",
        scale=alt.Scale(domain=[OWN, ANOTHERS], range=[ORANGE, BLUE]),
    )
    sides = [OWN, ANOTHERS]
    base = alt.Chart(to_data(rows)).encode(
        y=alt.Y(
            "said_to_be:N",
            title="said to be",
            sort=[OWN, ANOTHERS, NOBODYS],
            axis=alt.Axis(ticks=False),
        ),
        yOffset=alt.YOffset("written_by:N", sort=sides, scale=alt.Scale(domain=sides)),
        color=color,
    )
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.6)
    x = partial(alt.X, title=PANELS[measure], scale=alt.Scale(domain=ends, nice=True))
    bars = bars.encode(x=x("low:Q"), x2=alt.X2("high:Q"))
    marks = base.mark_point(filled=True, opacity=1, size=44).encode(
        x=x("value:Q"), shape=alt.Shape("written_by:N", legend=None)
    )
    zero = alt.Chart(to_data(pl.DataFrame({"x": [0.0]}))).mark_rule(color=MUTED, strokeDash=[3, 3])
    height = ROW_HEIGHT * max(1, rows["said_to_be"].n_unique())
    return layer_marks((zero.encode(x=x("x:Q")), bars, marks), width=WIDTH, height=height)
