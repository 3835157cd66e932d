"""The sections of the page, in its order.

A new section is one function here, from a `ReportData` to a `Section` (or None, where the source
has nothing of the kind), and one line in SECTIONS. Its figures come from
`debate.report.figure.make_figure`, its tables from `debate.analysis.tables`; the link in the
navigation, the Parquet files beside the page and the pictures of `--figures` follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from debate.analysis.main_questions import answer_main_questions
from debate.analysis.present import list_lacking
from debate.analysis.replies import warn_replies
from debate.analysis.tables.confidence import (
    tabulate_calibration_changes,
    tabulate_calibration_errors,
    tabulate_conformity,
    tabulate_drift,
    tabulate_entrenchment,
    tabulate_error_parts,
    tabulate_errors,
    tabulate_flips,
    tabulate_ranking,
    tabulate_revisions,
    tabulate_scores,
)
from debate.analysis.tables.influence import (
    RANKINGS,
    tabulate_alternatives,
    tabulate_credit,
    tabulate_critique_matrix,
    tabulate_edges,
    tabulate_hazards,
    tabulate_labels,
    tabulate_self_critique,
)
from debate.analysis.tables.ownership_tables import (
    tabulate_ownership,
    tabulate_ownership_changes,
    tabulate_ownership_logits,
)
from debate.analysis.tables.results import (
    tabulate_accuracy,
    tabulate_across_factors,
    tabulate_comparisons,
    tabulate_findings,
    tabulate_headline,
    tabulate_replies,
    tabulate_tokens,
    tabulate_votes,
)
from debate.analysis.tables.team_tables import (
    tabulate_dose_response,
    tabulate_team,
    tabulate_team_contrasts,
    tabulate_teams,
)
from debate.analysis.tables.verification_tables import (
    tabulate_own_gaps,
    tabulate_reflection_rates,
    tabulate_steps,
    tabulate_verification,
)
from debate.report.data import ReportData
from debate.report.figure import Figure
from debate.report.overview import describe_run
from debate.report.page_parts import Section, prune_tables
from debate.report.pictures.calibration import draw_calibration, draw_reliability
from debate.report.pictures.critique import draw_cross_critique
from debate.report.pictures.flow import draw_flow
from debate.report.pictures.four_ways import draw_four_ways
from debate.report.pictures.headline import draw_headline
from debate.report.pictures.influence import draw_influence
from debate.report.pictures.reflection import draw_reflection
from debate.report.pictures.teams import draw_dose, draw_teams, draw_votes
from debate.report.pictures.trajectories import draw_beliefs, draw_trajectories
from debate.report.pictures.utilisation import draw_utilisation
from debate.report.transcripts import find_hotspots

SectionBuilder = Callable[[ReportData], Section | None]


def build_run(report: ReportData) -> Section:
    """What was run: questions, agents, arms, claims, settings and prompts."""
    return Section(
        name="run",
        title="What was run",
        template="run.html",
        content=describe_run(report),
    )


def build_summary(report: ReportData) -> Section:
    """The answers to the questions that people bring to a run, and one picture."""
    return Section(
        name="summary",
        title="In short",
        template="summary.html",
        figures=(draw_headline(report),),
        content={"answers": answer_main_questions(report.analysis)},
    )


def build_findings(report: ReportData) -> Section | None:
    """The hypotheses of the run's file; None where it has none."""
    if not report.analysis.findings:
        return None
    return Section(
        name="findings",
        title="What became of the claims",
        nav="Claims",
        tables=(tabulate_findings(report.analysis),),
    )


def build_headline(report: ReportData) -> Section:
    """Each arm before and after the debate; accuracy and confidence by round unfold below."""
    found = report.analysis
    return Section(
        name="headline",
        title="Accuracy and confidence, before and after",
        nav="Before and after",
        tables=(tabulate_headline(found), tabulate_accuracy(found), tabulate_across_factors(found)),
    )


def build_replies(report: ReportData) -> Section | None:
    """What was read of each agent's replies and probes; None where all of it was."""
    table = tabulate_replies(report.analysis)
    if not table.rows:
        return None
    return Section(
        name="replies",
        title="What was read, and what was not",
        nav="Replies",
        note=" ".join(warn_replies(report.analysis.replies)),
        tables=(table,),
    )


def build_critique(report: ReportData) -> Section | None:
    """The cross-critique matrix, own against others', labels and broader alternatives."""
    found = report.analysis
    if "cross_critique" not in found.tables or found.tables["cross_critique"].is_empty():
        return None
    return Section(
        name="critique",
        title="Is it critique that fails, or critique of oneself?",
        nav="Critique",
        figures=tuple(_draw_critique(report)),
        tables=(
            tabulate_self_critique(found),
            tabulate_critique_matrix(found),
            tabulate_alternatives(found),
            tabulate_labels(found),
            tabulate_ownership(found),
            tabulate_ownership_changes(found),
            tabulate_ownership_logits(found),
        ),
        data={"cross_critique_cells": found.tables["cross_critique"]},
    )


def _draw_critique(report: ReportData) -> Iterator[Figure]:
    """The heat maps, and the four ways where answers were judged under several names."""
    yield draw_cross_critique(report)
    if not report.analysis.tables["ownership"].is_empty():
        yield draw_four_ways(report)


def build_verification(report: ReportData) -> Section | None:
    """Verification gaps, the grid of false accepts and rejects, and steps of accuracy by round."""
    found = report.analysis
    gaps, rates = tabulate_verification(found), tabulate_reflection_rates(found)
    if not gaps.rows and not rates.rows:
        return None
    return Section(
        name="verification",
        title="What is a verifier's verdict worth?",
        nav="Verification",
        figures=(draw_reflection(report),) if rates.rows else (),
        tables=(gaps, tabulate_own_gaps(found), rates, tabulate_steps(found)),
        open=3,
        data={name: found.tables[name] for name in ("verification", "reflection")},
    )


def build_errors(report: ReportData) -> Section:
    """Trajectories on fixed cohorts, beliefs, and entrenchment and amplification by round."""
    found = report.analysis
    return Section(
        name="errors",
        title="Did confidence in errors grow?",
        nav="Confidence in errors",
        figures=(draw_trajectories(report), draw_beliefs(report)),
        tables=(tabulate_errors(found), tabulate_entrenchment(found), tabulate_error_parts(found)),
    )


def build_rankings(report: ReportData) -> Section | None:
    """Rankings of rounds, agents, edges, categories and questions, with links to transcripts."""
    found = report.analysis
    tables = tuple(make(found) for make in RANKINGS.values())
    if not any(table.rows for table in tables):
        return None
    return Section(
        name="where",
        title="Where it grew",
        note="What added most to error amplification (EAI) in each arm. The contributions of all "
        "rounds, agents, edges, categories or questions of an arm add up to its EAI. Each line "
        "leads to its steepest turn: the debate in which confidence in an error rose most.",
        tables=tables,
        open=len(tables),
        data={name: found.tables[name] for name in RANKINGS},
    )


def build_transcripts(report: ReportData) -> Section:
    """The turns at which errors grew most, as lines that unfold into their debates."""
    found = find_hotspots(report)
    return Section(
        name="spots",
        title="The turns at which confidence in errors rose most",
        nav="Transcripts",
        template="spots.html",
        content={"spots": found},
        anchors={place: spot.anchor for spot in found for place in spot.places},
        data={"hotspots": report.analysis.tables["hotspots"]},
    )


def build_changes(report: ReportData) -> Section:
    """The flow between right and wrong, flips, drift, conformity and revisions."""
    found = report.analysis
    return Section(
        name="changes",
        title="Who changed an answer",
        nav="Changes of answer",
        figures=(draw_flow(report),),
        tables=(
            tabulate_flips(found),
            tabulate_drift(found),
            tabulate_conformity(found),
            tabulate_revisions(found),
        ),
        open=3,
    )


def build_influence(report: ReportData) -> Section:
    """Each edge drawn on the topology, hazards by kind of edge, and what flips go back to."""
    found = report.analysis
    return Section(
        name="influence",
        title="What was heard before",
        nav="Influence",
        figures=(draw_influence(report),),
        tables=(tabulate_hazards(found), tabulate_credit(found), tabulate_edges(found)),
        data={name: found.tables[name] for name in ("hazards", "credit", "edges", "flip_sources")},
    )


def build_votes(report: ReportData) -> Section:
    """Votes over the openings and at the end, paired comparisons, the team's table."""
    found = report.analysis
    return Section(
        name="votes",
        title="The team's answer",
        figures=(draw_votes(report),),
        tables=(tabulate_team(found), tabulate_comparisons(found), tabulate_votes(found)),
        open=2,
    )


def build_teams(report: ReportData) -> Section | None:
    """The teams side by side, and gain against error correlation; None of fewer than two."""
    found = report.analysis
    if found.tables["teams"]["cell"].n_unique() < 2:
        return None
    return Section(
        name="diversity",
        title="Teams side by side",
        nav="Teams",
        figures=(draw_teams(report), draw_dose(report)),
        tables=(
            tabulate_teams(found),
            tabulate_team_contrasts(found),
            tabulate_dose_response(found),
        ),
        open=3,
        data={name: found.tables[name] for name in ("teams", "dose_lines")},
    )


def build_calibration(report: ReportData) -> Section:
    """Scores by round drawn, reliability diagrams, and every score in tables."""
    found = report.analysis
    return Section(
        name="calibration",
        title="Calibration",
        figures=(draw_calibration(report), draw_reliability(report)),
        tables=(
            tabulate_calibration_changes(found),
            tabulate_scores(found),
            tabulate_calibration_errors(found),
            tabulate_ranking(found),
        ),
    )


def build_tokens(report: ReportData) -> Section:
    """Turns and tokens by arm, agent and model."""
    found = report.analysis
    return Section(
        name="tokens",
        title="What it cost, in tokens",
        nav="Cost",
        tables=(tabulate_tokens(found),),
        data={"ledger": found.tables["ledger"], "estimates": found.frame()},
    )


def build_utilisation(report: ReportData) -> Section | None:
    """The use of the models' replicas; None for a table, and where none was recorded."""
    figure = draw_utilisation(report)
    if figure.spec is None:
        return None
    return Section(
        name="utilisation",
        title="Utilisation",
        note="How the time of each replica was spent. Where models take turns on a device, one of "
        "them is awake at a time.",
        figures=(figure,),
    )


def build_caveats(report: ReportData) -> Section:
    """The caveats that apply, one sentence each, and what numbers would still need."""
    found = report.analysis
    return Section(
        name="caveats",
        title="Caveats",
        template="caveats.html",
        content={"sentences": (*found.caveats, *list_lacking(found))},
    )


SECTIONS: tuple[SectionBuilder, ...] = (
    build_summary,
    build_run,
    build_findings,
    build_votes,
    build_teams,
    build_headline,
    build_calibration,
    build_errors,
    build_changes,
    build_influence,
    build_critique,
    build_verification,
    build_tokens,
    build_utilisation,
    build_replies,
    build_caveats,
    build_rankings,
    build_transcripts,
)
"""The order is that of a reader's questions: the answers in short, what was run, what came out for
the team and its members, for errors, who heard whom, at what price, what to beware of, and where to
look."""


def build_sections(report: ReportData) -> tuple[Section, ...]:
    """Return every section that this report has something for, in the order of the page."""
    built = (build(report) for build in SECTIONS)
    return tuple(prune_tables(section) for section in built if section is not None)
