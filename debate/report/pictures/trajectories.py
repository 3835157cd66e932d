"""Confidence in a wrong opening answer, agent by agent, and its mean over a fixed cohort."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from debate.analysis.design import controls_for
from debate.analysis.states import num_questions
from debate.analysis.sums import grouped_sums
from debate.analysis.text import count
from debate.report.figure import Figure, absent, drawn, grid, probability, round_axis, values
from debate.report.material import Material
from debate.report.theme import GREY, INK, PAPER, VERMILLION

NAME, TITLE = "trajectories", "Confidence in a wrong opening answer"
MOST_LINES = 60
WIDTH, HEIGHT = 250, 190


class Cohort(NamedTuple):
    """The rows that are drawn, with `value`; what they are, and how the axis is called."""

    rows: pl.DataFrame
    about: str
    axis: str
    has_common_scale: bool
    """Whether levels compare between arms."""


def trajectories(material: Material) -> Figure:
    """A panel for each arm: sampled trajectories in grey, the cohort's mean with its band."""
    cohort = by_belief(material.told_states) or by_confidence(material.told_states)
    if len(material.rounds) < 2:
        return absent(NAME, TITLE, "There is one round only, so nothing has a trajectory.")
    if cohort is None:
        lacking = "No agent that was wrong at its opening has a belief or a confidence to follow."
        return absent(NAME, TITLE, lacking)
    shown = cohort.rows.filter(pl.col("cell").is_in(material.drawn_cells))
    lines, means = sample(shown), band(shown, num_questions(material.told_states))
    control = controls_for(material.cells).resampling if cohort.has_common_scale else {}
    moving = means.filter(pl.col("round") > 0)["cell"].unique()
    arms = [cell for cell in material.drawn_cells if cell in moving]
    panels = [_panel(material, cell, lines, means, control.get(cell), cohort.axis) for cell in arms]
    data = pl.concat([lines, means], how="diagonal")
    return drawn(
        NAME, TITLE, grid(panels, 3), data, cohort.about,
        "Thin lines are single agents on single questions (a seeded sample where there are more "
        f"than {MOST_LINES} in an arm); the thick line is the mean of the whole cohort with its "
        "95 % band, clustered by question.",
        "The dashed line is the control arm: mere resampling." if control else "",
        material.left_out(),
    )  # fmt: skip


def by_belief(states: pl.DataFrame) -> Cohort | None:
    """Belief in the own opening answer of all who were wrong at their opening."""
    wrong = states.filter(pl.col("opening_outcome") == "wrong")
    rows = wrong.with_columns(value="belief_own").filter(pl.col("value").is_not_null())
    if rows["round"].n_unique() < 2:
        return None
    about = (
        "Belief in the own opening answer, among agents that were wrong at round 0, whether or "
        "not they still give that answer: a fixed cohort, so the sure ones do not remain alone. "
        "Belief is the probability that the model gives to the answer, whatever else came up."
    )
    return Cohort(rows, about, "belief in own opening answer", has_common_scale=True)


def by_confidence(states: pl.DataFrame) -> Cohort | None:
    """Confidence of those who gave the same wrong answer in every round."""
    kept = (pl.col("answer") == pl.col("opening_answer")) & pl.col("confidence").is_not_null()
    wrong = states.filter(pl.col("opening_outcome") == "wrong").with_columns(value="confidence")
    rows = wrong.filter(kept.fill_null(False).all().over("trajectory"))
    if rows["round"].n_unique() < 2:
        return None
    about = (
        "Confidence of agents that were wrong at round 0 and kept that answer in every round: a "
        "fixed cohort, so a rise is not the departure of the unsure."
    )
    return Cohort(rows, about, "confidence in kept error", has_common_scale=True)


def sample(rows: pl.DataFrame, *, most: int = MOST_LINES) -> pl.DataFrame:
    """At most `most` whole trajectories of each cell, drawn with a fixed seed."""
    chosen: list[int] = []
    for (cell,), part in sorted(rows.partition_by("cell", as_dict=True).items()):
        found = sorted(part["trajectory"].unique())
        chosen += random.Random(f"report/{cell}").sample(found, min(most, len(found)))
    kept = rows.filter(pl.col("trajectory").is_in(chosen))
    return kept.select("cell", "question", "seed", "agent", "trajectory", "round", "value")


def band(rows: pl.DataFrame, num: int) -> pl.DataFrame:
    """The cohort's mean by cell and round, with its interval and its size."""
    found = grouped_sums(rows, ["cell", "round"], ["value"], num)
    means = [
        (cell, round_, *sums["value"].mean()[:3], sums["value"].n)
        for (cell, round_), sums in found.items()
    ]
    schema = {"cell": pl.String, "round": pl.Int64, "value": pl.Float64, "low": pl.Float64,
              "high": pl.Float64, "n": pl.Int64}  # fmt: skip
    return pl.DataFrame(means, schema=schema, orient="row").with_columns(part=pl.lit("mean"))


def _panel(
    material: Material, cell: str, lines: pl.DataFrame, means: pl.DataFrame,
    control: str | None, axis: str,
) -> Any:  # fmt: skip
    inside = pl.col("cell") == cell
    x, y = round_axis(material.rounds), probability(axis)
    mean = means.filter(inside)
    first = alt.Chart(values(lines.filter(inside).select("trajectory", "round", "value")))
    middle = alt.Chart(values(mean))
    layers = [
        first.mark_line(color=GREY, strokeWidth=0.7, opacity=0.55).encode(
            x=x, y=y, detail="trajectory:N"
        ),
        middle.mark_area(color=VERMILLION, opacity=0.22, clip=True).encode(
            x=x, y="low:Q", y2="high:Q"
        ),
        middle.mark_line(color=VERMILLION, strokeWidth=2.6).encode(x=x, y=y),
        middle.mark_point(
            filled=True, color=VERMILLION, stroke=PAPER, strokeWidth=1, size=52, opacity=1
        ).encode(x=x, y=y),
    ]
    if control:
        beside = alt.Chart(values(means.filter(pl.col("cell") == control)))
        layers.append(
            beside.mark_line(color=INK, strokeWidth=1.4, strokeDash=[5, 3]).encode(x=x, y=y)
        )
    drawn_lines = lines.filter(inside)["trajectory"].n_unique()
    size = mean.filter(pl.col("round") == 0)["n"].to_numpy().sum()
    under = f"{count(size)} trajectories, {drawn_lines} drawn"
    title = alt.TitleParams(material.arm(cell), subtitle=under)
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=title)
