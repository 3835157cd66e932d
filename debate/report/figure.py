"""One picture: its specification, its data, and what stands below it; or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import polars as pl

from debate.report.theme import MUTED, Look, config


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture with its data. Without a specification, `note` says what is missing.

    `name` is that of its files. `caption` says what is shown and how it is to be read.
    """

    name: str
    title: str
    caption: str = ""
    spec: dict[str, Any] | None = None
    data: pl.DataFrame = field(default_factory=pl.DataFrame)
    note: str = ""


def drawn(name: str, title: str, chart: Any, data: pl.DataFrame, *caption: str) -> Figure:
    """The figure of an altair chart; the sentences of the caption may be empty."""
    spec = chart.configure(**config()).to_dict()
    said = " ".join(sentence for sentence in caption if sentence)
    return Figure(name=name, title=title, caption=said, spec=spec, data=data)


def absent(name: str, title: str, note: str) -> Figure:
    """A figure that cannot be drawn, and why."""
    return Figure(name=name, title=title, note=note)


def grid(panels: Sequence[Any], columns: int) -> Any:
    """Panels side by side, `columns` in a row, each with its own scales."""
    whole = alt.concat(*panels, columns=min(columns, len(panels)))
    return whole.resolve_scale(color="shared", x="independent", y="independent")


def values(frame: pl.DataFrame) -> Any:
    """The frame as a picture's data."""
    return alt.Data(values=frame.to_dicts())


def round_axis(rounds: Sequence[int], **options: Any) -> Any:
    """The horizontal axis of rounds: whole numbers, at most about ten of them marked."""
    shown = some(rounds, 10)
    axis = alt.Axis(values=shown, format="d", grid=False, **options)
    return alt.X("round:Q", axis=axis, title="round", scale=alt.Scale(nice=False, padding=8))


def some(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of the items, evenly spread, with the first and the last.

    >>> some(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= most:
        return list(items)
    steps = most - 1
    return [items[round(k * (len(items) - 1) / steps)] for k in range(most)]


def colors(field: str, looks: Mapping[str, Look], **options: Any) -> Any:
    """The channel in which each name has the colour of its look."""
    return alt.Color(field, scale=_own(looks, "color"), **options)


def shapes(field: str, looks: Mapping[str, Look], **options: Any) -> Any:
    """The channel in which each name has the shape of its look."""
    return alt.Shape(field, scale=_own(looks, "shape"), **options)


def dashes(field: str, looks: Mapping[str, Look], **options: Any) -> Any:
    """The channel in which each name has the dashes of its look."""
    return alt.StrokeDash(field, scale=_own(looks, "dash"), **options)


def _own(looks: Mapping[str, Look], what: str) -> Any:
    return alt.Scale(domain=list(looks), range=[getattr(look, what) for look in looks.values()])


def zero_line() -> Any:
    """A dashed line where the vertical axis is 0."""
    zero = alt.Chart(alt.Data(values=[{"y": 0}]))
    return zero.mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y="y:Q")


def probability(title: str, *, field: str = "value") -> Any:
    """The vertical axis of something between 0 and 1."""
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(tickCount=5, format=".1f")
    return alt.Y(f"{field}:Q", title=title, scale=scale, axis=axis)
