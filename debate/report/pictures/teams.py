"""The team's answer: votes before and after, teams side by side, gain by error correlation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from debate.analysis.price import describe_small_pools
from debate.analysis.registry import get_words
from debate.analysis.tables.results import write_unanswered_note
from debate.analysis.teams import DOSE_MEASURE
from debate.report.data import ReportData
from debate.report.figure import (
    Figure,
    arrange_panels,
    draw_zero_line,
    encode_color,
    encode_shape,
    layer_marks,
    make_figure,
    make_missing_figure,
    make_share_axis,
    to_data,
)
from debate.report.theme import BLUE, GREEN, INDIGO, INK, MUTED, ORANGE, MarkStyle
from debate.text import shorten

VOTES_NAME, VOTES_TITLE = "votes", "The vote before and after the debate"
VOTES_CAPTION = (
    "Accuracy over all questions of each arm. Bars are 95 % intervals of each vote. Both votes "
    "answer the same questions, so their difference may be surer than the two bars tell; its own "
    "interval, paired by question, stands in the table of comparisons."
)
VOTES_STEP = 46
MIDDLE = 0.8 * VOTES_STEP / 2
"""Half of a line's band, which fills four fifths of the step: offsets count from its edge."""
OTHER_RULES = "Each arm's own rule is drawn; the votes by other rules are in the table below."
FIRST_VOTE, LAST_VOTE = "vote over the openings", "vote at the end"
MEAN_MEMBER, ORACLE = "mean member's opening", "any member right (oracle)"
VOTE_STYLES = {
    FIRST_VOTE: MarkStyle(ORANGE, "circle"),
    LAST_VOTE: MarkStyle(BLUE, "diamond"),
    MEAN_MEMBER: MarkStyle(MUTED, "cross"),
    ORACLE: MarkStyle(INK, "triangle-left"),
}

TEAMS_NAME, TEAMS_TITLE = "teams", "Teams against their anchors at equal tokens"
TEAMS_CAPTION = (
    "Accuracy over all questions; bars are 95 % intervals, clustered by question. Pool and "
    "best member answered without hearing anybody, as often as the debate's tokens allow."
)
TEAMS_STEP = 76
TEAM_STYLES = {
    "vote_0": MarkStyle(ORANGE, "circle"),
    "vote_T": MarkStyle(BLUE, "diamond"),
    "self_consistency": MarkStyle(GREEN, "square"),
    "best_single": MarkStyle(INDIGO, "triangle-up"),
    "oracle": MarkStyle(INK, "triangle-left"),
    "mean_member": MarkStyle(MUTED, "cross"),
}
TEAM_SHIFTS = dict(zip(TEAM_STYLES, (-25.0, -15.0, -5.0, 5.0, 15.0, 25.0), strict=True))
"""The distance in pixels from the middle of a team's line down to each mark."""

DOSE_NAME, DOSE_TITLE = "dose", "Gain of debate against error correlation"
DOSE_CAPTION = (
    "Lines are weighted and allow for errors in both coordinates; bands and bars are 95 % "
    "intervals, clustered by question. Above the dashed line debating gained."
)
DOSE_STYLES = {"homogeneous": MarkStyle(ORANGE, "circle"), "mixed": MarkStyle(BLUE, "diamond")}


def draw_votes(report: ReportData) -> Figure:
    """Draw, for each arm and method, the openings' vote, the last vote and two anchors."""
    found = report.analysis.frame("vote_accuracy").filter(pl.col("value").is_not_null())
    found = found.filter(pl.col("cell").is_in(report.drawn_cells))
    own = _select_own_rules(report, found)
    others = "" if own.height == found.height else OTHER_RULES
    found = own
    if found.is_empty():
        note = "No verdict could be scored, so there is no vote to compare."
        return make_missing_figure(VOTES_NAME, VOTES_TITLE, note)
    data = _collect_votes(report, found)
    chart = _draw_vote_lines(data)
    caption = (VOTES_CAPTION, others, write_unanswered_note(report.analysis), report.drawn_note)
    return make_figure(VOTES_NAME, VOTES_TITLE, chart, data, *caption)


def _select_own_rules(report: ReportData, found: pl.DataFrame) -> pl.DataFrame:
    """The votes by each arm's own rule; where that is not known, by the rule of most arms."""
    own = {c.cell: c.method for c in report.analysis.comparisons if c.is_own}
    if not own:
        return found
    usual = Counter(own.values()).most_common(1)[0][0]
    wanted = pl.col("cell").replace_strict(own, default=usual, return_dtype=pl.String)
    return found.filter(pl.col("subject") == wanted)


def _collect_votes(report: ReportData, found: pl.DataFrame) -> pl.DataFrame:
    """Columns line, mark, value, low, high, shift: all that is drawn."""
    has_one_method = found["subject"].n_unique() == 1
    team = {row["cell"]: row for row in report.analysis.tables["team"].iter_rows(named=True)}
    rows: list[tuple[Any, ...]] = []
    for cell in report.drawn_cells:
        of_cell = found.filter(pl.col("cell") == cell)
        for (method,), part in of_cell.sort("round").partition_by("subject", as_dict=True).items():
            arm = report.label_arm(cell)
            line = arm if has_one_method else f"{arm}, {shorten(method, 30)}"
            rows += [(line, *mark) for mark in _collect_marks(part, team[cell])]
    numbers = dict.fromkeys(("value", "low", "high", "shift"), pl.Float64)
    schema = {"line": pl.String, "mark": pl.String, **numbers}
    marks = pl.DataFrame(rows, schema=schema, orient="row")
    return marks.filter(pl.col("value").is_not_null())


def _collect_marks(part: pl.DataFrame, team: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Mark, value, low, high and shift of each mark of one line; `part`: its votes by round."""
    first, last = part.row(0, named=True), part.row(-1, named=True)
    votes = [(FIRST_VOTE, first, MIDDLE - 15.0), (LAST_VOTE, last, MIDDLE - 5.0)]
    marks: list[tuple[Any, ...]] = [
        (mark, vote["value"], vote["low"], vote["high"], shift)
        for mark, vote, shift in votes[: part.height]
    ]
    marks.append((MEAN_MEMBER, team["mean_member"], None, None, MIDDLE + 5.0))
    marks.append((ORACLE, team["oracle"], None, None, MIDDLE + 15.0))
    return marks


def _draw_vote_lines(data: pl.DataFrame) -> Any:
    marks = data["mark"].unique()
    styles = {name: style for name, style in VOTE_STYLES.items() if name in marks}
    legend = alt.Legend(orient="top", columns=4, labelLimit=260)
    color = encode_color("mark:N", styles, title=None, legend=legend)
    shape = encode_shape("mark:N", styles, title=None)
    axis = make_share_axis(data, "accuracy")
    at = {"y": _make_line_axis(data), "yOffset": alt.YOffset("shift:Q", scale=None)}
    base = alt.Chart(to_data(data))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.6)
    points = base.mark_point(filled=True, size=80, opacity=1)
    layers = (
        bars.encode(x=alt.X("low:Q", **axis), x2=alt.X2("high:Q"), **at, color=color),
        points.encode(x=alt.X("value:Q", **axis), **at, color=color, shape=shape),
    )
    return layer_marks(layers, width=560, height={"step": VOTES_STEP})


def _make_line_axis(data: pl.DataFrame) -> Any:
    """The vertical axis with one line for each arm or team, in the order of the data."""
    order = list(dict.fromkeys(data["line"]))
    return alt.Y("line:N", title=None, sort=order, axis=alt.Axis(labelLimit=230, grid=True))


def draw_teams(report: ReportData) -> Figure:
    """Draw, for each team, its votes, its pool, its best member, and what any member knew."""
    data = _collect_teams(report)
    if data["cell"].n_unique() < 2:
        note = "Fewer than two teams debated, so there is nothing to compare."
        return make_missing_figure(TEAMS_NAME, TEAMS_TITLE, note)
    shares = describe_small_pools(report.analysis)
    caption = (TEAMS_CAPTION, shares, write_unanswered_note(report.analysis))
    return make_figure(TEAMS_NAME, TEAMS_TITLE, _draw_team_lines(data), data, *caption)


def _collect_teams(report: ReportData) -> pl.DataFrame:
    rows = report.analysis.tables["teams"].filter(pl.col("value").is_not_null())
    rows = rows.filter(pl.col("measure").is_in(list(TEAM_STYLES)))
    arms = {cell: report.label_arm(cell) for cell in rows["cell"].unique()}
    marks = {name: get_words(name) for name in TEAM_STYLES}
    shift = pl.col("measure").replace_strict(TEAM_SHIFTS, return_dtype=pl.Float64)
    return rows.select(
        *("cell", "team", "value", "low", "high"),
        line=pl.col("cell").replace_strict(arms, return_dtype=pl.String),
        mark=pl.col("measure").replace_strict(marks, return_dtype=pl.String),
        shift=shift + 0.4 * TEAMS_STEP,
    )


def _draw_team_lines(data: pl.DataFrame) -> Any:
    named = {get_words(name): style for name, style in TEAM_STYLES.items()}
    marks = set(data["mark"])
    styles = {name: style for name, style in named.items() if name in marks}
    legend = alt.Legend(orient="top", columns=3, labelLimit=260)
    color = encode_color("mark:N", styles, title=None, legend=legend)
    shape = encode_shape("mark:N", styles, title=None)
    at = {"y": _make_line_axis(data), "yOffset": alt.YOffset("shift:Q", scale=None)}
    axis = make_share_axis(data, "accuracy")
    base = alt.Chart(to_data(data))
    bars = base.mark_rule(strokeWidth=1.4)
    points = base.mark_point(filled=True, size=70, opacity=1)
    layers = (
        bars.encode(x=alt.X("low:Q", **axis), x2=alt.X2("high:Q"), **at, color=color),
        points.encode(x=alt.X("value:Q", **axis), **at, color=color, shape=shape),
    )
    return layer_marks(layers, width=560, height={"step": TEAMS_STEP})


def draw_dose(report: ReportData) -> Figure:
    """Draw each gain of debate against the error correlation of the openings, by team."""
    points, lines = report.analysis.tables["dose"], report.analysis.tables["dose_lines"]
    by_response = {
        response: points.filter(pl.col("response") == response)
        for response in dict.fromkeys(points["response"])
    }
    responses = [response for response, rows in by_response.items() if rows.height > 1]
    if not responses:
        note = _explain_no_dose(report)
        return make_missing_figure(DOSE_NAME, DOSE_TITLE, note)
    arms = {cell: report.label_arm(cell) for cell in points["cell"].unique()}
    points = points.with_columns(arm=pl.col("cell").replace_strict(arms, return_dtype=pl.String))
    panels = []
    for response in responses:
        inside = pl.col("response") == response
        panels.append(_draw_response(points.filter(inside), lines.filter(inside), response))
    caption = (_describe_crossings(report), DOSE_CAPTION)
    return make_figure(DOSE_NAME, DOSE_TITLE, arrange_panels(panels, 2), points, *caption)


def _explain_no_dose(report: ReportData) -> str:
    """Say why no two teams have a dose and a response."""
    teams = report.analysis.tables["teams"]
    num = teams["cell"].n_unique()
    if num < 2:
        return "Fewer than two teams debated, so there is no dose to tell apart."
    doses = teams.filter(pl.col("measure") == DOSE_MEASURE)
    known = doses.filter(pl.col("value").is_not_null())
    if known.height > 1:
        return f"No gain is known of two of the {num} teams that debated."
    told = f"The error correlation of the openings is known of {known.height} of the {num} teams"
    missing = next(iter(doses["missing"].drop_nulls()), "a vote of two or more members")
    return f"{told} that debated, and a dose needs two. It would need {missing}."


def _describe_crossings(report: ReportData) -> str:
    """Say where each line crosses zero."""
    sentences = []
    for e in report.analysis.estimates:
        if e.name.startswith("dose_response.") and e.name.endswith(".crossing") and e.is_known:
            bounds = "no bounds, the slope may be zero"
            if e.low is not None and e.high is not None:
                bounds = f"{e.low:.2f} to {e.high:.2f}"
            response = get_words(e.name.split(".")[1])
            sentences.append(f"{response} is zero at {e.value:.2f} ({bounds}).")
    return " ".join(sentences)


def _draw_response(points: pl.DataFrame, line: pl.DataFrame, response: str) -> Any:
    """One panel: a point for each team, with bars in both directions, above the fitted line."""
    axis = {
        "title": "error correlation of the openings",
        "scale": alt.Scale(zero=False, nice=True, padding=14),
    }
    color = encode_color("team:N", DOSE_STYLES, title="models", legend=alt.Legend(orient="top"))
    shape = encode_shape("team:N", DOSE_STYLES, title="models")
    x = alt.X("dose:Q", **axis)
    y = alt.Y("value:Q", title="gain in accuracy", scale=axis["scale"])
    base = alt.Chart(to_data(points))
    bars = base.mark_rule(strokeWidth=1, opacity=0.6)
    marks = base.mark_point(filled=True, size=70, opacity=1)
    names = base.mark_text(align="left", dx=7, dy=-7, fontSize=10, color=MUTED)
    layers = [
        draw_zero_line(),
        *(_draw_fit(line, x, y) if line.height else ()),
        bars.encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=color),
        bars.encode(x=alt.X("dose_low:Q", **axis), x2=alt.X2("dose_high:Q"), y=y, color=color),
        marks.encode(x=x, y=y, color=color, shape=shape),
        names.encode(x=x, y=y, text=alt.Text("arm:N")),
    ]
    return layer_marks(layers, width=370, height=240, title=get_words(response))


def _draw_fit(line: pl.DataFrame, x: Any, y: Any) -> tuple[Any, Any]:
    fit = alt.Chart(to_data(line))
    band = fit.mark_area(opacity=0.14, color=INK)
    middle = fit.mark_line(strokeWidth=1.4, color=INK)
    return band.encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q")), middle.encode(x=x, y=y)
