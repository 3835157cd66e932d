"""Who changed an answer, for better or worse, and whether another round would help."""

from __future__ import annotations

from debate.analysis.tables.opinions import drift, flips, hearing, revisions
from debate.report.material import Material
from debate.report.pictures.flow import flow
from debate.report.section import Section


def changes(material: Material) -> Section:
    """The flow between right and wrong, flips, drift, conformity and revisions."""
    found = material.analysis
    return Section(
        name="changes",
        title="Who changed an answer",
        nav="Changes of answer",
        figures=(flow(material),),
        tables=(flips(found), drift(found), hearing(found), revisions(found)),
        open=3,
    )
