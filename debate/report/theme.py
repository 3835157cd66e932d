"""The looks of pictures: colours that all kinds of sight tell apart, and the same in the dark.

Pictures are drawn with the colours below (Okabe & Ito 2008, and greys). On the page each becomes
a CSS variable, so that one drawing serves light, dark and paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

INK, MUTED, RULE, PAPER = "#1b1f24", "#59636e", "#d9dde2", "#ffffff"
BLUE, ORANGE, GREEN, VERMILLION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, INDIGO, GREY = "#cc79a7", "#56b4e9", "#4b2fd0", "#a3abb5"
DARK_COLORS: dict[str, str] = {
    INK: "#e6e9ed",
    MUTED: "#a2abb6",
    RULE: "#353c45",
    PAPER: "#14171b",
    BLUE: "#4aa8e8",
    ORANGE: "#f0b429",
    GREEN: "#2fc79b",
    VERMILLION: "#ff8a47",
    PURPLE: "#e39ac4",
    SKY: "#8ccdf2",
    INDIGO: "#8a74ff",
    GREY: "#717b87",
}
"""Each colour on paper, and its counterpart on a dark screen."""
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


class MarkStyle(NamedTuple):
    """The looks of one of several lines or marks, told apart by more than its colour."""

    color: str
    shape: str
    dash: Sequence[int] = (1, 0)


MARK_STYLES = (
    MarkStyle(BLUE, "circle", (1, 0)),
    MarkStyle(ORANGE, "square", (7, 3)),
    MarkStyle(GREEN, "triangle-up", (2, 2)),
    MarkStyle(PURPLE, "diamond", (8, 2, 2, 2)),
    MarkStyle(VERMILLION, "triangle-down", (4, 4)),
    MarkStyle(SKY, "cross", (1, 3)),
    MarkStyle(INK, "stroke", (10, 3)),
    MarkStyle(INDIGO, "triangle-right", (3, 1)),
)


def name_variable(color: str) -> str:
    """Return the name of the CSS variable that stands for a colour.

    >>> name_variable("#0072B2")
    '--c-0072b2'
    """
    return f"--c-{color.lower().lstrip('#')}"


def declare_variables(*, dark: bool) -> str:
    """Return the CSS declarations of all colours, for a style sheet."""
    pairs = DARK_COLORS.items() if dark else ((color, color) for color in DARK_COLORS)
    return "".join(f"{name_variable(color)}:{value};" for color, value in pairs)


def build_vega_config() -> dict[str, Any]:
    """Return the Vega-Lite configuration of every picture."""
    words = {"labelColor": MUTED, "titleColor": INK, "labelFontSize": 10.5, "titleFontSize": 11}
    return {
        "background": PAPER,
        "font": FONT,
        "view": {"continuousHeight": 300, "continuousWidth": 300, "stroke": None},
        "axis": {
            **words,
            "titleFontWeight": "normal",
            "gridColor": RULE,
            "gridWidth": 0.6,
            "domainColor": MUTED,
            "domainWidth": 0.8,
            "tickColor": MUTED,
            "tickSize": 4,
            "labelPadding": 3,
        },
        "legend": {
            **words,
            "titleFontWeight": "normal",
            "symbolStrokeWidth": 2.2,
            "offset": 8,
            "symbolOpacity": 1,
        },
        "title": {
            "anchor": "start",
            "frame": "group",
            "color": INK,
            "fontSize": 12,
            "fontWeight": "bold",
            "subtitleColor": MUTED,
            "subtitleFontSize": 10.5,
            "offset": 8,
        },
        "concat": {"spacing": 28},
    }
