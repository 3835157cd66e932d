"""Confidence of agents that were wrong at their opening: trajectories, and beliefs."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

import altair as alt
import polars as pl

from debate.analysis.design import choose_controls
from debate.analysis.states import count_questions
from debate.analysis.sums import sum_by_group
from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    arrange_panels,
    encode_color,
    encode_dash,
    encode_shape,
    layer_marks,
    make_figure,
    make_missing_figure,
    make_probability_axis,
    make_round_axis,
    to_data,
)
from debate.report.theme import BLUE, GREY, INK, PAPER, VERMILLION, MarkStyle
from debate.text import count_noun, join_names

TRAJECTORIES_NAME, TRAJECTORIES_TITLE = "trajectories", "Confidence in a wrong opening answer"
MAX_LINES = 60
"""Single trajectories that are drawn, in each arm."""
MIN_TRAJECTORIES = 3
"""Arms with fewer trajectories to follow have no panel: a few lines are no cohort."""
LINES_CAPTION = (
    "Thin lines are single agents on single questions (a seeded sample where there are more "
    f"than {MAX_LINES} in an arm); the thick line is the mean of the whole cohort with its "
    "95 % band, clustered by question, made on the scale of log-odds."
)
CONTROL_CAPTION = "The dashed line is the control arm: mere resampling."
BELIEF_COHORT = (
    "Belief in the own opening answer, among agents that were wrong at round 0, whether or "
    "not they still give that answer: a fixed cohort, so the sure ones do not remain alone. "
    "Belief is the probability that the model gives to the answer, whatever else came up."
)
CONFIDENCE_COHORT = (
    "Confidence of agents that were wrong at round 0 and kept that answer in every round: a "
    "fixed cohort, so a rise is not the departure of the unsure."
)

BELIEFS_NAME = "beliefs"
BELIEFS_TITLE = "Belief in the own wrong answer against belief in the truth"
BELIEFS_CAPTION = (
    "Teacher-forced probability over one fixed set of candidates, among agents that were "
    "wrong at round 0; means with 95 % bands, clustered by question, made on the scale of "
    "log-odds. Where the lines cross, the average errant agent has come to believe the truth."
)
BELIEFS = {"belief_own": "own wrong opening answer", "belief_target": "the truth"}
BELIEF_STYLES = {
    BELIEFS["belief_own"]: MarkStyle(VERMILLION, "square"),
    BELIEFS["belief_target"]: MarkStyle(BLUE, "circle", (6, 3)),
}


class Cohort(NamedTuple):
    """The states that are drawn, with `value`; what they are, and the title of their axis."""

    rows: pl.DataFrame
    about: str
    axis: str


def draw_trajectories(report: ReportData) -> Figure:
    """Draw a panel for each arm: sampled trajectories in grey, the cohort's mean with its band."""
    name, title = TRAJECTORIES_NAME, TRAJECTORIES_TITLE
    if len(report.rounds) < 2:
        note = "There is one round only, so nothing has a trajectory."
        return make_missing_figure(name, title, note)
    states = report.estimated_states
    cohort = _select_by_belief(states) or _select_by_confidence(states)
    if cohort is None:
        note = "No agent that was wrong at its opening has a belief or a confidence to follow."
        return make_missing_figure(name, title, note)
    rows = cohort.rows.filter(pl.col("cell").is_in(report.drawn_cells))
    lines, means = _sample_lines(rows), _compute_means(rows, count_questions(states))
    controls = choose_controls(report.cells).resampling
    drawn = [cell for cell in _select_moving(report, means) if _is_cohort(means, cell)]
    if not drawn:
        note = f"No arm has {MIN_TRAJECTORIES} agents that were wrong at round 0 to follow."
        return make_missing_figure(name, title, note)
    panels = [
        _draw_lines(report, cell, lines, means, controls.get(cell), cohort.axis) for cell in drawn
    ]
    data = pl.concat([lines, means], how="diagonal")
    control = CONTROL_CAPTION if controls else ""
    caption = (cohort.about, LINES_CAPTION, control, _name_missing(report, drawn))
    return make_figure(name, title, arrange_panels(panels, 3), data, *caption)


def _is_cohort(means: pl.DataFrame, cell: str) -> bool:
    """Whether enough trajectories of a cell begin at round 0."""
    first = means.filter((pl.col("cell") == cell) & (pl.col("round") == 0))
    return bool(first["n"].to_numpy().sum() >= MIN_TRAJECTORIES)


def _name_missing(report: ReportData, drawn: list[str]) -> str:
    """A sentence that names the arms without a panel, and why; empty where all have one."""
    missing = [report.label_arm(cell) for cell in report.cells if cell not in drawn]
    if not missing:
        return ""
    why = f"one round, or fewer than {MIN_TRAJECTORIES} such agents"
    return f"Without a panel, for they have {why}: {join_names(missing)}."


def _select_by_belief(states: pl.DataFrame) -> Cohort | None:
    """Belief in the own opening answer of all who were wrong at their opening."""
    wrong = states.filter(pl.col("opening_outcome") == "wrong")
    rows = wrong.with_columns(value="belief_own").filter(pl.col("value").is_not_null())
    if rows["round"].n_unique() < 2:
        return None
    return Cohort(rows, BELIEF_COHORT, "belief in own opening answer")


def _select_by_confidence(states: pl.DataFrame) -> Cohort | None:
    """Confidence of those who gave the same wrong answer in every round."""
    kept = (pl.col("answer") == pl.col("opening_answer")) & pl.col("confidence").is_not_null()
    wrong = states.filter(pl.col("opening_outcome") == "wrong").with_columns(value="confidence")
    rows = wrong.filter(kept.fill_null(False).all().over("trajectory"))
    if rows["round"].n_unique() < 2:
        return None
    return Cohort(rows, CONFIDENCE_COHORT, "confidence in kept error")


def _sample_lines(rows: pl.DataFrame) -> pl.DataFrame:
    """At most `MAX_LINES` whole trajectories of each cell, drawn with a fixed seed."""
    chosen: list[int] = []
    for (cell,), part in sorted(rows.partition_by("cell", as_dict=True).items()):
        found = sorted(part["trajectory"].unique())
        chosen += random.Random(f"report/{cell}").sample(found, min(MAX_LINES, len(found)))
    kept = rows.filter(pl.col("trajectory").is_in(chosen))
    return kept.select("cell", "question", "seed", "agent", "trajectory", "round", "value")


def _compute_means(rows: pl.DataFrame, num: int) -> pl.DataFrame:
    """The cohort's mean by cell and round, with its interval and its size, of `num` questions."""
    found = sum_by_group(rows, ["cell", "round"], ["value"], num)
    means = [
        (cell, round_, *_keep_within(*sums["value"].mean()[:3]), sums["value"].n)
        for (cell, round_), sums in found.items()
    ]
    numbers = dict.fromkeys(("value", "low", "high"), pl.Float64)
    schema = {"cell": pl.String, "round": pl.Int64, **numbers, "n": pl.Int64}
    return pl.DataFrame(means, schema=schema, orient="row").with_columns(part=pl.lit("mean"))


class Band(NamedTuple):
    """A mean of numbers in [0, 1] with its interval."""

    value: float | None
    low: float | None
    high: float | None


def _keep_within(value: float | None, low: float | None, high: float | None) -> Band:
    """The same mean with its interval on the scale of log-odds (by the delta method), in [0, 1]."""
    if value is None or low is None or high is None or not 0 < value < 1:
        return Band(value, low, high)
    odds, slope = value / (1 - value), value * (1 - value)
    lower, upper = (odds * math.exp((end - value) / slope) for end in (low, high))
    return Band(value, lower / (1 + lower), upper / (1 + upper))


def _select_moving(report: ReportData, means: pl.DataFrame) -> list[str]:
    """The drawn cells that have a mean after round 0."""
    moving = means.filter(pl.col("round") > 0)["cell"].unique()
    return [cell for cell in report.drawn_cells if cell in moving]


def _draw_lines(
    report: ReportData,
    cell: str,
    lines: pl.DataFrame,
    means: pl.DataFrame,
    control: str | None,
    axis: str,
) -> Any:
    inside = pl.col("cell") == cell
    at = {"x": make_round_axis(report.rounds), "y": make_probability_axis(axis)}
    own, mean = lines.filter(inside), means.filter(inside)
    single = alt.Chart(to_data(own.select("trajectory", "round", "value")))
    layers = [
        single.mark_line(color=GREY, strokeWidth=0.7, opacity=0.55).encode(
            **at, detail=alt.Detail("trajectory:N")
        ),
        *_draw_mean(mean, at),
    ]
    if control:
        beside = alt.Chart(to_data(means.filter(pl.col("cell") == control)))
        dashed = beside.mark_line(color=INK, strokeWidth=1.4, strokeDash=[5, 3])
        layers.append(dashed.encode(**at))
    size = mean.filter(pl.col("round") == 0)["n"].to_numpy().sum()
    num_drawn = own["trajectory"].n_unique()
    under = count_noun(int(size), "trajectory", "trajectories")
    under += "" if num_drawn == size else f", {num_drawn} drawn"
    title = {"text": report.label_arm(cell), "subtitle": under}
    return layer_marks(layers, width=250, height=190, title=title)


def _draw_mean(mean: pl.DataFrame, at: dict[str, Any]) -> tuple[Any, ...]:
    base = alt.Chart(to_data(mean))
    points = base.mark_point(
        filled=True, color=VERMILLION, stroke=PAPER, strokeWidth=1, size=52, opacity=1
    )
    return (
        base.mark_area(color=VERMILLION, opacity=0.22, clip=True).encode(
            x=at["x"], y=alt.Y("low:Q"), y2=alt.Y2("high:Q")
        ),
        base.mark_line(color=VERMILLION, strokeWidth=2.6).encode(**at),
        points.encode(**at),
    )


def draw_beliefs(report: ReportData) -> Figure:
    """Draw, in a panel for each arm, the mean beliefs by round of agents wrong at their opening."""
    rows = report.analysis.tables["beliefs"].filter(pl.col("value").is_not_null())
    rows = rows.filter(pl.col("cell").is_in(report.drawn_cells))
    if rows.is_empty():
        note = "No turn carries a belief; the belief probe was not part of this run."
        return make_missing_figure(BELIEFS_NAME, BELIEFS_TITLE, note)
    bands = [_keep_within(*row) for row in rows.select("value", "low", "high").iter_rows()]
    data = rows.with_columns(
        line=pl.col("belief").replace_strict(BELIEFS),
        low=pl.Series([band.low for band in bands], dtype=pl.Float64),
        high=pl.Series([band.high for band in bands], dtype=pl.Float64),
    )
    arms = _select_moving(report, data)
    if not arms:
        note = "There is one round only, so no belief could move."
        return make_missing_figure(BELIEFS_NAME, BELIEFS_TITLE, note)
    panels = [_draw_belief(report, cell, data.filter(pl.col("cell") == cell)) for cell in arms]
    chart = arrange_panels(panels, 3)
    return make_figure(BELIEFS_NAME, BELIEFS_TITLE, chart, data, BELIEFS_CAPTION, report.drawn_note)


def _draw_belief(report: ReportData, cell: str, rows: pl.DataFrame) -> Any:
    base = alt.Chart(to_data(rows))
    legend = alt.Legend(orient="top")
    color = encode_color("line:N", BELIEF_STYLES, title="belief in", legend=legend)
    dash = encode_dash("line:N", BELIEF_STYLES)
    shape = encode_shape("line:N", BELIEF_STYLES, title="belief in")
    x, y = make_round_axis(report.rounds), make_probability_axis("mean belief")
    bands = base.mark_area(opacity=0.18, clip=True)
    points = base.mark_point(filled=True, size=46, opacity=1)
    layers = (
        bands.encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=color),
        base.mark_line(strokeWidth=2.2).encode(x=x, y=y, color=color, strokeDash=dash),
        points.encode(x=x, y=y, color=color, shape=shape),
    )
    return layer_marks(layers, width=250, height=180, title=report.label_arm(cell))
