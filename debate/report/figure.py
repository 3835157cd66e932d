"""Figures: pictures with data and caption, the parts of charts, and rendering as SVG and PDF.

A new picture is a function in `debate.report.pictures` that ends in `make_figure`.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import altair as alt
import polars as pl
from markupsafe import Markup

from debate.report.theme import DARK_COLORS, MUTED, MarkStyle, build_vega_config, name_variable
from debate.vega import Format, draw_charts

SVG = "http://www.w3.org/2000/svg"
TAGS = ("svg", "g", "defs", "clipPath", "path", "rect", "line", "circle", "text", "tspan")
_SHAPE = "class clip-path cx cy d height id points r transform viewBox width x x1 x2 y y1 y2"
_PAINT = (
    "fill fill-opacity opacity stroke stroke-dasharray stroke-linecap stroke-linejoin "
    "stroke-miterlimit stroke-opacity stroke-width"
)
_TEXT = "dy font-family font-size font-style font-weight text-anchor"
ATTRIBUTES = frozenset(f"{_SHAPE} {_PAINT} {_TEXT}".split())
"""The attributes of a picture's elements that reach the page; all others are removed."""
Direction = Literal["concat", "hconcat", "vconcat"]
PHONE_WIDTH = 420.0
"""A picture of at most this width, in pixels, is drawn once; a wider one also for phones."""
PHONE_PLOT, PHONE_BANDS, PHONE_LABELS = 290, 220, 150
"""On phones: the widest plot, the widest beside names of lines, and the widest such names."""
SMALL_PLOT, SMALL_SHARE = 160, 0.78
"""Two plots of at most this width stand side by side on phones, by this share smaller."""
TALL = 1.3
"""A picture more than this many times higher than wide may fill a page of paper."""
LEAST_SHARE = 0.75
"""On a narrow screen a picture is drawn no smaller than this share of its size; it is moved."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture with its data."""

    name: str
    """The name of its files."""
    title: str
    caption: str = ""
    """Says what is shown and how it is to be read."""
    spec: dict[str, Any] | None = None
    """Its Vega-Lite specification; None where it cannot be drawn."""
    data: pl.DataFrame = field(default_factory=pl.DataFrame)
    note: str = ""
    """The reason why it cannot be drawn; empty where it can."""


def make_figure(
    name: str, title: str, chart: Mapping[str, Any], data: pl.DataFrame, *caption: str
) -> Figure:
    """Return the figure of a chart that `layer_marks` or `join_panels` made.

    Sentences of the caption may be empty.
    """
    config = build_vega_config()
    spec = {"config": config, **chart, "$schema": alt.SCHEMA_URL}
    text = " ".join(sentence for sentence in caption if sentence)
    return Figure(name=name, title=title, caption=text, spec=spec, data=data)


def make_missing_figure(name: str, title: str, note: str) -> Figure:
    """Return a figure that cannot be drawn, for the reason in the note."""
    return Figure(name=name, title=title, note=note)


def layer_marks(layers: Iterable[Any], **properties: Any) -> dict[str, Any]:
    """Return altair charts above one another as Vega-Lite, the first at the bottom.

    properties: of the panel as a whole, such as its width, height and title. Layers and panels are
    put together as dictionaries, since altair copies all of them at every step.
    """
    context = {"top_level": False}
    parts = [layer.to_dict(validate=False, context=context) for layer in layers]
    return {**_lift_data("layer", parts), **properties}


def join_panels(
    panels: Iterable[dict[str, Any]], direction: Direction, **properties: Any
) -> dict[str, Any]:
    """Return panels beside or below one another as Vega-Lite.

    direction: hconcat, vconcat, or concat with `columns` in a row. properties: such as `spacing`
    in pixels and `title`.
    """
    return {**_lift_data(direction, list(panels)), **properties}


def _lift_data(key: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The parts under a key, with the data of all of them beside it where these are the same."""
    data = [part.get("data") for part in parts]
    if data[0] is None or any(each != data[0] for each in data):
        return {key: parts}
    bare = [{name: value for name, value in part.items() if name != "data"} for part in parts]
    return {key: bare, "data": data[0]}


def arrange_panels(panels: Sequence[dict[str, Any]], columns: int) -> dict[str, Any]:
    """Return panels side by side, `columns` in a row, each with its own scales."""
    resolve = {"scale": {"color": "shared", "x": "independent", "y": "independent"}}
    num = min(columns, len(panels))
    return join_panels(panels, "concat", columns=num, resolve=resolve)


def to_data(frame: pl.DataFrame) -> Any:
    """Return the frame as a chart's data."""
    return to_values(frame.to_dicts())


def to_values(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as a chart's data."""
    return alt.Data(values=tuple(rows))  # altair copies lists, at every step, and tuples never


def make_round_axis(rounds: Sequence[int]) -> Any:
    """Return the horizontal axis of rounds: whole numbers, at most ten of them marked."""
    axis = alt.Axis(values=pick_evenly(rounds, 10), format="d", grid=False)
    return alt.X("round:Q", axis=axis, title="round", scale=alt.Scale(nice=False, padding=8))


def make_probability_axis(title: str) -> Any:
    """Return the vertical axis of `value`, a number between 0 and 1."""
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(tickCount=5, format=".1f")
    return alt.Y("value:Q", title=title, scale=scale, axis=axis)


def make_share_axis(rows: pl.DataFrame, title: str) -> dict[str, Any]:
    """Return title, scale and axis of shares: as far as value, low and high, within [0, 1]."""
    axis = alt.Axis(tickCount=6, format=".2~f", labelFlush=False)
    return {"title": title, "scale": _make_share_scale(rows), "axis": axis}


def _make_share_scale(rows: pl.DataFrame) -> Any:
    columns = [rows[name].drop_nulls().to_list() for name in ("value", "low", "high")]
    values = [value for column in columns for value in column] or [0.0, 1.0]
    low = max(0.0, math.floor(10 * min(values) - 0.25) / 10)
    high = min(1.0, math.ceil(10 * max(values) + 0.25) / 10)
    return alt.Scale(domain=[low, high], nice=False, zero=False)


def pick_evenly(items: Sequence[int], limit: int) -> list[int]:
    """Return at most `limit` of the items, evenly spread, with the first and the last.

    >>> pick_evenly(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= limit:
        return list(items)
    steps = limit - 1
    return [items[round(k * (len(items) - 1) / steps)] for k in range(limit)]


def encode_color(field: str, styles: Mapping[str, MarkStyle], **options: Any) -> Any:
    """Return the channel in which each name has the colour of its style."""
    return alt.Color(field, scale=_make_scale(styles, "color"), **options)


def encode_shape(field: str, styles: Mapping[str, MarkStyle], **options: Any) -> Any:
    """Return the channel in which each name has the shape of its style."""
    return alt.Shape(field, scale=_make_scale(styles, "shape"), **options)


def encode_dash(field: str, styles: Mapping[str, MarkStyle]) -> Any:
    """Return the channel in which each name has the dashes of its style.

    It has no legend: a legend's symbols would be outlined with the dashes, and look torn.
    """
    return alt.StrokeDash(field, scale=_make_scale(styles, "dash"), legend=None)


def _make_scale(styles: Mapping[str, MarkStyle], what: str) -> Any:
    return alt.Scale(domain=list(styles), range=[getattr(s, what) for s in styles.values()])


def draw_zero_line() -> Any:
    """Return a dashed line where the vertical axis is 0."""
    zero = alt.Chart(to_values([{"y": 0}]))
    return zero.mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y=alt.Y("y:Q"))


def narrow_chart(chart: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chart for phones: its panels below one another, its legends in few columns.

    Two small panels stay side by side. Plots whose horizontal axis is of numbers become narrower;
    graphs and heat maps keep their shape.
    """
    narrowed = dict(chart)
    for key in ("hconcat", "vconcat", "concat"):
        if key in narrowed:
            panels = [narrow_chart(panel) for panel in narrowed.pop(key)]
            widths = [panel.get("width", PHONE_WIDTH) for panel in panels]
            columns = 2 if max(widths) <= SMALL_SHARE * SMALL_PLOT else 1
            narrowed |= {"concat": panels, "columns": columns}
    if "layer" in narrowed:
        narrowed["layer"] = [_narrow_layer(layer) for layer in chart["layer"]]
        narrowed |= _narrow_size(chart)
    return narrowed


def _narrow_size(panel: Mapping[str, Any]) -> dict[str, Any]:
    """The width of a panel on phones; with its height where both become smaller."""
    axes = [layer["encoding"] for layer in panel["layer"]]
    across = [axis["x"] for axis in axes if "x" in axis]
    if any(x["type"] != "quantitative" or x.get("axis", {}) is None for x in across):
        return {}
    width, height = panel["width"], panel["height"]
    if width <= SMALL_PLOT and width == height:
        return {"width": SMALL_SHARE * width, "height": SMALL_SHARE * height}
    has_names = any(axis.get("y", {}).get("type") == "nominal" for axis in axes)
    return {"width": min(width, PHONE_BANDS if has_names else PHONE_PLOT)}


def _narrow_layer(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A layer with its legends in columns that fit on phones, and shorter names of lines."""
    encoding = {name: dict(channel) for name, channel in layer["encoding"].items()}
    for channel in encoding.values():
        if channel.get("legend"):
            names = channel.get("scale", {}).get("domain", ())
            longest = max((len(str(name)) for name in names), default=0)
            columns = 2 if longest <= PHONE_PLOT / 13 else 1
            channel["legend"] = {**channel["legend"], "columns": columns}
    y = encoding.get("y", {})
    if y.get("type") == "nominal" and y.get("axis"):
        y["axis"] = {**y["axis"], "labelLimit": PHONE_LABELS}
    return {**layer, "encoding": encoding}


def draw_figures(figures: Sequence[Figure], format: Format) -> dict[str, bytes]:
    """Return the pictures of figures by name, in the colours of paper. Raises DrawingError."""
    specs = {figure.name: figure.spec for figure in figures if figure.spec is not None}
    return dict(zip(specs, draw_charts(list(specs.values()), format), strict=True))


def draw_screens(figures: Sequence[Figure]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return the pictures as SVG by name, and those for phones where they are other ones.

    Raises DrawingError.
    """
    specs = {figure.name: figure.spec for figure in figures if figure.spec is not None}
    narrow = {name: narrow_chart(spec) for name, spec in specs.items()}
    drawn = draw_charts([*specs.values(), *narrow.values()], "svg")
    wide = dict(zip(specs, drawn, strict=False))
    phone = dict(zip(narrow, drawn[len(specs) :], strict=True))
    return wide, {name: svg for name, svg in phone.items() if read_width(wide[name]) > PHONE_WIDTH}


def read_width(svg: bytes) -> float:
    """Return the width of a picture in pixels."""
    return float(ET.fromstring(svg).attrib["width"])


def convert_svg(svg: bytes, *, name: str, label: str) -> Markup:
    """Return a picture as markup: only shapes and text, colours as variables, ids of its own.

    label: what a screen reader says. Nothing in the picture's data can become an element, a script
    or a link: whatever is not a shape is left out.
    """
    root = ET.fromstring(svg)
    found = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    _sanitize(root, {old: f"{name}-{number}" for number, old in enumerate(found)})
    width = root.attrib.pop("width", "")
    height = root.attrib.pop("height", "")
    if float(height or 0) > TALL * float(width or PHONE_WIDTH):
        root.set("class", "tall")
    root.set("role", "img")
    root.set("aria-label", label)
    narrowest = LEAST_SHARE * min(float(width or PHONE_WIDTH), PHONE_WIDTH)
    root.set("style", f"max-width:{width}px;min-width:{narrowest:g}px")
    ET.register_namespace("", SVG)
    return Markup(ET.tostring(root, encoding="unicode"))


def _sanitize(element: ET.Element, ids: Mapping[str, str]) -> None:
    """Keep shapes and their looks; `ids` renames what vl-convert numbers over all its pictures."""
    for child in list(element):
        if child.tag in {f"{{{SVG}}}{tag}" for tag in TAGS}:
            _sanitize(child, ids)
        else:
            element.remove(child)
    for key, value in list(element.attrib.items()):
        if key not in ATTRIBUTES:
            del element.attrib[key]
        else:
            element.set(key, _convert_attribute(key, value, ids))


def _convert_attribute(key: str, value: str, ids: Mapping[str, str]) -> str:
    if key in ("fill", "stroke"):
        return f"var({name_variable(value)})" if value.lower() in DARK_COLORS else value
    if key == "id":
        return ids[value]
    if key == "clip-path":
        return f"url(#{ids[value.removeprefix('url(#').removesuffix(')')]})"
    return value
