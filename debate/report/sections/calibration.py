"""Whether confidence means what it says."""

from __future__ import annotations

from debate.analysis.tables.calibration import calibration_errors, ranking, scores
from debate.analysis.tables.calibration import changes as calibration_changes
from debate.report.material import Material
from debate.report.pictures.calibration import calibration as drawn_scores
from debate.report.pictures.reliability import reliability
from debate.report.section import Section


def calibration(material: Material) -> Section:
    """Scores by round drawn, reliability diagrams, and every score in tables."""
    found = material.analysis
    return Section(
        name="calibration",
        title="Calibration",
        figures=(drawn_scores(material), reliability(material)),
        tables=(
            calibration_changes(found),
            scores(found),
            calibration_errors(found),
            ranking(found),
        ),
    )
