"""Where confidence in errors grows: questions, categories, agents, edges, rounds, turns.

Each trajectory's contribution to EAI is its change of confident-error mass over the number of
trajectories of its cell, so every ranking adds up to the cell's EAI after its last round. Each
line of a ranking names its steepest turn, the one at which mass rose most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import polars as pl

from debate.analysis.heard import hearings
from debate.analysis.influence import (
    credit,
    disagreements,
    edges,
    first_seen,
    flip_sources,
    hazards,
)
from debate.analysis.members import error_mass
from debate.analysis.sums import split_sorted

TURN = ("question", "seed", "agent", "round")
STEEPEST = tuple(f"steepest_{name}" for name in TURN)
STEP = (
    "cell", "question", "category", "seed", "agent", "model", "round", "rise", "step",
    "contribution",
)  # fmt: skip
STATE = (
    "previous_answer", "answer", "target", "previous_outcome", "outcome", "previous_confidence",
    "confidence", "heard",
)  # fmt: skip


class Where(NamedTuple):
    """The rankings, largest contribution first; the hot spots, and the turns of the rankings.

    hotspots: turns (cell, question, seed, agent, round), with what each heard, and confidence and
    answer before and after. links: the same of the steepest turn of each line of a ranking.
    """

    questions: pl.DataFrame
    categories: pl.DataFrame
    agents: pl.DataFrame
    edges: pl.DataFrame
    rounds: pl.DataFrame
    hotspots: pl.DataFrame
    links: pl.DataFrame


def where(states: pl.DataFrame, heard: pl.DataFrame, *, limit: int = 50) -> Where:
    """All rankings; `limit` bounds the lines and hot spots given for each cell."""
    steps = mass_steps(states)
    moved = edge_steps(steps, heard)
    rankings = {
        "questions": ranked(steps, "question", "category"),
        "categories": ranked(steps, "category"),
        "agents": ranked(steps, "agent", "model"),
        "edges": ranked(moved, "critic", "author", "relation"),
        "rounds": ranked(steps, "round"),
    }
    cut = {n: t.group_by("cell", maintain_order=True).head(limit) for n, t in rankings.items()}
    links = linked(steps, cut.values())
    spots = hotspots(steps, limit=limit)
    return Where(**cut, hotspots=_with_states(spots, states), links=_with_states(links, states))


def mass_steps(states: pl.DataFrame) -> pl.DataFrame:
    """The turns after round 0 with `contribution`: the step of mass over the cell's trajectories.

    Trajectories with unknown mass at the opening or at the end are left out, as in EAI; a state
    of unknown mass in between (a failed turn) keeps the mass before it. `rise`: the whole
    trajectory's change.
    """
    turn = ("cell", "trajectory", *TURN, "category", "model")
    rows = states.select(*turn, mass=error_mass())
    last = pl.col("round") == pl.col("round").max().over("cell")
    ends = rows.filter(last & pl.col("mass").is_not_null()).select("trajectory")
    openings = rows.filter((pl.col("round") == 0) & pl.col("mass").is_not_null())
    known = rows.join(ends, on="trajectory", how="semi")
    known = known.join(openings.select("trajectory"), on="trajectory", how="semi")
    known = known.sort("trajectory", "round").with_columns(
        pl.col("mass").fill_null(strategy="forward")
    )
    step = pl.col("mass") - pl.col("mass").shift(1)
    known = known.with_columns(
        step=step, size=pl.col("trajectory").n_unique().over("cell").cast(pl.Float64)
    )
    later = known.filter(pl.col("round") > 0)
    return later.with_columns(
        contribution=pl.col("step") / pl.col("size"), rise=pl.col("step").sum().over("trajectory")
    )


def ranked(steps: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Contributions by cell and `by`, with the steepest turn of each; null where nothing rose."""
    top = pl.col("contribution").arg_max()
    rose = pl.col("contribution").max() > 0
    grouped = steps.group_by("cell", *by).agg(
        pl.col("contribution").sum().alias("total"),
        *(pl.when(rose).then(pl.col(name).get(top)).alias(f"steepest_{name}") for name in TURN),
        trajectories=pl.col("trajectory").n_unique(),
    )  # fmt: skip
    ordered = grouped.sort(["cell", "total", *by], descending=[False, True, *(False for _ in by)])
    return ordered.select("cell", *by, "trajectories", *STEEPEST, contribution="total")


def edge_steps(steps: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """Each step of mass split evenly over the turns heard just before it.

    Steps after hearing nobody have a null critic.
    """
    sources = heard.select("trajectory", "round", "critic", "relation")
    moved = steps.filter(pl.col("step") != 0)
    moved = moved.select("cell", "trajectory", *TURN, "contribution", author="agent")
    joined = moved.join(sources, on=["trajectory", "round"], how="left")
    part = pl.col("contribution") / pl.len().over("trajectory", "round")
    return joined.with_columns(contribution=part)


def hotspots(steps: pl.DataFrame, *, limit: int) -> pl.DataFrame:
    """The trajectories of each cell whose mass rose most, at the round where it rose most.

    One row of `steps` each.
    """
    whole = steps.group_by("cell", "trajectory").agg(pl.col("rise").first())
    risen = whole.filter(pl.col("rise") > 0).sort(
        ["cell", "rise", "trajectory"], descending=[False, True, False]
    )
    top = risen.group_by("cell", maintain_order=True).head(limit)
    turns = steps.join(top.select("trajectory"), on="trajectory").sort(
        ["trajectory", "step", "round"], descending=[False, True, False]
    )
    steepest = turns.group_by("trajectory", maintain_order=True).first()
    return steepest.sort(["cell", "rise", "trajectory"], descending=[False, True, False])


def linked(steps: pl.DataFrame, rankings: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The steepest turns of these rankings, each once, in the order of cells and turns."""
    names = dict(zip(STEEPEST, TURN, strict=True))
    turns = pl.concat([table.select("cell", *STEEPEST) for table in rankings]).drop_nulls().unique()
    found = steps.join(turns.rename(names), on=["cell", *TURN], how="semi")
    return found.sort("cell", *TURN)


def _with_states(steps: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """The turns with what they heard, and confidence and answer before and after."""
    held = states.select("trajectory", "round", *STATE)
    return steps.join(held, on=["trajectory", "round"], how="left", maintain_order="left").select(
        *STEP, *STATE
    )


def heard_tables(
    states: pl.DataFrame, everyone: pl.DataFrame, *, limit: int
) -> dict[str, pl.DataFrame]:
    """The tables of attribution and of where, and `events` and `seen` for conformity.

    `everyone` holds the states of those who may be heard; `limit` bounds hot spots by cell.
    """
    parts = list(_cells(states, everyone, limit=limit))
    return {name: pl.concat([part[name] for part in parts]) for name in parts[0]}


def _cells(
    states: pl.DataFrame, everyone: pl.DataFrame, *, limit: int
) -> Iterator[dict[str, pl.DataFrame]]:
    heard = split_sorted(everyone, "cell")
    for cell, rows in split_sorted(states, "cell").items():
        yield _tables(rows, heard[cell], limit=limit)


def _tables(states: pl.DataFrame, everyone: pl.DataFrame, *, limit: int) -> dict[str, pl.DataFrame]:
    heard = hearings(states, everyone)
    sources = flip_sources(states, heard)
    ranked = where(states, heard, limit=limit)
    return {
        "events": disagreements(heard),
        "seen": first_seen(heard),
        "hazards": hazards(states, heard),
        "edges": edges(heard),
        "flip_sources": sources,
        "credit": credit(sources),
        "where_questions": ranked.questions,
        "where_categories": ranked.categories,
        "where_agents": ranked.agents,
        "where_edges": ranked.edges,
        "where_rounds": ranked.rounds,
        "hotspots": ranked.hotspots,
        "links": ranked.links,
    }
