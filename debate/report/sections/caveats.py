"""What must be known of the numbers."""

from __future__ import annotations

from debate.analysis.present import lacking
from debate.report.material import Material
from debate.report.section import Section


def caveats(material: Material) -> Section:
    """The caveats that apply, one sentence each, and what numbers would still need."""
    found = material.analysis
    return Section(
        name="caveats",
        title="Caveats",
        template="caveats.html",
        content={"sentences": (*found.caveats, *lacking(found))},
    )
