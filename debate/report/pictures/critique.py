"""The cross-critique matrix as heat maps: rows critics, columns authors, diagonal oneself."""

from __future__ import annotations

from typing import Any, NamedTuple

import altair as alt
import polars as pl

from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    join_panels,
    layer_marks,
    make_figure,
    make_missing_figure,
    to_data,
)
from debate.report.theme import BLUE, INK, PAPER, VERMILLION

NAME, TITLE = "cross-critique", "Who trusts whose answers"
CAPTION = (
    "Each field is a critic's judgement of an author's opening answers, made in private. "
    "Framed, on the diagonal: the critic on its own answers. With each number its 95 % "
    "interval, clustered by question. A critic that knew would accept every right answer and "
    "no wrong one; AUROC 0.5 is a coin. Arms with the same numbers as another are drawn once."
)
MAX_CELLS, MAX_AGENTS = 24, 12
FIELD_SIDE = 58
DARK_SHARE = 0.85
"""Above this share of the scale a field is so dark that its text is written in paper's colour."""


class HeatMap(NamedTuple):
    """One heat map: its measure, and the ends of its scale from pale to strong."""

    measure: str
    title: str
    color: str
    pale: float
    strong: float


HEAT_MAPS = (
    HeatMap("accept_right", "accepts right answers", BLUE, 0.0, 1.0),
    HeatMap("accept_wrong", "accepts wrong answers", VERMILLION, 0.0, 1.0),
    HeatMap("judging_auroc", "AUROC of P(True)", BLUE, 0.5, 1.0),
)


def draw_cross_critique(report: ReportData) -> Figure:
    """Draw a row of heat maps for each arm in which critics judged openings."""
    table = report.analysis.tables.get("cross_critique", pl.DataFrame())
    if table.is_empty():
        note = "No critic judged an opening; see the protocol cross_critique."
        return make_missing_figure(NAME, TITLE, note)
    judging = set(table["cell"])
    distinct = _drop_repeated(table, [cell for cell in report.cells if cell in judging])
    cells = distinct[:MAX_CELLS]
    data = table.filter(pl.col("cell").is_in(cells))
    rows = [_draw_arm(report, cell, data.filter(pl.col("cell") == cell)) for cell in cells]
    is_cut = max(data["author"].n_unique(), data["critic"].n_unique()) > MAX_AGENTS
    caption = (
        CAPTION,
        "" if cells == distinct else f"{len(cells)} of {len(distinct)} arms are drawn.",
        f"The first {MAX_AGENTS} agents are drawn." if is_cut else "",
    )
    return make_figure(NAME, TITLE, join_panels(rows, "vconcat", spacing=20), data, *caption)


def _drop_repeated(table: pl.DataFrame, cells: list[str]) -> list[str]:
    """The cells without those in which every number is as in an earlier one."""
    kept: list[str] = []
    numbers = {cell: table.filter(pl.col("cell") == cell).drop("cell") for cell in cells}
    for cell in cells:
        if not any(numbers[cell].equals(numbers[earlier]) for earlier in kept):
            kept.append(cell)
    return kept


def _draw_arm(report: ReportData, cell: str, data: pl.DataFrame) -> Any:
    order = _order_agents(report, data)
    labels = {agent: report.label_agent(cell, agent) for agent in order}
    drawn = data.filter(pl.col("critic").is_in(order) & pl.col("author").is_in(order))
    rows = drawn.with_columns(pl.col("critic", "author").replace(labels))
    panels = [_draw_heat_map(rows, each, list(labels.values())) for each in HEAT_MAPS]
    return join_panels(panels, "hconcat", spacing=24, title=report.label_arm(cell))


def _order_agents(report: ReportData, data: pl.DataFrame) -> list[str]:
    """Critics and authors, in the order of the run's agents where it is known."""
    found = sorted({*data["author"], *data["critic"]})
    seats = report.manifest.agents if report.manifest else ()
    ordered = [agent for agent in seats if agent in found]
    return [*ordered, *(agent for agent in found if agent not in ordered)][:MAX_AGENTS]


def _draw_heat_map(data: pl.DataFrame, heat_map: HeatMap, agents: list[str]) -> Any:
    critics = [agent for agent in agents if agent in set(data["critic"])]
    authors = [agent for agent in agents if agent in set(data["author"])]
    author_axis = alt.Axis(orient="top", labelAngle=-35, ticks=False, domain=False)
    critic_axis = alt.Axis(ticks=False, domain=False)
    x_scale, y_scale = alt.Scale(domain=authors), alt.Scale(domain=critics)
    base = alt.Chart(to_data(_shade_fields(data, heat_map))).encode(
        x=alt.X("author:N", sort=authors, title="author", scale=x_scale, axis=author_axis),
        y=alt.Y("critic:N", sort=critics, title="critic", scale=y_scale, axis=critic_axis),
    )
    opacity = alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.04, 1]))
    ink = alt.Color("ink:N", scale=None)
    frame = base.transform_filter("datum.own")
    layers = (
        base.mark_rect(color=heat_map.color, cornerRadius=2).encode(opacity=opacity),
        frame.mark_rect(filled=False, stroke=INK, strokeWidth=1.8, cornerRadius=2),
        base.mark_text(fontSize=12, fontWeight="bold", dy=-4).encode(
            text=alt.Text("number:N"), color=ink
        ),
        base.mark_text(fontSize=8.5, dy=9).encode(text=alt.Text("ends:N"), color=ink),
    )
    size = {"width": FIELD_SIDE * len(authors), "height": FIELD_SIDE * 0.72 * len(critics)}
    title = {"text": heat_map.title, "fontWeight": "normal", "fontSize": 11, "offset": 4}
    return layer_marks(layers, **size, title=title)


def _shade_fields(data: pl.DataFrame, heat_map: HeatMap) -> pl.DataFrame:
    """One row for each field: how strong its colour is, its texts, and their colour."""
    measure = pl.col(heat_map.measure)
    share = ((measure - heat_map.pale) / (heat_map.strong - heat_map.pale)).clip(0.0, 1.0)
    low, high = (_format_share(pl.col(f"{heat_map.measure}_{end}")) for end in ("low", "high"))
    return data.filter(measure.is_not_null()).select(
        "critic",
        "author",
        "own",
        share=share,
        number=_format_share(measure),
        ends=pl.concat_str(low, high, separator="–").fill_null(""),
        ink=pl.when(share > DARK_SHARE).then(pl.lit(PAPER)).otherwise(pl.lit(INK)),
    )


def _format_share(number: pl.Expr) -> pl.Expr:
    return number.map_elements(format_share, return_dtype=pl.String)


def format_share(number: float) -> str:
    """Return a share in as few characters as two digits allow.

    >>> [format_share(number) for number in (0.4567, 0.999, 0.0)]
    ['.46', '1', '0']
    """
    rounded = f"{number:.2f}"
    return rounded[0] if rounded.endswith(".00") else rounded.removeprefix("0")
