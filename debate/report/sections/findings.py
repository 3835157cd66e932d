"""What was claimed before the run, and what became of it."""

from __future__ import annotations

from debate.analysis.tables.findings import findings as outcomes
from debate.report.material import Material
from debate.report.section import Section


def findings(material: Material) -> Section | None:
    """The hypotheses of the run's file; nothing where it has none."""
    if not material.analysis.findings:
        return None
    return Section(
        name="findings",
        title="What was claimed beforehand",
        nav="Hypotheses",
        tables=(outcomes(material.analysis),),
    )
