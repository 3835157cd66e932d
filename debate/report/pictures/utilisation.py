"""The use of each replica over the run's time: busy, idle, swapping, asleep, and its queue."""

from __future__ import annotations

from typing import Any, NamedTuple

import altair as alt
import polars as pl

from debate.log.utilisation import read_utilisation
from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    join_panels,
    layer_marks,
    make_figure,
    make_missing_figure,
    to_data,
)
from debate.report.theme import BLUE, GREY, INK, ORANGE, RULE

NAME, TITLE = "utilisation", "Utilisation of the models"
CAPTION = (
    "Each replica's time from the run's start: with a request in flight, ready without one, "
    "on the way to or from its device, and without it, while another model had it. The line "
    "is the number of requests that waited for it, on a scale of its own; without a line none did."
)
SHARES = {"busy": BLUE, "idle": RULE, "swapping": ORANGE, "asleep": GREY}
MAX_SLICES, MAX_REPLICAS = 120, 16


def draw_utilisation(report: ReportData) -> Figure:
    """Draw a strip for each replica: shares of its time stacked, with the queue as a line above."""
    samples = read_utilisation(report.source) if report.manifest else pl.DataFrame()
    if samples.is_empty():
        return make_missing_figure(NAME, TITLE, "No utilisation was recorded.")
    data = slice_samples(samples)
    replicas = list(dict.fromkeys(data["name"]))
    drawn = replicas[:MAX_REPLICAS]
    unit = choose_unit(max(data["minute_end"]))
    panels = [_draw_replica(data.filter(pl.col("name") == name), name, unit) for name in drawn]
    num_omitted = len(replicas) - len(drawn)
    omitted = f"{num_omitted} are left out." if num_omitted else ""
    return make_figure(
        NAME, TITLE, join_panels(panels, "vconcat", spacing=10), data, CAPTION, omitted
    )


class TimeUnit(NamedTuple):
    """A unit of time by its name, and how many of it a minute has."""

    name: str
    per_minute: float


def choose_unit(minutes: float) -> TimeUnit:
    """Return the unit in which a duration is a number of ordinary size.

    >>> choose_unit(0.05).name, choose_unit(12).name, choose_unit(600).name
    ('seconds', 'minutes', 'hours')
    """
    if minutes < 3:
        return TimeUnit("seconds", 60)
    return TimeUnit("minutes", 1) if minutes < 180 else TimeUnit("hours", 1 / 60)


def slice_samples(samples: pl.DataFrame) -> pl.DataFrame:
    """Average the samples in at most `MAX_SLICES` groups of moments that followed one another.

    Pauses between a run and its resumption are left out. Columns name, minute, minute_end, the
    shares (of a slice, weighted by the samples' lengths), queued (mean).
    """
    moments = samples.group_by("at").agg(pl.col("interval_s").max()).sort("at")
    moments = moments.with_row_index("moment")
    end = pl.col("interval_s").cum_sum() / 60
    clock = moments.select(
        "at",
        slice=pl.col("moment") * min(MAX_SLICES, moments.height) // moments.height,
        begins=end - pl.col("interval_s") / 60,
        ends=end,
    )
    length = pl.col("interval_s")
    shares = [((pl.col(name) * length).sum() / length.sum()).alias(name) for name in SHARES]
    return (
        samples.join(clock, on="at")
        .with_columns(name=pl.format("{} {}", "model", "replica"))
        .group_by("name", "slice")
        .agg(
            *shares,
            pl.col("queued").mean(),
            minute=pl.col("begins").min(),
            minute_end=pl.col("ends").max(),
        )
        .drop("slice")
        .sort("name", "minute")
    )


def stack_shares(slices: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each slice and share, which lies from `low` to `high` within [0, 1]."""
    parts, low = [], pl.lit(0.0)
    for name in SHARES:
        high = low + pl.col(name)
        parts.append(slices.select("minute", "minute_end", what=pl.lit(name), low=low, high=high))
        low = high
    return pl.concat(parts)


def _draw_replica(slices: pl.DataFrame, name: str, unit: TimeUnit) -> Any:
    scale = alt.Scale(domain=list(SHARES), range=list(SHARES.values()))
    color = alt.Color("what:N", title=None, scale=scale, legend=alt.Legend(orient="top"))
    axis = alt.Axis(grid=False, tickCount=8)
    x = alt.X("minute:Q", title=unit.name, axis=axis, scale=alt.Scale(nice=False))
    axis = alt.Axis(values=[0, 1], format=".0%", grid=False)
    y = alt.Y("low:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=axis)
    timed = slices.with_columns(pl.col("minute", "minute_end") * unit.per_minute)
    bars = alt.Chart(to_data(stack_shares(timed))).mark_rect()
    layers = [bars.encode(x=x, x2=alt.X2("minute_end:Q"), y=y, y2=alt.Y2("high:Q"), color=color)]
    most = max(slices["queued"].fill_null(0))
    if most > 0:
        queue = alt.Chart(to_data(timed.select("minute", "queued")))
        queue = queue.mark_line(color=INK, strokeWidth=1, interpolate="step-after")
        queue_axis = alt.Axis(orient="right", tickCount=2, grid=False, format=".2~r")
        queued = alt.Y("queued:Q", title="queued", axis=queue_axis)
        layers.append(queue.encode(x=x, y=queued))
    title = {"text": name, "fontWeight": "normal", "fontSize": 11, "offset": 4}
    resolve = {"scale": {"y": "independent"}}
    return layer_marks(layers, resolve=resolve, width=560, height=64, title=title)
