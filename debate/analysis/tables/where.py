"""Where confidence in errors grew: what contributed most, and the turns at which it rose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Maker, Place, Table, in_order, table
from debate.analysis.text import count, number, short
from debate.analysis.where import STEEPEST

MOST_IN_ARM = 5
MOST_SPOTS = 10
Row = dict[str, Any]


def ranking(kind: str, title: str, label: Callable[[Analysis, Row], str]) -> Maker:
    """The table of one ranking: the first five of each arm, those that added to errors."""

    def make(analysis: Analysis) -> Table:
        whole = in_order(analysis, analysis.tables[f"where_{kind}"])
        whole = whole.filter(pl.col("contribution") > 0)
        chosen = whole.group_by("cell", maintain_order=True).head(MOST_IN_ARM)
        rows = [
            [Entry(analysis.labels.arm(row["cell"])), Entry(label(analysis, row)),
             *_steepest(analysis, row), Entry(number(row["contribution"], 4, signed=True)),
             Entry(count(row["trajectories"]))]
            for row in chosen.iter_rows(named=True)
        ]  # fmt: skip
        columns = [
            "arm",
            title,
            "steepest turn",
            "heard just before",
            "adds to EAI",
            "trajectories",
        ]
        return table(f"By {title}", columns, rows, names=4)

    return make


def _steepest(analysis: Analysis, row: Row) -> list[Entry]:
    question, seed, agent, round_ = (row[name] for name in STEEPEST)
    if question is None:
        return [Entry("–"), Entry("–")]
    place = Place(row["cell"], question, seed, agent, round_)
    told = f"{short(question, 24)}, {short(agent, 20)}, round {round_}"
    return [Entry(told, place=place), Entry(heard_at(analysis, place))]


def heard_at(analysis: Analysis, place: Place) -> str:
    """What was heard just before a turn that some ranking leads to."""
    links = analysis.tables["links"]
    at = pl.all_horizontal(pl.col(name) == value for name, value in place._asdict().items())
    found = links.filter(at)["heard"].to_list()
    return heard_text(found[0] if found else None)


def heard_text(refs: list[str] | None) -> str:
    """The turns that were heard, as one line.

    >>> heard_text(["0:opening:b", "1:revision:c", "2:critique:u:v"])
    'opening of b, c in round 1, critique by u in round 2'
    """
    return ", ".join(_turn_text(ref) for ref in refs or ()) or "nothing"


def _turn_text(ref: str) -> str:
    round_, kind, agent, *_ = ref.split(":")
    if kind == "critique":
        return f"critique by {short(agent, 24)} in round {round_}"
    return (
        f"opening of {short(agent, 24)}"
        if kind == "opening"
        else f"{short(agent, 24)} in round {round_}"
    )


def hotspots(analysis: Analysis) -> Table:
    """The turns at which confidence in an error rose most, with what was heard just before."""
    found = analysis.tables["hotspots"].sort("rise", descending=True, maintain_order=True)
    rows = [
        [Entry(analysis.labels.arm(row["cell"])),
         Entry(short(row["question"], 24) + (f", seed {row['seed']}" if row["seed"] else "")),
         Entry(analysis.labels.agent(row["cell"], row["agent"])), Entry(str(row["round"])),
         Entry(f"{short(row['previous_answer'], 16)} → {short(row['answer'], 16)}",
               f"target {short(row['target'], 16)}"),
         Entry(f"{number(row['previous_confidence'], 2)} → {number(row['confidence'], 2)}"),
         Entry(heard_text(row["heard"]))]
        for row in found.head(MOST_SPOTS).iter_rows(named=True)
    ]  # fmt: skip
    columns = ["arm", "question", "agent", "round", "answer", "confidence", "heard just before"]
    return table("Where confidence in errors rose most", columns, rows, names=7)


def _edge(analysis: Analysis, row: Row) -> str:
    critic, author = (analysis.labels.agent(row["cell"], row[n]) for n in ("critic", "author"))
    return f"{author}, hearing nobody" if row["critic"] is None else f"{critic} → {author}"


RANKINGS: dict[str, Maker] = {
    "where_rounds": ranking("rounds", "round", lambda _, row: str(row["round"])),
    "where_agents": ranking(
        "agents", "agent", lambda analysis, row: analysis.labels.agent(row["cell"], row["agent"])
    ),
    "where_edges": ranking("edges", "edge", _edge),
    "where_categories": ranking("categories", "category", lambda _, row: short(row["category"])),
    "where_questions": ranking("questions", "question", lambda _, row: short(row["question"], 40)),
}
