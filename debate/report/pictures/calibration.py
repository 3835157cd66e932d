"""Scores of confidence by round, one line for each arm."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from debate.report.figure import (
    Figure,
    absent,
    colors,
    dashes,
    drawn,
    grid,
    round_axis,
    shapes,
    values,
    zero_line,
)
from debate.report.material import Material
from debate.report.theme import LOOKS

NAME, TITLE = "calibration", "Calibration by round"
SCORES = {
    "brier": "Brier score (lower is better)",
    "debiased_ece": "debiased calibration error (lower is better)",
    "over_confidence": "over-confidence (0 is right)",
    "auroc": "AUROC of confidence (higher is better)",
}


def calibration(material: Material) -> Figure:
    """Four panels of scores; arms told apart by colour, dash and shape."""
    found = material.analysis.frame(*SCORES).filter(
        pl.col("subject").is_null() & pl.col("value").is_not_null() & pl.col("round").is_not_null()
    )
    if found.is_empty():
        return absent(NAME, TITLE, "No answer carries a confidence, so there is nothing to score.")
    arms = {cell: material.arm(cell) for cell in material.drawn_cells}
    data = found.filter(pl.col("cell").is_in(list(arms))).select(
        "name", "cell", "round", "value", "low", "high", "n",
        arm=pl.col("cell").replace_strict(arms, default=None),
    )  # fmt: skip
    panels = [
        _panel(material, data.filter(pl.col("name") == name), title, list(arms.values()))
        for name, title in SCORES.items()
        if name in data["name"].unique()
    ]
    return drawn(
        NAME, TITLE, grid(panels, 2), data,
        "Brier is a proper score and leads; the debiased error is the root-mean-square gap in 15 "
        "bins with sampling noise taken off. Bars are 95 % intervals, clustered by question.",
        material.left_out(),
    )  # fmt: skip


def _panel(material: Material, rows: pl.DataFrame, title: str, arms: list[str]) -> Any:
    looks = dict(zip(arms, LOOKS, strict=False))
    legend = alt.Legend(orient="top", columns=4, labelLimit=260)
    color = colors("arm:N", looks, title="arm", legend=legend)
    dash = dashes("arm:N", looks, title="arm")
    shape = shapes("arm:N", looks, title="arm")
    middle = (len(arms) - 1) / 2
    shifts = {arm: 7.0 * (k - middle) / max(1.0, middle) for k, arm in enumerate(arms)}
    shifted = rows.with_columns(shift=pl.col("arm").replace_strict(shifts, return_dtype=pl.Float64))
    shift = alt.XOffset("shift:Q", scale=None)
    x = round_axis(material.rounds)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    base = alt.Chart(values(shifted))
    layers = [
        base.mark_rule(strokeWidth=1, opacity=0.55).encode(
            x=x, xOffset=shift, y="low:Q", y2="high:Q", color=color
        ),
        base.mark_line(strokeWidth=1.8).encode(
            x=x, xOffset=shift, y=y, color=color, strokeDash=dash
        ),
        base.mark_point(filled=True, size=42, opacity=1).encode(
            x=x, xOffset=shift, y=y, color=color, shape=shape
        ),
    ]  # fmt: skip
    if "over_confidence" in rows["name"].unique():
        layers.insert(0, zero_line())
    return alt.layer(*layers).properties(width=370, height=170, title=title)
