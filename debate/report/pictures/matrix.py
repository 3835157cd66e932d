"""The cross-critique matrix as heat maps: rows critics, columns authors, diagonal oneself."""

from __future__ import annotations

from typing import Any, NamedTuple

import altair as alt
import polars as pl

from debate.report.figure import Figure, absent, drawn, values
from debate.report.material import Material
from debate.report.theme import BLUE, INK, PAPER, VERMILLION

NAME, TITLE = "cross-critique", "Who trusts whose answers"
MOST_CELLS, MOST_AGENTS = 4, 12
SIDE = 58
STRONG = 0.85
"""Above this share of the scale a field is so dark that its text is written in paper's colour."""


class Map(NamedTuple):
    """One heat map: its measure, and the ends of its scale from pale to strong."""

    measure: str
    title: str
    color: str
    pale: float
    strong: float


MAPS = (
    Map("accept_right", "accepts right answers", BLUE, 0.0, 1.0),
    Map("accept_wrong", "accepts wrong answers", VERMILLION, 0.0, 1.0),
    Map("judging_auroc", "AUROC of P(True)", BLUE, 0.5, 1.0),
)


def matrix(material: Material) -> Figure:
    """A row of heat maps for each arm in which critics judged openings."""
    table = material.analysis.tables.get("cross_critique", pl.DataFrame())
    if table.is_empty():
        lacking = "No critic judged an opening; see the protocol cross_critique."
        return absent(NAME, TITLE, lacking)
    judging = _distinct(table, [cell for cell in material.cells if cell in set(table["cell"])])
    cells = judging[:MOST_CELLS]
    data = table.filter(pl.col("cell").is_in(cells))
    rows = [_row(material, cell, data.filter(pl.col("cell") == cell)) for cell in cells]
    return drawn(
        NAME, TITLE, alt.vconcat(*rows, spacing=20), data,
        "Each field is a critic's judgement of an author's opening answers, made in private. "
        "Framed, on the diagonal: the critic on its own answers. Below each number its 95 % "
        "interval, clustered by question. A critic that knew would accept every right answer and "
        "no wrong one; AUROC 0.5 is a coin. Arms with the same numbers as another are drawn once.",
        "" if cells == judging else f"{len(cells)} of {len(judging)} arms are drawn.",
        f"The first {MOST_AGENTS} agents are drawn." if _is_cut(data) else "",
    )  # fmt: skip


def _distinct(table: pl.DataFrame, cells: list[str]) -> list[str]:
    """The cells without those in which every number is as in an earlier one."""
    seen: dict[str, None] = {}
    numbers = {cell: table.filter(pl.col("cell") == cell).drop("cell") for cell in cells}
    for cell in cells:
        if not any(numbers[cell].equals(numbers[earlier]) for earlier in seen):
            seen[cell] = None
    return list(seen)


def _is_cut(data: pl.DataFrame) -> bool:
    return max(data["author"].n_unique(), data["critic"].n_unique()) > MOST_AGENTS


def _row(material: Material, cell: str, data: pl.DataFrame) -> Any:
    order = _in_seat_order(material, data)
    named = {agent: material.agent(cell, agent) for agent in order}
    shown = data.filter(pl.col("critic").is_in(order) & pl.col("author").is_in(order))
    named_rows = shown.with_columns(pl.col("critic", "author").replace(named))
    panels = [_panel(named_rows, of, list(named.values())) for of in MAPS]
    return alt.hconcat(*panels, spacing=24).properties(title=material.arm(cell))


def _in_seat_order(material: Material, data: pl.DataFrame) -> list[str]:
    """Critics and authors, authors in the order of the run's seats where it is known."""
    found = sorted({*data["author"], *data["critic"]})
    seats = material.manifest.agents if material.manifest else ()
    ordered = [agent for agent in seats if agent in found]
    return [*ordered, *(agent for agent in found if agent not in ordered)][:MOST_AGENTS]


def _panel(data: pl.DataFrame, of: Map, agents: list[str]) -> Any:
    share = ((pl.col(of.measure) - of.pale) / (of.strong - of.pale)).clip(0.0, 1.0)
    rows = data.filter(pl.col(of.measure).is_not_null()).select(
        "critic",
        "author",
        "own",
        share=share,
        number=_text(pl.col(of.measure)),
        ends=_ends(of.measure),
        ink=pl.when(share > STRONG).then(pl.lit(PAPER)).otherwise(pl.lit(INK)),
    )
    critics = [agent for agent in agents if agent in set(data["critic"])]
    authors = [agent for agent in agents if agent in set(data["author"])]
    at = {
        "x": alt.X("author:N", sort=authors, title="author", scale=alt.Scale(domain=authors),
                   axis=alt.Axis(orient="top", labelAngle=-35, ticks=False, domain=False)),
        "y": alt.Y("critic:N", sort=critics, title="critic", scale=alt.Scale(domain=critics),
                   axis=alt.Axis(ticks=False, domain=False)),
    }  # fmt: skip
    base = alt.Chart(values(rows)).encode(**at)
    opacity = alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.04, 1]))
    written = alt.Color("ink:N", scale=None)
    layers = (
        base.mark_rect(color=of.color, cornerRadius=2).encode(opacity=opacity),
        base.transform_filter("datum.own").mark_rect(
            filled=False, stroke=INK, strokeWidth=1.8, cornerRadius=2
        ),
        base.mark_text(fontSize=12, fontWeight="bold", dy=-4).encode(
            text="number:N", color=written
        ),
        base.mark_text(fontSize=8.5, dy=9).encode(text="ends:N", color=written),
    )
    size = {"width": SIDE * len(authors), "height": SIDE * 0.72 * len(critics)}
    title = alt.TitleParams(of.title, fontWeight="normal", fontSize=11, offset=4)
    return alt.layer(*layers).properties(**size, title=title)


def _text(number: pl.Expr) -> pl.Expr:
    """Two digits without the zero before the point."""
    return number.map_elements(short_share, return_dtype=pl.String)


def short_share(number: float) -> str:
    """A share in as few characters as two digits allow.

    >>> [short_share(number) for number in (0.4567, 0.999, 0.0)]
    ['.46', '1', '0']
    """
    rounded = f"{number:.2f}"
    return rounded[0] if rounded.endswith(".00") else rounded.removeprefix("0")


def _ends(measure: str) -> pl.Expr:
    low, high = (_text(pl.col(f"{measure}_{end}")) for end in ("low", "high"))
    return pl.concat_str(low, high, separator="–").fill_null("")
