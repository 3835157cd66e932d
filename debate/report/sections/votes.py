"""The team's own answer before and after, and what members can do alone."""

from __future__ import annotations

from debate.analysis.tables.votes import comparisons, team
from debate.analysis.tables.votes import votes as by_round
from debate.report.material import Material
from debate.report.pictures.votes import votes as drawn_votes
from debate.report.section import Section


def votes(material: Material) -> Section:
    """Votes over the openings and at the end, paired comparisons, the team's table."""
    found = material.analysis
    return Section(
        name="votes",
        title="The team's answer",
        figures=(drawn_votes(material),),
        tables=(comparisons(found), team(found), by_round(found)),
        open=2,
    )
