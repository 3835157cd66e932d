"""A Vega-Lite specification as a picture: for the page, and as files of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

from debate.log.disk import on_disk
from debate.report.theme import NIGHT, variable

SVG = "http://www.w3.org/2000/svg"
SHAPES = ("svg", "g", "defs", "clipPath", "path", "rect", "line", "circle", "text", "tspan")
ATTRIBUTES = frozenset({
    "class", "clip-path", "cx", "cy", "d", "dy", "fill", "fill-opacity", "font-family", "font-size",
    "font-style", "font-weight", "height", "id", "opacity", "points", "r", "stroke",
    "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "stroke-opacity",
    "stroke-width", "text-anchor", "transform", "viewBox", "width", "x", "x1", "x2", "y", "y1",
    "y2",
})  # fmt: skip
LEGIBLE = 560.0
"""On a narrow screen a picture is not drawn smaller than this, in pixels; it is moved instead."""
VERSION = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""Vega-Lite's version that draws: the one that altair writes."""


def save(spec: dict[str, Any], folder: Path, name: str) -> tuple[Path, Path]:
    """Write `name`.svg and `name`.pdf into the folder, in the colours of paper."""
    drawing, document = folder / f"{name}.svg", folder / f"{name}.pdf"
    with on_disk(folder, "write"):
        drawing.write_text(vl_convert.vegalite_to_svg(spec, vl_version=VERSION), encoding="utf-8")
        document.write_bytes(vl_convert.vegalite_to_pdf(spec, vl_version=VERSION))
    return drawing, document


def inline(spec: dict[str, Any], *, name: str, label: str) -> Markup:
    """The picture as markup: only shapes and text, colours as variables, ids of its own.

    `name` is a prefix of ids, `label` what a screen reader says. Nothing that the picture's data
    say can become an element, a script or a link: whatever is not a shape is left out.
    """
    root = ET.fromstring(vl_convert.vegalite_to_svg(spec, vl_version=VERSION))
    found = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    _tidy(root, {old: f"{name}-{number}" for number, old in enumerate(found)})
    width = root.attrib.pop("width", "")
    root.attrib.pop("height", None)
    root.set("role", "img")
    root.set("aria-label", label)
    narrowest = min(float(width or LEGIBLE), LEGIBLE)
    root.set("style", f"max-width:{width}px;min-width:{narrowest:g}px")
    ET.register_namespace("", SVG)
    return Markup(ET.tostring(root, encoding="unicode"))


def _tidy(element: ET.Element, ids: Mapping[str, str]) -> None:
    """Keep shapes and their looks; `ids` renames what vl-convert numbers over all its pictures."""
    for child in list(element):
        if child.tag in {f"{{{SVG}}}{shape}" for shape in SHAPES}:
            _tidy(child, ids)
        else:
            element.remove(child)
    for key, value in list(element.attrib.items()):
        if key not in ATTRIBUTES:
            del element.attrib[key]
        else:
            element.set(key, _value(key, value, ids))


def _value(key: str, value: str, ids: Mapping[str, str]) -> str:
    if key in ("fill", "stroke"):
        return f"var({variable(value)})" if value.lower() in NIGHT else value
    if key == "id":
        return ids[value]
    if key == "clip-path":
        return f"url(#{ids[value.removeprefix('url(#').removesuffix(')')]})"
    return value
