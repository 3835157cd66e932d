"""Where confidence in errors grows: questions, categories, agents, edges, rounds, turns.

Each trajectory's contribution to EAI is its change of confident-error mass over the number of
trajectories of its cell, so every ranking adds up to the cell's EAI after its last round.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from debate.analysis.amplification import error_mass


class Where(NamedTuple):
    """The rankings, largest contribution first, and the hot spots that they link to."""

    questions: pl.DataFrame
    categories: pl.DataFrame
    agents: pl.DataFrame
    edges: pl.DataFrame
    rounds: pl.DataFrame
    hotspots: pl.DataFrame


def where(states: pl.DataFrame, heard: pl.DataFrame, *, limit: int = 50) -> Where:
    """All rankings; `limit` bounds the questions and hot spots given for each cell."""
    steps = mass_steps(states)
    spots = hotspots(steps, limit=limit)
    questions = _ranked(steps, "question", "category")
    links = spots.group_by("cell", "question", maintain_order=True).first()
    links = links.select("cell", "question", "seed", "agent", "round", "heard")
    questions = questions.group_by("cell", maintain_order=True).head(limit)
    return Where(
        questions=questions.join(links, on=["cell", "question"], how="left", maintain_order="left"),
        categories=_ranked(steps, "category"),
        agents=_ranked(steps, "agent", "model"),
        edges=edge_contributions(steps, heard),
        rounds=_ranked(steps, "round"),
        hotspots=spots,
    )


def mass_steps(states: pl.DataFrame) -> pl.DataFrame:
    """The rows after round 0 with `contribution`: the step of mass over the cell's trajectories.

    Trajectories with unknown mass at the opening or at the end are left out, as in EAI; a state
    of unknown mass in between (a failed turn) keeps the mass before it.
    """
    rows = states.with_columns(mass=error_mass())
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
    return later.with_columns(contribution=pl.col("step") / pl.col("size"))


def _ranked(steps: pl.DataFrame, *by: str) -> pl.DataFrame:
    grouped = steps.group_by("cell", *by).agg(
        contribution=pl.col("contribution").sum(), trajectories=pl.col("trajectory").n_unique()
    )
    return grouped.sort(
        ["cell", "contribution", *by], descending=[False, True, *(False for _ in by)]
    )


def edge_contributions(steps: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """Contributions by edge: each step of mass split evenly over the turns heard just before it.

    Steps after hearing nobody have a null critic.
    """
    sources = heard.select("trajectory", "round", "critic", "relation", "critic_outcome")
    moved = steps.filter(pl.col("step") != 0)
    moved = moved.select("cell", "trajectory", "round", "contribution", author="agent")
    joined = moved.join(sources, on=["trajectory", "round"], how="left")
    part = pl.col("contribution") / pl.len().over("trajectory", "round")
    by = ["cell", "critic", "author", "relation"]
    from_wrong = pl.when(pl.col("critic_outcome") == "wrong").then("part").otherwise(0.0).sum()
    grouped = joined.with_columns(part=part).group_by(by).agg(
        contribution=pl.col("part").sum(), from_wrong_critics=from_wrong, steps=pl.len()
    )  # fmt: skip
    return grouped.sort(["cell", "contribution", *by[1:]], descending=[False, True, *[False] * 3])


def hotspots(steps: pl.DataFrame, *, limit: int) -> pl.DataFrame:
    """The trajectories of each cell whose mass rose most, at the round where it rose most.

    Names the turn (cell, question, seed, agent, round), what it heard, and confidence and answer
    before and after.
    """
    whole = steps.group_by("cell", "trajectory").agg(
        rise=pl.col("step").sum(), contribution=pl.col("contribution").sum()
    )
    risen = whole.filter(pl.col("rise") > 0).sort(
        ["cell", "rise", "trajectory"], descending=[False, True, False]
    )
    top = risen.group_by("cell", maintain_order=True).head(limit)
    turns = steps.join(top.drop("cell"), on="trajectory").sort(
        ["trajectory", "step", "round"], descending=[False, True, False]
    )
    steepest = turns.group_by("trajectory", maintain_order=True).first()
    columns = [
        "cell", "question", "category", "seed", "agent", "model", "round", "rise", "step",
        "contribution", "previous_answer", "answer", "target", "previous_outcome", "outcome",
        "previous_confidence", "confidence", "heard",
    ]  # fmt: skip
    ordered = steepest.sort(["cell", "rise", "trajectory"], descending=[False, True, False])
    return ordered.select(columns)
