"""What agents heard before they changed an answer."""

from __future__ import annotations

from debate.analysis.tables.influence import credit, edges, hazards
from debate.report.material import Material
from debate.report.pictures.influence import influence as drawn_edges
from debate.report.section import Section


def influence(material: Material) -> Section:
    """Each edge drawn on the topology, hazards by kind of edge, and what flips go back to."""
    found = material.analysis
    return Section(
        name="influence",
        title="What was heard before",
        nav="Influence",
        figures=(drawn_edges(material),),
        tables=(hazards(found), credit(found), edges(found)),
        data={name: found.tables[name] for name in ("hazards", "credit", "edges", "flip_sources")},
    )
