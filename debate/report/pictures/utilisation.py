"""What every replica did over the run's time: busy, idle, swapping, asleep, and what queued."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.log.utilisation import read_utilisation
from debate.report.figure import Figure, absent, drawn, values
from debate.report.material import Material
from debate.report.theme import BLUE, GREY, INK, ORANGE, RULE

NAME, TITLE = "utilisation", "Utilisation of the models"
SHARES = {"busy": BLUE, "idle": RULE, "swapping": ORANGE, "asleep": GREY}
MOST_SLICES, MOST_REPLICAS = 120, 16
WIDTH, HEIGHT = 560, 64


def utilisation(material: Material) -> Figure:
    """A strip for each replica: shares of its time stacked, with the queue as a line above."""
    seen = read_utilisation(material.source) if material.manifest else pl.DataFrame()
    if seen.is_empty():
        return absent(NAME, TITLE, "No utilisation was recorded.")
    data = sliced(seen)
    replicas = list(dict.fromkeys(data["name"]))
    shown = replicas[:MOST_REPLICAS]
    panels = [_panel(data.filter(pl.col("name") == name), name) for name in shown]
    skipped = "" if len(shown) == len(replicas) else f"{len(replicas) - len(shown)} are left out."
    return drawn(
        NAME, TITLE, alt.vconcat(*panels, spacing=10), data,
        "Each replica's time from the run's start: with a request in flight, ready without one, "
        "on the way to or from its device, and without it, while another model had it. The line "
        "is the number of requests that waited for it, on a scale of its own.",
        skipped,
    )  # fmt: skip


def sliced(seen: pl.DataFrame) -> pl.DataFrame:
    """The samples in at most `MOST_SLICES` groups of looks that followed one another.

    Pauses between a run and its resumption are left out. Columns name, minute, minute_end, the
    shares (of a slice, weighted by the samples' lengths), queued (mean).
    """
    looks = seen.group_by("at").agg(pl.col("interval_s").max()).sort("at").with_row_index("look")
    end = pl.col("interval_s").cum_sum() / 60
    clock = looks.select(
        "at",
        slice=pl.col("look") * min(MOST_SLICES, looks.height) // looks.height,
        begins=end - pl.col("interval_s") / 60,
        ends=end,
    )
    length = pl.col("interval_s")
    shares = [((pl.col(name) * length).sum() / length.sum()).alias(name) for name in SHARES]
    return (
        seen.join(clock, on="at")
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


def stacked(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each slice and share of it, with where the share lies between 0 and 1."""
    parts, low = [], pl.lit(0.0)
    for name in SHARES:
        high = low + pl.col(name)
        parts.append(rows.select("minute", "minute_end", what=pl.lit(name), low=low, high=high))
        low = high
    return pl.concat(parts)


def _panel(rows: pl.DataFrame, name: str) -> Any:
    long = stacked(rows)
    color = alt.Color(
        "what:N", title=None, scale=alt.Scale(domain=list(SHARES), range=list(SHARES.values())),
        legend=alt.Legend(orient="top"),
    )  # fmt: skip
    x = alt.X("minute:Q", title="minutes", axis=alt.Axis(grid=False), scale=alt.Scale(nice=False))
    axis = alt.Axis(values=[0, 1], format=".0%", grid=False)
    y = alt.Y("low:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=axis)
    bars = alt.Chart(values(long)).mark_rect().encode(
        x=x, x2="minute_end:Q", y=y, y2="high:Q", color=color
    )  # fmt: skip
    axis = alt.Axis(orient="right", tickCount=2, grid=False, format="d")
    queue = alt.Chart(values(rows.select("minute", "queued"))).mark_line(
        color=INK, strokeWidth=1, interpolate="step-after"
    ).encode(x=x, y=alt.Y("queued:Q", title="queued", axis=axis))  # fmt: skip
    layered = alt.layer(bars, queue).resolve_scale(y="independent")
    title = alt.TitleParams(name, fontWeight="normal", fontSize=11, offset=4)
    return layered.properties(width=WIDTH, height=HEIGHT, title=title)
