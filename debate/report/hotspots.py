"""Where confidence in errors rose most, with the debate behind each such turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.tables import Place
from debate.analysis.tables.where import RANKINGS, heard_text
from debate.analysis.text import number, short
from debate.report.material import Material
from debate.report.said import MOST_CHARACTERS, Said, readable, transcript
from debate.types import DebateKey, Question, Turn

MOST_SPOTS, MOST_IN_ARM = 30, 10
MOST_TURNS = 60
FEWEST_CHARACTERS, ALL_CHARACTERS = 300, 3_000_000
"""Of one turn at least, and of all turns on the page, about."""
KEY = list(Place._fields)
Row = dict[str, Any]


class Debate(NamedTuple):
    """The turns that are shown of one debate, and how many are not."""

    turns: tuple[Turn, ...]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A turn at which confidence in an error rose, and the debate around it."""

    anchor: str
    place: Place
    arm: str
    question: str
    seed: int
    agent: str
    round: int
    answer: str
    confidence: str
    rise: str
    heard: str
    text: str
    target: str
    turns: tuple[Said, ...]
    note: str


def spots(material: Material) -> tuple[Spot, ...]:
    """The ten steepest rises of each arm, at most thirty in all, steepest first; then the turns
    that the rankings on the page lead to, at most thirty more.
    """
    table = material.analysis.tables["hotspots"]
    each = table.group_by("cell", maintain_order=True).head(MOST_IN_ARM)
    steepest = each.sort("rise", descending=True, maintain_order=True).head(MOST_SPOTS)
    links = _linked(material).join(steepest, on=KEY, how="anti", maintain_order="left")
    chosen = pl.concat([steepest, links.head(MOST_SPOTS)])
    rows = list(chosen.iter_rows(named=True))
    debates = [_debate(material, row) for row in rows]
    most = _most_characters(sum(len(debate.turns) for debate in debates))
    return tuple(
        _spot(material, row, debate, most, f"turn-{position}")
        for position, (row, debate) in enumerate(zip(rows, debates, strict=True), start=1)
    )


def _debate(material: Material, row: Row) -> Debate:
    """The turns around a hot spot: all of them, or the nearest, where a debate is very long."""
    key = DebateKey(cell=row["cell"], question=row["question"], seed=row["seed"])
    turns = material.turns(key)
    if len(turns) <= MOST_TURNS:
        return Debate(turns, 0)
    heard = set(row["heard"] or ())
    near = [k for k, t in enumerate(turns) if t.agent == row["agent"] or t.ref in heard]
    near.sort(key=lambda k: abs(turns[k].round - row["round"]))
    chosen = sorted(near[:MOST_TURNS])
    return Debate(tuple(turns[k] for k in chosen), len(turns) - len(chosen))


def _most_characters(num_turns: int) -> int:
    """How much of each turn is shown, so that the page stays within bounds."""
    share = ALL_CHARACTERS // max(1, num_turns)
    return min(MOST_CHARACTERS, max(FEWEST_CHARACTERS, share))


def _linked(material: Material) -> pl.DataFrame:
    """The turns that the tables of rankings lead to, in their order."""
    places = [
        entry.place
        for make in RANKINGS.values()
        for row in make(material.analysis).rows
        for entry in row
        if entry.place is not None
    ]
    links = material.analysis.tables["links"]
    asked = pl.DataFrame(places, schema={k: links.schema[k] for k in KEY}, orient="row")
    return asked.unique(maintain_order=True).join(links, on=KEY, maintain_order="left").select(
        links.columns
    )  # fmt: skip


def _spot(material: Material, row: Row, debate: Debate, most: int, anchor: str) -> Spot:
    left_out = debate.left_out
    return Spot(
        anchor=anchor,
        place=Place(*(row[name] for name in KEY)),
        arm=material.arm(row["cell"]),
        question=short(row["question"], 40),
        seed=row["seed"],
        agent=material.agent(row["cell"], row["agent"]),
        round=row["round"],
        answer=f"{short(row['previous_answer'], 24)} → {short(row['answer'], 24)}",
        confidence=f"{number(row['previous_confidence'], 2)} → {number(row['confidence'], 2)}",
        rise=number(row["rise"], 2, signed=True),
        heard=heard_text(row["heard"]),
        text=_question_text(material.question(row["question"])),
        target=short(row["target"]),
        turns=transcript(material, debate.turns, row, most=most, anchor=anchor),
        note=f"{left_out} turns that this one neither heard nor followed are left out."
        if left_out
        else "",
    )


def _question_text(question: Question | None) -> str:
    if question is None:
        return ""
    options = "".join(f"\n{option}" for option in question.options)
    return readable(question.text + options)
