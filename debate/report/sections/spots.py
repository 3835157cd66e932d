"""The debates behind the numbers: transcripts around the turns at which errors grew."""

from __future__ import annotations

from debate.report.hotspots import spots as all_spots
from debate.report.material import Material
from debate.report.section import Section


def spots(material: Material) -> Section:
    """The steepest turns as lines that unfold into their debates."""
    found = all_spots(material)
    return Section(
        name="spots",
        title="The turns at which confidence in errors rose most",
        nav="Transcripts",
        template="spots.html",
        content={"spots": found},
        anchors={spot.place: spot.anchor for spot in found},
        data={"hotspots": material.analysis.tables["hotspots"]},
    )
